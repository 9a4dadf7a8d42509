"""What an operator may ask of a running live, and that a resume lifts only what the person could have seen."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from btcbot.domain.control import ControlAnswer, ControlRequest
from btcbot.domain.errors import BtcbotError, ReadFailed
from btcbot.domain.events import Event
from btcbot.domain.orders.evidence import Accepted, Silent
from btcbot.domain.orders.states import OrderState
from btcbot.services.control import ControlDesk, send_command
from btcbot.services.halting import Halting, write_halt_file
from tests.unit.persistence.world import START, CountedIds, approved
from tests.unit.services.world import Desk, opened


@dataclass
class Counter:
    at: Desk
    run_dir: Path
    open_points: tuple[str, ...] = ()
    meanwhile: Callable[[], Awaitable[None]] | None = None
    reconciled: int = 0
    changed: int = 0
    halting: Halting = field(init=False)
    refusal: BtcbotError | None = None
    is_flat: bool = True

    def __post_init__(self) -> None:
        self.halting = Halting(self.at.store, self.run_dir, self.at.witness)

    async def reconcile(self) -> tuple[str, ...]:
        self.reconciled += 1
        if self.meanwhile is not None:
            await self.meanwhile()
        return self.open_points

    def change(self) -> None:
        self.changed += 1

    async def flatten(self, reason: str, by: str) -> tuple[bool, str]:
        if self.refusal is not None:
            raise self.refusal
        return self.is_flat, f"{by}: {reason}"

    async def assign(self, asset: str, quantity: str, reason: str, by: str) -> str:
        if self.refusal is not None:
            raise self.refusal
        return f"{quantity} {asset}, {by}: {reason}"

    async def ask(self, verb: str, reason: str = "a person's reason", **args: str) -> ControlAnswer:
        desk = ControlDesk(
            self.at.store, self.at.book, self.halting, self.reconcile, self.change, self.at.witness, self, self
        )
        return await desk.answer(ControlRequest("request-1", verb, {"reason": reason, **args}))


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[Counter]:
    with opened(tmp_path / "live.db") as at:
        yield Counter(at, tmp_path)


async def test_halt_latches_and_wakes_the_loop(counter: Counter) -> None:
    answer = await counter.ask("halt")
    assert (answer.id, answer.ok) == ("request-1", True)
    assert counter.at.store.halt() == "a person's reason"
    assert counter.changed == 1


async def test_pause_stops_entries_and_not_more(counter: Counter) -> None:
    assert (await counter.ask("pause")).ok
    assert (counter.at.store.is_paused(), counter.at.store.halt()) == (True, None)
    assert Event.PAUSED in counter.at.witness.events()


async def test_resume_after_a_clean_reconciliation_lifts_halt_and_pause(counter: Counter) -> None:
    await counter.ask("halt")
    await counter.ask("pause")
    assert (await counter.ask("resume")).ok
    assert (counter.at.store.is_paused(), counter.at.store.halt(), counter.reconciled) == (False, None, 1)
    assert Event.RESUMED in counter.at.witness.events()


async def test_resume_lifts_a_halt_file_too(counter: Counter) -> None:
    path = write_halt_file(counter.run_dir, "tripped by the monitor")
    counter.halting.reason()
    assert (await counter.ask("resume")).ok
    assert not path.exists()
    assert counter.halting.reason() is None


async def test_resume_is_refused_with_every_open_point_and_lifts_nothing(counter: Counter) -> None:
    await counter.ask("halt")
    await counter.ask("pause")
    counter.open_points = ("order A is unknown", "BTC: off by 1")
    answer = await counter.ask("resume")
    assert not answer.ok
    assert "order A is unknown; BTC: off by 1" in answer.message
    assert (counter.at.store.is_paused(), counter.at.store.halt()) == (True, "a person's reason")


async def test_resume_is_refused_where_the_exchange_does_not_answer(counter: Counter) -> None:
    async def fails() -> None:
        raise ReadFailed("balances gave something else")

    await counter.ask("halt")
    counter.meanwhile = fails
    answer = await counter.ask("resume")
    assert not answer.ok
    assert "balances gave something else" in answer.message
    assert counter.at.store.halt() is not None


async def test_resume_does_not_lift_what_came_up_while_it_looked(counter: Counter) -> None:
    async def halted_again() -> None:
        counter.at.store.latch_halt("found during the reconciliation", "reconciliation")

    await counter.ask("halt")
    counter.meanwhile = halted_again
    assert not (await counter.ask("resume")).ok
    assert counter.at.store.halt() is not None
    counter.meanwhile = None
    assert (await counter.ask("resume")).ok
    assert counter.at.store.halt() is None


async def test_a_file_that_cannot_be_removed_is_answered_and_not_a_crash(counter: Counter) -> None:
    (counter.run_dir / "halt").mkdir()
    counter.halting.reason()
    answer = await counter.ask("resume")
    assert not answer.ok
    assert "cannot be removed" in answer.message


async def test_seal_closes_an_unknown_order_by_a_persons_word(counter: Counter) -> None:
    book = counter.at.book
    order = book.sending(book.intent(approved()))
    book.record(order.order_id, Silent("timeout"))
    for name in (order.client_order_id, order.order_id):
        answer = await counter.ask("seal", order=name)
        assert answer.ok is (name == order.client_order_id), "it can be sealed once"
    assert book.get(order.order_id).state is OrderState.ABSENT_SEALED
    assert counter.at.store.halt() is None


@pytest.mark.parametrize("name", ["", "nobody", "BB-TEST-1-1-00"])
async def test_seal_names_an_order_that_is_unknown(counter: Counter, name: str) -> None:
    book = counter.at.book
    order = book.sending(book.intent(approved()))
    book.record(order.order_id, Accepted(77, START))
    for wanted in (name, order.order_id, order.client_order_id):
        assert not (await counter.ask("seal", order=wanted)).ok
    assert book.get(order.order_id).state is OrderState.OPEN


@pytest.mark.parametrize("is_flat", [True, False])
async def test_flatten_tells_what_it_left(counter: Counter, is_flat: bool) -> None:
    counter.is_flat = is_flat
    answer = await counter.ask("flatten")
    assert (answer.ok, answer.message, counter.changed) == (is_flat, "operator: a person's reason", 1)
    assert ("by hand" in answer.next_step) is not is_flat


async def test_assign_names_coins_and_how_many(counter: Counter) -> None:
    answer = await counter.ask("assign", asset="BTC", quantity="0.5")
    assert (answer.ok, answer.message, counter.changed) == (True, "0.5 BTC, operator: a person's reason", 1)


@pytest.mark.parametrize("verb", ["flatten", "assign"])
async def test_what_is_refused_comes_with_its_next_step(counter: Counter, verb: str) -> None:
    counter.refusal = ReadFailed("balances gave something else")
    answer = await counter.ask(verb)
    assert (answer.ok, answer.message, answer.next_step) == (
        False, "balances gave something else", ReadFailed.next_step,
    )  # fmt: skip
    assert counter.changed == 0


@pytest.mark.parametrize("verb", ["halt", "pause", "resume", "seal", "flatten", "assign"])
@pytest.mark.parametrize("reason", ["", "   "])
async def test_every_command_wants_a_reason(counter: Counter, verb: str, reason: str) -> None:
    answer = await counter.ask(verb, reason)
    assert not answer.ok
    assert answer.next_step
    assert (counter.changed, counter.reconciled, counter.at.store.is_paused()) == (0, 0, False)


@pytest.mark.parametrize("verb", ["", "arm", "submit", "cancel", "HALT", "x" * 1000])
async def test_there_are_no_other_verbs(counter: Counter, verb: str) -> None:
    answer = await counter.ask(verb)
    assert not answer.ok
    assert len(answer.message) < 100
    assert counter.changed == 0


async def test_with_nobody_listening_the_command_says_so(tmp_path: Path) -> None:
    from btcbot.domain.errors import BtcbotError

    with pytest.raises(BtcbotError) as refusal:
        await send_command(tmp_path, "halt", {"reason": "why"}, CountedIds())
    assert refusal.value.next_step
