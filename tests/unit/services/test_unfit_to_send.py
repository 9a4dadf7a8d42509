"""What may change between decision and send: data, clock, and the exchange's own rules (fault matrix, row 90)."""

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from btcbot.domain.instruments import Instrument
from btcbot.domain.money import parse
from btcbot.domain.orders.intents import Intent, Side
from btcbot.exchange.venue_clock import ClockOffset
from btcbot.market_data.market import MarketData
from btcbot.services.live_wiring import unfit_to_send
from tests.unit.domain.builders import BTC_TRY, ETH_TRY, USDT, intent
from tests.unit.services.world import live_profile

FRESH, OLD = timedelta(seconds=10), timedelta(seconds=10.001)
NEAR = ClockOffset(timedelta(seconds=2.5), timedelta(0))
BUY, SELL = intent(Side.BUY), intent(Side.SELL, "0.005", "999900")


@dataclass
class Market:
    instruments: dict[str, Instrument]
    age: timedelta | None = FRESH
    last_offset: ClockOffset | None = NEAR

    def ages(self) -> dict[str, timedelta]:
        return {} if self.age is None else {"BTCTRY": self.age}


def said(
    tmp_path: Path, market: Market, wanted: Intent = BUY, age: timedelta = FRESH, ticked: frozenset[str] = frozenset()
) -> str | None:
    return unfit_to_send(cast("MarketData", market), wanted, age, live_profile(tmp_path), ticked)


@pytest.mark.parametrize("wanted", [BUY, SELL])
@pytest.mark.parametrize(
    "listed",
    [
        BTC_TRY,
        replace(BTC_TRY, price_step=parse("100")),
        replace(BTC_TRY, notional_min=parse("1499")),
        replace(BTC_TRY, price_min=parse("999900"), price_max=parse("1000100")),
    ],
)
def test_an_order_that_fits_the_rules_of_now_may_go(tmp_path: Path, wanted: Intent, listed: Instrument) -> None:
    assert said(tmp_path, Market({"BTCTRY": listed}), wanted) is None


@pytest.mark.parametrize("wanted", [BUY, SELL])
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"price_step": parse("1000")}, "order_off_grid"),
        ({"lot_step": parse("0.01")}, "order_off_grid"),
        ({"price_min": parse("1000101")}, "price_outside_band"),
        ({"price_max": parse("999899")}, "price_outside_band"),
        ({"notional_min": parse("5000")}, "notional_below_min"),
        ({"quote": USDT}, "instrument_changed"),
        ({"base": ETH_TRY.base}, "instrument_changed"),
        ({"pair": "ETHTRY"}, "instrument_changed"),
    ],
)
def test_an_order_is_judged_again_by_the_grids_read_since(
    tmp_path: Path, wanted: Intent, changes: dict[str, object], reason: str
) -> None:
    listed = replace(BTC_TRY, **changes)  # type: ignore[arg-type]
    told = said(tmp_path, Market({"BTCTRY": listed}), wanted)
    assert told is not None
    assert told.startswith(f"the exchange's rules of BTCTRY changed: {reason} (")


def test_a_pair_that_stopped_takes_no_entry_and_may_be_left(tmp_path: Path) -> None:
    stopped = Market({"BTCTRY": replace(BTC_TRY, is_trading=False)})
    assert said(tmp_path, stopped, BUY) == (
        "the exchange's rules of BTCTRY changed: instrument_not_trading (pair=BTCTRY)"
    )
    assert said(tmp_path, stopped, SELL) is None


def test_every_objection_is_told(tmp_path: Path) -> None:
    listed = replace(BTC_TRY, price_step=parse("1000"), price_max=parse("1000"), notional_min=parse("9999"))
    told = said(tmp_path, Market({"BTCTRY": listed}))
    assert told is not None
    assert [word for word in ("order_off_grid", "price_outside_band", "notional_below_min") if word not in told] == []


def test_ticks_that_were_learnt_hold_at_the_send_as_well(tmp_path: Path) -> None:
    listed = replace(BTC_TRY, price_tick=parse("1000"))
    assert said(tmp_path, Market({"BTCTRY": listed})) is None
    told = said(tmp_path, Market({"BTCTRY": listed}), ticked=frozenset({"BTCTRY"}))
    assert told is not None
    assert "order_off_grid" in told


@pytest.mark.parametrize(
    ("market", "age", "words"),
    [
        (Market({}), FRESH, "BTCTRY is not listed any more"),
        (Market({"BTCTRY": BTC_TRY}), OLD, "the decision is 10.0 s old"),
        (Market({"BTCTRY": BTC_TRY}, age=None), FRESH, "BTCTRY has no market data"),
        (Market({"BTCTRY": BTC_TRY}, age=OLD), FRESH, "BTCTRY market data is 10.0 s old"),
        (Market({"BTCTRY": BTC_TRY}, last_offset=None), FRESH, "the clock is not known to be near the exchange's"),
        (
            Market({"BTCTRY": BTC_TRY}, last_offset=ClockOffset(timedelta(seconds=-2.501), timedelta(0))),
            FRESH,
            "the clock is not known to be near the exchange's",
        ),
    ],
)
def test_what_went_stale_is_said(tmp_path: Path, market: Market, age: timedelta, words: str) -> None:
    assert said(tmp_path, market, BUY, age) == words
