"""Our records against the exchange's: what each listing makes of an order (fault matrix 1-13, 24-26, 29-37, 40, 41)."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import pytest

from btcbot.domain.balances import Balance
from btcbot.domain.errors import ReadFailed
from btcbot.domain.orders.evidence import Silent, VenueStatus
from btcbot.domain.orders.states import OrderState
from btcbot.domain.profiles import Sealing
from btcbot.services.reconciliation import ABSENT_READINGS_MIN, SealingRule
from tests.unit.persistence.world import approved
from tests.unit.services.blotter import NUMBER, Blotter
from tests.unit.services.world import history_of, opened


@pytest.fixture
def blotter(tmp_path: Path) -> Iterator[Blotter]:
    with opened(tmp_path / "live.db") as at:
        yield Blotter(at)


LIVES = {
    "2 accepted, the answer lost: found among the open orders": """
        silent              ->  unknown 0
        shown 0.001
        reconcile           ->  open 0
        """,
    "2 accepted, the answer lost, filled at once: found in the history": """
        silent              ->  unknown 0
        executed 1 0.001
        closed 0
        trades_listed
        reconcile           ->  filled 0.001
        """,
    "2 accepted, the answer lost, partly filled: it rests, whatever the history calls it": """
        silent              ->  unknown 0
        executed 1 0.0004
        shown 0.0006
        trades_listed
        reconcile           ->  partial 0.0004
        seconds 60
        reconcile           ->  partial 0.0004
        """,
    "36 trades before any listing: found by the label in a trade": """
        silent              ->  unknown 0
        executed 1 0.0004
        trades_listed
        reconcile           ->  partial 0.0004
        shown 0.0006
        reconcile           ->  partial 0.0004
        """,
    "4 accepted minutes later: the reservation was held until it was seen": """
        silent              ->  unknown 0
        minutes_of_readings 6  ->  unknown 0
        shown 0.001
        reconcile           ->  open 0
        """,
    "11 turned down and absent in one complete reading": """
        turned_down         ->  turned_down 0
        reconcile           ->  rejected 0
        """,
    "13 turned down although it was placed": """
        turned_down         ->  turned_down 0
        shown 0.001
        reconcile           ->  open 0
        """,
    "29 canceled and filled meanwhile": """
        accepted            ->  open 0
        shown 0.001
        cancel              ->  canceling 0
        executed 1 0.001
        closed 0
        follow              ->  closing 0
        trades_listed
        follow              ->  filled 0.001
        """,
    "30 the cancel had no effect": """
        accepted            ->  open 0
        shown 0.001
        cancel              ->  canceling 0
        follow              ->  canceling 0
        cancel              ->  canceling 0
        canceled 0.001
        follow              ->  canceled 0
        """,
    "32 not found is not gone": """
        accepted            ->  open 0
        cancel              ->  canceling 0
        hidden
        follow              ->  canceling 0
        seconds 600
        reconcile           ->  canceling 0
        """,
    "33 partly filled, then canceled": """
        accepted            ->  open 0
        executed 1 0.0004
        shown 0.0006
        trades_listed
        follow              ->  partial 0.0004
        cancel              ->  canceling 0.0004
        canceled 0.0006
        follow              ->  canceled 0.0004
        """,
    "33 a partial that leaves the listing after a cancel is over only when it stays out": """
        accepted            ->  open 0
        executed 1 0.0004
        shown 0.0006
        trades_listed
        follow              ->  partial 0.0004
        cancel              ->  canceling 0.0004
        partial 0.0006
        follow              ->  canceling 0.0004
        seconds 3
        follow              ->  canceling 0.0004
        seconds 3
        follow              ->  canceled 0.0004
        """,
    "33 the history may call it partial for ever after its cancel": """
        accepted            ->  open 0
        executed 1 0.0004
        trades_listed
        cancel              ->  canceling 0
        partial 0.0006
        follow              ->  canceling 0.0004
        seconds 6
        follow              ->  canceled 0.0004
        seconds 120
        reconcile           ->  canceled 0.0004
        """,
    "33 a partial that is back in the listing was only late": """
        accepted            ->  open 0
        executed 1 0.0004
        trades_listed
        partial 0.0006
        follow              ->  partial 0.0004
        seconds 20
        shown 0.0006
        follow              ->  partial 0.0004
        partial 0.0006
        seconds 20
        follow              ->  partial 0.0004
        """,
    "34 closed before its trades are listed": """
        accepted            ->  open 0
        executed 1 0.0004
        executed 2 0.0006
        closed 0
        reconcile           ->  closing 0
        seconds 2
        trades_listed
        reconcile           ->  filled 0.001
        """,
    "35 a trade that comes twice counts once": """
        accepted            ->  open 0
        executed 1 0.0004
        shown 0.0006
        trades_twice
        reconcile           ->  partial 0.0004
        reconcile           ->  partial 0.0004
        """,
    "36 trades in another order": """
        accepted            ->  open 0
        executed 1 0.0004
        executed 2 0.0006
        closed 0
        trades_reversed
        reconcile           ->  filled 0.001
        """,
    "37 nobody tells of the cancel: polling concludes": """
        accepted            ->  open 0
        shown 0.001
        cancel              ->  canceling 0
        canceled 0.001
        reconcile           ->  canceled 0
        """,
    "41 canceled by its owner": """
        accepted            ->  open 0
        shown 0.001
        follow              ->  open 0
        canceled 0.001
        follow              ->  canceled 0
        """,
    "a restart in the middle of a send, and the order was there": """
        silent              ->  unknown 0
        restarted           ->  unknown 0
        shown 0.001
        reconcile           ->  open 0
        """,
    "listings that lag behind the acceptance change nothing": """
        accepted            ->  open 0
        hidden
        follow              ->  open 0
        shown 0.001
        follow              ->  open 0
        """,
}  # fmt: skip


@pytest.mark.parametrize("name", LIVES)
async def test_the_life_of_an_order(blotter: Blotter, name: str) -> None:
    await blotter.play(LIVES[name])
    assert blotter.at.store.halt() is None
    before = blotter.rows()
    if not blotter.order.is_unresolved:  # absent evidence is counted each time
        await blotter.play("reconcile")
        await blotter.play("follow")
        assert blotter.rows() == before, "a second pass over an unchanged exchange changes nothing"


# --------------------------------------------------------------------------------------------------- proof of absence


async def test_absence_is_proven_after_the_quiet_time_and_enough_readings(blotter: Blotter) -> None:
    await blotter.play("""
        silent                  ->  unknown 0
        minutes_of_readings 14  ->  unknown 0
        minutes_of_readings 1   ->  absent_sealed 0
    """)
    assert blotter.order.absent_evidence == 15
    assert blotter.at.book.state.trading.orders == {}


async def test_the_quiet_time_alone_proves_nothing(blotter: Blotter) -> None:
    await blotter.play("silent\nseconds 3600")
    for count in range(1, ABSENT_READINGS_MIN):
        await blotter.play("reconcile\nseconds 60")
        assert (blotter.order.state, blotter.order.absent_evidence) == (OrderState.UNKNOWN, count)
    await blotter.play("reconcile  ->  absent_sealed 0")


async def test_with_manual_sealing_only_a_person_closes_an_unknown_order(blotter: Blotter) -> None:
    blotter.rule = SealingRule(Sealing.MANUAL, timedelta(minutes=15))
    blotter.reconciler = blotter.new_reconciler()
    await blotter.play("silent\nminutes_of_readings 60  ->  unknown 0")


@pytest.mark.parametrize("obstacle", ["executed 1 0.0001", "holding 3007.2"])
async def test_nothing_is_sealed_while_money_moved_or_is_bound_that_nobody_explains(
    blotter: Blotter, obstacle: str
) -> None:
    await blotter.play(f"silent\n{obstacle}\nminutes_of_readings 30  ->  unknown 0")


async def test_what_turns_up_after_the_seal_is_adopted_and_halts(blotter: Blotter) -> None:
    await blotter.play("silent\nminutes_of_readings 15  ->  absent_sealed 0\nshown 0.001\nreconcile  ->  open 0")
    assert "absent_sealed" in (blotter.at.store.halt() or "")
    assert blotter.at.book.state.trading.orders.keys() == {blotter.order.order_id}


async def test_what_was_rejected_and_turns_up_is_adopted_and_halts(blotter: Blotter) -> None:
    await blotter.play("turned_down\nreconcile  ->  rejected 0\nshown 0.001\nreconcile  ->  open 0")
    assert "rejected" in (blotter.at.store.halt() or "")


@pytest.mark.parametrize("source", ["open_orders", "orders_since", "fills", "balances"])
async def test_a_reading_that_failed_is_not_evidence_and_changes_nothing(blotter: Blotter, source: str) -> None:
    await blotter.play("silent  ->  unknown 0")
    before = blotter.rows()
    blotter.reader.failing = source
    for work in ("reconcile", "follow"):
        blotter.at.clock.passes(61)
        with pytest.raises(ReadFailed):
            await blotter.play(work)
    assert blotter.rows() == before
    assert blotter.order.absent_evidence == 0
    blotter.reader.failing = ""
    await blotter.play("reconcile  ->  unknown 0")
    assert blotter.order.absent_evidence == 1


async def test_a_reading_that_began_before_the_last_word_is_not_evidence(blotter: Blotter) -> None:
    """The listings were asked for first; while they were on their way the order was sent and met silence."""
    answered = blotter.reader.balances

    async def balances() -> tuple[Balance, ...]:
        blotter.at.book.record(blotter.order.order_id, Silent("still silent"))
        return await answered()

    await blotter.play("silent")
    with patch.object(blotter.reader, "balances", balances):
        await blotter.play("follow  ->  unknown 0")
    assert blotter.order.absent_evidence == 0


async def test_lookups_come_often_at_first_and_then_each_minute(blotter: Blotter) -> None:
    await blotter.play("silent")
    moments: list[int] = []
    for second in range(300):
        reads = len(blotter.reader.reads)
        await blotter.play("follow\nseconds 1")
        if len(blotter.reader.reads) > reads:
            moments.append(second)
    assert moments[:8] == pytest.approx([0, 1, 2, 4, 8, 15, 30, 60], abs=1)
    assert [later - earlier for earlier, later in pairwise(moments[7:])] == pytest.approx(
        [60] * (len(moments) - 8), abs=1
    )


# ----------------------------------------------------------------------------------------------------- true values


async def test_an_unknown_status_counts_as_open(blotter: Blotter) -> None:
    await blotter.play("accepted  ->  open 0")
    blotter.reader.past[:] = [blotter.listing("0.001", is_open=False, status=VenueStatus.OTHER)]
    await blotter.play("follow  ->  open 0\nseconds 600\nreconcile  ->  open 0")


async def test_trades_after_the_end_are_booked_and_halt(blotter: Blotter) -> None:
    await blotter.play("""
        accepted          ->  open 0
        canceled 0.001
        reconcile         ->  canceled 0
        executed 9 0.0004
        trades_listed
        reconcile         ->  closing 0.0004
        canceled 0.0006
        reconcile         ->  canceled 0.0004
    """)
    assert "canceled" in (blotter.at.store.halt() or "")


async def test_an_order_that_goes_on_being_listed_after_its_end_is_not_over(blotter: Blotter) -> None:
    await blotter.play("""
        accepted          ->  open 0
        canceled 0.001
        reconcile         ->  canceled 0
        shown 0.001
        seconds 10
        reconcile         ->  canceled 0
        seconds 30
        reconcile         ->  open 0
    """)
    assert blotter.at.store.halt() is not None


async def test_trades_of_an_order_are_booked_to_the_ledger_once(blotter: Blotter) -> None:
    await blotter.play("accepted\nexecuted 1 0.0004\nshown 0.0006\ntrades_twice\nreconcile\nfollow\nreconcile")
    assert blotter.findings is not None
    assert (blotter.findings.open_points, blotter.findings.is_mismatched) == ((), False)
    assert blotter.at.book.state.trading.instrument("BTCTRY").position == Decimal("0.0004")


async def test_a_smaller_fill_in_an_older_view_takes_nothing_back(blotter: Blotter) -> None:
    await blotter.play("accepted\nexecuted 1 0.0004\nshown 0.0006\ntrades_listed\nfollow  ->  partial 0.0004")
    await blotter.play("shown 0.001\nfollow  ->  partial 0.0004")
    assert blotter.order.left_seen == Decimal("0.0006")


async def test_a_restart_tells_each_order_of_the_process_before(blotter: Blotter) -> None:
    book = blotter.at.book
    intent = book.intent(approved())
    await blotter.play("restarted  ->  not_sent 0")
    sending = book.sending(book.intent(approved("cycle/BTCTRY/2")))
    await blotter.play("restarted")
    assert history_of(blotter.at.store, intent.order_id) == ["not_sent"]
    assert history_of(blotter.at.store, sending.order_id) == ["sending", "unknown"]
    before = blotter.rows()
    await blotter.play("restarted")
    assert blotter.rows() == before, "it was told, and is told once"


async def test_the_exchanges_number_is_kept(blotter: Blotter) -> None:
    await blotter.play("silent\nshown 0.001\nreconcile  ->  open 0")
    assert blotter.order.exchange_order_id == NUMBER
