"""The grid: which of its rungs should rest, which of ours do, and what is to be done about the difference."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from btcbot.domain.market import MarketView
from btcbot.domain.money import ZERO, Amount, Price, plain, round_ratio, round_up
from btcbot.domain.orders.intents import Purpose, Side
from btcbot.domain.orders.records import OrderRecord
from btcbot.risk.sizing import Quote, is_dust, resting_buy, resting_sell
from btcbot.risk.view import RiskView
from btcbot.services.deciding.candles import SIGNAL_INTERVALS_MAX
from btcbot.services.deciding.entries import rules_objection, size
from btcbot.services.deciding.market import candle_age
from btcbot.services.deciding.moment import Moment
from btcbot.strategy.grid import Grid


@dataclass(frozen=True, slots=True)
class _Rungs:
    """Prices of one side that are without an order, and orders that are on no rung."""

    missing: tuple[Price, ...]
    astray: tuple[OrderRecord, ...]


NO_RUNG = "the grid has no rung there"


def quote_grid(moment: Moment, pair: str) -> Mapping[str, str]:
    """Ask the gate for the rungs that are missing; the orders that have to make room for others, and why."""
    grid = moment.params.strategy.grid
    market = None if grid is None else moment.priceable(pair, Side.BUY)
    anchor = None if market is None else _anchor(moment, pair, market)
    if grid is None or market is None or anchor is None:
        return {}
    sells = _rungs(moment, pair, grid, Side.SELL, _on_grid(market, Side.SELL, grid.sells(anchor, _ask(market))))
    for price in sells.missing:
        _sell(moment, pair, market, price)
    buys = _rungs(moment, pair, grid, Side.BUY, _on_grid(market, Side.BUY, grid.buys(anchor, _bid(market))))
    if (objection := _objection(moment, moment.view(pair), market, grid)) is not None:
        moment.note(pair, f"no rung bought, {objection}")
    else:
        _buy_all(moment, pair, market, grid, buys.missing)
    return {order.order_id: NO_RUNG for order in (*sells.astray, *buys.astray)}


def _anchor(moment: Moment, pair: str, market: MarketView) -> Decimal | None:
    """Where the rungs hang: from the last fill of a position, else from the reference."""
    stay = moment.state.trading.instrument(pair).stay
    if stay.is_open:
        return stay.last_price
    reference = moment.params.strategy.grid_reference(moment.indicators(pair))
    if reference is None or not (math.isfinite(reference) and reference > 0):
        return None
    # A float becomes a price here: exactly, then downwards. No rung is bought above the best bid, whatever it says.
    return market.instrument.price_down(min(Decimal(repr(reference)), market.instrument.price_max))


def _rungs(moment: Moment, pair: str, grid: Grid, side: Side, wanted: tuple[Price, ...]) -> _Rungs:
    resting = [order for order in moment.state.trading.working(pair) if order.side is side]
    missing = []
    for price in wanted:
        there = next((order for order in resting if grid.is_rung(order.price, price)), None)
        if there is None:
            missing.append(price)
        else:
            resting.remove(there)
    return _Rungs(tuple(missing), tuple(resting))


def _on_grid(market: MarketView, side: Side, prices: Iterator[Decimal]) -> tuple[Price, ...]:
    """As prices that rest: towards less for a buy and towards more for a sell, each once."""
    instrument = market.instrument
    on_grid = (instrument.price_down(price) if side is Side.BUY else instrument.price_up(price) for price in prices)
    return tuple(dict.fromkeys(price for price in on_grid if price > 0))


def _objection(moment: Moment, view: RiskView, market: MarketView, grid: Grid) -> str | None:
    if not grid.is_worth_it(view.fee_ratio):
        costs = plain(grid.costs(view.fee_ratio))
        return f"a spacing of {plain(grid.spacing)} does not earn {plain(grid.earns)} after fees of {costs}"
    age = candle_age(moment, view.pair)
    if age >= SIGNAL_INTERVALS_MAX * moment.params.candle_interval:
        return f"the last candle closed {age} ago"
    return rules_objection(moment, view, market)


def _buy_all(moment: Moment, pair: str, market: MarketView, grid: Grid, prices: tuple[Price, ...]) -> None:
    """Highest rung first. With a cooldown between entries only one can be let through; the next cycle has the next."""
    for price in prices:
        view = moment.view(pair)
        has_room = _rungs_taken(view, moment.params.strategy.notional) < grid.rungs_max
        if not has_room or not _is_within_collar(view, price) or _must_wait(view):
            return
        quote = resting_buy(view, market, price, size(moment, view))
        if quote is None or not moment.judge(moment.intent(market, Side.BUY, Purpose.ENTRY, quote)):
            return


def _rungs_taken(view: RiskView, notional: Amount) -> int:
    """Rungs that are held, by what they cost, and those that working buys may add."""
    stay, position = view.instrument_state.stay, view.instrument_state.position
    held = ZERO
    if stay.bought > 0 and position > 0:
        held = round_up(round_ratio(stay.paid * position, stay.bought * notional.number), Decimal(1))
    return int(held) + sum(order.side is Side.BUY for order in view.state.working(view.pair))


def _must_wait(view: RiskView) -> bool:
    """Whether the gate's cooldown would refuse one more entry; asked here so that no cycle is full of refusals."""
    entered_at = view.instrument_state.entered_at
    return bool(entered_at) and view.now - max(entered_at) < view.limits.entry_cooldown


def _sell(moment: Moment, pair: str, market: MarketView, price: Price) -> None:
    view = moment.view(pair)
    instrument = market.instrument
    sellable = view.sellable(instrument.base)
    if is_dust(instrument, sellable, price) or not _is_within_collar(view, price):
        return
    quote = _part(market, price, sellable, moment.params.strategy.notional.number)
    if quote is not None:
        moment.judge(moment.intent(market, Side.SELL, Purpose.EXIT, quote))


def _part(market: MarketView, price: Price, sellable: Decimal, notional: Decimal) -> Quote | None:
    """One rung's worth, or all where the rest could not be sold on its own."""
    quote = resting_sell(market, price, sellable, notional)
    if quote is None or is_dust(market.instrument, sellable - quote.quantity, price):
        return resting_sell(market, price, sellable, None)
    return quote


def _is_within_collar(view: RiskView, price: Price) -> bool:
    """A rung that is further away waits until the price comes nearer: the gate lets no order rest there."""
    mid = view.mid
    return mid is not None and abs(price - mid) <= mid * view.limits.collar_ratio_max


def _bid(market: MarketView) -> Decimal:
    return market.book.bids[0].price


def _ask(market: MarketView) -> Decimal:
    return market.book.asks[0].price
