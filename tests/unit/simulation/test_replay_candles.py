"""Recorded minutes: re-dated, on grids taken from the data, and over when they are over."""

import pytest

from btcbot.domain.money import parse
from btcbot.simulation.books import MINUTE_MS
from btcbot.simulation.paths import PathMarket
from btcbot.simulation.replay import Rerun, UnusableRecord
from btcbot.simulation.replay_candles import WARM_UP_MINUTES, CandleRow, recorded_candles

RECORDED_MS = 1_667_946_780_000
STARTED_MS = 1_795_000_020_000


def _rows(count: int, pair: str = "BTCTRY", opened_ms: int = RECORDED_MS) -> list[CandleRow]:
    return [
        CandleRow(
            pair, opened_ms + minute * MINUTE_MS, f"{350000 + minute}.5", f"{350020 + minute}", f"{349990 + minute}.25",
            f"{350005 + minute}", "0.48821",
        )
        for minute in range(count)
    ]  # fmt: skip


def _played(minutes: float, speed: str = "1", count: int = 200) -> PathMarket:
    market = recorded_candles(_rows(count), ("BTCTRY",), Rerun(STARTED_MS, parse(speed)))
    market.advance(STARTED_MS + int(minutes * MINUTE_MS))
    return market


def test_the_grids_have_as_many_decimals_as_the_data() -> None:
    listing = _played(0).listings["BTCTRY"]
    assert (listing.price_decimals, listing.lot_decimals, listing.base, listing.quote) == (2, 5, "BTC", "TRY")
    assert listing.notional_min == parse("99.91")


def test_the_record_begins_a_warm_up_in_and_its_bars_are_the_recorded_ones() -> None:
    market = _played(3)
    bars = market.bars(
        "BTCTRY", STARTED_MS - WARM_UP_MINUTES * MINUTE_MS, STARTED_MS + 3 * MINUTE_MS - 1
    )  # fmt: skip
    assert len(bars) == WARM_UP_MINUTES + 3
    listing = market.listings["BTCTRY"]
    for bar, row in zip(bars, _rows(200), strict=False):
        assert [listing.price_text(n) for n in (bar.open, bar.high, bar.low, bar.close)] == [
            row.open, row.high, row.low, row.close,
        ]  # fmt: skip
        assert listing.quantity_text(bar.volume) == row.volume


def test_there_is_nothing_before_the_first_recorded_minute() -> None:
    before = STARTED_MS - (WARM_UP_MINUTES + 5) * MINUTE_MS
    assert len(_played(0).bars("BTCTRY", before, STARTED_MS - 1)) == WARM_UP_MINUTES


def test_at_a_higher_speed_more_of_the_record_passes_in_a_minute() -> None:
    slow, fast = _played(4), _played(2, "2")
    assert slow.recent("BTCTRY")[-1].ticks == fast.recent("BTCTRY")[-1].ticks


def test_the_end_of_the_record_empties_the_book() -> None:
    market = _played(79.9)
    assert not market.is_ended
    assert market.depth("BTCTRY").bids
    market.advance(STARTED_MS + 80 * MINUTE_MS)
    assert market.is_ended
    assert not market.depth("BTCTRY").bids
    assert market.bars("BTCTRY", STARTED_MS, STARTED_MS + 200 * MINUTE_MS)[-1].opened_ms == STARTED_MS + 79 * MINUTE_MS


def test_a_restart_finds_the_record_where_it_would_be() -> None:
    one, other = _played(10), _played(2)
    other.advance(STARTED_MS + 10 * MINUTE_MS)
    assert one.depth("BTCTRY") == other.depth("BTCTRY")


def test_a_missing_minute_holds_the_last_close_and_trades_nothing() -> None:
    rows = [row for row in _rows(200) if row.opened_ms != RECORDED_MS + 121 * MINUTE_MS]
    market = recorded_candles(rows, ("BTCTRY",), Rerun(STARTED_MS, parse("1")))
    market.advance(STARTED_MS + 2 * MINUTE_MS)
    (bar,) = market.bars("BTCTRY", STARTED_MS + MINUTE_MS, STARTED_MS + 2 * MINUTE_MS - 1)
    assert bar.volume == 0
    assert bar.open == bar.high == bar.low == bar.close


LATER = CandleRow("BTCTRY", RECORDED_MS + 10**6 * MINUTE_MS, *["x"] * 5)
NEXT_YEAR = _rows(200, "ETHTRY", RECORDED_MS + 500_000 * MINUTE_MS)


@pytest.mark.parametrize(
    ("rows", "pairs", "words"),
    [
        (_rows(100), ("BTCTRY",), "no more than 120 candles of BTCTRY"),
        (_rows(200), ("BTCTRY", "ETHTRY"), "ETHTRY"),
        (_rows(200)[::-1], ("BTCTRY",), "not in order"),
        (_rows(200, opened_ms=RECORDED_MS + 1), ("BTCTRY",), "whole minutes"),
        (_rows(200, "BTCEUR"), ("BTCEUR",), "quoted neither"),
        ([*_rows(150), LATER], ("BTCTRY",), "not a number"),
        ([*_rows(200), *NEXT_YEAR], ("BTCTRY", "ETHTRY"), "same time"),
    ],
)
def test_an_unusable_record_is_refused_in_words(rows: list[CandleRow], pairs: tuple[str, ...], words: str) -> None:
    with pytest.raises(UnusableRecord, match=words):
        recorded_candles(rows, pairs, Rerun(STARTED_MS, parse("1")))
