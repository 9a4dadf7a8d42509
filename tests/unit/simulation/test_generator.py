"""What the generated market promises to a strategy on minutes, and to a restart."""

import statistics
from functools import cache
from itertools import pairwise

import pytest

from btcbot.simulation.books import MINUTE_MS
from btcbot.simulation.generator import CHARACTERS, PairNotGenerated, generated_market
from btcbot.simulation.happenings import Method
from btcbot.simulation.paths import PathMarket

NOW_MS = 1_795_000_000_000
PAIRS = ("BTCTRY", "ETHTRY", "SOLTRY", "AVAXTRY", "XRPTRY")
DAY_MS = 1_440 * MINUTE_MS
HOURS_MS = 240 * MINUTE_MS
SEEDS = (1, 2, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (3, 4, 5)))


def _at(now_ms: int, seed: int = 1, pairs: tuple[str, ...] = PAIRS) -> PathMarket:
    market = generated_market(pairs, seed)
    market.advance(now_ms)
    return market


@cache
def _closes(seed: int, pair: str) -> list[int]:
    """Of a day."""
    return [bar.close for bar in _at(NOW_MS, seed, (pair,)).bars(pair, NOW_MS - DAY_MS, NOW_MS)]


@pytest.mark.parametrize("seed", SEEDS)
def test_minutes_move_like_a_lively_market_and_never_jump(seed: int) -> None:
    for pair in PAIRS:
        moves = [abs(later / earlier - 1) for earlier, later in pairwise(_closes(seed, pair))]
        assert 0.001 <= statistics.median(moves) <= 0.004
        assert max(moves) < 0.02


@pytest.mark.parametrize("seed", SEEDS)
def test_fast_and_slow_averages_cross_about_every_ten_minutes(seed: int) -> None:
    for pair in PAIRS:
        closes = _closes(seed, pair)
        fast = slow = float(closes[0])
        is_above, crosses = None, 0
        for close in closes:
            fast += (close - fast) * 2 / 4
            slow += (close - slow) * 2 / 9
            if is_above is not None and is_above != (fast > slow):
                crosses += 1
            is_above = fast > slow
        assert len(closes) / crosses <= 12, pair


def test_a_restart_goes_on_at_the_same_prices() -> None:
    first, second = _at(NOW_MS), _at(NOW_MS - 7_000)
    second.advance(NOW_MS)
    for pair in PAIRS:
        assert first.depth(pair) == second.depth(pair)
        assert first.bars(pair, NOW_MS - HOURS_MS, NOW_MS) == second.bars(pair, NOW_MS - HOURS_MS, NOW_MS)
        assert first.recent(pair)[-40:] == second.recent(pair)[-40:]


def test_another_seed_is_another_market() -> None:
    assert _closes(1, "BTCTRY") != _closes(2, "BTCTRY")


def test_prices_stay_near_home_for_years() -> None:
    for year in range(5):
        market = _at(NOW_MS + year * 365 * DAY_MS)
        last = market.recent("BTCTRY")[-1].ticks
        assert 0.8 < last / CHARACTERS["BTCTRY"].home < 1.25


def test_the_book_is_never_crossed_and_its_spread_is_narrow() -> None:
    market = _at(NOW_MS)
    for step in range(150):
        market.advance(NOW_MS + step * 2_764)
        for pair in PAIRS:
            depth = market.depth(pair)
            bid, ask = next(iter(depth.bids)), next(iter(depth.asks))
            assert 0 < (ask - bid) / bid < 0.0015
            assert list(depth.bids) == sorted(depth.bids, reverse=True)
            assert list(depth.asks) == sorted(depth.asks)
            assert 25 <= len(depth.bids) <= 100


def test_an_order_of_a_few_thousand_lira_usually_needs_one_to_three_levels() -> None:
    market = _at(NOW_MS)
    needed = []
    for step in range(300):
        market.advance(NOW_MS + step * 20_000)
        left, levels = 3_000.0, 0
        for ticks, lots in market.depth("BTCTRY").asks.items():
            levels, left = levels + 1, left - ticks * lots / 10**8
            if left <= 0:
                break
        needed.append(levels)
    assert statistics.median(needed) <= 2
    assert sum(levels <= 3 for levels in needed) / len(needed) > 0.8
    assert max(needed) > 1


def test_a_bar_is_what_the_tape_printed() -> None:
    market = _at(NOW_MS)
    for pair in PAIRS:
        start = NOW_MS // MINUTE_MS * MINUTE_MS
        (running,) = market.bars(pair, start, NOW_MS)
        prints = [print_ for print_ in market.recent(pair) if print_.at_ms >= start]
        assert (running.open, running.close) == (prints[0].ticks, prints[-1].ticks)
        assert running.high == max(print_.ticks for print_ in prints)
        assert running.volume == sum(print_.lots for print_ in prints)


def test_no_bar_comes_from_the_future() -> None:
    assert _at(NOW_MS).bars("BTCTRY", NOW_MS - MINUTE_MS, NOW_MS + DAY_MS)[-1].opened_ms <= NOW_MS


def test_prints_are_told_once_and_in_order() -> None:
    market = generated_market(("BTCTRY",), 1)
    told = [print_ for step in range(200) for print_ in market.advance(NOW_MS + step * 764)]
    numbers = [print_.number for print_ in told]
    assert numbers == sorted(set(numbers))
    assert len(numbers) in (24, 25, 26)


def test_some_pair_takes_no_market_orders_as_at_the_exchange() -> None:
    lacking = [pair for pair, each in CHARACTERS.items() if Method.MARKET not in each.listing.order_methods]
    assert lacking == ["DOTTRY"]
    assert CHARACTERS["DOTTRY"].listing.order_methods == (Method.LIMIT, Method.STOP_LIMIT)


def test_an_unknown_pair_is_refused_with_those_that_exist() -> None:
    with pytest.raises(PairNotGenerated, match="BTCTRY"):
        generated_market(("NOPETRY",), 1)
