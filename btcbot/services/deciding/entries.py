"""Entries: which go first, why one is not tried, and how much it spends."""

from collections.abc import Mapping

from btcbot.domain.market import MarketView
from btcbot.domain.money import Amount, plain
from btcbot.domain.orders.intents import Purpose, Side
from btcbot.domain.signals import Direction, Signal
from btcbot.risk.sizing import entry_quote, is_dust
from btcbot.risk.view import RiskView
from btcbot.services.deciding.candles import SIGNAL_INTERVALS_MAX
from btcbot.services.deciding.market import candle_age
from btcbot.services.deciding.moment import Moment


def by_priority(moment: Moment, signals: Mapping[str, Signal]) -> tuple[str, ...]:
    """Pairs that want in: the surest first, then by name. What is left of a cap goes to whoever comes first."""
    wanted = [pair for pair in moment.pairs if signals[pair].direction is Direction.BUY]
    return tuple(sorted(wanted, key=lambda pair: (-signals[pair].confidence, pair)))


def buy(moment: Moment, pair: str) -> None:
    """Ask the gate for one entry, if nothing that the strategy itself declares is against it."""
    age = candle_age(moment, pair)
    if age >= SIGNAL_INTERVALS_MAX * moment.params.candle_interval:
        moment.note(pair, f"buy not tried, its candle closed {age} ago")
        return
    market = moment.priceable(pair, Side.BUY)
    if market is None:
        return
    view = moment.view(pair)
    objection = _held_objection(moment, view, market) or rules_objection(moment, view, market)
    if objection is not None:
        moment.note(pair, f"buy not tried, {objection}")
        return
    quote = entry_quote(view, market, size(moment, view))
    if quote is None:
        moment.note(pair, "buy not tried, no ask within the collar or no room within the caps")
        return
    moment.judge(moment.intent(market, Side.BUY, Purpose.ENTRY, quote))


def size(moment: Moment, view: RiskView) -> Amount:
    """What the strategy's sizing and budget leave for one entry."""
    strategy, pace = moment.params.strategy, moment.params.strategy.rules.pace
    wish = strategy.wished(moment.indicators(view.pair), view.state.equity)
    if pace is None:
        return wish
    left = pace.left(view.instrument_state.stay) - view.reserved_by_buys(view.pair)
    return min(wish, left, key=lambda amount: amount.number)


def rules_objection(moment: Moment, view: RiskView, market: MarketView) -> str | None:
    """Why the position rules let no entry be made now."""
    pair, rules, stay = view.pair, moment.params.strategy.rules, view.instrument_state.stay
    ask = market.book.asks[0].price
    closed_at = moment.now - candle_age(moment, pair)
    objection = rules.re_entry.objection(stay, moment.now, ask, closed_at)
    if objection is None and rules.pace is not None:
        objection = rules.pace.objection(stay, moment.now)
        if objection is None and size(moment, view).number <= 0:
            objection = f"its budget of {rules.pace.budget} is spent"
    return objection


def _held_objection(moment: Moment, view: RiskView, market: MarketView) -> str | None:
    strategy, pair = moment.params.strategy, view.pair
    if strategy.adds_to_position:
        return None
    held = view.instrument_state
    if not is_dust(market.instrument, held.position, market.book.bids[0].price):
        if strategy.rules.scale_in is None:
            return f"{plain(held.position)} is held already"
        if (objection := strategy.rules.scale_in.objection(held.stay, market.book.asks[0].price)) is not None:
            return objection
    if any(order.side is Side.BUY for order in view.state.working(pair)):
        return "one is working already"
    return None
