"""Which of our orders are to be taken off the book, and why. Nothing stands in the way of a cancel."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from btcbot.domain.money import plain
from btcbot.domain.orders.intents import Side
from btcbot.domain.orders.records import OrderRecord
from btcbot.domain.orders.states import OrderState
from btcbot.services.deciding.moment import Moment
from btcbot.services.deciding.plan import CancelWish
from btcbot.strategy.protection import Sale

SILENT_AGES_MAX = 3  # a market silent for so many times its allowed age takes our resting orders off the book
CANCEL_AGAIN_AFTER = timedelta(seconds=15)  # a cancel without effect is repeated: it is idempotent


def cancels_wanted(moment: Moment, sales: Mapping[str, Sale], astray: Mapping[str, str]) -> Iterator[CancelWish]:
    """Each order at most once, with the gravest reason. Whether a cancel worked is read, never assumed."""
    for order in moment.state.trading.working():
        reason = _why(moment, order, sales.get(order.pair)) or _if_open(order, astray.get(order.order_id))
        if reason is not None:
            yield CancelWish(order.order_id, reason)


def _why(moment: Moment, order: OrderRecord, sale: Sale | None) -> str | None:
    if order.state is OrderState.CANCELING:
        waited = moment.now - order.changed_at
        return f"no effect of the last cancel in {waited}" if waited >= CANCEL_AGAIN_AFTER else None
    if order.state not in (OrderState.OPEN, OrderState.PARTIAL):
        return None
    if moment.halted_by is not None:
        return "trading is halted"
    if sale is not None and order.side is Side.BUY:
        return "the strategy wants out"
    if sale is not None and sale.is_whole and (left_behind := _left_behind(moment, order)) is not None:
        return left_behind
    market = moment.snapshot.views.get(order.pair)
    if market is None or market.book_age > SILENT_AGES_MAX * moment.params.limits.market_age_max:
        return "the market is silent"
    age = moment.now - order.created_at
    return f"resting for {age}" if age > moment.params.order_age_max else None


def _left_behind(moment: Moment, order: OrderRecord) -> str | None:
    """A way out that the best bid has fallen below protects nobody: it makes room for one that takes."""
    market = moment.snapshot.views.get(order.pair)
    if market is None or moment.unpriceable(order.pair):
        return None
    bid = market.book.bids[0].price
    return None if bid >= order.price else f"the way out is priced anew, the bid is at {plain(bid)}"


def _if_open(order: OrderRecord, reason: str | None) -> str | None:
    return reason if order.state in (OrderState.OPEN, OrderState.PARTIAL) else None
