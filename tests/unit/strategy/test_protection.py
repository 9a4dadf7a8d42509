"""Position rules, each as a table a trader could check: what a stay and a bid make of it."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btcbot.domain.money import Ratio, amount, parse
from btcbot.domain.orders.intents import Side
from btcbot.domain.position import NO_STAY, Stay
from btcbot.domain.state import FillBooked, FloorRaised, InstrumentState, StateEvent, TradingState, apply
from btcbot.strategy.language import CLOSE
from btcbot.strategy.protection import (
    BreakEven,
    HoldingTime,
    IndicatorStop,
    Pace,
    PositionRules,
    ReEntry,
    Rung,
    ScaleIn,
    ScaleOut,
    StopLoss,
    TakeProfit,
    TrailingStop,
    ratio_down,
)
from btcbot.strategy.sizing import EquityFraction, FixedNotional, RiskToStop, VolatilityTarget, wished_notional
from tests.unit.domain.builders import START, TRY, after, fill

HOUR = timedelta(hours=1)
DEFAULT = StopLoss(Ratio(Decimal("0.2")))


def ratio(text: str) -> Ratio:
    return Ratio(Decimal(text))


def having(*events: StateEvent) -> InstrumentState:
    state = TradingState(TRY)
    for event in events:
        state = apply(state, event)
    return state.instrument("BTCTRY")


BOUGHT = FillBooked(fill(quantity="0.01", price="1000000"))  # for 10,000 TRY
HELD = having(BOUGHT)


def level(rules: PositionRules, held: InstrumentState = HELD) -> str | None:
    found = rules.level(held, DEFAULT)
    return None if found is None else format(found.normalize(), "f")


def after_bids(rules: PositionRules, *bids: str, distance: float | None = None) -> InstrumentState:
    """The position after these bids, one reading after the other."""
    state = apply(TradingState(TRY), BOUGHT)
    for bid in bids:
        floor = rules.floor(state.instrument("BTCTRY").stay, parse(bid), distance)
        if floor is not None:
            state = apply(state, FloorRaised("BTCTRY", floor))
    return state.instrument("BTCTRY")


@pytest.mark.parametrize(
    ("rules", "bids", "expected"),
    [
        (PositionRules(), ("1000000", "1500000"), "800000"),  # the default protects what nothing else does
        (PositionRules(stop_loss=StopLoss(ratio("0.05"))), ("1000000",), "950000"),
        (PositionRules(stop_loss=StopLoss(ratio("0.3"))), ("1000000",), "700000"),
        (PositionRules(trailing=TrailingStop(ratio("0.1"))), ("1000000", "1200000", "1100000"), "1080000"),
        (PositionRules(trailing=TrailingStop(ratio("0.1"), ratio("0.1"))), ("1099999",), "800000"),
        (PositionRules(trailing=TrailingStop(ratio("0.1"), ratio("0.1"))), ("1100000",), "990000"),
        (PositionRules(break_even=BreakEven(ratio("0.02"), ratio("0.005"))), ("1019999",), "800000"),
        (PositionRules(break_even=BreakEven(ratio("0.02"), ratio("0.005"))), ("1020000", "1000"), "1005000"),
        (
            PositionRules(stop_loss=StopLoss(ratio("0.05")), break_even=BreakEven(ratio("0.02"))),
            ("1020000",), "1000000",
        ),
    ],
)  # fmt: skip
def test_the_highest_of_all_stops_is_the_stop(rules: PositionRules, bids: tuple[str, ...], expected: str) -> None:
    assert level(rules, after_bids(rules, *bids)) == expected


@pytest.mark.parametrize(
    ("distance", "expected"),
    [
        (0.03, "970100"), (0.03009, "970000"), (0.03125, "968800"), (None, "900000"), (float("nan"), "900000"),
        (float("inf"), "900000"), (-0.03, "900000"), (0.5, "900000"), (0.0, "990000"), (1e300, "900000"),
    ],
)  # fmt: skip
def test_an_indicator_stop_is_cut_down_and_held_within_its_bounds(distance: float | None, expected: str) -> None:
    rules = PositionRules(indicator_stop=IndicatorStop(CLOSE, ratio("0.01"), ratio("0.1")))
    assert level(rules, after_bids(rules, "1000000", distance=distance)) == expected


def test_an_indicator_stop_follows_a_calmer_market_and_not_a_wilder_one() -> None:
    rules = PositionRules(indicator_stop=IndicatorStop(CLOSE, ratio("0.01"), ratio("0.1")))
    stay = HELD.stay
    calm, wild = rules.floor(stay, parse("1000000"), 0.02), rules.floor(stay, parse("1000000"), 0.08)
    assert calm is not None
    assert wild is not None
    for order in ((calm, wild), (wild, calm)):
        events = [FloorRaised("BTCTRY", floor) for floor in order]
        assert level(rules, having(BOUGHT, *events)) == "980000"


def test_one_that_trails_is_measured_from_the_bid() -> None:
    rules = PositionRules(indicator_stop=IndicatorStop(CLOSE, ratio("0.01"), ratio("0.1"), trails=True))
    assert level(rules, after_bids(rules, "1000000", "1500000", "1400000", distance=0.02)) == "1470000"


@given(st.lists(st.integers(500_000, 2_000_000), min_size=1, max_size=20), st.floats(allow_nan=True))
def test_a_floor_never_falls_whatever_the_bids(bids: list[int], distance: float) -> None:
    rules = PositionRules(
        trailing=TrailingStop(ratio("0.07")), break_even=BreakEven(ratio("0.03"), ratio("0.01")),
        indicator_stop=IndicatorStop(CLOSE, ratio("0.01"), ratio("0.1"), trails=True),
    )  # fmt: skip
    floors = [after_bids(rules, *map(str, bids[:end]), distance=distance).stay.floor for end in range(1, len(bids) + 1)]
    known = [floor for floor in floors if floor is not None]
    assert known == sorted(known)
    assert all(floor < bid for floor, bid in zip(known, (max(bids[:end]) for end in range(1, 99)), strict=False))


LADDER = TakeProfit((Rung(ratio("0.02"), ratio("0.5")), Rung(ratio("0.04"), ratio("0.25"))))


@pytest.mark.parametrize(
    ("bid", "kept"), [("1019999", None), ("1020000", "0.005"), ("1039999", "0.005"), ("1040000", "0.0025")]
)
def test_a_ladder_says_what_is_kept_at_a_bid(bid: str, kept: str | None) -> None:
    sales = [sale.keeps for sale in PositionRules(take_profit=LADDER).sales(HELD, parse(bid), START)]
    assert sales == ([] if kept is None else [parse(kept)])


def test_what_was_sold_counts_as_the_first_rungs() -> None:
    sold = having(BOUGHT, FillBooked(fill(2, Side.SELL, "0.005", "1020000")))
    (sale,) = PositionRules(take_profit=LADDER).sales(sold, parse("1020000"), START)
    assert sale.keeps == sold.position


@pytest.mark.parametrize(("minutes", "sells"), [(59, False), (60, True)])
def test_a_position_is_held_no_longer_than_it_may_be(minutes: int, sells: bool) -> None:
    sales = list(PositionRules(holding=HoldingTime(HOUR)).sales(HELD, parse("1000000"), after(60 * minutes)))
    assert [sale.is_whole for sale in sales] == [True] * sells


LEFT_AT_A_LOSS = having(BOUGHT, FillBooked(fill(2, Side.SELL, "0.01", "999999", at=after(60))))
LEFT_WITH_GAIN = having(BOUGHT, FillBooked(fill(2, Side.SELL, "0.01", "1000001", at=after(60))))
LEFT_AT_COST_LESS_FEES = having(BOUGHT, FillBooked(fill(2, Side.SELL, "0.01", "1000000", fee="0.01", at=after(60))))
TOO_SOON = "0:59:59 have passed since the last exit at a loss, 1:00:00 are to"
PATIENT = ReEntry(cooldown=timedelta(minutes=5), cooldown_after_loss=HOUR, below_exit=ratio("0.01"))


@pytest.mark.parametrize(
    ("rule", "held", "seconds", "ask", "closed", "objects"),
    [
        (ReEntry(), LEFT_WITH_GAIN, 61, "1000000", 60, "its candle closed before the last exit"),
        (ReEntry(), LEFT_WITH_GAIN, 121, "1000000", 61, None),
        (ReEntry(), HELD, 61, "1000000", 0, None),
        (PATIENT, LEFT_WITH_GAIN, 359, "900000", 120, "0:04:59 have passed since the last exit, 0:05:00 are to"),
        (PATIENT, LEFT_WITH_GAIN, 360, "900000", 120, None),
        (PATIENT, LEFT_WITH_GAIN, 360, "990001", 120, "the ask 990001 is above 990000.99, 0.01 below the last exit"),
        (PATIENT, LEFT_AT_A_LOSS, 3659, "900000", 120, TOO_SOON),
        (PATIENT, LEFT_AT_COST_LESS_FEES, 3659, "900000", 120, TOO_SOON),
        (PATIENT, LEFT_AT_A_LOSS, 3660, "900000", 120, None),
    ],
)  # fmt: skip
def test_an_entry_waits_after_an_exit(
    rule: ReEntry, held: InstrumentState, seconds: int, ask: str, closed: int, objects: str | None
) -> None:
    objection = rule.objection(held.stay, after(seconds), parse(ask), after(closed))
    assert objection == objects or (objects is not None and objection is not None and objection.startswith(objects))


@pytest.mark.parametrize(
    ("step", "ask", "objects"),
    [("-0.01", "990000", False), ("-0.01", "990001", True), ("0.01", "1010000", False), ("0.01", "1009999", True),
     ("0", "1000000", False)],
)  # fmt: skip
def test_scaling_in_asks_for_a_step_from_the_last_entry(step: str, ask: str, objects: bool) -> None:
    assert (ScaleIn(3, ratio(step)).objection(HELD.stay, parse(ask)) is not None) is objects


def test_scaling_in_counts_orders_and_not_fills() -> None:
    parts = [FillBooked(fill(number, quantity="0.001")) for number in (1, 2, 3)]
    assert having(*parts).stay.entries == 1
    assert ScaleIn(2).objection(having(*parts).stay, parse("1000000")) is None
    assert "the limit is 2" in str(ScaleIn(2).objection(Stay(entry_orders=(7, 8)), parse("1000000")))


def test_a_pace_waits_and_a_budget_ends() -> None:
    pace = Pace(HOUR, amount("15000 TRY"))
    assert pace.objection(HELD.stay, after(3599)) is not None
    assert pace.objection(HELD.stay, after(3600)) is None
    assert pace.objection(NO_STAY, START) is None
    assert pace.left(HELD.stay) == amount("5000 TRY")
    assert Pace(HOUR, amount("9999 TRY")).left(HELD.stay) == amount("0 TRY")


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.12345, "0.1234"), (0.0, "0"), (7.0, "0.5"), (None, None), (float("nan"), None), (-0.1, None), (1e308, "0.5"),
     (True, None)],
)  # fmt: skip
def test_an_indicator_becomes_a_ratio_only_downwards(value: float | None, expected: str | None) -> None:
    assert ratio_down(value, ratio("0.5")) == (None if expected is None else parse(expected))


@given(st.floats(min_value=0, allow_nan=False, allow_infinity=False))
def test_a_ratio_is_never_above_its_indicator_or_its_limit(value: float) -> None:
    cut = ratio_down(value, ratio("0.75"))
    assert cut is not None
    assert 0 <= cut <= Decimal("0.75")
    assert Fraction(cut) <= Fraction(value)


CAP = amount("1000 TRY")


@pytest.mark.parametrize(
    ("sizing", "equity", "stop", "measured", "expected"),
    [
        (FixedNotional(), "1", None, None, "1000 TRY"),
        (EquityFraction(ratio("0.1")), "5000.123456789", None, None, "500.01234567 TRY"),
        (EquityFraction(ratio("0.1")), "50000", None, None, "1000 TRY"),
        (EquityFraction(ratio("0.1")), "-5", None, None, "0 TRY"),
        (VolatilityTarget(ratio("0.01"), CLOSE), "1", None, 0.02, "500 TRY"),
        (VolatilityTarget(ratio("0.01"), CLOSE), "1", None, 0.03, "333.3 TRY"),
        (VolatilityTarget(ratio("0.01"), CLOSE), "1", None, 0.005, "1000 TRY"),
        (VolatilityTarget(ratio("0.01"), CLOSE), "1", None, None, "0 TRY"),
        (VolatilityTarget(ratio("0.01"), CLOSE), "1", None, float("nan"), "0 TRY"),
        (VolatilityTarget(ratio("0.01"), CLOSE), "1", None, float("inf"), "0 TRY"),
        (VolatilityTarget(ratio("0.01"), CLOSE), "1", None, -1.0, "0 TRY"),
        (RiskToStop(ratio("0.01")), "5000", "0.06", None, "833.33333333 TRY"),
        (RiskToStop(ratio("0.01")), "100000", "0.05", None, "1000 TRY"),
        (RiskToStop(ratio("0.01")), "5000", None, None, "0 TRY"),
    ],
)  # fmt: skip
def test_every_sizing_only_lowers_the_cap(
    sizing: FixedNotional, equity: str, stop: str | None, measured: float | None, expected: str
) -> None:
    stop_ratio = None if stop is None else ratio(stop)
    assert wished_notional(sizing, CAP, parse(equity), stop_ratio, measured) == amount(expected)


@given(
    st.decimals(-(10**9), 10**9, places=8, allow_nan=False), st.floats(), st.sampled_from(["0.001", "0.5", "1"]),
    st.sampled_from(["0.0001", "0.3"]),
)  # fmt: skip
def test_no_sizing_goes_above_its_cap_or_below_zero(equity: Decimal, measured: float, share: str, stop: str) -> None:
    for sizing in (EquityFraction(ratio(share)), VolatilityTarget(ratio(share), CLOSE), RiskToStop(ratio(share))):
        wish = wished_notional(sizing, CAP, equity, ratio(stop), measured)
        assert 0 <= wish.number <= CAP.number


@pytest.mark.parametrize(
    "make",
    [
        lambda: StopLoss(ratio("0")), lambda: StopLoss(ratio("1")), lambda: TrailingStop(ratio("-0.1")),
        lambda: TrailingStop(ratio("0.1"), ratio("-1")), lambda: BreakEven(ratio("0.02"), ratio("0.02")),
        lambda: IndicatorStop(CLOSE, ratio("0.2"), ratio("0.1")),
        lambda: IndicatorStop(CLOSE, ratio("0"), ratio("0.1")),
        lambda: TakeProfit(()),
        lambda: TakeProfit((Rung(ratio("0.02"), ratio("0.6")), Rung(ratio("0.03"), ratio("0.6")))),
        lambda: TakeProfit((Rung(ratio("0.02"), ratio("0.5")), Rung(ratio("0.02"), ratio("0.5")))),
        lambda: HoldingTime(timedelta()), lambda: ScaleOut(CLOSE > 0.0, ratio("1")), lambda: ScaleIn(1),
        lambda: ScaleIn(2, ratio("-1")), lambda: Pace(HOUR, amount("0 TRY")), lambda: Pace(timedelta(), CAP),
        lambda: ReEntry(cooldown=timedelta(days=400)), lambda: ReEntry(below_exit=ratio("1")),
        lambda: EquityFraction(ratio("0")), lambda: RiskToStop(ratio("1.1")),
    ],
)  # fmt: skip
def test_a_rule_without_sense_cannot_be_declared(make: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        make()  # type: ignore[operator]
