"""What the whole account says: orphans, other people's orders, doubled labels, and books that do not add up."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from btcbot.domain.errors import ReadFailed
from btcbot.domain.events import Event
from btcbot.domain.ledger import EntryKind, LedgerEntry
from btcbot.domain.money import Quantity, amount
from btcbot.domain.orders.evidence import VenueStatus
from btcbot.domain.orders.labels import Label
from btcbot.domain.orders.states import OrderState
from btcbot.services.reconciliation import MISMATCH_READINGS_MAX, SETTLING_MAX
from tests.unit.persistence.world import venue
from tests.unit.services.blotter import NUMBER, Blotter, stranger
from tests.unit.services.world import opened


@pytest.fixture
def blotter(tmp_path: Path) -> Iterator[Blotter]:
    with opened(tmp_path / "live.db") as at:
        yield Blotter(at)


OURS_WITHOUT_A_ROW = str(Label("TEST", 7, 3))


@pytest.mark.parametrize("place", ["listed", "past"])
async def test_an_order_of_ours_without_a_row_is_adopted_and_halts(blotter: Blotter, place: str) -> None:
    getattr(blotter.reader, place).append(stranger(OURS_WITHOUT_A_ROW, 501))
    await blotter.play("reconcile")
    adopted = blotter.at.store.journal.by_exchange_id(501)
    assert adopted is not None
    assert (adopted.state, adopted.client_order_id) == (OrderState.OPEN, OURS_WITHOUT_A_ROW)
    assert blotter.at.store.halt() is not None
    assert adopted.order_id in blotter.at.book.state.trading.orders
    before = blotter.rows()
    await blotter.play("reconcile\nfollow")
    assert blotter.rows() == before


@pytest.mark.parametrize(
    "label", [None, "", "my-own-order", str(Label("OTHER", 1, 1)), OURS_WITHOUT_A_ROW[:-1] + "?", "BB-TEST-1-1-00"]
)
async def test_somebody_elses_order_is_seen_once_and_never_touched(blotter: Blotter, label: str | None) -> None:
    blotter.reader.listed.append(stranger(label, 502))
    before = blotter.rows()
    await blotter.play("reconcile\nreconcile\nfollow")
    assert blotter.rows() == before
    assert blotter.at.witness.events().count(Event.FOREIGN_ORDER_SEEN) == 1
    assert blotter.at.store.halt() is None


async def test_two_orders_under_one_label_are_an_alarm(blotter: Blotter) -> None:
    await blotter.play("silent\nshown 0.001\nreconcile  ->  open 0")
    blotter.reader.listed.append(replace(blotter.reader.listed[0], exchange_order_id=NUMBER + 1))
    await blotter.play("reconcile  ->  open 0")
    second = blotter.at.store.journal.by_exchange_id(NUMBER + 1)
    assert second is not None
    assert second.client_order_id == f"{blotter.order.client_order_id}+{NUMBER + 1}"
    assert blotter.at.book.state.trading.orders.keys() == {blotter.order.order_id, second.order_id}, "both count"
    assert f"so does {NUMBER}, which has its row" in (blotter.at.store.halt() or "")
    assert blotter.order.exchange_order_id == NUMBER
    before = blotter.rows()
    await blotter.play("reconcile\nfollow")
    assert blotter.rows() == before


async def test_two_orders_under_the_label_of_an_unknown_one_are_an_alarm_as_well(blotter: Blotter) -> None:
    await blotter.play("silent\nshown 0.001")
    blotter.reader.listed.append(replace(blotter.reader.listed[0], exchange_order_id=NUMBER + 1))
    await blotter.play("reconcile\nreconcile  ->  open 0")
    assert blotter.order.exchange_order_id == NUMBER
    assert blotter.at.store.journal.by_exchange_id(NUMBER + 1) is not None
    assert blotter.at.store.halt() is not None


async def test_trades_of_two_orders_under_one_label_are_booked_to_their_own(blotter: Blotter) -> None:
    """The label of an order without a number is in the trades of both: it takes those of one."""
    await blotter.play("silent\nexecuted 1 0.001\nclosed 0\ntrades_listed")
    first = blotter.executed[0]
    part = replace(first, trade_id=2, exchange_order_id=NUMBER + 1, quantity=Quantity(Decimal("0.0004")))
    blotter.executed.append(part)
    blotter.reader.trades.append(blotter.executed[1])
    twin = venue(
        blotter.order.client_order_id, "0.0006", is_open=True, exchange_order_id=NUMBER + 1, status=VenueStatus.PARTIAL
    )
    blotter.reader.listed.append(twin)
    await blotter.play("reconcile\nreconcile\nfollow")
    second = blotter.at.store.journal.by_exchange_id(NUMBER + 1)
    assert second is not None
    assert (blotter.order.trade_ids, second.trade_ids) == ({1}, {2})
    await blotter.play("reconcile")
    assert blotter.findings is not None
    assert not blotter.findings.is_mismatched


async def test_one_pair_that_cannot_be_read_does_not_hide_the_others(blotter: Blotter) -> None:
    await blotter.play("silent")
    blotter.reconciler._pairs = ("ETHTRY", "BTCTRY")
    answered = blotter.reader.open_orders

    async def open_orders(pair: str) -> tuple[object, ...]:
        if pair == "ETHTRY":
            raise ReadFailed("ETHTRY gave something else")
        return await answered(pair)

    blotter.reader.open_orders = open_orders  # type: ignore[method-assign,assignment]
    await blotter.play("shown 0.001")
    with pytest.raises(ReadFailed):
        await blotter.play("reconcile")
    assert blotter.order.state is OrderState.OPEN


# ------------------------------------------------------------------------------------------------------------ balances


def halt_reason(blotter: Blotter) -> str | None:
    assert blotter.findings is not None
    return blotter.findings.halt_reason


async def test_a_difference_that_stays_halts_and_not_before_it_was_read_often_enough(blotter: Blotter) -> None:
    await blotter.play("accepted\nshown 0.001\nexecuted 1 0.0014")  # more than our order can have done
    for _ in range(MISMATCH_READINGS_MAX - 1):
        await blotter.play("reconcile")
        assert blotter.findings is not None
        assert blotter.findings.is_mismatched
        assert halt_reason(blotter) is None
    await blotter.play("reconcile")
    assert "BTC: 0 in our ledger, 0.0014 at the exchange" in (halt_reason(blotter) or "")
    assert "TRY: 100000 in our ledger" in (halt_reason(blotter) or "")


@pytest.mark.parametrize("trade", ["executed 1 0.0004", "executed 1 0.001"])
async def test_what_a_working_order_may_have_done_is_waited_for_and_not_for_ever(blotter: Blotter, trade: str) -> None:
    """34: no listing shows the trade, and the balances do."""
    await blotter.play(f"accepted\nshown 0.001\n{trade}")
    for _ in range(2 * MISMATCH_READINGS_MAX):
        await blotter.play("reconcile")
        assert blotter.findings is not None
        assert (blotter.findings.is_mismatched, halt_reason(blotter)) == (False, None), "it is reserved"
        assert len(blotter.findings.open_points) == 2, "a resume waits for it"
    blotter.at.clock.passes(SETTLING_MAX.total_seconds())
    await blotter.play("reconcile")
    assert "BTC: 0 in our ledger" in (halt_reason(blotter) or "")


async def test_a_withdrawal_beside_a_working_order_is_not_its_doing(blotter: Blotter) -> None:
    await blotter.play("accepted\nshown 0.001\nexecuted 1 0.0004")
    blotter.settle()
    for _ in range(MISMATCH_READINGS_MAX):
        blotter.reader.held = [replace(each, total=each.total - 5000) for each in blotter.reader.held]
        blotter.findings = await blotter.reconciler.reconcile()
        blotter.settle()
    assert halt_reason(blotter) is not None


async def test_an_order_of_another_btcbot_that_begins_beside_us_is_an_alarm(blotter: Blotter) -> None:
    """93: what it left behind before is only shown."""
    blotter.reader.listed.append(stranger(str(Label("OTHER", 1, 1)), 502))
    await blotter.play("reconcile")
    assert blotter.reconciler.alarms() == ()
    blotter.reader.listed.append(stranger(str(Label("OTHER", 1, 2)), 503))
    await blotter.reconciler.watch()
    await blotter.reconciler.watch()
    (alarm,) = blotter.reconciler.alarms()
    assert "another btcbot trades on this account: exchange order 503" in alarm


async def test_everybody_elses_order_is_seen_within_two_watches_without_any_of_ours(blotter: Blotter) -> None:
    await blotter.play("reconcile")
    blotter.reconciler._pairs = ("ETHTRY", "BTCTRY")
    blotter.reader.listed.append(stranger("by-hand", 504))
    for _ in range(2):
        assert not await blotter.reconciler.watch()
    assert blotter.at.witness.events().count(Event.FOREIGN_ORDER_SEEN) == 1
    blotter.reader.held = [replace(each, total=each.total - 1) for each in blotter.reader.held]
    assert await blotter.reconciler.watch(), "a trade of somebody else shows in the balances"


async def test_without_the_lookup_of_single_orders_the_list_of_all_orders_concludes(blotter: Blotter) -> None:
    """26: one that it does not hold either is waited for."""
    await blotter.play("accepted\nshown 0.001\nfollow  ->  open 0\nexecuted 1 0.001\nclosed 0\ntrades_listed")
    blotter.reader.failing = "order"
    past, blotter.reader.past = blotter.reader.past, []
    with pytest.raises(ReadFailed):
        await blotter.play("follow")
    blotter.reader.past = past
    await blotter.play("follow  ->  filled 0.001")


async def test_a_difference_that_changes_is_still_on_its_way(blotter: Blotter) -> None:
    await blotter.play("accepted\nshown 0.001")
    for trade in range(2 * MISMATCH_READINGS_MAX):
        await blotter.play(f"executed {trade} 0.00001\nreconcile")
        assert halt_reason(blotter) is None


async def test_a_difference_that_explains_itself_leaves_nothing_behind(blotter: Blotter) -> None:
    await blotter.play("accepted\nshown 0.001\nexecuted 1 0.0004\nreconcile\nreconcile\nshown 0.0006\ntrades_listed")
    await blotter.play("reconcile  ->  partial 0.0004")
    assert blotter.findings is not None
    assert (blotter.findings.is_mismatched, blotter.findings.open_points) == (False, ())
    await blotter.play("executed 2 0.0001\nreconcile")
    assert halt_reason(blotter) is None


async def test_while_trades_are_due_a_difference_says_nothing_but_not_for_ever(blotter: Blotter) -> None:
    await blotter.play("accepted\nexecuted 1 0.001\nclosed 0\nreconcile  ->  closing 0")
    for _ in range(MISMATCH_READINGS_MAX + 1):
        await blotter.play("reconcile")
    assert blotter.findings is not None
    assert not blotter.findings.is_mismatched
    assert blotter.findings.open_points == (f"order {blotter.order.client_order_id} waits for its trades to be listed",)
    blotter.at.clock.passes(SETTLING_MAX.total_seconds() + 1)
    for _ in range(MISMATCH_READINGS_MAX):
        await blotter.play("reconcile")
    assert halt_reason(blotter) is not None


async def test_an_unresolved_order_is_an_open_point(blotter: Blotter) -> None:
    await blotter.play("silent\nreconcile")
    assert blotter.findings is not None
    assert blotter.findings.open_points == (f"order {blotter.order.client_order_id} is unknown",)


async def test_a_deposit_explains_itself_once(blotter: Blotter) -> None:
    blotter.at.clock.passes(60)
    deposit = LedgerEntry(EntryKind.TRANSFER, amount("500 TRY"), "fiat/9", blotter.at.clock.now())
    blotter.reader.moved = [deposit]
    blotter.settle()
    (held,) = blotter.reader.held
    blotter.reader.held = [replace(held, total=held.total + 500, available=held.available + 500)]
    for _ in range(3):
        blotter.findings = await blotter.reconciler.reconcile()
        assert not blotter.findings.is_mismatched
    assert blotter.at.store.ledger_balances() == {"TRY": Decimal(100_500)}


async def test_balances_that_do_not_answer_conclude_nothing(blotter: Blotter) -> None:
    await blotter.play("accepted\nshown 0.001\nfollow")
    before = blotter.rows()
    blotter.reader.failing = "balances"
    with pytest.raises(ReadFailed):
        await blotter.play("reconcile")
    assert blotter.rows() == before
