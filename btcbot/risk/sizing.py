"""How large an order may be and at which price it takes at once: inside every cap, rounded towards less.

Sizing stays below the caps so that the gate has nothing to refuse; the gate judges the result all the same. Needs a
book that is well formed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from btcbot.domain.instruments import Instrument
from btcbot.domain.market import Level, MarketView
from btcbot.domain.money import ZERO, Amount, Price, Quantity, divide_down, round_down
from btcbot.domain.orders.intents import RESERVATION_STEP, Side
from btcbot.risk.rules import ENTRY_MARGIN
from btcbot.risk.view import RiskView


@dataclass(frozen=True, slots=True)
class Quote:
    """A limit price that takes what the book offers up to it, and how much to ask for."""

    price: Price
    quantity: Quantity


def entry_quote(view: RiskView, market: MarketView, notional: Amount) -> Quote | None:
    """Buy for at most `notional` and within every cap, at the lowest asks that fill it; nothing above the collar.

    What the asks within the collar do not fill would rest at the highest of them. Nothing is returned when there is no
    ask within the collar or no room for a single lot.
    """
    quote = None
    offered = ZERO
    for price, level in _asks_within_collar(view, market):
        quote = Quote(price, _quantity_within_caps(view, market.instrument, price, notional))
        offered += level.quantity
        if offered >= quote.quantity:
            break
    return quote if quote is not None and quote.quantity > 0 else None


def exit_quote(
    view: RiskView, market: MarketView, wanted: Decimal | None = None, price_min: Decimal | None = None
) -> Quote | None:
    """Sell all that is held and not promised to another exit, or so much of it as is wanted, at no lower price.

    It goes to the highest bids that fill it, none below the collar, and never to an entry of ours that still rests:
    only bids above that count. Nothing is returned when there is no such bid, or not one whole lot to sell.
    """
    sellable = view.sellable(market.instrument.base)
    quantity = market.instrument.quantity_down(max(sellable if wanted is None else min(wanted, sellable), ZERO))
    own = own_bid(view)
    quote = None
    taken = ZERO
    for price, level in _bids_within_collar(view, market):
        if (own is not None and price <= own) or (price_min is not None and level.price < price_min):
            break
        quote = Quote(price, quantity)
        taken += level.quantity
        if taken >= quantity:
            break
    return quote if quote is not None and quote.quantity > 0 else None


def own_bid(view: RiskView) -> Decimal | None:
    """The highest price at which an unfinished buy of ours may still trade."""
    return max((order.price for order in view.state.working(view.pair) if order.side is Side.BUY), default=None)


def resting_buy(view: RiskView, market: MarketView, price: Price, notional: Amount) -> Quote | None:
    """A buy that waits at this price, within every cap; nothing where it would take, or be too small to sell again."""
    if not market.book.asks or price >= market.book.asks[0].price:
        return None
    quantity = _quantity_within_caps(view, market.instrument, price, notional)
    return None if quantity * price < market.instrument.notional_min * ENTRY_MARGIN else Quote(price, quantity)


def resting_sell(market: MarketView, price: Price, sellable: Decimal, notional: Decimal | None) -> Quote | None:
    """A sale that waits at this price, of what can be sold or of one notional of it; nothing where it would take."""
    instrument = market.instrument
    if not market.book.bids or price <= market.book.bids[0].price:
        return None
    wanted = sellable if notional is None else min(sellable, divide_down(notional, price, instrument.lot_step))
    quantity = instrument.quantity_down(max(wanted, ZERO))
    return None if is_dust(instrument, quantity, price) else Quote(price, quantity)


def room(view: RiskView) -> Amount:
    """The most that one more buy may reserve, fee included, under both caps and the balance; never below zero."""
    limits = view.limits
    rooms = [
        limits.position_notional_max - view.held(view.pair) - view.reserved_by_buys(view.pair),
        limits.exposure_max - view.held_in_all() - view.reserved_by_buys(),
        view.spendable() or view.money(ZERO),
    ]
    return view.money(max(min(amount.of(limits.currency) for amount in rooms), ZERO))


def is_dust(instrument: Instrument, quantity: Decimal, price: Decimal) -> bool:
    """Too little to be sold on its own; it stays, and counts as flat."""
    return instrument.quantity_down(max(quantity, ZERO)) * price < instrument.notional_min


def _quantity_within_caps(view: RiskView, instrument: Instrument, price: Price, notional: Amount) -> Quantity:
    currency = view.limits.currency
    spend = min(notional.of(currency), view.limits.order_notional_max.of(currency))
    reserve = round_down(room(view).number, RESERVATION_STEP)
    quantity_max = view.limits.order_quantity_max(instrument.base)
    return Quantity(
        min(
            ZERO if quantity_max is None else instrument.quantity_down(quantity_max.number),
            divide_down(spend, price, instrument.lot_step),
            divide_down(reserve, price * (1 + view.fee_ratio), instrument.lot_step),
        )
    )


def _asks_within_collar(view: RiskView, market: MarketView) -> Iterator[tuple[Price, Level]]:
    mid = market.book.mid
    if mid is None:
        return
    instrument = market.instrument
    ceiling = instrument.price_down(min(mid * (1 + view.limits.collar_ratio_max), instrument.price_max))
    for level in market.book.asks:
        price = instrument.price_up(level.price)
        if price > ceiling:
            return
        yield price, level


def _bids_within_collar(view: RiskView, market: MarketView) -> Iterator[tuple[Price, Level]]:
    mid = market.book.mid
    if mid is None:
        return
    instrument = market.instrument
    floor = instrument.price_up(max(mid * (1 - view.limits.collar_ratio_max), instrument.price_min))
    for level in market.book.bids:
        price = instrument.price_down(level.price)
        if price < floor:
            return
        yield price, level
