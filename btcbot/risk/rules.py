"""The risk policy: small pure rules, gravest first, and to which orders each applies.

A rule says nothing, or the reason with the numbers that decided it. Rules do not lean on one another: each refuses by
itself what it cannot judge.

Entries face every rule. An exit takes risk away, so it is refused only for what would make it harmful: no fit data to
price it by, a form that the exchange or the position does not bear, an answer still owed. No pause, loss, cap or
throttle stands in its way; neither does a jump or a wide spread, since a limit price within the collar bounds what it
can lose.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from functools import wraps
from types import MappingProxyType

from btcbot.domain.market import Level
from btcbot.domain.money import ZERO, Amount
from btcbot.domain.orders.intents import Intent, Purpose, Side
from btcbot.domain.profiles import RiskLimits
from btcbot.domain.state import ENTRY_MEMORY, TradingState
from btcbot.risk import reasons
from btcbot.risk.reasons import Reason
from btcbot.risk.view import RiskView

NUMBER_MAX = Decimal(10) ** 18  # no price or quantity of any instrument comes near it
ENTRY_MARGIN = Decimal("1.05")  # above the smallest order, so that what is bought can be sold again
DIGITS_MAX = 30  # so that products of two are exact in the money context
RULES_AGE_MAX = timedelta(hours=1)  # of an instrument's grids and limits: with older ones nothing is entered
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)

Judge = Callable[[Intent, RiskView], Reason | None]
Look = Callable[[RiskView], Reason | None]  # a rule that asks nothing of the intent


# ------------------------------------------------------------------------------------------------------------ halt


def trading_is_not_halted(view: RiskView) -> reasons.TradingHalted | None:
    return None if view.state.halt_reason is None else reasons.TradingHalted(view.state.halt_reason)


# ---------------------------------------------------------------------------------------------------------- market


def market_is_there(view: RiskView) -> reasons.MarketMissing | None:
    return reasons.MarketMissing(view.pair) if view.market is None else None


def market_is_fresh(view: RiskView) -> reasons.MarketStale | None:
    """An age below zero is as absurd as one that is too high."""
    if view.market is None or timedelta() <= view.market.book_age <= view.limits.market_age_max:
        return None
    return reasons.MarketStale(view.market.book_age, view.limits.market_age_max)


def market_is_without_gaps(view: RiskView) -> reasons.MarketGapped | None:
    return reasons.MarketGapped(view.pair) if view.market is not None and view.market.is_gapped else None


def market_is_of_the_pair(view: RiskView) -> reasons.MarketOfAnother | None:
    if view.market is None or view.market.instrument.pair == view.pair:
        return None
    return reasons.MarketOfAnother(view.pair, view.market.instrument.pair)


def book_moves(view: RiskView) -> reasons.BookStill | None:
    """An exchange that stood still, or a feed that repeats itself, shows the same book for ever."""
    if view.market is None or timedelta() <= view.market.still_for <= view.limits.book_still_max:
        return None
    return reasons.BookStill(view.market.still_for, view.limits.book_still_max)


def book_has_both_sides(view: RiskView) -> reasons.BookSideEmpty | None:
    if view.market is None:
        return None
    if not view.market.book.bids:
        return reasons.BookSideEmpty(Side.BUY)
    return None if view.market.book.asks else reasons.BookSideEmpty(Side.SELL)


def book_is_well_formed(view: RiskView) -> reasons.BookMalformed | None:
    if view.market is None:
        return None
    book = view.market.book
    return _malformed(Side.BUY, book.bids) or _malformed(Side.SELL, book.asks)


def book_is_not_crossed(view: RiskView) -> reasons.BookCrossed | None:
    if view.market is None or view.market.book.mid is None:
        return None
    bid, ask = view.market.book.bids[0].price, view.market.book.asks[0].price
    return None if bid < ask else reasons.BookCrossed(bid, ask)


def spread_is_within_max(view: RiskView) -> reasons.MidMissing | reasons.SpreadAboveMax | None:
    if view.market is None or view.mid is None:
        return reasons.MidMissing(view.pair)
    bid, ask = view.market.book.bids[0].price, view.market.book.asks[0].price
    ratio_max = view.limits.spread_ratio_max
    return None if ask - bid <= view.mid * ratio_max else reasons.SpreadAboveMax(bid, ask, ratio_max)


def price_has_not_jumped(view: RiskView) -> reasons.MidMissing | reasons.PriceJumped | None:
    """Against the last good mark; the very first reading has none to be measured by."""
    mid, mark = view.mid, view.last_good_mark
    if mid is None:
        return reasons.MidMissing(view.pair)
    if mark is None or abs(mid - mark) <= mark * view.limits.jump_ratio_max:
        return None
    return reasons.PriceJumped(mid, mark, view.limits.jump_ratio_max)


# --------------------------------------------------------------------------------------------- instrument and order


def instrument_is_trading(view: RiskView) -> reasons.InstrumentNotTrading | None:
    if view.market is None or view.market.instrument.is_trading:
        return None
    return reasons.InstrumentNotTrading(view.pair)


def instrument_rules_are_fresh(view: RiskView) -> reasons.InstrumentRulesOld | None:
    if view.market is None or timedelta() <= view.market.rules_age <= RULES_AGE_MAX:
        return None
    return reasons.InstrumentRulesOld(view.market.rules_age, RULES_AGE_MAX)


def instrument_is_as_listed(intent: Intent, view: RiskView) -> reasons.InstrumentChanged | None:
    if view.market is None or intent.instrument == view.market.instrument:
        return None
    return reasons.InstrumentChanged(intent.instrument, view.market.instrument)


def quote_is_the_limits_currency(intent: Intent, view: RiskView) -> reasons.CurrencyForeign | None:
    quote, currency = intent.instrument.quote, view.limits.currency
    return None if quote == currency else reasons.CurrencyForeign(quote, currency)


def side_fits_purpose(intent: Intent, _view: RiskView) -> reasons.SideUnfit | None:
    fits = (intent.side is Side.BUY) == (intent.purpose is Purpose.ENTRY)
    return None if fits else reasons.SideUnfit(intent.side, intent.purpose)


def order_is_positive(intent: Intent, _view: RiskView) -> reasons.OrderNotPositive | None:
    if _is_sane(intent.price) and _is_sane(intent.quantity):
        return None
    return reasons.OrderNotPositive(intent.price, intent.quantity)


def order_is_on_grid(intent: Intent, _view: RiskView) -> reasons.OrderOffGrid | None:
    return off_grid(intent)


def off_grid(intent: Intent) -> reasons.OrderOffGrid | None:
    instrument = intent.instrument
    if instrument.is_on_grid(intent.price, intent.quantity):
        return None
    return reasons.OrderOffGrid(intent.price, instrument.price_step, intent.quantity, instrument.lot_step)


def price_is_within_band(intent: Intent, _view: RiskView) -> reasons.PriceOutsideBand | None:
    """The exchange's own floor and ceiling."""
    return outside_band(intent)


def outside_band(intent: Intent) -> reasons.PriceOutsideBand | None:
    instrument = intent.instrument
    if instrument.price_min <= intent.price <= instrument.price_max:
        return None
    return reasons.PriceOutsideBand(intent.price, instrument.price_min, instrument.price_max)


def price_is_within_collar(intent: Intent, view: RiskView) -> reasons.MidMissing | reasons.PriceOutsideCollar | None:
    mid, ratio_max = view.mid, view.limits.collar_ratio_max
    if mid is None:
        return reasons.MidMissing(view.pair)
    within = abs(intent.price - mid) <= mid * ratio_max
    return None if within else reasons.PriceOutsideCollar(intent.price, mid, ratio_max)


def notional_is_not_below_min(intent: Intent, view: RiskView) -> reasons.NotionalBelowMin | None:
    """An entry must be worth an exit: at the lower of its price and the bid, with room for the price to fall (A10)."""
    instrument, notional, notional_min = intent.instrument, intent.notional, intent.instrument.notional_min
    if intent.purpose is Purpose.ENTRY and view.market is not None and view.market.book.bids:
        bid = view.market.book.bids[0].price
        notional = Amount(min(intent.price, bid) * intent.quantity, instrument.quote)
        notional_min *= ENTRY_MARGIN
    least = Amount(notional_min, instrument.quote)
    return None if least <= notional else reasons.NotionalBelowMin(notional, least)


def notional_is_within_max(intent: Intent, view: RiskView) -> reasons.NotionalAboveMax | None:
    notional_max = view.limits.order_notional_max
    return None if intent.notional <= notional_max else reasons.NotionalAboveMax(intent.notional, notional_max)


def quantity_is_within_max(
    intent: Intent, view: RiskView
) -> reasons.QuantityUncapped | reasons.QuantityAboveMax | None:
    """Beside the notional: a price that is wrong makes that small while the quantity is large."""
    base = intent.instrument.base
    quantity_max = view.limits.order_quantity_max(base)
    if quantity_max is None:
        return reasons.QuantityUncapped(base)
    quantity = Amount(intent.quantity, base)
    return None if quantity <= quantity_max else reasons.QuantityAboveMax(quantity, quantity_max)


# ------------------------------------------------------------------------------------------------- our own orders


def decision_is_not_repeated(intent: Intent, view: RiskView) -> reasons.DecisionRepeated | None:
    """The journal refuses a second order of one decision as well, of those that are over too."""
    for order in view.state.orders.values():
        if order.decision_id == intent.decision_id:
            return reasons.DecisionRepeated(order.order_id, order.decision_id)
    return None


def no_order_of_the_pair_is_unresolved(view: RiskView) -> reasons.OrderUnresolved | None:
    """While an answer is owed, the pair is closed for entries, whatever the side."""
    for order in view.state.working(view.pair):
        if order.is_unresolved:
            return reasons.OrderUnresolved(order.order_id, order.side, order.state)
    return None


def no_order_of_the_side_is_unresolved(intent: Intent, view: RiskView) -> reasons.OrderUnresolved | None:
    for order in view.state.working(view.pair):
        if order.is_unresolved and order.side is intent.side:
            return reasons.OrderUnresolved(order.order_id, order.side, order.state)
    return None


def own_orders_are_not_crossed(intent: Intent, view: RiskView) -> reasons.OwnOrderCrossed | None:
    for order in view.crossing(intent.side, intent.price):
        return reasons.OwnOrderCrossed(order.order_id, order.price, intent.price)
    return None


def exit_is_within_position(intent: Intent, view: RiskView) -> reasons.ExitAbovePosition | None:
    """No short, and no coin promised twice: other unfinished sells have theirs reserved."""
    base = intent.instrument.base
    if intent.quantity <= view.sellable(base):
        return None
    reserved = view.state.reserved(base, view.pair).number
    return reasons.ExitAbovePosition(intent.quantity, view.instrument_state.position, reserved)


def open_orders_are_below_max(view: RiskView) -> reasons.OpenOrdersAtMax | None:
    count, count_max = len(view.state.orders), view.limits.open_orders_max
    return None if count < count_max else reasons.OpenOrdersAtMax(count, count_max)


def instrument_orders_are_below_max(view: RiskView) -> reasons.InstrumentOrdersAtMax | None:
    count, count_max = len(view.state.working(view.pair)), view.limits.open_orders_per_instrument_max
    return None if count < count_max else reasons.InstrumentOrdersAtMax(count, count_max)


def submits_are_below_max(view: RiskView) -> reasons.SubmitsAtMax | None:
    count, count_max = submits_within(view, MINUTE), view.limits.submits_per_minute_max
    return None if count < count_max else reasons.SubmitsAtMax(count, count_max)


def submits_of_second_are_below_max(view: RiskView) -> reasons.SubmitsOfSecondAtMax | None:
    count, count_max = submits_within(view, SECOND), view.limits.submits_per_second_max
    return None if count < count_max else reasons.SubmitsOfSecondAtMax(count, count_max)


# ------------------------------------------------------------------------------------------------- money and pauses


def positions_are_valued(view: RiskView) -> reasons.MarkMissing | None:
    for pair in view.unvalued():
        return reasons.MarkMissing(pair)
    return None


def day_loss_is_below_max(view: RiskView) -> reasons.DayUnknown | reasons.DayLossAtMax | None:
    if view.state.day is None:
        return reasons.DayUnknown(view.limits.currency)
    return day_loss(view.state, view.limits)


def drawdown_is_below_max(view: RiskView) -> reasons.DrawdownAtMax | None:
    return drawdown(view.state, view.limits)


def trading_is_not_paused(view: RiskView) -> reasons.TradingPaused | None:
    return reasons.TradingPaused(view.pair) if view.state.is_paused else None


def volatility_pause_is_over(view: RiskView) -> reasons.VolatilityPauseOn | None:
    until = view.instrument_state.paused_until
    return None if until is None or view.now >= until else reasons.VolatilityPauseOn(until)


def position_stays_within_max(intent: Intent, view: RiskView) -> reasons.PositionAboveMax | None:
    held, reserved = view.held(view.pair), view.reserved_by_buys(view.pair)
    wanted, position_max = intent.reservation(view.fee_ratio), view.limits.position_notional_max
    if held + reserved + wanted <= position_max:
        return None
    return reasons.PositionAboveMax(held, reserved, wanted, position_max)


def exposure_stays_within_max(intent: Intent, view: RiskView) -> reasons.ExposureAboveMax | None:
    held, reserved = view.held_in_all(), view.reserved_by_buys()
    wanted, exposure_max = intent.reservation(view.fee_ratio), view.limits.exposure_max
    if held + reserved + wanted <= exposure_max:
        return None
    return reasons.ExposureAboveMax(held, reserved, wanted, exposure_max)


def balance_suffices(intent: Intent, view: RiskView) -> reasons.BalanceUnknown | reasons.BalanceTooLow | None:
    available, spendable = view.state.available.get(view.limits.currency), view.spendable()
    if available is None or spendable is None:
        return reasons.BalanceUnknown(view.limits.currency)
    wanted = intent.reservation(view.fee_ratio)
    if wanted <= spendable:
        return None
    return reasons.BalanceTooLow(view.money(available), view.own_cash(), view.reserved_by_buys(), wanted)


def entries_are_below_max(view: RiskView) -> reasons.EntriesAtMax | None:
    count, count_max = entries_within_hour(view), view.limits.entries_per_hour_max
    return None if count < count_max else reasons.EntriesAtMax(count, count_max)


def entries_of_day_are_below_max(view: RiskView) -> reasons.EntriesOfDayAtMax | None:
    """Its refusal also pauses all entries until a person resumes: see `decide`."""
    count, count_max = view.instrument_state.entries_of_day, view.limits.entries_per_day_max
    return None if count < count_max else reasons.EntriesOfDayAtMax(count, count_max)


def entry_cooldown_is_over(view: RiskView) -> reasons.EntryTooSoon | None:
    """A clock that stepped back makes the wait longer, never shorter."""
    entered_at = view.instrument_state.entered_at
    if not entered_at or view.now - max(entered_at) >= view.limits.entry_cooldown:
        return None
    return reasons.EntryTooSoon(view.now - max(entered_at), view.limits.entry_cooldown)


# ------------------------------------------------------------------------------------------------------- the policy


@dataclass(frozen=True, slots=True)
class Rule:
    control: str  # in reliability's control table
    purposes: frozenset[Purpose]
    judge: Judge
    harm: str = ""  # of an exit that went out all the same; nothing where exits do not meet the rule

    @property
    def name(self) -> str:
        return self.judge.__name__

    def applies_to(self, purpose: Purpose) -> bool:
        return purpose in self.purposes


def _looking(look: Look) -> Judge:
    """A rule that asks nothing of the intent, in the shape of those that do."""

    @wraps(look)
    def judge(_intent: Intent, view: RiskView) -> Reason | None:
        return look(view)

    return judge


ENTRY, EXIT, EVERY = frozenset({Purpose.ENTRY}), frozenset({Purpose.EXIT}), frozenset(Purpose)

NO_PRICE = "nothing says what it would be sold for"
EXCHANGE_REFUSES = "the exchange would refuse it, again and again"

RULES: tuple[Rule, ...] = (  # gravest first
    Rule("I1", EVERY, _looking(trading_is_not_halted), "a halt stands for what only a person can judge, selling too"),
    Rule("PT9", EVERY, _looking(market_is_there), NO_PRICE),
    Rule("PT9", EVERY, _looking(market_is_of_the_pair), "it would be priced by another coin's book"),
    Rule("PT9", EVERY, _looking(market_is_fresh), NO_PRICE),
    Rule("PT9", EVERY, _looking(market_is_without_gaps), NO_PRICE),
    Rule("PT9", EVERY, _looking(book_has_both_sides), NO_PRICE),
    Rule("PT9", EVERY, _looking(book_is_well_formed), NO_PRICE),
    Rule("PT9", EVERY, _looking(book_is_not_crossed), NO_PRICE),
    Rule("PT12", EVERY, instrument_is_as_listed, EXCHANGE_REFUSES),
    Rule("PT4", ENTRY, quote_is_the_limits_currency),
    Rule("PT5", EVERY, side_fits_purpose, "a buy takes risk on, whatever it is called"),
    Rule("PT9", EVERY, order_is_positive, EXCHANGE_REFUSES),
    Rule("PT12", EVERY, order_is_on_grid, EXCHANGE_REFUSES),
    Rule("PT2", EVERY, price_is_within_band, EXCHANGE_REFUSES),
    Rule("PT2", EVERY, price_is_within_collar, "it could sell far below the market, or rest where nobody buys"),
    Rule("PT12", EVERY, notional_is_not_below_min, EXCHANGE_REFUSES),
    Rule("PT1", ENTRY, notional_is_within_max),
    Rule("PT1", ENTRY, quantity_is_within_max),
    Rule("PT5", EXIT, exit_is_within_position, "it would sell coins that are not ours to sell, or sell them twice"),
    Rule("PT8", EVERY, decision_is_not_repeated, "one decision would sell twice"),
    Rule("PT8", ENTRY, _looking(no_order_of_the_pair_is_unresolved)),
    Rule("PT8", EVERY, no_order_of_the_side_is_unresolved, "the sell before it may exist: both could fill"),
    Rule("PT10", EVERY, own_orders_are_not_crossed, "it would trade with ourselves and pay two fees for nothing"),
    Rule("I3", ENTRY, _looking(positions_are_valued)),
    Rule("I3", ENTRY, _looking(day_loss_is_below_max)),
    Rule("I3", ENTRY, _looking(drawdown_is_below_max)),
    Rule("PT4", ENTRY, position_stays_within_max),
    Rule("PT4", ENTRY, exposure_stays_within_max),
    Rule("PT5", ENTRY, balance_suffices),
    Rule("PT11", ENTRY, _looking(instrument_is_trading)),
    Rule("PT11", ENTRY, _looking(instrument_rules_are_fresh)),
    Rule("PT9", ENTRY, _looking(book_moves)),
    Rule("PT9", ENTRY, _looking(spread_is_within_max)),
    Rule("PT9", ENTRY, _looking(price_has_not_jumped)),
    Rule("I11", ENTRY, _looking(volatility_pause_is_over)),
    Rule("I1", ENTRY, _looking(trading_is_not_paused)),
    Rule("PT15", ENTRY, _looking(open_orders_are_below_max)),
    Rule("PT15", ENTRY, _looking(instrument_orders_are_below_max)),
    Rule("PT6", ENTRY, _looking(submits_are_below_max)),
    Rule("PT6", ENTRY, _looking(submits_of_second_are_below_max)),
    Rule("PT7", ENTRY, _looking(entries_of_day_are_below_max)),
    Rule("PT7", ENTRY, _looking(entries_are_below_max)),
    Rule("PT7", ENTRY, _looking(entry_cooldown_is_over)),
)
RULES_OF: Mapping[Purpose, tuple[Rule, ...]] = MappingProxyType(
    {purpose: tuple(rule for rule in RULES if purpose in rule.purposes) for purpose in Purpose}
)

FITNESS: tuple[Look, ...] = (  # what makes a reading of the market fit to value a position by
    market_is_there,
    market_is_of_the_pair,
    market_is_fresh,
    market_is_without_gaps,
    book_has_both_sides,
    book_is_well_formed,
    book_is_not_crossed,
    spread_is_within_max,
)


def day_loss(state: TradingState, limits: RiskLimits) -> reasons.DayLossAtMax | None:
    """The breaker of the day: at the limit is over it."""
    if state.day is None or state.day_pnl > -limits.day_loss_max.of(limits.currency):
        return None
    return reasons.DayLossAtMax(state.day, Amount(state.day_pnl, limits.currency), limits.day_loss_max)


def drawdown(state: TradingState, limits: RiskLimits) -> reasons.DrawdownAtMax | None:
    """The breaker of the whole: the fall from the highest equity there ever was."""
    peak, equity = state.equity_peak, state.equity
    if peak <= ZERO or peak - equity < peak * limits.drawdown_ratio_max:
        return None
    currency = limits.currency
    return reasons.DrawdownAtMax(Amount(equity, currency), Amount(peak, currency), limits.drawdown_ratio_max)


def submits_within(view: RiskView, span: timedelta) -> int:
    """A submit that is dated after now, because a clock stepped back, counts."""
    return sum(moment > view.now - span for moment in view.state.submitted_at)


def entries_within_hour(view: RiskView) -> int:
    return sum(moment > view.now - ENTRY_MEMORY for moment in view.instrument_state.entered_at)


def _is_sane(number: Decimal) -> bool:
    """Text no longer than the limit has no more digits, and costs a sixth of counting them."""
    if not (number.is_finite() and ZERO < number <= NUMBER_MAX):  # an int would be made a Decimal each time
        return False
    return len(str(number)) <= DIGITS_MAX or len(number.as_tuple().digits) <= DIGITS_MAX


def _malformed(side: Side, levels: tuple[Level, ...]) -> reasons.BookMalformed | None:
    """The first level that is not finite, not positive, absurdly large, or not worse than the one before it."""
    if _are_sound(side, levels):
        return None
    before: Decimal | None = None
    for place, level in enumerate(levels):
        is_sane = _is_sane(level.price) and _is_sane(level.quantity)
        if not is_sane or (before is not None and not _is_worse(side, level.price, before)):
            return reasons.BookMalformed(side, place, level.price, level.quantity)
        before = level.price
    return None


def _are_sound(side: Side, levels: tuple[Level, ...]) -> bool:
    """Whether all levels are beyond doubt: asked of each level of each book in each cycle, so it is asked at once.

    Where it is false the levels are looked at one by one: a number of many digits may be fine all the same.
    """
    if not levels:
        return True
    prices, quantities = [level.price for level in levels], [level.quantity for level in levels]
    lowest, highest = (prices[-1], prices[0]) if side is Side.BUY else (prices[0], prices[-1])
    is_worse = operator.gt if side is Side.BUY else operator.lt
    try:
        return (
            all(map(is_worse, prices, prices[1:]))
            and lowest > ZERO
            and highest <= NUMBER_MAX
            and min(quantities) > ZERO
            and max(quantities) <= NUMBER_MAX
            and max(map(len, map(str, (*prices, *quantities)))) <= DIGITS_MAX
        )
    except InvalidOperation:  # one of them is not a number
        return False


def _is_worse(side: Side, price: Decimal, before: Decimal) -> bool:
    return price < before if side is Side.BUY else price > before
