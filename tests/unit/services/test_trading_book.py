"""The one holder of the trading state: whatever the journal takes in, the state knows, as a restart would."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from btcbot.domain.events import Event
from btcbot.domain.money import Asset
from btcbot.domain.orders.evidence import (
    Accepted,
    CancelSent,
    CancelWanted,
    Evidence,
    Seen,
    Silent,
    Traded,
)
from btcbot.domain.orders.journaling import ReservationRefused
from btcbot.domain.orders.labels import Label
from btcbot.domain.orders.states import IllegalTransition
from btcbot.services.live_wiring import restored_state
from tests.unit.persistence.world import START, approved, fill, venue
from tests.unit.services.blotter import stranger
from tests.unit.services.world import LIMITS, Desk, opened

TRY = Asset("TRY")


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Desk]:
    with opened(tmp_path / "live.db") as desk:
        yield desk


def sent(at: Desk, *evidence: Evidence) -> str:
    order = at.book.sending(at.book.intent(approved()))
    for each in evidence:
        at.book.record(order.order_id, each)
    return order.order_id


SOME = Traded((fill(1, "0.0004"),))
LIVES: list[tuple[Evidence, ...]] = [
    (),
    (Silent("timeout"),),
    (Accepted(77, START),),
    (Accepted(77, START), SOME),
    (Accepted(77, START), SOME, SOME, Traded((fill(1, "0.0004"), fill(2, "0.0006")))),
    (Accepted(77, START), SOME, CancelWanted("old"), CancelSent()),
    (Accepted(77, START), SOME, Seen(venue(None, "0.0006", is_open=False))),
]


@pytest.mark.parametrize("life", LIVES)
def test_the_state_in_memory_is_what_a_restart_would_make_of_the_journal(at: Desk, life: tuple[Evidence, ...]) -> None:
    sent(at, *life)
    again = restored_state(at.store.history(), TRY, LIMITS.volatility_window)
    now = at.book.state.trading
    assert (now.orders, now.instruments) == (again.orders, again.instruments)
    assert now.orders == {order.order_id: order for order in at.book.unfinished()}


def test_a_fill_counts_once_however_often_it_is_told(at: Desk) -> None:
    sent(at, Accepted(77, START), SOME, SOME, Traded((*SOME.fills, *SOME.fills)))
    assert at.book.state.trading.instrument("BTCTRY").position == Decimal("0.0004")
    assert at.witness.events().count(Event.FILL_BOOKED) == 1


def test_evidence_without_news_moves_nothing_and_says_nothing(at: Desk) -> None:
    order_id = sent(at, Accepted(77, START), Seen(venue(None, "0.001", is_open=True)))
    moved, state = at.witness.events(), at.book.state
    at.book.record(order_id, Seen(venue(None, "0.001", is_open=True)))
    assert (at.witness.events(), at.book.state) == (moved, state)


def test_a_refused_reservation_leaves_the_state_as_it_was(at: Desk) -> None:
    sent(at, Silent("timeout"))
    before = at.book.state
    with pytest.raises(ReservationRefused):
        at.book.intent(approved("cycle/BTCTRY/2"))
    assert at.book.state == before


def test_a_step_that_the_table_lacks_leaves_the_state_as_it_was(at: Desk) -> None:
    order_id = sent(at, Accepted(77, START))
    before = at.book.state
    with pytest.raises(IllegalTransition):
        at.book.record(order_id, CancelSent())
    assert at.book.state == before


def test_an_order_that_is_over_leaves_the_working_ones_and_frees_its_reservation(at: Desk) -> None:
    order_id = sent(at, Accepted(77, START))
    assert at.book.state.trading.reserved(TRY).number > 3000
    at.book.record(order_id, Seen(venue(None, "0.001", is_open=False)))
    assert at.book.state.trading.orders == {}
    assert at.book.state.trading.reserved(TRY).number == 0


def test_an_orphan_is_at_work_from_its_adoption_on(at: Desk) -> None:
    adopted = at.book.adopt(Seen(stranger(str(Label("TEST", 9, 1)), 501)))
    assert at.book.state.trading.orders == {adopted.order_id: adopted}
    assert at.book.by_exchange_id(501) == at.book.by_label(adopted.client_order_id) == adopted
    assert at.book.counters()["open"] == 1
