"""Protection and exits: what is to be sold, whatever the strategy has become of, and how much of it at once.

No exit waits. An entry of ours that rests in its way is canceled, and what the other bids above it take is sold in the
same decision; a sale of ours that the bid has left behind is canceled and priced anew.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from btcbot.domain.money import ZERO, plain
from btcbot.domain.orders.intents import Purpose, Side
from btcbot.domain.signals import Direction, Signal
from btcbot.risk.sizing import exit_quote, is_dust, own_bid
from btcbot.risk.view import RiskView
from btcbot.services.deciding.candles import SIGNAL_INTERVALS_MAX
from btcbot.services.deciding.market import candle_age
from btcbot.services.deciding.moment import Moment
from btcbot.strategy.protection import Sale


def stop_levels(moment: Moment) -> Mapping[str, Decimal]:
    """The price at which each position is left, whatever the signals say."""
    rules, default_stop = moment.params.strategy.rules, moment.params.default_stop
    levels = {pair: rules.level(moment.state.trading.instrument(pair), default_stop) for pair in moment.pairs}
    return {pair: level for pair, level in levels.items() if level is not None}


def sales_wanted(
    moment: Moment, signals: Mapping[str, Signal], levels: Mapping[str, Decimal]
) -> tuple[Mapping[str, Sale], frozenset[str]]:
    """What each pair is to sell, the largest of all wishes; and the pairs whose stop was crossed."""
    sales: dict[str, Sale] = {}
    crossed: set[str] = set()
    for pair in moment.pairs:
        wishes = []
        if (stopped := _stopped(moment, pair, levels.get(pair))) is not None:
            crossed.add(pair)
            wishes.append(stopped)
        if signals[pair].direction is Direction.SELL:
            wishes.append(Sale(ZERO, "the strategy wants out"))
        for wish in _sales_by_rules(moment, pair):
            moment.note(pair, wish.reason)
            wishes.append(wish)
        if wishes:
            sales[pair] = min(wishes, key=lambda wish: wish.keeps)
    return sales, frozenset(crossed)


def sell(moment: Moment, pair: str, sale: Sale) -> None:
    """Ask the gate for what of the sale can be sold now."""
    view = moment.view(pair)
    if view.instrument_state.position <= 0:
        return
    market = moment.priceable(pair, Side.SELL)
    if market is None:
        return
    instrument, bid = market.instrument, market.book.bids[0].price
    sellable = view.sellable(instrument.base)
    if is_dust(instrument, sellable, bid):
        moment.note(pair, f"sell not tried, {plain(sellable)} is dust or already promised to a working exit")
        return
    wanted = sellable - sale.keeps
    if is_dust(instrument, wanted, bid):
        if wanted > 0:
            moment.note(pair, f"sell not tried, a part of {plain(wanted)} is too little for an order")
        return
    if is_dust(instrument, sellable - wanted, bid):
        wanted = sellable  # what would be left could not be sold on its own
    quote = exit_quote(view, market, wanted, sale.price_min)
    if quote is None:
        moment.note(pair, f"sell not tried, {_why_no_quote(view, bid)}")
        return
    moment.judge(moment.intent(market, Side.SELL, Purpose.EXIT, quote))


def _why_no_quote(view: RiskView, bid: Decimal) -> str:
    own = own_bid(view)
    if own is not None and own >= bid:
        return f"an entry of ours at {plain(own)} is the best bid, and its cancel comes first"
    return "no bid within the collar"


def _stopped(moment: Moment, pair: str, level: Decimal | None) -> Sale | None:
    market = moment.snapshot.views.get(pair)
    if level is None or market is None or moment.unpriceable(pair) or market.book.bids[0].price > level:
        return None
    moment.note(pair, f"the bid {plain(market.book.bids[0].price)} is not above the stop {plain(level)}")
    return Sale(ZERO, f"its stop {plain(level)} was crossed")


def _sales_by_rules(moment: Moment, pair: str) -> Iterator[Sale]:
    held = moment.state.trading.instrument(pair)
    market = moment.snapshot.views.get(pair)
    if held.position <= 0 or not held.stay.is_open or market is None or moment.unpriceable(pair):
        return
    yield from moment.params.strategy.rules.sales(held, market.book.bids[0].price, moment.now)
    share = moment.params.strategy.wants_part_out(moment.indicators(pair))
    if share is None or pair not in moment.state.candles_seen:
        return
    age, sold_at = candle_age(moment, pair), held.stay.last_sold_at
    is_done = sold_at is not None and sold_at >= moment.now - age
    if age < SIGNAL_INTERVALS_MAX * moment.params.candle_interval and not is_done:
        keeps = held.position * (1 - share)
        yield Sale(keeps, f"the strategy wants a part of {plain(share)} out, {plain(keeps)} is kept")
