"""What a decision makes of a position: stops, ladders, ways out that nothing stands before, and who may enter."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btcbot.domain.market import MarketView
from btcbot.domain.money import Ratio, amount, parse, plain
from btcbot.domain.orders.intents import Purpose, Side
from btcbot.domain.orders.states import OrderState
from btcbot.domain.signals import Direction, Signal
from btcbot.domain.state import FillBooked, OrderChanged, StateEvent
from btcbot.services.decision import CyclePlan, DecisionParams, DecisionState, decide
from btcbot.services.replay_facts import to_text
from btcbot.services.replay_tape import Beginning, read_beginning
from btcbot.strategy.code import CandleView, Code
from btcbot.strategy.language import CLOSE, Columns, Condition, of_pair, on_timeframe, sma
from btcbot.strategy.protection import (
    HoldingTime,
    Pace,
    PositionRules,
    ReEntry,
    Rung,
    ScaleIn,
    ScaleOut,
    StopLoss,
    TakeProfit,
    TrailingStop,
)
from btcbot.strategy.sizing import RiskToStop
from btcbot.strategy.strategy import NEVER, Strategy
from tests.unit.domain.builders import (
    BTC_TRY,
    ETH_TRY,
    FEE_RATIO,
    LIMITS,
    MINUTE,
    START,
    after,
    around,
    candle,
    fill,
    levels,
    market,
    order,
    snapshot,
)
from tests.unit.services.test_decision import only, standing

ALWAYS = CLOSE > 0.0
HALF = Ratio(Decimal("0.5"))
CALM = replace(LIMITS, jump_ratio_max=Ratio(Decimal("0.5")), entry_cooldown=timedelta())
HOLDING = FillBooked(fill(quantity="0.002", price="1000000", at=after(-600)))
CLOSED_NOW = candle(-1, 1_000_000)


def params(
    rules: PositionRules, entry: Condition = NEVER, exit_: Condition = NEVER, **changes: object
) -> DecisionParams:
    strategy = Strategy("rules", entry, exit_, amount("1500 TRY"), False, (), rules, **changes)  # type: ignore[arg-type]
    return DecisionParams(strategy, ("BTCTRY", "ETHTRY"), CALM, MINUTE, timedelta(seconds=60), FEE_RATIO)


def decided(
    to: DecisionParams, *views: MarketView, events: tuple[StateEvent, ...] = (HOLDING,), seconds: float = 0,
    state: DecisionState | None = None,
) -> CyclePlan:  # fmt: skip
    bare = DecisionState.at(standing(*events).trading)
    return decide(bare if state is None else state, snapshot(after(seconds), *views), to, "cycle")


def sold(plan: CyclePlan) -> tuple[str, str]:
    wanted = only(plan).intent
    assert (wanted.side, wanted.purpose) == (Side.SELL, Purpose.EXIT)
    return plain(wanted.quantity), plain(wanted.price)


STOP = PositionRules(stop_loss=StopLoss(Ratio(Decimal("0.05"))))


# ------------------------------------------------------------------------------------ nothing stands before a way out


def test_a_stop_sells_to_the_bids_above_an_entry_of_ours_at_once_and_cancels_it() -> None:
    resting = OrderChanged(order(quantity="0.001", price="940000"))
    book = market(bids=levels("0.0015 @ 940100", "0.5 @ 940000"), asks=levels("1 @ 940200"))
    plan = decided(params(STOP), book, events=(HOLDING, resting))
    assert sold(plan) == ("0.002", "940100")
    assert [wish.order_id for wish in plan.cancels] == ["order-1"]


def test_a_way_out_that_the_bid_has_left_is_priced_anew() -> None:
    behind = OrderChanged(order(side=Side.SELL, quantity="0.002", price="945000"))
    first = decided(params(STOP), around(940_100), events=(HOLDING, behind))
    assert first.verdicts == ()
    assert [wish.reason for wish in first.cancels] == ["the way out is priced anew, the bid is at 940000"]
    gone = first.state.after(
        OrderChanged(order(side=Side.SELL, quantity="0.002", price="945000", state=OrderState.CANCELED))
    )
    assert sold(decided(params(STOP), around(940_100), state=gone, seconds=5)) == ("0.002", "940000")


def test_a_way_out_that_still_takes_is_left_alone() -> None:
    resting = OrderChanged(order(side=Side.SELL, quantity="0.002", price="940000"))
    assert decided(params(STOP), around(940_100), events=(HOLDING, resting)).cancels == ()


def test_a_position_without_any_declared_stop_has_the_default_one() -> None:
    plan = decided(params(PositionRules()), around(900_000))
    assert plan.stops == {"BTCTRY": parse("800000")}
    assert sold(decided(params(PositionRules()), around(800_000))) == ("0.002", "799900")


@pytest.mark.parametrize("bid", ["NaN", "0", "-5", "1e40"])
def test_an_absurd_bid_crosses_no_stop(bid: str) -> None:
    plan = decided(params(STOP), market(bids=levels(f"1 @ {bid}"), asks=levels("1 @ 940200")))
    assert plan.verdicts == ()
    assert plan.stops == {"BTCTRY": parse("950000")}


# ---------------------------------------------------------------------------------------------- floors and the ladder


def test_a_trailing_stop_follows_the_bids_and_ends_the_position() -> None:
    to = params(PositionRules(trailing=TrailingStop(Ratio(Decimal("0.1")))))
    state = decided(to, around(1_000_100)).state
    for number, mid in enumerate((1_200_100, 1_150_100), start=1):
        plan = decided(to, around(mid), state=state, seconds=5 * number)
        state = plan.state
    assert plan.stops == {"BTCTRY": parse("1080000")}
    assert sold(decided(to, around(1_080_000), state=state, seconds=20)) == ("0.002", "1079900")


def test_a_reading_that_is_not_fit_raises_no_floor() -> None:
    to = params(PositionRules(trailing=TrailingStop(Ratio(Decimal("0.1")))))
    state = decided(to, around(1_000_100)).state
    gapped = replace(around(1_500_000), is_gapped=True)
    assert decided(to, gapped, state=state, seconds=5).stops == {"BTCTRY": parse("900000")}


LADDER = TakeProfit((Rung(Ratio(Decimal("0.02")), HALF), Rung(Ratio(Decimal("0.04")), HALF)))


def test_a_ladder_sells_a_rung_at_a_time_and_the_rest_stays_protected() -> None:
    to = params(replace(STOP, take_profit=LADDER))
    plan = decided(to, around(1_020_100))
    assert sold(plan) == ("0.001", "1020000")
    assert plan.stops == {"BTCTRY": parse("950000")}
    state = plan.state.after(FillBooked(fill(2, Side.SELL, "0.001", "1020000")))
    assert decided(to, around(1_020_100), state=state, seconds=5).verdicts == ()
    assert sold(decided(to, around(1_040_100), state=state, seconds=5)) == ("0.001", "1040000")
    assert sold(decided(to, around(940_100), state=state, seconds=5)) == ("0.001", "940000")


def test_a_rung_is_not_sold_below_its_price_for_want_of_bids() -> None:
    thin = market(bids=levels("0.0001 @ 1020000", "5 @ 1010000"), asks=levels("1 @ 1020100"))
    assert sold(decided(params(replace(STOP, take_profit=LADDER)), thin)) == ("0.001", "1020000")


def test_a_rung_that_is_promised_already_is_not_sold_twice() -> None:
    to = params(replace(STOP, take_profit=LADDER))
    resting = OrderChanged(order(side=Side.SELL, quantity="0.001", price="1020000"))
    assert decided(to, around(1_020_100), events=(HOLDING, resting)).verdicts == ()


def test_a_part_whose_rest_could_not_be_sold_takes_the_rest_along() -> None:
    most = TakeProfit((Rung(Ratio(Decimal("0.02")), Ratio(Decimal("0.96"))),))
    assert sold(decided(params(PositionRules(take_profit=most)), around(1_020_100))) == ("0.002", "1020000")


def test_a_part_that_is_too_little_for_an_order_waits() -> None:
    little = TakeProfit((Rung(Ratio(Decimal("0.02")), Ratio(Decimal("0.04"))),))
    plan = decided(params(PositionRules(take_profit=little)), around(1_020_100))
    assert plan.verdicts == ()
    assert "BTCTRY: sell not tried, a part of 0.00008 is too little for an order" in plan.notes


def test_a_position_that_was_held_long_enough_is_left() -> None:
    to = params(PositionRules(holding=HoldingTime(timedelta(minutes=11))))
    assert decided(to, around(1_000_100)).verdicts == ()
    assert sold(decided(to, around(1_000_100), seconds=60)) == ("0.002", "1000000")


def test_scaling_out_sells_its_share_once_for_each_candle() -> None:
    to = params(PositionRules(scale_out=ScaleOut(ALWAYS, HALF)))
    plan = decided(to, around(1_000_100, candles=[CLOSED_NOW]))
    assert sold(plan) == ("0.001", "1000000")
    done = plan.state.after(FillBooked(fill(2, Side.SELL, "0.001", "1000000", at=after(1))))
    assert decided(to, around(1_000_100), state=done, seconds=5).verdicts == ()
    again = decided(to, around(1_000_100, candles=[candle(0, 1_000_000)]), state=done, seconds=60)
    assert sold(again) == ("0.0005", "1000000")
    assert decided(to, around(1_000_100), state=plan.state, seconds=121).verdicts == (), "the candle is old"


# -------------------------------------------------------------------------------------------------------- entries


def test_after_a_stop_the_signal_that_led_in_does_not_lead_in_again() -> None:
    to = params(STOP, ALWAYS)
    held = decided(to, around(1_000_100, candles=[CLOSED_NOW])).state
    left = held.after(FillBooked(fill(2, Side.SELL, "0.002", "940000", at=after(5))))
    plan = decided(to, around(940_100), state=left, seconds=10)
    assert plan.verdicts == ()
    assert "BTCTRY: buy not tried, its candle closed before the last exit" in plan.notes
    assert (
        only(decided(to, around(940_100, candles=[candle(0, 940_000)]), state=left, seconds=60)).intent.side is Side.BUY
    )


def test_scaling_in_buys_deeper_and_only_so_often() -> None:
    to = params(PositionRules(scale_in=ScaleIn(2, Ratio(Decimal("-0.02")))), ALWAYS)
    higher = decided(to, around(990_000, candles=[CLOSED_NOW]))
    assert higher.verdicts == ()
    deeper = decided(to, around(979_900, candles=[CLOSED_NOW]))
    assert only(deeper).intent.side is Side.BUY
    second = deeper.state.after(FillBooked(replace(fill(2, quantity="0.001", price="980000"), exchange_order_id=8)))
    assert decided(to, around(900_000), state=second, seconds=5).verdicts == ()


def test_a_budget_caps_the_last_buy_and_then_ends_them() -> None:

    def buying(budget: str) -> DecisionParams:
        rules = PositionRules(pace=Pace(timedelta(minutes=10), amount(budget)))
        return params(replace(rules, scale_in=ScaleIn(9)), ALWAYS)

    plan = decided(buying("2800 TRY"), around(1_000_000, candles=[CLOSED_NOW]))
    assert amount("799 TRY") < only(plan).intent.notional <= amount("800 TRY")
    plan = decided(buying("2000 TRY"), around(1_000_000, candles=[CLOSED_NOW]))
    assert "BTCTRY: buy not tried, its budget of 2000 TRY is spent" in plan.notes


def test_risk_to_the_stop_sizes_an_entry() -> None:
    to = params(STOP, ALWAYS, sizing=RiskToStop(Ratio(Decimal("0.0005"))))
    plan = decided(to, around(1_000_000, candles=[CLOSED_NOW]), events=())
    assert amount("999 TRY") < only(plan).intent.notional <= amount("1000 TRY"), "50 TRY of 100,000 over five per cent"


def test_the_surest_signal_goes_first_and_then_the_name() -> None:
    sure = CLOSE / 2_000_000.0
    to = params(PositionRules(), ALWAYS, confidence=sure)
    candles = {"BTCTRY": candle(-1, 900_000), "ETHTRY": candle(-1, 950_000)}
    views = (around(1_000_000, candles=[candles["BTCTRY"]]), around(1_000_000, ETH_TRY, candles=[candles["ETHTRY"]]))
    assert [verdict.intent.pair for verdict in decided(to, *views, events=()).approved] == ["ETHTRY", "BTCTRY"]
    alike = replace(to, strategy=replace(to.strategy, confidence=None))
    assert [verdict.intent.pair for verdict in decided(alike, *views, events=()).approved] == ["BTCTRY", "ETHTRY"]


@given(
    closes=st.lists(st.integers(900_000, 1_100_000), min_size=3, max_size=3),
    caps=st.sampled_from(["1000 TRY", "2000 TRY", "3500 TRY", "50000 TRY"]),
    held=st.sets(st.sampled_from(["BTCTRY", "ETHTRY", "SOLTRY"])),
)
def test_the_order_of_pairs_in_the_settings_changes_nothing(closes: list[int], caps: str, held: set[str]) -> None:
    instruments = [replace(ETH_TRY, pair=pair, base=pair[:3]) for pair in ("BTCTRY", "ETHTRY", "SOLTRY")]  # type: ignore[arg-type]
    views = [
        around(1_000_000, instrument, candles=[candle(-1, close)])
        for instrument, close in zip(instruments, closes, strict=True)
    ]
    events = [FillBooked(fill(number, pair=pair, quantity="0.002")) for number, pair in enumerate(sorted(held))]
    to = params(replace(STOP, scale_in=ScaleIn(3)), ALWAYS, CLOSE > 1_050_000.0, confidence=CLOSE / 2_000_000.0)
    to = replace(
        to,
        limits=replace(
            CALM,
            exposure_max=amount(caps),
            order_notional_max=amount("1000 TRY"),
            position_notional_max=amount("1000 TRY") if caps == "1000 TRY" else amount("2000 TRY"),
        ),
    )
    state = DecisionState.at(standing(*events).trading)
    plans = [
        decide(state, snapshot(START, *(views[place] for place in places)), replace(to, pairs=pairs), "cycle")
        for places, pairs in zip(
            permutations(range(3)), permutations(("BTCTRY", "ETHTRY", "SOLTRY")), strict=True
        )
    ]  # fmt: skip
    assert all(plan == plans[0] for plan in plans)


# ------------------------------------------------------------------------------------------------------ code that fails


def coded(on_candle: object, rules: PositionRules = STOP) -> DecisionParams:
    code = Code("test", "0" * 64, "{}", 1, on_candle)  # type: ignore[arg-type]
    return params(rules, ALWAYS, code=code)


def breaks(view: CandleView) -> Signal:
    raise ZeroDivisionError("a user's mistake")


@pytest.mark.parametrize(
    "answers",
    [breaks, lambda view: None, lambda view: "buy", lambda view: view.buy(confidence=float("nan")),
     lambda view: replace(view.buy(), pair="ETHTRY"), lambda view: replace(view.buy(), notional=amount("9 TRY")),
     lambda view: view.values.update({"x": 1})],
)  # fmt: skip
def test_code_that_fails_buys_nothing_and_stops_act_all_the_same(answers: object) -> None:
    to = coded(answers)
    plan = decided(to, around(1_000_100, candles=[CLOSED_NOW]), events=())
    assert plan.verdicts == ()
    (failure,) = plan.failures
    assert (failure.pair, failure.in_a_row) == ("BTCTRY", 1)
    assert any("no entry, on_candle failed 1 times in a row" in note for note in plan.notes)
    resting = OrderChanged(order(quantity="0.001", price="900000"))
    held = decided(to, around(940_100, candles=[CLOSED_NOW]), events=(HOLDING, resting))
    assert sold(held) == ("0.002", "940000")
    assert [wish.order_id for wish in held.cancels] == ["order-1"]


def test_failures_are_counted_until_the_code_answers_again() -> None:
    minutes = iter((True, True, False, True))

    def sometimes(view: CandleView) -> Signal:
        if next(minutes):
            raise ValueError("not now")
        return view.hold()

    state, counts = DecisionState.at(standing().trading), []
    for minute in range(4):
        plan = decided(
            coded(sometimes), around(1_000_000, candles=[candle(minute - 1, 1)]), state=state, seconds=60 * minute
        )
        counts.append([failure.in_a_row for failure in plan.failures])
        state = plan.state
    assert counts == [[1], [2], [], [1]]


def test_code_says_when_and_is_asked_once_for_each_candle() -> None:
    asked = []

    def says(view: CandleView) -> Signal:
        asked.append(view.last.opened_at)
        return view.buy("because", 0.5)

    to = replace(coded(says), strategy=replace(coded(says).strategy, entry=NEVER))
    plan = decided(to, around(1_000_000, candles=[CLOSED_NOW]), events=())
    assert only(plan).intent.side is Side.BUY
    assert [(signal.confidence, signal.reason) for signal in plan.signals] == [(0.5, "rules: because")]
    decided(to, around(1_000_000), state=plan.state, seconds=5)
    assert asked == [CLOSED_NOW.opened_at]


def test_what_code_does_to_the_money_context_ends_with_the_call() -> None:
    from decimal import getcontext

    def careless(view: CandleView) -> Signal:
        getcontext().prec = 3
        return view.hold()

    decided(coded(careless), around(1_000_000, candles=[CLOSED_NOW]), events=())
    assert getcontext().prec == 60


def test_a_re_entry_may_ask_for_a_better_price() -> None:
    rules = replace(STOP, re_entry=ReEntry(below_exit=Ratio(Decimal("0.01"))))
    left = FillBooked(fill(2, Side.SELL, "0.002", "1000000", at=after(-300)))
    dear = decided(params(rules, ALWAYS), around(990_000, candles=[CLOSED_NOW]), events=(HOLDING, left))
    assert dear.verdicts == ()
    cheap = decided(params(rules, ALWAYS), around(989_900, candles=[CLOSED_NOW]), events=(HOLDING, left))
    assert only(cheap).intent.side is Side.BUY


# ------------------------------------------------------------------------------------- longer candles and other pairs


def test_a_longer_timeframe_and_another_pair_are_seen_as_in_one_sweep() -> None:
    """Cycle by cycle, with candles that come late, against all of the candles at once."""
    leads = of_pair("ETHTRY", CLOSE).previous() < of_pair("ETHTRY", CLOSE)
    longer = on_timeframe(timedelta(minutes=5), sma(CLOSE, 2)) < CLOSE
    to = params(PositionRules(), leads & longer)
    closes = {"BTCTRY": [1_000_000 + 7_919 * n % 5_003 for n in range(60)],
              "ETHTRY": [1_000_000 + 6_007 * n % 4_001 for n in range(60)]}  # fmt: skip
    tape = {pair: [candle(n, close) for n, close in enumerate(numbers)] for pair, numbers in closes.items()}
    state, said = DecisionState.at(standing().trading), []
    for minute in range(60):
        late = minute % 7 == 3  # the candle of the other pair comes with the next cycle, and ours with it
        if late and minute < 59:
            continue
        first = minute - 1 if minute % 7 == 4 else minute
        views = [
            around(1_000_000, instrument, candles=tape[pair][max(first, 0) : minute + 1])
            for pair, instrument in (("BTCTRY", BTC_TRY), ("ETHTRY", ETH_TRY))
        ]
        plan = decide(state, snapshot(after(60 * (minute + 1)), *views), to, "cycle")
        state = plan.state
        said.append((minute, next(signal.direction for signal in plan.signals if signal.pair == "BTCTRY")))
    columns = Columns(tape["BTCTRY"], MINUTE, {"ETHTRY": tape["ETHTRY"]}).of(to.strategy.entry)
    warm = to.strategy.warm_up
    wanted = [(n, Direction.BUY if columns[n] is True and n + 1 >= warm else Direction.HOLD) for n, _ in said]
    assert said == wanted
    assert {direction for _, direction in said} == {Direction.BUY, Direction.HOLD}
    assert to.strategy.other_pairs == {"ETHTRY"}


def test_what_waits_for_another_pair_survives_a_record() -> None:
    leads = of_pair("ETHTRY", CLOSE).previous() < of_pair("ETHTRY", CLOSE)
    to = params(PositionRules(), leads)
    early = around(1_000_000, ETH_TRY, candles=[candle(-1, 1_000_000)])
    state = decide(DecisionState.at(standing().trading), snapshot(START, around(1_000_000), early), to, "cycle").state
    assert state.watching.waiting["BTCTRY"]["ETHTRY"] == (candle(-1, 1_000_000),)
    again = read_beginning(to_text(Beginning, Beginning(to, state)))
    assert (again.state, again.params) == (state, to)
