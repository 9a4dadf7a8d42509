"""What every journal promises (domain.ports.Journal; reliability 3.3): one suite for all of them."""

import re
from collections.abc import Mapping
from decimal import Decimal

import pytest

from btcbot.domain.money import amount, plain
from btcbot.domain.orders.evidence import (
    AbsenceProven,
    AbsentOnce,
    Accepted,
    CancelSent,
    CancelTurnedDown,
    CancelWanted,
    Evidence,
    NoByteLeft,
    Restarted,
    Seen,
    Silent,
    Traded,
    TurnedDown,
)
from btcbot.domain.orders.intents import Purpose, Side
from btcbot.domain.orders.journaling import AdoptionRefused, OrderUnknown, ReservationRefused
from btcbot.domain.orders.labels import Label, read_label
from btcbot.domain.orders.records import JournaledOrder, OrderRecord
from btcbot.domain.orders.states import TERMINAL, IllegalTransition, OrderState
from btcbot.domain.ports import Journal
from tests.unit.persistence.world import START, approved, fill, venue


def seen(left: str, *, is_open: bool) -> Seen:
    return Seen(venue(None, left, is_open=is_open))


WORDS: Mapping[str, Evidence] = {
    "accepted": Accepted(77, START), "turned_down": TurnedDown("FAILED_MIN_TOTAL_AMOUNT"), "silent": Silent("timeout"),
    "no_byte_left": NoByteLeft("refused connection"), "restarted": Restarted(), "absent": AbsentOnce(START),
    "sealed": AbsenceProven("quiet time"), "cancel_wanted": CancelWanted("too old"), "cancel_sent": CancelSent(),
    "cancel_turned_down": CancelTurnedDown("not now"), "traded_some": Traded((fill(1, "0.0004"),)),
    "traded_rest": Traded((fill(2, "0.0006"),)),
    "traded_both": Traded((fill(1, "0.0004"), fill(2, "0.0006"))), "seen_open": seen("0.001", is_open=True),
    "seen_partial": seen("0.0006", is_open=True), "seen_filled": seen("0", is_open=False),
    "seen_canceled": seen("0.001", is_open=False), "seen_canceled_partial": seen("0.0006", is_open=False),
}  # fmt: skip


def play(journal: Journal, script: str) -> OrderRecord:
    """Lines of `event -> state filled`; the first is the intent, `sending` and `recheck_failed` its two ways on."""
    order: JournaledOrder | None = None
    now: OrderRecord | None = None
    for line in script.strip().splitlines():
        word, expected = (part.strip() for part in line.split("->"))
        if word == "intent":
            order = journal.intent(approved())
            now = journal.get(order.order_id)
        else:
            assert order is not None
            if word == "sending":
                order = journal.sending(order)
                now = journal.get(order.order_id)
            elif word == "recheck_failed":
                now = journal.not_sent(order, "stale data")
            else:
                now = journal.record(order.order_id, WORDS[word])
        assert f"{now.state} {plain(now.filled)}" == expected, f"after {word}"
        assert journal.get(now.order_id) == now
        assert (now in journal.unfinished()) == (now.state not in TERMINAL)
        assert journal.counters()[now.state] == 1
        assert sum(journal.counters().values()) == 1
    assert now is not None
    return now


@pytest.mark.parametrize(
    "script",
    [
        """
        intent                ->  intent 0
        sending               ->  sending 0
        accepted              ->  open 0
        seen_partial          ->  partial 0
        traded_some           ->  partial 0.0004
        traded_both           ->  partial 0.001
        seen_filled           ->  filled 0.001
        """,
        # the closing sighting comes before the trades: over only when they add up
        """
        intent                ->  intent 0
        sending               ->  sending 0
        accepted              ->  open 0
        seen_filled           ->  closing 0
        traded_rest           ->  closing 0.0006
        traded_some           ->  filled 0.001
        """,
        # lost in a timeout, found by reconciliation
        """
        intent                ->  intent 0
        sending               ->  sending 0
        silent                ->  unknown 0
        absent                ->  unknown 0
        seen_open             ->  open 0
        traded_both           ->  partial 0.001
        seen_filled           ->  filled 0.001
        """,
        # never arrived: proven, sealed, and still not deaf
        """
        intent                ->  intent 0
        sending               ->  sending 0
        restarted             ->  unknown 0
        absent                ->  unknown 0
        sealed                ->  absent_sealed 0
        seen_open             ->  open 0
        """,
        """
        intent                ->  intent 0
        sending               ->  sending 0
        turned_down           ->  turned_down 0
        absent                ->  rejected 0
        """,
        """
        intent                ->  intent 0
        sending               ->  sending 0
        no_byte_left          ->  not_sent 0
        """,
        """
        intent                ->  intent 0
        recheck_failed        ->  not_sent 0
        """,
        """
        intent                ->  intent 0
        restarted             ->  not_sent 0
        """,
        # the exchange's yes to a cancel is a receipt; what was traded decides
        """
        intent                ->  intent 0
        sending               ->  sending 0
        accepted              ->  open 0
        cancel_wanted         ->  cancel_intent 0
        cancel_sent           ->  canceling 0
        cancel_turned_down    ->  canceling 0
        traded_some           ->  canceling 0.0004
        seen_canceled_partial ->  canceled 0.0004
        traded_both           ->  closing 0.001
        """,
        """
        intent                ->  intent 0
        sending               ->  sending 0
        accepted              ->  open 0
        seen_canceled         ->  canceled 0
        seen_open             ->  canceled 0
        """,
    ],
)
def test_an_order_lives_through_its_table(journal: Journal, script: str) -> None:
    play(journal, script)


def test_news_told_twice_changes_nothing(journal: Journal) -> None:
    order = play(
        journal,
        """
        intent                ->  intent 0
        sending               ->  sending 0
        accepted              ->  open 0
        traded_some           ->  partial 0.0004
        """,
    )
    again = journal.record(order.order_id, WORDS["traded_some"])
    assert again == order


def test_an_order_is_sent_at_most_once(journal: Journal) -> None:
    order = journal.intent(approved())
    assert order.state is OrderState.INTENT
    assert journal.sending(order).state is OrderState.SENDING
    with pytest.raises(IllegalTransition):
        journal.sending(order)
    with pytest.raises(IllegalTransition):
        journal.not_sent(order, "too late")
    assert journal.get(order.order_id).state is OrderState.SENDING


@pytest.mark.parametrize(
    "word", ["accepted", "silent", "turned_down", "absent", "sealed", "cancel_wanted", "cancel_sent"]
)
def test_nothing_answers_what_was_not_sent(journal: Journal, word: str) -> None:
    order = journal.intent(approved())
    before = journal.get(order.order_id)
    with pytest.raises(IllegalTransition):
        journal.record(order.order_id, WORDS[word])
    assert journal.get(order.order_id) == before


def test_a_decision_makes_one_order(journal: Journal) -> None:
    first = journal.intent(approved("cycle/BTCTRY/1"))
    journal.not_sent(first, "stale data")
    with pytest.raises(ReservationRefused, match="has made its one order"):
        journal.intent(approved("cycle/BTCTRY/1"))
    assert sum(journal.counters().values()) == 1


def test_labels_are_ours_and_count_up(journal: Journal) -> None:
    first = journal.intent(approved("cycle/BTCTRY/1"))
    journal.not_sent(first, "stale data")
    second = journal.intent(approved("cycle/BTCTRY/2"))
    labels = [read_label(order.client_order_id) for order in (first, second)]
    assert [(label.deployment_id, label.sequence) for label in labels if label] == [("TEST", 1), ("TEST", 2)]
    assert journal.by_label(second.client_order_id) == journal.get(second.order_id)
    assert journal.by_label("BB-TEST-1-9-00") is None


@pytest.mark.parametrize("way", [(), ("silent",), ("turned_down",)])
def test_an_unresolved_order_closes_its_pair_for_entries(journal: Journal, way: tuple[str, ...]) -> None:
    order = journal.intent(approved("cycle/BTCTRY/1"))
    if way:
        order = journal.sending(order)
        journal.record(order.order_id, WORDS[way[0]])
    with pytest.raises(ReservationRefused, match="is closed for this buy"):
        journal.intent(approved("cycle/BTCTRY/2"))
    journal.intent(approved("cycle/ETHTRY/1", pair="ETHTRY"))


def test_an_order_at_rest_leaves_its_pair_open(journal: Journal) -> None:
    order = journal.sending(journal.intent(approved("cycle/BTCTRY/1")))
    journal.record(order.order_id, WORDS["accepted"])
    journal.intent(approved("cycle/BTCTRY/2"))
    assert len(journal.unfinished()) == 2


@pytest.mark.parametrize(
    ("quantity", "why"),
    [("0.0017", "notional of 5100 TRY is above 5000 TRY"), ("0.0014", "exposure of 10220.4 TRY is above 10000 TRY")],
)
def test_limits_count_what_others_hold_reserved(journal: Journal, quantity: str, why: str) -> None:
    for number, pair in ((1, "BTCTRY"), (2, "ETHTRY")):
        order = journal.sending(journal.intent(approved(f"cycle/{pair}/1", pair=pair)))
        journal.record(order.order_id, Accepted(number, None))
    with pytest.raises(ReservationRefused, match=re.escape(why)):
        journal.intent(approved("cycle/SOLTRY/1", quantity=quantity, pair="SOLTRY"))


def test_a_reservation_ends_with_its_order(journal: Journal) -> None:
    for number in (1, 2, 3, 4, 5):
        order = journal.intent(approved(f"cycle/BTCTRY/{number}", quantity="0.0016"))
        journal.not_sent(order, "stale data")
    assert journal.counters()[OrderState.NOT_SENT] == 5


def test_open_orders_are_counted_per_instrument_and_in_all(journal: Journal) -> None:
    for number in range(3):
        order = journal.sending(journal.intent(approved(f"cycle/BTCTRY/{number}", quantity="0.0001")))
        journal.record(order.order_id, Accepted(100 + number, None))
    with pytest.raises(ReservationRefused, match="3 orders of BTCTRY are open"):
        journal.intent(approved("cycle/BTCTRY/9", quantity="0.0001"))
    other = journal.sending(journal.intent(approved("cycle/ETHTRY/1", quantity="0.0001", pair="ETHTRY")))
    journal.record(other.order_id, Accepted(200, None))
    with pytest.raises(ReservationRefused, match="4 orders are open"):
        journal.intent(approved("cycle/SOLTRY/1", quantity="0.0001", pair="SOLTRY"))


def test_only_what_was_bought_is_sold_and_only_once(journal: Journal) -> None:
    with pytest.raises(ReservationRefused, match="not ours to sell"):
        journal.intent(approved("cycle/BTCTRY/0", Side.SELL))
    buy = journal.sending(journal.intent(approved("cycle/BTCTRY/1")))
    journal.record(buy.order_id, WORDS["accepted"])
    journal.record(buy.order_id, WORDS["traded_both"])
    journal.record(buy.order_id, WORDS["seen_filled"])
    sell = journal.sending(journal.intent(approved("cycle/BTCTRY/2", Side.SELL, "0.0006")))
    journal.record(sell.order_id, Accepted(78, None))
    with pytest.raises(ReservationRefused, match=r"0\.0006 of it for sale already"):
        journal.intent(approved("cycle/BTCTRY/3", Side.SELL, "0.0005"))
    journal.intent(approved("cycle/BTCTRY/4", Side.SELL, "0.0004"))


def test_an_exit_passes_where_an_entry_would_not(journal: Journal) -> None:
    buy = journal.sending(journal.intent(approved("cycle/BTCTRY/1", quantity="0.0016")))
    journal.record(buy.order_id, Accepted(77, None))
    journal.record(buy.order_id, Traded((fill(1, "0.0016"),)))
    journal.record(buy.order_id, Seen(venue(None, "0", is_open=False, quantity="0.0016")))
    exit_order = journal.intent(approved("cycle/BTCTRY/2", Side.SELL, "0.0016", "4000000", Purpose.EXIT))
    assert journal.get(exit_order.order_id).reservation == amount("0.0016 BTC")


def test_an_order_is_found_by_the_exchanges_number(journal: Journal) -> None:
    order = journal.sending(journal.intent(approved()))
    assert journal.by_exchange_id(77) is None
    accepted = journal.record(order.order_id, WORDS["accepted"])
    assert journal.by_exchange_id(77) == accepted


def test_an_order_without_a_row_is_an_error(journal: Journal) -> None:
    with pytest.raises(OrderUnknown):
        journal.get("nobody")
    with pytest.raises(OrderUnknown):
        journal.record("nobody", WORDS["accepted"])


def test_an_orphan_gets_the_row_that_it_lacks(journal: Journal) -> None:
    label = str(Label("TEST", 3, 7))
    order = journal.adopt(Seen(venue(label, "0.0006", is_open=True, exchange_order_id=900)))
    assert (order.state, order.exchange_order_id, order.client_order_id) == (OrderState.PARTIAL, 900, label)
    assert order.reservation == amount("3000 TRY")
    assert journal.by_label(label) == order
    assert order in journal.unfinished()
    after = journal.record(order.order_id, Traded((fill(5, "0.0004", exchange_order_id=900),)))
    assert after.filled == Decimal("0.0004")


def test_an_orphan_that_is_over_already_waits_for_its_trades(journal: Journal) -> None:
    order = journal.adopt(Seen(venue(str(Label("TEST", 3, 7)), "0", is_open=False)))
    assert order.state is OrderState.CLOSING
    assert journal.record(order.order_id, Traded((fill(5),))).state is OrderState.FILLED


@pytest.mark.parametrize("label", [None, "somebody-elses", str(Label("OTHER", 1, 1))])
def test_a_foreign_order_is_never_adopted(journal: Journal, label: str | None) -> None:
    with pytest.raises(AdoptionRefused):
        journal.adopt(Seen(venue(label, "0.001", is_open=True)))
    assert sum(journal.counters().values()) == 0


def test_an_order_under_the_label_of_a_row_without_a_number_is_taken_for_that_rows_own(journal: Journal) -> None:
    ours = journal.intent(approved())
    with pytest.raises(AdoptionRefused, match="is taken for its own"):
        journal.adopt(Seen(venue(ours.client_order_id, "0.001", is_open=True, exchange_order_id=901)))


def test_a_second_order_under_one_label_gets_a_row_of_its_own(journal: Journal) -> None:
    ours = journal.sending(journal.intent(approved()))
    journal.record(ours.order_id, Accepted(900, START))
    second = journal.adopt(Seen(venue(ours.client_order_id, "0.001", is_open=True, exchange_order_id=901)))
    assert (second.client_order_id, second.exchange_order_id) == (f"{ours.client_order_id}+901", 901)
    assert journal.by_label(ours.client_order_id) == journal.by_exchange_id(900)
    assert {order.order_id for order in journal.unfinished()} == {ours.order_id, second.order_id}
    with pytest.raises(AdoptionRefused):
        journal.adopt(Seen(venue(ours.client_order_id, "0.001", is_open=True, exchange_order_id=900)))
    later = journal.intent(approved("c/ETHTRY/1", pair="ETHTRY"))
    assert later.client_order_id != ours.client_order_id


def test_only_a_listing_adopts(journal: Journal) -> None:
    with pytest.raises(AdoptionRefused):
        journal.adopt(Traded((fill(1),)))
