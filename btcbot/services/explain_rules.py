"""The numbers that each rule of the gate compared, whether it passed or not.

A rule that refuses gives its numbers in its reason. Here they are put together for one that passed, in the words of the
same reason, from the same view. What cannot be measured is said to be missing, as the rule finds it missing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from btcbot.domain.market import MarketView
from btcbot.domain.money import Amount, plain
from btcbot.domain.orders.intents import Intent, Purpose
from btcbot.risk import reasons, rules
from btcbot.risk.gate import answer_of
from btcbot.risk.rules import (
    ENTRY_MARGIN,
    MINUTE,
    RULES_AGE_MAX,
    RULES_OF,
    SECOND,
    Rule,
    entries_within_hour,
    submits_within,
)
from btcbot.risk.view import RiskView

Facts = reasons.Reason | str  # the reason that it would have been, or plain words
OfState = Callable[[Intent, RiskView], Facts]
OfMarket = Callable[[Intent, RiskView, MarketView], Facts]
NOTHING_MEASURED = "there is no market to measure by"


@dataclass(frozen=True, slots=True)
class RuleLook:
    """One rule's part in a verdict."""

    control: str  # in the table of controls
    rule: str
    refusal: str | None  # the reason's name, where it refused
    numbers: str


def looks(intent: Intent, view: RiskView) -> tuple[RuleLook, ...]:
    """Every rule that applies to the intent, gravest first: its answer and its numbers."""
    return tuple(_look(rule, intent, view) for rule in RULES_OF[intent.purpose])


def _look(rule: Rule, intent: Intent, view: RiskView) -> RuleLook:
    reason = answer_of(rule, intent, view)
    words = rule.name.replace("_", " ")
    if reason is not None:
        return RuleLook(rule.control, words, reason.name, reason.numbers)
    return RuleLook(rule.control, words, None, numbers_of(rule, intent, view))


def numbers_of(rule: Rule, intent: Intent, view: RiskView) -> str:
    """What the rule compared."""
    facts = _facts(rule, intent, view)
    return facts.numbers if isinstance(facts, reasons.Reason) else facts


def _facts(rule: Rule, intent: Intent, view: RiskView) -> Facts:
    of_market = _OF_MARKET.get(rule.name)
    if of_market is None:
        return _OF_STATE[rule.name](intent, view)
    if view.market is None or view.mid is None:
        return NOTHING_MEASURED
    return of_market(intent, view, view.market)


def _book(_intent: Intent, _view: RiskView, market: MarketView) -> Facts:
    return f"bids={len(market.book.bids)}, asks={len(market.book.asks)}"


def _bid_and_ask(_intent: Intent, _view: RiskView, market: MarketView) -> Facts:
    return reasons.BookCrossed(market.book.bids[0].price, market.book.asks[0].price)


def _listed(intent: Intent, _view: RiskView, market: MarketView) -> Facts:
    return dict(reasons.InstrumentChanged(intent.instrument, market.instrument).as_pairs())["listed"]


def _trading(_intent: Intent, _view: RiskView, market: MarketView) -> Facts:
    return f"trading={_yes(market.instrument.is_trading)}"


def _spread(_intent: Intent, view: RiskView, market: MarketView) -> Facts:
    bid, ask = market.book.bids[0].price, market.book.asks[0].price
    return reasons.SpreadAboveMax(bid, ask, view.limits.spread_ratio_max)


def _jump(_intent: Intent, view: RiskView, _market: MarketView) -> Facts:
    mid, mark = view.mid, view.last_good_mark
    if mid is None or mark is None:
        return "no good mark to be measured by yet"
    return reasons.PriceJumped(mid, mark, view.limits.jump_ratio_max)


def _collar(intent: Intent, view: RiskView, _market: MarketView) -> Facts:
    if view.mid is None:
        return NOTHING_MEASURED
    return reasons.PriceOutsideCollar(intent.price, view.mid, view.limits.collar_ratio_max)


def _notional_min(intent: Intent, _view: RiskView, market: MarketView) -> Facts:
    instrument = intent.instrument
    if intent.purpose is Purpose.EXIT:
        return reasons.NotionalBelowMin(intent.notional, Amount(instrument.notional_min, instrument.quote))
    worst = Amount(min(intent.price, market.book.bids[0].price) * intent.quantity, instrument.quote)
    least = Amount(instrument.notional_min * ENTRY_MARGIN, instrument.quote)
    return reasons.NotionalBelowMin(worst, least)


def _unresolved(_intent: Intent, view: RiskView) -> Facts:
    return f"working={len(view.state.working(view.pair))}, unresolved=0"


def _of_side(intent: Intent, view: RiskView) -> Facts:
    count = sum(order.side is intent.side for order in view.state.working(view.pair))
    return f"working={count}, unresolved=0"


def _own_orders(intent: Intent, view: RiskView) -> Facts:
    others = [order for order in view.state.working(view.pair) if order.side is not intent.side]
    return f"price={plain(intent.price)}, resting on the other side={len(others)}"


def _exit_size(intent: Intent, view: RiskView) -> Facts:
    reserved = view.state.reserved(intent.instrument.base, view.pair).number
    return reasons.ExitAbovePosition(intent.quantity, view.instrument_state.position, reserved)


def _valued(_intent: Intent, view: RiskView) -> Facts:
    held = sum(each.position != 0 for each in view.state.instruments.values())
    return f"held={held}, unvalued={len(tuple(view.unvalued()))}"


def _day_loss(_intent: Intent, view: RiskView) -> Facts:
    state = view.state
    if state.day is None:
        return "the trading day has not been opened"
    return reasons.DayLossAtMax(state.day, view.money(state.day_pnl), view.limits.day_loss_max)


def _drawdown(_intent: Intent, view: RiskView) -> Facts:
    state = view.state
    return reasons.DrawdownAtMax(
        view.money(state.equity), view.money(state.equity_peak), view.limits.drawdown_ratio_max
    )


def _position(intent: Intent, view: RiskView) -> Facts:
    return reasons.PositionAboveMax(
        view.held(view.pair), view.reserved_by_buys(view.pair), intent.reservation(view.fee_ratio),
        view.limits.position_notional_max,
    )  # fmt: skip


def _exposure(intent: Intent, view: RiskView) -> Facts:
    return reasons.ExposureAboveMax(
        view.held_in_all(), view.reserved_by_buys(), intent.reservation(view.fee_ratio), view.limits.exposure_max
    )


def _balance(intent: Intent, view: RiskView) -> Facts:
    available = view.state.available.get(view.limits.currency)
    if available is None:
        return reasons.BalanceUnknown(view.limits.currency)
    return reasons.BalanceTooLow(
        view.money(available), view.own_cash(), view.reserved_by_buys(), intent.reservation(view.fee_ratio)
    )


def _volatility(_intent: Intent, view: RiskView) -> Facts:
    until = view.instrument_state.paused_until
    return "no pause" if until is None else reasons.VolatilityPauseOn(until)


def _submits(_intent: Intent, view: RiskView) -> Facts:
    return reasons.SubmitsAtMax(submits_within(view, MINUTE), view.limits.submits_per_minute_max)


def _submits_of_second(_intent: Intent, view: RiskView) -> Facts:
    return reasons.SubmitsOfSecondAtMax(submits_within(view, SECOND), view.limits.submits_per_second_max)


def _repetition(intent: Intent, view: RiskView) -> Facts:
    twin = next((order for order in view.state.orders.values() if order.decision_id == intent.decision_id), None)
    if twin is not None:
        return reasons.DecisionRepeated(twin.order_id, twin.decision_id)
    return f"decision={intent.decision_id}, orders of it=0"


def _quantity(intent: Intent, view: RiskView) -> Facts:
    base = intent.instrument.base
    quantity_max = view.limits.order_quantity_max(base)
    if quantity_max is None:
        return reasons.QuantityUncapped(base)
    return reasons.QuantityAboveMax(Amount(intent.quantity, base), quantity_max)


def _entries(_intent: Intent, view: RiskView) -> Facts:
    return reasons.EntriesAtMax(entries_within_hour(view), view.limits.entries_per_hour_max)


def _entries_of_day(_intent: Intent, view: RiskView) -> Facts:
    return reasons.EntriesOfDayAtMax(view.instrument_state.entries_of_day, view.limits.entries_per_day_max)


def _cooldown(_intent: Intent, view: RiskView) -> Facts:
    entered_at = view.instrument_state.entered_at
    if not entered_at:
        return "no entry within the last hour"
    return reasons.EntryTooSoon(view.now - max(entered_at), view.limits.entry_cooldown)


_OF_MARKET: Mapping[str, OfMarket] = MappingProxyType(
    {
        rules.market_is_fresh.__name__: lambda _intent, view, market: reasons.MarketStale(
            market.book_age, view.limits.market_age_max
        ),
        rules.market_is_without_gaps.__name__: lambda _intent, _view, market: f"gapped={_yes(market.is_gapped)}",
        rules.market_is_of_the_pair.__name__: lambda _intent, view, market: reasons.MarketOfAnother(
            view.pair, market.instrument.pair
        ),
        rules.book_moves.__name__: lambda _intent, view, market: reasons.BookStill(
            market.still_for, view.limits.book_still_max
        ),
        rules.instrument_rules_are_fresh.__name__: lambda _intent, _view, market: reasons.InstrumentRulesOld(
            market.rules_age, RULES_AGE_MAX
        ),
        rules.book_has_both_sides.__name__: _book,
        rules.book_is_well_formed.__name__: _book,
        rules.book_is_not_crossed.__name__: _bid_and_ask,
        rules.instrument_is_as_listed.__name__: _listed,
        rules.price_is_within_collar.__name__: _collar,
        rules.notional_is_not_below_min.__name__: _notional_min,
        rules.instrument_is_trading.__name__: _trading,
        rules.spread_is_within_max.__name__: _spread,
        rules.price_has_not_jumped.__name__: _jump,
    }
)
_OF_STATE: Mapping[str, OfState] = MappingProxyType(
    {
        rules.trading_is_not_halted.__name__: lambda _intent, view: f"halt={view.state.halt_reason or 'none'}",
        rules.market_is_there.__name__: lambda _intent, view: f"pair={view.pair}",
        rules.quote_is_the_limits_currency.__name__: lambda intent, view: reasons.CurrencyForeign(
            intent.instrument.quote, view.limits.currency
        ),
        rules.side_fits_purpose.__name__: lambda intent, _view: reasons.SideUnfit(intent.side, intent.purpose),
        rules.order_is_positive.__name__: lambda intent, _view: reasons.OrderNotPositive(intent.price, intent.quantity),
        rules.order_is_on_grid.__name__: lambda intent, _view: reasons.OrderOffGrid(
            intent.price, intent.instrument.price_step, intent.quantity, intent.instrument.lot_step
        ),
        rules.price_is_within_band.__name__: lambda intent, _view: reasons.PriceOutsideBand(
            intent.price, intent.instrument.price_min, intent.instrument.price_max
        ),
        rules.notional_is_within_max.__name__: lambda intent, view: reasons.NotionalAboveMax(
            intent.notional, view.limits.order_notional_max
        ),
        rules.exit_is_within_position.__name__: _exit_size,
        rules.no_order_of_the_pair_is_unresolved.__name__: _unresolved,
        rules.no_order_of_the_side_is_unresolved.__name__: _of_side,
        rules.own_orders_are_not_crossed.__name__: _own_orders,
        rules.positions_are_valued.__name__: _valued,
        rules.day_loss_is_below_max.__name__: _day_loss,
        rules.drawdown_is_below_max.__name__: _drawdown,
        rules.position_stays_within_max.__name__: _position,
        rules.exposure_stays_within_max.__name__: _exposure,
        rules.balance_suffices.__name__: _balance,
        rules.volatility_pause_is_over.__name__: _volatility,
        rules.trading_is_not_paused.__name__: lambda _intent, view: f"paused={_yes(view.state.is_paused)}",
        rules.open_orders_are_below_max.__name__: lambda _intent, view: reasons.OpenOrdersAtMax(
            len(view.state.orders), view.limits.open_orders_max
        ),
        rules.instrument_orders_are_below_max.__name__: lambda _intent, view: reasons.InstrumentOrdersAtMax(
            len(view.state.working(view.pair)), view.limits.open_orders_per_instrument_max
        ),
        rules.submits_are_below_max.__name__: _submits,
        rules.submits_of_second_are_below_max.__name__: _submits_of_second,
        rules.quantity_is_within_max.__name__: _quantity,
        rules.decision_is_not_repeated.__name__: _repetition,
        rules.entries_of_day_are_below_max.__name__: _entries_of_day,
        rules.entries_are_below_max.__name__: _entries,
        rules.entry_cooldown_is_over.__name__: _cooldown,
    }
)


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"
