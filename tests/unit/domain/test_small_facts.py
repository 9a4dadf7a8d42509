"""Feed lines, secrets, snapshots, reservations and the verdict of a health report."""

import copy
import pickle
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btcbot.domain.errors import BtcbotError, ConfigurationError, ExitCode
from btcbot.domain.feed import FeedKind, FeedMessage, MalformedFeedLine, read_feed_line, read_resume_line
from btcbot.domain.health import Check, HealthReport, Reason, Status
from btcbot.domain.market import Book
from btcbot.domain.money import amount, parse
from btcbot.domain.orders.evidence import VenueStatus
from btcbot.domain.orders.intents import Side
from btcbot.domain.secrets import Secret
from tests.unit.domain.builders import (
    ASKS,
    BIDS,
    ETH_TRY,
    FEE_RATIO,
    START,
    after,
    around,
    candle,
    intent,
    levels,
    listed,
    market,
    snapshot,
)

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.text(max_size=20)),
    lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(st.text(max_size=5), below, max_size=3)),
    max_leaves=8,
)


@given(number=st.integers(0, 2**60), kind=st.sampled_from(FeedKind), body=st.dictionaries(st.text(max_size=5), JSON))
def test_a_feed_line_is_read_as_it_was_written(number: int, kind: FeedKind, body: dict[str, object]) -> None:
    message = FeedMessage(number, kind, START, body)
    line = message.line()
    assert read_feed_line(line) == message
    assert line.count(b"\n") == 1


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"not json",
        b"\xff\xfe",
        b'{"v":2,"n":1,"kind":"halt","at":"2026-01-05T09:00:00+00:00","body":{}}',
        b'{"v":1,"n":"1","kind":"halt","at":"2026-01-05T09:00:00+00:00","body":{}}',
        b'{"v":1,"n":1,"kind":"gossip","at":"2026-01-05T09:00:00+00:00","body":{}}',
        b'{"v":1,"n":1,"kind":"halt","at":"yesterday","body":{}}',
        b'{"v":1,"n":1,"kind":"halt","at":"2026-01-05T09:00:00+00:00","body":[]}',
    ],
)
def test_anything_else_is_not_a_feed_line(line: bytes) -> None:
    with pytest.raises(MalformedFeedLine):
        read_feed_line(line)


def test_the_resume_line_is_a_count() -> None:
    assert read_resume_line(b'{"resume_after": 7}') == 7
    for line in (b"", b"7", b"{}", b'{"resume_after": -1}', b'{"resume_after": true}', b'{"resume_after": "7"}'):
        with pytest.raises(MalformedFeedLine):
            read_resume_line(line)


def test_a_secret_shows_nothing_but_its_fingerprint() -> None:
    secret = Secret("hunter2")
    shown = (repr(secret), str(secret), f"{secret}", f"{secret:>20}", str([secret]))
    assert not any("hunter2" in text for text in shown)
    assert secret.reveal() == "hunter2"
    assert secret.fingerprint() == Secret("hunter2").fingerprint() != Secret("hunter3").fingerprint()
    for door in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not pickled or copied"):
            door(secret)


def test_the_middle_of_a_book_is_exact_or_missing() -> None:
    assert Book(levels("1 @ 3"), levels("1 @ 4")).mid == parse("3.5")
    assert Book((), ASKS).mid is None
    assert Book(BIDS, ()).mid is None


def test_equal_snapshots_have_one_name() -> None:
    one = snapshot(START, around(1_000_000), around(50_000, ETH_TRY))
    other = snapshot(START, around(50_000, ETH_TRY), around(1_000_000))
    assert one.snapshot_id == other.snapshot_id
    rewritten = replace(market(), book=Book(levels("0.0010 @ 999900.0", "1 @ 999000"), ASKS))
    assert snapshot(START, market()).snapshot_id == snapshot(START, rewritten).snapshot_id


@pytest.mark.parametrize(
    "other",
    [
        snapshot(after(1), market()),
        snapshot(START),
        snapshot(START, market(age_seconds=2)),
        snapshot(START, market(is_gapped=True)),
        snapshot(START, market(bids=ASKS, asks=BIDS)),
        snapshot(START, market(candles=[candle(0, 1)])),
        snapshot(START, replace(market(), instrument=replace(market().instrument, is_trading=False))),
    ],
)
def test_whatever_a_decision_reads_changes_the_name(other: object) -> None:
    assert other.snapshot_id != snapshot(START, market()).snapshot_id  # type: ignore[attr-defined]


def test_a_buy_reserves_its_worst_cost_and_a_sell_its_coins() -> None:
    assert intent(Side.BUY, "0.001", "1000000").reservation(FEE_RATIO) == amount("1002.4 TRY")
    assert intent(Side.BUY, "0.00000001", "1").reservation(FEE_RATIO) == amount("0.00000002 TRY")
    assert intent(Side.SELL, "0.001", "1000000").reservation(FEE_RATIO) == amount("0.001 BTC")


@given(quantity=st.decimals("0.00000001", "10", places=8), price=st.integers(1, 10**8))
def test_a_reservation_is_never_less_than_what_may_be_spent(quantity: Decimal, price: int) -> None:
    wanted = intent(Side.BUY, str(quantity), str(price))
    worst = quantity * price * (1 + FEE_RATIO)
    assert worst <= wanted.reservation(FEE_RATIO).number < worst + parse("0.00000001")


@pytest.mark.parametrize(
    ("status", "is_open", "is_closed"),
    [
        (VenueStatus.UNTOUCHED, True, False),
        (VenueStatus.PARTIAL, True, False),
        (VenueStatus.PARTIAL, False, True),
        (VenueStatus.CLOSED, False, True),
        (VenueStatus.CANCELED, False, True),
        (VenueStatus.CANCELED, True, False),
        (VenueStatus.UNTOUCHED, False, False),
        (VenueStatus.OTHER, False, False),
    ],
)
def test_an_order_is_closed_only_when_listing_and_status_agree(
    status: VenueStatus, is_open: bool, is_closed: bool
) -> None:
    assert listed(status=status, is_open=is_open).is_closed is is_closed


@pytest.mark.parametrize(
    ("statuses", "worst"),
    [
        ((), Status.UNKNOWN),
        ((Status.OK,), Status.OK),
        ((Status.OK, Status.WARN), Status.WARN),
        ((Status.WARN, Status.UNKNOWN), Status.UNKNOWN),
        ((Status.UNKNOWN, Status.FAIL), Status.FAIL),
    ],
)
def test_a_report_is_as_bad_as_its_gravest_check(statuses: tuple[Status, ...], worst: Status) -> None:
    checks = tuple(Check(f"check {n}", status, Reason.FINE, "", "") for n, status in enumerate(statuses))
    assert HealthReport(START, checks).status is worst


def test_an_error_says_what_happened_and_what_to_do() -> None:
    assert str(ConfigurationError("X is missing")) == (
        "X is missing. Next: correct the environment file of this role and start again."
    )
    assert (ConfigurationError.exit_code, BtcbotError.exit_code) == (ExitCode.CONFIGURATION, ExitCode.CRASH)


def test_ages_are_part_of_the_content_to_the_microsecond() -> None:
    one, other = (replace(market(), book_age=timedelta(microseconds=age)) for age in (1, 2))
    assert snapshot(START, one).snapshot_id != snapshot(START, other).snapshot_id
