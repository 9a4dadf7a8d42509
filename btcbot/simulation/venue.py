"""The matching venue: our accounts' orders against the market's depth and against each other.

Rules
- Price first, then time. The market's displayed quantity at a price is ahead of an order that joins it; prints and a
  shrinking level move the order forward.
- What our orders take out of a level stays taken until the source shows another quantity there.
- A resting order fills at its own price when the market trades through it or its book reaches it.
- An account does not trade with itself: its own orders are passed over.
- Fee and tax are taken in quote. A buy holds price x left x (1 + taker rate), a sell holds what is left.
- A cancel is a receipt; it takes effect later, if anything is left then. The hold is released later still (protocol
  5.3, 7).
- State changes only by happenings, which are kept in the order in which they were applied: see `happenings`.

No clock: each call says what time it is, and time never runs backwards.
"""

import heapq
from bisect import insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice

from btcbot.domain.errors import ConfigurationError
from btcbot.domain.money import ZERO, Asset, Ratio, divide_down, parse, round_up
from btcbot.domain.orders.intents import Side
from btcbot.simulation.accounts import Account, BalanceChange
from btcbot.simulation.books import EMPTY, LEVELS_MAX, Depth, Print, Source
from btcbot.simulation.fees import FEE_STEP, RATES, Charge, charge
from btcbot.simulation.happenings import (
    AccountFunded,
    CancelAccepted,
    Happening,
    HoldReleased,
    Liquidity,
    Method,
    OrderAccepted,
    OrderCanceled,
    OrderClosed,
    OrderMatched,
    PairListed,
)
from btcbot.simulation.listings import Listing
from btcbot.simulation.orders import Order, OrderRequest, Refusal

ORDER_ID_FIRST = 27_000_000_001  # past 2^31, as at the exchange
TRADE_ID_FIRST = 1_181_163_798_924_649_598  # past 2^53
MARKET_GUARD = parse("0.05")  # a market order stops this far from its first price (protocol 6.2)
PRICE_BAND = 10  # limit prices between a tenth and ten times the last one (protocol 4.1)
PRICE_MAX = parse("10000000")  # the static bound
CLIENT_ORDER_ID_LENGTH_MAX = 50


class GridsChanged(ConfigurationError):
    """The record holds orders on other grids than the source has now."""

    next_step = "use the source that the record was made with, or another BTCBOT_SANDBOX_DIR for this one"


@dataclass(frozen=True, slots=True)
class Latency:
    """How long what was accepted takes to happen."""

    cancel_ms: int = 300
    release_ms: int = 300


@dataclass(frozen=True, slots=True)
class News:
    """A happening with what it did to balances."""

    happening: Happening
    changes: tuple[BalanceChange, ...]


@dataclass(slots=True)
class _Book:
    """One pair: what the source shows, what we took of it, and who rests in it."""

    listing: Listing
    depth: Depth = EMPTY
    taken: Mapping[Side, dict[int, tuple[int, int]]] = field(default_factory=lambda: {Side.BUY: {}, Side.SELL: {}})
    resting: Mapping[Side, list[Order]] = field(default_factory=lambda: {Side.BUY: [], Side.SELL: []})

    def levels(self, side: Side) -> Mapping[int, int]:
        return self.depth.bids if side is Side.BUY else self.depth.asks

    def source_lots(self, side: Side, ticks: int) -> int:
        """What the source shows at a price and nobody of ours has taken."""
        lots = self.levels(side).get(ticks, 0)
        taken = self.taken[side].get(ticks)
        return lots if taken is None else max(lots - taken[0], 0)

    def take(self, side: Side, ticks: int, lots: int) -> None:
        before = self.taken[side].get(ticks, (0, 0))[0]
        self.taken[side][ticks] = (before + lots, self.levels(side)[ticks])

    def show(self, depth: Depth) -> None:
        """A new depth: where it differs from what was seen when we took, the level is fresh."""
        self.depth = depth
        for side, taken in self.taken.items():
            levels = self.levels(side)
            for ticks in [ticks for ticks, (_, seen) in taken.items() if levels.get(ticks) != seen]:
                del taken[ticks]


class Venue:
    """Several accounts, several pairs. Built from all that happened before, it goes on where that ended.

    Pairs that the source no longer has stay known, so that old orders keep their meaning; nothing trades on them.
    """

    def __init__(self, source: Source, latency: Latency, now_ms: int, past: Iterable[Happening] = ()) -> None:
        self.source = source
        self.latency = latency
        self.accounts: dict[int, Account] = {}
        self.orders: dict[int, Order] = {}
        self.matches: list[OrderMatched] = []
        self._books: dict[str, _Book] = {}
        self._due: list[tuple[int, int]] = []  # when, order id: a cancel or a release to look at
        self._news: list[News] = []
        self._prints: list[Print] = []
        self._next_order_id = ORDER_ID_FIRST
        self._next_trade_id = TRADE_ID_FIRST
        for happening in past:
            self._apply(happening)
        for pair, listing in source.listings.items():
            known = self._books.get(pair)
            if known is None:
                self._happen(
                    PairListed(
                        pair, listing.pair_id, listing.base, listing.quote, listing.price_decimals,
                        listing.lot_decimals, listing.notional_min, now_ms,
                    )
                )  # fmt: skip
            elif known.listing != listing:
                raise GridsChanged(f"{pair} was recorded with other grids or limits than its source has now")

    # ------------------------------------------------------------------------------------------- what is asked of it

    def fund(self, account_id: int, asset: Asset, number: Decimal, now_ms: int) -> None:
        self._happen(AccountFunded(account_id, asset, number, now_ms))

    def advance(self, now_ms: int) -> None:
        """Let the market move on and what is due happen."""
        prints = self.source.advance(now_ms)
        for print_ in prints:
            self._settle_due(print_.at_ms)
            self._trade_through(print_)
        self._settle_due(now_ms)
        self._prints.extend(prints)
        for pair in self.source.listings:
            book = self._books[pair]
            book.show(self.source.depth(pair))
            if book.resting[Side.BUY] or book.resting[Side.SELL]:
                self._meet(book, now_ms)

    def submit(self, account_id: int, request: OrderRequest, now_ms: int) -> OrderAccepted | Refusal:
        """Accept and match at once, or refuse with the first reason. The caller has advanced to `now_ms`."""
        refusal, held = self._judge(account_id, request)
        if refusal is not None:
            return refusal
        accepted = OrderAccepted(
            self._next_order_id, account_id, request.pair, request.side, request.method, request.price,
            request.quantity, held, request.client_order_id, now_ms,
        )  # fmt: skip
        self._happen(accepted)
        order = self.orders[accepted.order_id]
        book = self._books[request.pair]
        if request.method is Method.MARKET:
            self._take_at_market(book, order, now_ms)
        else:
            self._take(book, order, order.ticks, now_ms)
            if order.is_open:
                self._rest(book, order)
        return accepted

    def cancel(self, account_id: int, order_id: int, now_ms: int) -> CancelAccepted | Refusal:
        """A receipt, also for an order that is canceled already (protocol 5.3)."""
        order = self.orders.get(order_id)
        if order is None or order.accepted.account_id != account_id:
            return Refusal.CANCEL_UNKNOWN
        if order.is_closed:
            return Refusal.CANCEL_TOO_LATE
        receipt = CancelAccepted(order_id, now_ms + self.latency.cancel_ms, now_ms)
        if not order.is_canceled and order.cancel_due_ms is None:
            self._happen(receipt)
        return receipt

    # ------------------------------------------------------------------------------------------- what it tells

    def news(self) -> list[News]:
        """What happened since the last call, oldest first."""
        news, self._news = self._news, []
        return news

    def prints(self) -> list[Print]:
        """What the tape printed since the last call, oldest first."""
        prints, self._prints = self._prints, []
        return prints

    @property
    def due_ms(self) -> int | None:
        """When something is to happen that no market movement brings about."""
        return self._due[0][0] if self._due else None

    def shown(self, pair: str) -> Depth:
        """What everybody sees: the market without what was taken, and all resting orders."""
        book = self._books[pair]
        return Depth(self._shown_side(book, Side.BUY), self._shown_side(book, Side.SELL))

    def listing(self, pair: str) -> Listing:
        return self._books[pair].listing

    def is_trading(self, pair: str) -> bool:
        return pair in self.source.listings and not self.source.is_ended

    def last_ticks(self, pair: str) -> int | None:
        recent = self.source.recent(pair)
        return recent[-1].ticks if recent else None

    def price_band(self, pair: str) -> tuple[Decimal, Decimal] | None:
        """Lowest and highest limit price, from the last price; nothing as long as nothing was printed."""
        last = self.last_ticks(pair)
        if last is None:
            return None
        price = self._books[pair].listing.price(last)
        return price / PRICE_BAND, min(price * PRICE_BAND, PRICE_MAX)

    def orders_of(self, account_id: int) -> Iterator[Order]:
        """Newest first."""
        return (order for order in reversed(self.orders.values()) if order.accepted.account_id == account_id)

    def open_orders_of(self, account_id: int) -> Sequence[Order]:
        """Oldest first."""
        resting = (order for book in self._books.values() for side in book.resting.values() for order in side)
        return sorted(
            (order for order in resting if order.accepted.account_id == account_id),
            key=lambda order: order.accepted.order_id,
        )

    # ------------------------------------------------------------------------------------------- judging a request

    def _judge(self, account_id: int, request: OrderRequest) -> tuple[Refusal | None, Decimal]:
        """The first reason to refuse, or what the order must hold."""
        book = self._books.get(request.pair)
        if book is None:
            return Refusal.PAIR_UNKNOWN, ZERO
        is_market = request.method is Method.MARKET
        if not self.is_trading(request.pair):
            return (Refusal.MARKET_CLOSED if is_market else Refusal.LIMIT_CLOSED), ZERO
        if request.quantity <= 0 or len(request.client_order_id) > CLIENT_ORDER_ID_LENGTH_MAX:
            return Refusal.PARAMETER, ZERO
        refusal = self._judge_market(book, request) if is_market else self._judge_limit(book, request)
        if refusal is not None:
            return refusal, ZERO
        listing, account = book.listing, self.accounts[account_id]
        if request.side is Side.SELL:
            asset, held = listing.base, request.quantity
        elif is_market:
            asset, held = listing.quote, request.quantity
        else:
            asset, held = listing.quote, request.price * request.quantity * (1 + self._taker_rate(listing))
        if held > account.total(asset):
            return Refusal.BALANCE, ZERO
        return (Refusal.BALANCE_HELD, ZERO) if held > account.available(asset) else (None, held)

    def _judge_limit(self, book: _Book, request: OrderRequest) -> Refusal | None:
        listing = book.listing
        if request.price <= 0:
            return Refusal.PARAMETER
        if listing.lots(request.quantity) is None:
            return Refusal.QUANTITY_SCALE
        if listing.ticks(request.price) is None:
            return Refusal.PRICE_SCALE
        band = self.price_band(listing.pair)
        if band is not None and request.price > band[1]:
            return Refusal.PRICE_ABOVE
        if band is not None and request.price < band[0]:
            return Refusal.PRICE_BELOW
        return Refusal.TOO_SMALL if request.price * request.quantity < listing.notional_min else None

    def _judge_market(self, book: _Book, request: OrderRequest) -> Refusal | None:
        listing = book.listing
        opposite = Side.SELL if request.side is Side.BUY else Side.BUY
        first = next(self._walk(book, opposite, self._others(book, opposite, None)), None)
        if first is None:
            return Refusal.MARKET_CLOSED
        if request.side is Side.BUY:
            if listing.ticks(request.quantity) is None:  # quote to spend goes by the price scale (protocol 6.1)
                return Refusal.QUANTITY_SCALE
            notional = request.quantity
        else:
            if listing.lots(request.quantity) is None:
                return Refusal.QUANTITY_SCALE
            notional = request.quantity * listing.price(first[0])
        return Refusal.TOO_SMALL if notional < listing.notional_min else None

    # ------------------------------------------------------------------------------------------- matching

    def _take(self, book: _Book, order: Order, limit_ticks: int, now_ms: int) -> None:
        """Take what others offer at the limit or better, best price first."""
        is_buy = order.accepted.side is Side.BUY
        opposite = Side.SELL if is_buy else Side.BUY
        for ticks, lots, maker in self._walk(book, opposite, self._others(book, opposite, order.accepted.account_id)):
            if (ticks > limit_ticks) if is_buy else (ticks < limit_ticks):
                break
            wanted = self._lots_affordable(book, order, ticks) if order.is_market_buy else order.left_lots
            traded = min(lots, wanted)
            if traded == 0:
                break
            if maker is None:
                book.take(opposite, ticks, traded)
            else:
                self._match(book, maker, ticks, traded, Liquidity.MAKER, now_ms)
            self._match(book, order, ticks, traded, Liquidity.TAKER, now_ms)
            if not order.is_open:
                break

    def _take_at_market(self, book: _Book, order: Order, now_ms: int) -> None:
        is_buy = order.accepted.side is Side.BUY
        opposite = Side.SELL if is_buy else Side.BUY
        first = next(self._walk(book, opposite, self._others(book, opposite, order.accepted.account_id)), None)
        if first is not None:
            guard = 1 + MARKET_GUARD if is_buy else 1 - MARKET_GUARD
            limit = int(first[0] * guard)
            self._take(book, order, limit, now_ms)
            if order.is_market_buy and self._lots_affordable(book, order, first[0]) == 0:
                self._happen(OrderClosed(order.accepted.order_id, now_ms))
        if order.is_open:
            self._happen(OrderCanceled(order.accepted.order_id, now_ms))
        if order.held:
            self._happen(HoldReleased(order.accepted.order_id, order.held, now_ms))

    def _lots_affordable(self, book: _Book, order: Order, ticks: int) -> int:
        """How much the rest of a market buy's amount pays for, fee included."""
        listing = book.listing
        cost = listing.price(ticks) * (1 + self._taker_rate(listing))
        return listing.lots_down(divide_down(order.held, cost, Decimal(1).scaleb(-listing.lot_decimals)))

    def _walk(self, book: _Book, side: Side, others: Sequence[Order]) -> Iterator[tuple[int, int, Order | None]]:
        """What one side offers in order of priority: price, lots, and whose they are (nobody's: the market's)."""
        if not others:
            for ticks in book.levels(side):
                if lots := book.source_lots(side, ticks):
                    yield ticks, lots, None
            return
        prices = sorted({*book.levels(side), *(order.ticks for order in others)}, reverse=side is Side.BUY)
        for ticks in prices:
            left, passed = book.source_lots(side, ticks), 0
            for order in [order for order in others if order.ticks == ticks]:
                ahead = min(max((order.queue_ahead or 0) - passed, 0), left)
                if ahead:
                    yield ticks, ahead, None
                    left, passed = left - ahead, passed + ahead
                yield ticks, order.left_lots, order
            if left:
                yield ticks, left, None

    def _others(self, book: _Book, side: Side, account_id: int | None) -> Sequence[Order]:
        return [order for order in book.resting[side] if order.accepted.account_id != account_id]

    def _meet(self, book: _Book, now_ms: int) -> None:
        """The market's book came to resting orders: it fills them, best price and longest wait first."""
        for side, opposite in ((Side.BUY, Side.SELL), (Side.SELL, Side.BUY)):
            for order in tuple(book.resting[side]):
                shown = book.source_lots(side, order.ticks)
                order.queue_ahead = shown if order.queue_ahead is None else min(order.queue_ahead, shown)
                for ticks in book.levels(opposite):
                    if (ticks > order.ticks) if side is Side.BUY else (ticks < order.ticks):
                        break
                    traded = min(book.source_lots(opposite, ticks), order.left_lots)
                    if traded:
                        book.take(opposite, ticks, traded)
                        self._match(book, order, order.ticks, traded, Liquidity.MAKER, now_ms)
                    if not order.is_open:
                        break

    def _trade_through(self, print_: Print) -> None:
        """A print takes from the queue at its price, and fills orders that it would have met before."""
        book = self._books[print_.pair]
        side = Side.SELL if print_.is_buy else Side.BUY
        lots, passed = print_.lots, 0
        for order in tuple(book.resting[side]):
            if (order.ticks < print_.ticks) if side is Side.BUY else (order.ticks > print_.ticks):
                break
            if order.ticks == print_.ticks:
                queue = order.queue_ahead or 0
                waited = min(max(queue - passed, 0), lots)
                lots, passed = lots - waited, passed + waited
                order.queue_ahead = max(queue - passed, 0)
            traded = min(order.left_lots, lots)
            if traded:
                lots -= traded
                self._match(book, order, order.ticks, traded, Liquidity.MAKER, print_.at_ms)

    def _match(self, book: _Book, order: Order, ticks: int, lots: int, liquidity: Liquidity, now_ms: int) -> None:
        listing, accepted = book.listing, order.accepted
        price, quantity = listing.price(ticks), listing.quantity(lots)
        rates = RATES[listing.quote]
        taken = charge(price * quantity, rates.taker if liquidity is Liquidity.TAKER else rates.maker)
        if accepted.side is Side.SELL:
            released = quantity
        elif order.is_market_buy:
            taken = self._affordable(order, price * quantity, order.held, taken)
            released = min(price * quantity + taken.total, order.held)
        else:
            left = listing.quantity(order.left_lots - lots)
            released = order.held - accepted.price * left * (1 + rates.taker)
            taken = self._affordable(order, price * quantity, released, taken)
        self._happen(
            OrderMatched(
                self._next_trade_id, accepted.order_id, accepted.account_id, accepted.pair, accepted.side, price,
                quantity, taken.fee, taken.tax, liquidity, released, now_ms,
            )
        )  # fmt: skip

    def _affordable(self, order: Order, notional: Decimal, released: Decimal, taken: Charge) -> Charge:
        """Rounding up must not overdraw an account that has nothing left: then the tax gives way by that last digit."""
        quote = self._books[order.accepted.pair].listing.quote
        account = self.accounts[order.accepted.account_id]
        short = notional + taken.total - released - account.available(quote)
        return taken if short <= 0 else Charge(taken.fee, taken.tax - round_up(short, FEE_STEP))

    def _rest(self, book: _Book, order: Order) -> None:
        order.queue_ahead = book.source_lots(order.accepted.side, order.ticks)

    def _settle_due(self, now_ms: int) -> None:
        """Cancels that take effect, then holds that are released; what was settled otherwise is passed over."""
        while self._due and self._due[0][0] <= now_ms:
            due_ms, order_id = heapq.heappop(self._due)
            order = self.orders[order_id]
            if order.is_open and order.cancel_due_ms is not None:
                self._happen(OrderCanceled(order_id, due_ms))
            elif order.is_canceled and order.held:
                self._happen(HoldReleased(order_id, order.held, due_ms))

    def _shown_side(self, book: _Book, side: Side) -> Mapping[int, int]:
        levels, resting = book.levels(side), book.resting[side]
        if not book.taken[side] and not resting:
            return levels if len(levels) <= LEVELS_MAX else dict(islice(levels.items(), LEVELS_MAX))
        shown = {ticks: lots for ticks in levels if (lots := book.source_lots(side, ticks))}
        if resting:
            for order in resting:
                shown[order.ticks] = shown.get(order.ticks, 0) + order.left_lots
            shown = dict(sorted(shown.items(), reverse=side is Side.BUY))
        return dict(islice(shown.items(), LEVELS_MAX))

    @staticmethod
    def _taker_rate(listing: Listing) -> Ratio:
        return RATES[listing.quote].taker

    # ------------------------------------------------------------------------------------------- the one way to change

    def _happen(self, happening: Happening) -> None:
        self._news.append(News(happening, self._apply(happening)))

    def _apply(self, happening: Happening) -> tuple[BalanceChange, ...]:
        match happening:
            case PairListed(pair=pair):
                listing = Listing(
                    pair, happening.pair_id, happening.base, happening.quote, happening.price_decimals,
                    happening.lot_decimals, happening.notional_min,
                )  # fmt: skip
                self._books[pair] = _Book(listing)
            case AccountFunded():
                account = self.accounts.setdefault(happening.account_id, Account(happening.account_id))
                return (account.change(happening.asset, total=happening.number),)
            case OrderAccepted():
                return self._apply_accepted(happening)
            case OrderMatched():
                return self._apply_matched(happening)
            case CancelAccepted():
                self.orders[happening.order_id].cancel_due_ms = happening.due_ms
                heapq.heappush(self._due, (happening.due_ms, happening.order_id))
            case OrderCanceled():
                order = self.orders[happening.order_id]
                order.is_canceled, order.updated_ms = True, happening.at_ms
                self._leave(order)
                heapq.heappush(self._due, (happening.at_ms + self.latency.release_ms, happening.order_id))
            case OrderClosed():
                order = self.orders[happening.order_id]
                order.is_closed, order.updated_ms = True, happening.at_ms
            case HoldReleased():
                order = self.orders[happening.order_id]
                order.held -= happening.number
                return (self._account(order).change(self._held_asset(order), held=-happening.number),)
        return ()

    def _apply_accepted(self, accepted: OrderAccepted) -> tuple[BalanceChange, ...]:
        listing = self._books[accepted.pair].listing
        is_limit = accepted.method is Method.LIMIT
        order = Order(
            accepted,
            ticks=(listing.ticks(accepted.price) or 0) if is_limit else 0,
            left_lots=0 if not is_limit and accepted.side is Side.BUY else (listing.lots(accepted.quantity) or 0),
            held=accepted.held,
            updated_ms=accepted.at_ms,
        )
        self.orders[accepted.order_id] = order
        self._next_order_id = accepted.order_id + 1
        if is_limit:
            sign = -1 if accepted.side is Side.BUY else 1
            insort(
                self._books[accepted.pair].resting[accepted.side],
                order,
                key=lambda resting: (sign * resting.ticks, resting.accepted.order_id),
            )
        return (self._account(order).change(self._held_asset(order), held=accepted.held),)

    def _apply_matched(self, match: OrderMatched) -> tuple[BalanceChange, ...]:
        order = self.orders[match.order_id]
        listing = self._books[match.pair].listing
        account = self._account(order)
        notional = match.price * match.quantity
        if match.side is Side.BUY:
            changes = (
                account.change(listing.quote, total=-(notional + match.fee + match.tax), held=-match.released),
                account.change(listing.base, total=match.quantity),
            )
        else:
            changes = (
                account.change(listing.base, total=-match.quantity, held=-match.released),
                account.change(listing.quote, total=notional - match.fee - match.tax),
            )
        order.held -= match.released
        order.filled += match.quantity
        order.spent += notional + match.fee + match.tax
        order.first_price = order.first_price or match.price
        order.updated_ms = match.at_ms
        self.matches.append(match)
        self._next_trade_id = match.trade_id + 1
        if not order.is_market_buy:
            order.left_lots -= listing.lots(match.quantity) or 0
            if order.left_lots == 0:
                order.is_closed = True
                self._leave(order)
        return changes

    def _leave(self, order: Order) -> None:
        resting = self._books[order.accepted.pair].resting[order.accepted.side]
        if order in resting:
            resting.remove(order)

    def _account(self, order: Order) -> Account:
        return self.accounts[order.accepted.account_id]

    def _held_asset(self, order: Order) -> Asset:
        listing = self._books[order.accepted.pair].listing
        return listing.quote if order.accepted.side is Side.BUY else listing.base
