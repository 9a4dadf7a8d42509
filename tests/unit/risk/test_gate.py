"""Each rule flips a verdict by itself; exits meet only what would make them harmful."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from btcbot.domain.market import Level
from btcbot.domain.money import amount, parse
from btcbot.domain.orders.intents import ApprovedOrderIntent, Intent, Purpose, Side
from btcbot.domain.orders.states import OrderState
from btcbot.domain.state import (
    BalancesSeen,
    DayTurned,
    EntriesCounted,
    FillBooked,
    Halted,
    MarkSeen,
    OrderChanged,
    PauseSet,
    StateEvent,
    SubmitMade,
    VolatilityPaused,
    apply,
)
from btcbot.risk.gate import Refused, assess, market_reasons
from btcbot.risk.reasons import Reason
from btcbot.risk.rules import ENTRY, RULES, Rule
from btcbot.risk.view import RiskView
from tests.unit.domain.builders import (
    ASKS,
    BIDS,
    BTC_TRY,
    ETH_TRY,
    FEE_RATIO,
    LIMITS,
    START,
    USDT,
    after,
    fill,
    intent,
    levels,
    market,
    order,
    trading,
)

ENTRY_INTENT = intent(Side.BUY)
EXIT_INTENT = intent(Side.SELL, quantity="0.005", price="999900")


def view(position: str = "0.005") -> RiskView:
    return RiskView("BTCTRY", market(), trading(position), LIMITS, START, FEE_RATIO)


def happened(*events: StateEvent) -> Callable[[RiskView], RiskView]:
    """The view after these events."""

    def change(before: RiskView) -> RiskView:
        state = before.state
        for event in events:
            state = apply(state, event)
        return replace(before, state=state)

    return change


def limited(**limits: object) -> Callable[[RiskView], RiskView]:
    return lambda before: replace(before, limits=replace(LIMITS, **limits))


def seen(**changes: object) -> Callable[[RiskView], RiskView]:
    """The view with another market."""
    return lambda before: replace(before, market=replace(market(), **changes))


def booked(**sides: object) -> Callable[[RiskView], RiskView]:
    """The view with another book."""
    return lambda before: replace(before, market=market(**sides))


def standing(**changes: object) -> Callable[[RiskView], RiskView]:
    """The view with the trading state forced to something that no single event leads to."""
    return lambda before: replace(before, state=replace(before.state, **changes))


def as_it_is(before: RiskView) -> RiskView:
    return before


@dataclass(frozen=True)
class Case:
    """A rule, what makes it refuse, and every reason that is then given."""

    rule: str
    names: tuple[str, ...]
    change: Callable[[RiskView], RiskView] = as_it_is
    entry: Intent | None = field(default=ENTRY_INTENT)
    exit: Intent | None = field(default=EXIT_INTENT)

    def __str__(self) -> str:
        return f"{self.rule}-{'-'.join(self.names)}"


def entry(
    rule: str, names: str, change: Callable[[RiskView], RiskView] = as_it_is, wanted: Intent = ENTRY_INTENT
) -> Case:
    return Case(rule, tuple(names.split()), change, wanted, None)


def leave(
    rule: str, names: str, change: Callable[[RiskView], RiskView] = as_it_is, wanted: Intent = EXIT_INTENT
) -> Case:
    return Case(rule, tuple(names.split()), change, None, wanted)


OTHER_GRID = replace(BTC_TRY, price_step=parse("10"))
NARROW = replace(BTC_TRY, price_min=parse("1000050"), price_max=parse("1000090"))

CASES = (
    Case("trading_is_not_halted", ("trading_halted",), happened(Halted("a test"))),
    Case("market_is_there", ("market_missing", "mid_missing"), lambda before: replace(before, market=None)),
    Case("market_is_fresh", ("market_stale",), seen(book_age=timedelta(seconds=10, microseconds=1))),
    Case("market_is_fresh", ("market_stale",), seen(book_age=-timedelta(microseconds=1))),
    Case("market_is_without_gaps", ("market_gapped",), seen(is_gapped=True)),
    Case("book_has_both_sides", ("book_side_empty", "mid_missing"), booked(bids=())),
    Case("book_has_both_sides", ("book_side_empty", "mid_missing"), booked(asks=())),
    Case("book_is_well_formed", ("book_malformed",), booked(bids=(*BIDS, *levels("-1 @ 998000")))),
    Case("book_is_well_formed", ("book_malformed",), booked(asks=(*ASKS, *levels("1 @ 1001000")))),
    Case("book_is_not_crossed", ("book_crossed",), booked(bids=levels("1 @ 1000100"))),
    Case("book_is_not_crossed", ("book_crossed",), booked(bids=levels("1 @ 1000101"))),
    Case("instrument_is_as_listed", ("instrument_changed",), seen(instrument=OTHER_GRID)),
    Case("market_is_of_the_pair", ("market_of_another", "instrument_changed"), seen(instrument=ETH_TRY)),
    entry(
        "quote_is_the_limits_currency", "currency_foreign rule_failed rule_failed rule_failed rule_failed",
        seen(instrument=replace(BTC_TRY, quote=USDT)), intent(instrument=replace(BTC_TRY, quote=USDT)),
    ),
    entry(
        "side_fits_purpose", "side_unfit rule_failed rule_failed rule_failed",
        as_it_is, intent(Side.SELL, purpose=Purpose.ENTRY),
    ),
    leave("side_fits_purpose", "side_unfit", as_it_is, intent(Side.BUY, purpose=Purpose.EXIT)),
    leave("order_is_positive", "order_not_positive notional_below_min", as_it_is, intent(Side.SELL, quantity="0")),
    leave(
        "order_is_positive", "order_not_positive price_outside_band price_outside_collar",
        as_it_is, intent(Side.SELL, quantity="-0.001", price="-1000000"),
    ),
    entry("order_is_positive", "order_not_positive notional_below_min", as_it_is, intent(quantity="0")),
    entry("order_is_on_grid", "order_off_grid", as_it_is, intent(price="1000100.5")),
    entry("order_is_on_grid", "order_off_grid", as_it_is, intent(quantity="0.001499855")),
    leave("order_is_on_grid", "order_off_grid", as_it_is, intent(Side.SELL, "0.005", "999900.1")),
    entry("price_is_within_band", "price_outside_band", seen(instrument=NARROW), intent(instrument=NARROW)),
    leave(
        "price_is_within_band", "price_outside_band",
        seen(instrument=NARROW), intent(Side.SELL, "0.005", "1000049", NARROW),
    ),
    entry("price_is_within_collar", "price_outside_collar", as_it_is, intent(price="1020001")),
    entry("price_is_within_collar", "price_outside_collar", as_it_is, intent(price="979999")),
    leave("price_is_within_collar", "price_outside_collar", as_it_is, intent(Side.SELL, "0.005", "979999")),
    entry("notional_is_not_below_min", "notional_below_min", as_it_is, intent(quantity="0.00009999", price="1000000")),
    leave(
        "notional_is_not_below_min", "notional_below_min",
        as_it_is, intent(Side.SELL, quantity="0.00009999", price="1000000"),
    ),
    entry("notional_is_within_max", "notional_above_max", as_it_is, intent(quantity="0.00500001", price="1000000")),
    entry("quantity_is_within_max", "quantity_above_max", limited(order_quantities_max=(amount("0.00149984 BTC"),))),
    entry("quantity_is_within_max", "quantity_uncapped", limited(order_quantities_max=(amount("1 ETH"),))),
    leave("exit_is_within_position", "exit_above_position", as_it_is, intent(Side.SELL, "0.00500001", "999900")),
    leave(
        "exit_is_within_position", "exit_above_position",
        happened(OrderChanged(order(side=Side.SELL, quantity="0.001", price="1005000"))),
        intent(Side.SELL, "0.00400001", "999900"),
    ),
    Case(
        "decision_is_not_repeated", ("decision_repeated",),
        happened(OrderChanged(replace(
            order(side=Side.SELL, quantity="0.001", price="1005000", at=after(-100)), decision_id="cycle/BTCTRY/0"
        ))),
        exit=intent(Side.SELL, "0.004", "999900"),
    ),
    entry(
        "no_order_of_the_pair_is_unresolved", "order_unresolved",
        happened(OrderChanged(order(side=Side.SELL, quantity="0.001", price="1005000", state=OrderState.UNKNOWN))),
    ),
    entry(
        "no_order_of_the_side_is_unresolved", "order_unresolved",
        happened(OrderChanged(order(quantity="0.001", state=OrderState.UNKNOWN, at=after(-100)))),
    ),
    leave(
        "no_order_of_the_side_is_unresolved", "order_unresolved",
        happened(OrderChanged(order(side=Side.SELL, quantity="0.001", price="1005000", state=OrderState.SENDING))),
        intent(Side.SELL, "0.004", "999900"),
    ),
    entry(
        "own_orders_are_not_crossed", "own_order_crossed",
        happened(OrderChanged(order(side=Side.SELL, quantity="0.001", price="1000100"))),
    ),
    leave(
        "own_orders_are_not_crossed", "own_order_crossed",
        happened(OrderChanged(order(side=Side.BUY, quantity="0.001", price="999900", at=after(-100)))),
    ),
    entry("positions_are_valued", "mark_missing", happened(FillBooked(fill(quantity="0.001", pair="ETHTRY")))),
    entry("day_loss_is_below_max", "day_unknown", standing(day=None)),
    entry("day_loss_is_below_max", "day_loss_at_max", happened(DayTurned(START.date(), parse("2000")))),
    entry(
        "drawdown_is_below_max", "drawdown_at_max",
        standing(capital=parse("90000"), equity_peak=parse("100000")),
    ),
    entry("position_stays_within_max", "position_above_max", limited(position_notional_max=amount("6503.58 TRY"))),
    entry("exposure_stays_within_max", "exposure_above_max", limited(exposure_max=amount("6503.58 TRY"))),
    entry("balance_suffices", "balance_unknown", happened(BalancesSeen({}))),
    entry("balance_suffices", "balance_too_low", happened(BalancesSeen({LIMITS.currency: parse("1503.59")}))),
    entry("instrument_is_trading", "instrument_not_trading", seen(instrument=replace(BTC_TRY, is_trading=False)),
          intent(instrument=replace(BTC_TRY, is_trading=False))),
    entry("instrument_rules_are_fresh", "instrument_rules_old", seen(rules_age=timedelta(hours=1, microseconds=1))),
    entry("instrument_rules_are_fresh", "instrument_rules_old", seen(rules_age=-timedelta(microseconds=1))),
    entry("book_moves", "book_still", seen(still_for=timedelta(minutes=5, microseconds=1))),
    entry("book_moves", "book_still", seen(still_for=-timedelta(microseconds=1))),
    entry("spread_is_within_max", "spread_above_max", booked(bids=levels("1 @ 989900"), asks=levels("1 @ 1010000")),
          intent(price="1000000")),
    entry("price_has_not_jumped", "price_jumped", happened(MarkSeen("BTCTRY", parse("952380"), START, timedelta(60)))),
    entry("volatility_pause_is_over", "volatility_pause_on", happened(VolatilityPaused("BTCTRY", after(0.001)))),
    entry("trading_is_not_paused", "trading_paused", happened(PauseSet(True))),
    entry(
        "open_orders_are_below_max", "open_orders_at_max",
        happened(*(OrderChanged(order(f"o{n}", quantity="0.001", pair="ETHTRY")) for n in range(20))),
    ),
    entry(
        "instrument_orders_are_below_max", "instrument_orders_at_max",
        happened(*(
            OrderChanged(order(f"o{n}", side=Side.SELL, quantity="0.0001", price="1005000")) for n in range(5)
        )),
    ),
    entry("submits_are_below_max", "submits_at_max", happened(*(SubmitMade(after(-59)) for _ in range(30)))),
    entry("submits_of_second_are_below_max", "submits_of_second_at_max", happened(*[SubmitMade(after(-0.999))] * 2)),
    entry("entries_of_day_are_below_max", "entries_of_day_at_max", happened(EntriesCounted({"BTCTRY": 100}))),
    entry(
        "entries_are_below_max", "entries_at_max",
        happened(*(
            OrderChanged(replace(placed, state=state))
            for n in range(12)
            for placed in [order(f"o{n}", quantity="0.001", at=after(-3599 + n * 60))]
            for state in (OrderState.OPEN, OrderState.CANCELED)
        )),
    ),
    entry(
        "entry_cooldown_is_over", "entry_too_soon",
        happened(*(
            OrderChanged(order(quantity="0.001", state=state, at=after(-59)))
            for state in (OrderState.OPEN, OrderState.CANCELED)
        )),
    ),
    entry(
        "entry_cooldown_is_over", "entry_too_soon",
        happened(*(
            OrderChanged(order(quantity="0.001", state=state, at=after(5)))
            for state in (OrderState.OPEN, OrderState.CANCELED)
        )),
    ),
)  # fmt: skip


def test_the_plain_entry_and_the_plain_exit_are_approved() -> None:
    assert assess(ENTRY_INTENT, view()) == ApprovedOrderIntent(ENTRY_INTENT, ENTRY_INTENT.reservation(FEE_RATIO))
    assert assess(EXIT_INTENT, view()) == ApprovedOrderIntent(EXIT_INTENT, amount("0.005 BTC"))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_reason_is_reported_gravest_first(case: Case) -> None:
    for wanted in wanted_in(case):
        assert verdict_of(wanted, case.change(view())) == case.names


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_rule_flips_a_verdict_alone(case: Case) -> None:
    alone = tuple(rule for rule in RULES if rule.name == case.rule)
    for wanted in wanted_in(case):
        plain = ENTRY_INTENT if wanted.purpose is Purpose.ENTRY else EXIT_INTENT
        assert isinstance(assess(plain, view(), alone), ApprovedOrderIntent)
        assert verdict_of(wanted, case.change(view()), alone) == case.names[:1]


def test_every_rule_has_a_case_for_each_purpose_it_applies_to() -> None:
    shown = {(case.rule, wanted.purpose) for case in CASES for wanted in wanted_in(case)}
    assert shown == {(rule.name, purpose) for rule in RULES for purpose in rule.purposes}


WANTED = ENTRY_INTENT.reservation(FEE_RATIO)
HELD_AND_WANTED = amount("5000 TRY") + WANTED

# What is exactly at its limit passes; one step further is a case above.
AT_THE_LIMIT: tuple[tuple[Intent, Callable[[RiskView], RiskView]], ...] = (
    (ENTRY_INTENT, seen(book_age=timedelta(seconds=10))),
    (ENTRY_INTENT, seen(book_age=timedelta())),
    (intent(quantity="0.001", price="1020000"), as_it_is),
    (intent(quantity="0.001", price="980000"), as_it_is),
    (intent(quantity="0.00010502", price="1000000"), as_it_is),
    (intent(Side.SELL, quantity="0.0001", price="1000000"), booked(bids=levels("1 @ 1000000"))),
    (intent(quantity="0.005", price="1000000"), as_it_is),
    (ENTRY_INTENT, limited(order_quantities_max=(amount("1 ETH"), amount("0.00149985 BTC")))),
    (ENTRY_INTENT, seen(rules_age=timedelta(hours=1))),
    (ENTRY_INTENT, seen(still_for=timedelta(minutes=5))),
    (ENTRY_INTENT, happened(SubmitMade(after(-0.5)))),
    (ENTRY_INTENT, happened(*[SubmitMade(after(-1))] * 2)),
    (ENTRY_INTENT, happened(EntriesCounted({"BTCTRY": 99, "ETHTRY": 100}))),
    (intent(price="1000000"), booked(bids=levels("1 @ 990000"), asks=levels("1 @ 1010000"))),
    (ENTRY_INTENT, happened(MarkSeen("BTCTRY", parse("952381"), START, timedelta(60)))),
    (ENTRY_INTENT, limited(position_notional_max=HELD_AND_WANTED)),
    (ENTRY_INTENT, limited(exposure_max=HELD_AND_WANTED)),
    (ENTRY_INTENT, happened(BalancesSeen({LIMITS.currency: WANTED.number}))),
    (ENTRY_INTENT, happened(DayTurned(START.date(), parse("1999.99")))),
    (ENTRY_INTENT, happened(VolatilityPaused("BTCTRY", START))),
    (ENTRY_INTENT, happened(*(SubmitMade(after(-59)) for _ in range(29)))),
    (ENTRY_INTENT, happened(*(SubmitMade(after(-60)) for _ in range(30)))),
    (
        ENTRY_INTENT,
        happened(*(
            OrderChanged(order(quantity="0.001", state=state, at=after(-60)))
            for state in (OrderState.OPEN, OrderState.FILLED)
        )),
    ),
)  # fmt: skip


@pytest.mark.parametrize(("wanted", "change"), AT_THE_LIMIT)
def test_what_is_exactly_at_its_limit_passes(wanted: Intent, change: Callable[[RiskView], RiskView]) -> None:
    assert verdict_of(wanted, change(view())) == ()


@pytest.mark.parametrize(("limit", "name"), [
    ("position_notional_max", "position_above_max"), ("exposure_max", "exposure_above_max"),
])  # fmt: skip
def test_a_cap_refuses_one_step_below_what_is_needed(limit: str, name: str) -> None:
    changed = limited(**{limit: HELD_AND_WANTED - amount("0.00000001 TRY")})(view())
    assert verdict_of(ENTRY_INTENT, changed) == (name,)


def test_the_balance_is_the_smaller_of_the_exchanges_word_and_our_own_books() -> None:
    spent = happened(FillBooked(fill(trade_id=9, quantity="0.0985", price="1000000")))(view("0"))
    ample = replace(
        spent, limits=replace(LIMITS, position_notional_max=amount("999999 TRY"), exposure_max=amount("999999 TRY"))
    )
    assert ample.own_cash() == amount("1500 TRY")
    assert verdict_of(ENTRY_INTENT, ample) == ("balance_too_low",)


def test_what_an_unknown_order_may_spend_counts_in_full() -> None:
    lost = happened(OrderChanged(order(quantity="0.004", price="1000000", pair="ETHTRY", state=OrderState.UNKNOWN)))(
        view()
    )
    assert lost.reserved_by_buys() == amount("4009.6 TRY")
    assert verdict_of(ENTRY_INTENT, replace(lost, limits=replace(LIMITS, exposure_max=amount("10513 TRY")))) == (
        "exposure_above_max",
    )


def test_an_exit_goes_on_while_every_entry_is_refused() -> None:
    stopped = happened(
        PauseSet(True),
        VolatilityPaused("BTCTRY", after(60)),
        DayTurned(START.date(), parse("99999")),
        BalancesSeen({}),
        *(SubmitMade(after(-1)) for _ in range(30)),
        *(OrderChanged(order(f"o{n}", quantity="0.001", pair="ETHTRY")) for n in range(20)),
    )(view())
    assert verdict_of(EXIT_INTENT, stopped) == ()
    assert set(verdict_of(ENTRY_INTENT, stopped)) == {
        "trading_paused", "volatility_pause_on", "day_loss_at_max", "balance_unknown", "submits_at_max",
        "open_orders_at_max",
    }  # fmt: skip


def test_a_rule_that_breaks_refuses_and_says_so() -> None:
    def broken_rule(_intent: Intent, _view: RiskView) -> Reason | None:
        raise ZeroDivisionError("a defect")

    verdict = assess(ENTRY_INTENT, view(), (Rule("PT1", ENTRY, broken_rule),))
    assert isinstance(verdict, Refused)
    assert verdict.named_reasons() == (("rule_failed", "rule=broken_rule, error=ZeroDivisionError: a defect"),)


MALFORMED_BOOKS = {
    "no bids": ((), ASKS),
    "no asks": (BIDS, ()),
    "no levels at all": ((), ()),
    "locked": (levels("1 @ 1000100"), ASKS),
    "crossed": (levels("1 @ 1000200"), ASKS),
    "bids rising": (levels("1 @ 999800", "1 @ 999900"), ASKS),
    "asks falling": (BIDS, levels("1 @ 1000200", "1 @ 1000100")),
    "a level twice": (levels("1 @ 999900", "1 @ 999900"), ASKS),
    **{
        f"{what} {text}": sides
        for text in (
            "0",
            "-1",
            "NaN",
            "sNaN",
            "Infinity",
            "-Infinity",
            "1E+400",
            "1E+19",
            "1" + "0" * 17 + "." + "1" * 20,
        )
        for what, sides in (
            ("bid price", (levels(f"1 @ {text}"), ASKS)),
            ("ask price", (BIDS, levels(f"1 @ {text}"))),
            ("bid quantity", (levels(f"{text} @ 999900"), ASKS)),
            ("ask quantity", (BIDS, levels(f"{text} @ 1000100"))),
            ("deep ask price", (BIDS, levels("1 @ 1000100", f"1 @ {text}"))),
        )
    },
}


@pytest.mark.parametrize("sides", MALFORMED_BOOKS.values(), ids=MALFORMED_BOOKS.keys())
def test_a_malformed_book_refuses_entries_and_exits_and_values_nothing(
    sides: tuple[tuple[Level, ...], tuple[Level, ...]],
) -> None:
    odd = booked(bids=sides[0], asks=sides[1])(view())
    assert market_reasons(odd)
    assert verdict_of(ENTRY_INTENT, odd)
    assert verdict_of(EXIT_INTENT, odd)


def test_a_reason_tells_its_name_and_its_numbers() -> None:
    verdict = assess(ENTRY_INTENT, seen(book_age=timedelta(seconds=12.5))(view()))
    assert isinstance(verdict, Refused)
    assert verdict.reasons[0].as_pairs() == (("age", "12.5 s"), ("age_max", "10 s"))
    assert str(verdict.reasons[0]) == "market_stale (age=12.5 s, age_max=10 s)"


def wanted_in(case: Case) -> tuple[Intent, ...]:
    return tuple(wanted for wanted in (case.entry, case.exit) if wanted is not None)


def verdict_of(wanted: Intent, seen_view: RiskView, rules: tuple[Rule, ...] = RULES) -> tuple[str, ...]:
    """The names of the reasons against it; empty when it was approved."""
    verdict = assess(wanted, seen_view, rules)
    return tuple(reason.name for reason in verdict.reasons) if isinstance(verdict, Refused) else ()
