"""What the venue says to a request before anything happens: the first reason to refuse it, or what it has to hold.

In this order: is there such a pair, does it trade and take such orders; is the request well formed and on its grids;
does the price make sense; may this account add it; is there anybody to trade with, and is it enough; is there money.
"""

from decimal import Decimal

from btcbot.domain.money import Asset, Ratio, parse
from btcbot.domain.orders.intents import Side
from btcbot.simulation.books import Source
from btcbot.simulation.happenings import Method
from btcbot.simulation.listings import Listing
from btcbot.simulation.order_book import OPPOSITE, OrderBook
from btcbot.simulation.orders import OrderRequest, Refusal
from btcbot.simulation.rules import MarketRest, NotionalMin, QuoteDecimals, SameLabel, SelfTrade, VenueRules
from btcbot.simulation.state import State

MARKET_GUARD_PERCENT = 5  # a market order stops this far from its first price (protocol 6.2)
PRICE_BAND = 10  # limit prices between a tenth and ten times the last one (protocol 4.1)
CLIENT_ORDER_ID_LENGTH_MAX = 50
QUOTE_DECIMALS_TWO = 2
NOTIONAL_MIN_ROUND = {Asset("TRY"): parse("100"), Asset("USDT"): parse("10")}


def guard_ticks(taker: Side, first_ticks: int) -> int:
    """The last price that a market order takes when it begins at `first_ticks`."""
    if taker is Side.BUY:
        return first_ticks * (100 + MARKET_GUARD_PERCENT) // 100
    return -(-first_ticks * (100 - MARKET_GUARD_PERCENT) // 100)


class Judge:
    def __init__(self, state: State, source: Source, rules: VenueRules) -> None:
        self._state = state
        self._source = source
        self._rules = rules

    def judge(self, account_id: int, request: OrderRequest) -> Refusal | Decimal:
        """What the order must hold, if it is taken."""
        book = self._state.books.get(request.pair)
        if book is None:
            return Refusal.PAIR_UNKNOWN
        if not self.is_trading(request.pair):
            return _closed(request)
        if request.method not in book.listing.order_methods:
            return Refusal.METHOD
        refusal = (
            self._refuses_form(book, request)
            or self._refuses_prices(book, request)
            or self._refuses_account(account_id, request)
        )
        if refusal is not None:
            return refusal
        asset, held = self._hold(book.listing, account_id, request)
        if not request.method.is_stop:
            refusal = self._refuses_company(book, account_id, request)
        elif self._notional(book, request) < self._notional_min(book.listing):
            refusal = Refusal.TOO_SMALL
        if refusal is not None:
            return refusal
        account = self._state.accounts[account_id]
        if held > account.total(asset):
            return Refusal.BALANCE
        return Refusal.BALANCE_HELD if held > account.available(asset) else held

    def is_trading(self, pair: str) -> bool:
        is_listed = pair in self._source.listings and not self._source.is_ended
        return is_listed and not self._state.books[pair].is_frozen

    def last_ticks(self, pair: str) -> int | None:
        recent = self._source.recent(pair)
        return recent[-1].ticks if recent else None

    def price_band(self, pair: str) -> tuple[Decimal, Decimal] | None:
        """Lowest and highest limit price, from the last price; nothing as long as nothing was printed."""
        last = self.last_ticks(pair)
        if last is None:
            return None
        listing = self._state.books[pair].listing
        price = listing.price(last)
        return price / PRICE_BAND, price * PRICE_BAND

    def is_in_quote(self, request: OrderRequest) -> bool:
        """Its quantity is money to spend (protocol 6.1); for a stop-market buy that is not certain (A8)."""
        if request.side is Side.SELL or request.method.has_limit:
            return False
        return request.method is Method.MARKET or self._rules.is_stop_buy_in_quote

    def is_in_base(self, request: OrderRequest) -> bool:
        """A buy at the market whose quantity is base after all."""
        return request.side is Side.BUY and not request.method.has_limit and not self.is_in_quote(request)

    # ------------------------------------------------------------------------------------------- reasons

    def _refuses_form(self, book: OrderBook, request: OrderRequest) -> Refusal | None:
        """Signs, lengths and grids."""
        listing, method = book.listing, request.method
        if request.quantity <= 0 or len(request.client_order_id) > CLIENT_ORDER_ID_LENGTH_MAX:
            return Refusal.PARAMETER
        if (method.has_limit and request.price <= 0) or (method.is_stop and request.stop_price <= 0):
            return Refusal.PARAMETER
        if self.is_in_quote(request):
            if (request.quantity.scaleb(self._quote_decimals(listing)) % 1) != 0:
                return Refusal.QUANTITY_SCALE
        elif listing.lots(request.quantity) is None:
            return Refusal.QUANTITY_SCALE
        price = listing.ticks(request.price)  # a market order's as well, if one was sent
        if price is None or (self._rules.is_tick_enforced and price % listing.tick_ticks):
            return Refusal.PRICE_SCALE
        stop = listing.ticks(request.stop_price) if method.is_stop else 0
        if stop is None or (self._rules.is_tick_enforced and stop % listing.tick_ticks):
            return Refusal.STOP_SCALE
        return None

    def _refuses_prices(self, book: OrderBook, request: OrderRequest) -> Refusal | None:
        """A stop on the wrong side of the market (protocol 6.4); a limit above the static bound or outside the band, of
        which either may be the narrower one (protocol 4.1).
        """
        if request.method.is_stop:
            stop, touch = book.listing.ticks(request.stop_price) or 0, book.touch(request.side)
            if request.side is Side.BUY:
                if touch is not None and stop < touch:
                    return Refusal.STOP_BELOW_BID
            elif touch is not None and stop > touch:
                return Refusal.STOP_ABOVE_ASK
        if not request.method.has_limit:
            return None
        if request.price > book.listing.price_max:
            return Refusal.PRICE_ABOVE
        band = self.price_band(request.pair)
        if band is not None and request.price > band[1]:
            return Refusal.PRICE_FAR_ABOVE
        return Refusal.PRICE_FAR_BELOW if band is not None and request.price < band[0] else None

    def _refuses_account(self, account_id: int, request: OrderRequest) -> Refusal | None:
        """What is refused because of what the account did before (A1, A13). A market order is never open."""
        rules, state = self._rules, self._state
        if rules.same_label is SameLabel.REFUSED and request.client_order_id in state.labels[account_id]:
            return Refusal.LABEL_IN_USE
        if rules.open_orders_max is not None and request.method is not Method.MARKET:
            there = sum(order.accepted.pair == request.pair for order in state.open_orders[account_id].values())
            if there >= rules.open_orders_max:
                return _closed(request)
        return None

    def _refuses_company(self, book: OrderBook, account_id: int, request: OrderRequest) -> Refusal | None:
        """Too small; nobody there for a market order, or not enough (A6); only the account itself (A12)."""
        listing, rules, is_market = book.listing, self._rules, request.method is Method.MARKET
        opposite = OPPOSITE[request.side]
        passed_over = account_id if rules.self_trade is SelfTrade.PASSED_OVER else None
        first = next(book.offers(opposite, None, passed_over), None) if is_market else None
        if is_market and first is None:
            return Refusal.MARKET_NOT_EXECUTED
        notional = self._notional(book, request, first[0] if first is not None else 0)
        if notional < self._notional_min(listing):
            return Refusal.TOO_SMALL
        is_rest_refused = is_market and rules.market_rest is MarketRest.REFUSED
        if is_rest_refused or rules.self_trade is SelfTrade.REFUSED:
            limit = guard_ticks(request.side, first[0]) if first is not None else listing.ticks(request.price) or 0
            is_filled, is_met = self._foreseen(book, account_id, request, limit, passed_over)
            if (is_rest_refused and not is_filled) or (rules.self_trade is SelfTrade.REFUSED and is_met):
                return _closed(request)
        return None

    def _foreseen(
        self, book: OrderBook, account_id: int, request: OrderRequest, limit: int, passed_over: int | None
    ) -> tuple[bool, bool]:
        """Whether the order would be filled at once, and whether it would meet one of its own account on the way."""
        listing, left, is_met = book.listing, request.quantity, False
        cost = 1 + self._taker(listing, account_id)
        for ticks, grains, owner in book.offers(OPPOSITE[request.side], limit, passed_over):
            quantity = listing.quantity_of_grains(grains)
            left -= quantity * listing.price(ticks) * cost if self.is_in_quote(request) else quantity
            is_met = is_met or (owner is not None and owner.accepted.account_id == account_id)
            if left <= 0:
                return True, is_met
        return False, is_met

    # ------------------------------------------------------------------------------------------- figures

    def _hold(self, listing: Listing, account_id: int, request: OrderRequest) -> tuple[Asset, Decimal]:
        """Base for a sell; for a buy the money it may spend, at the taker's rate (protocol 7).

        A stop-market buy that counts base holds what it costs as far as the guard goes from its stop price.
        """
        if request.side is Side.SELL:
            return listing.base, request.quantity
        if self.is_in_quote(request):
            return listing.quote, request.quantity
        price = request.price
        if not request.method.has_limit:
            price = request.stop_price * (100 + MARKET_GUARD_PERCENT) / 100
        return listing.quote, price * request.quantity * (1 + self._taker(listing, account_id))

    def _notional(self, book: OrderBook, request: OrderRequest, first_ticks: int = 0) -> Decimal:
        """Held against the minimum: a limit at its price, a stop at its stop price, a market sell at the first one."""
        if self.is_in_quote(request):
            return request.quantity
        if request.method.has_limit:
            return request.price * request.quantity
        price = request.stop_price if request.method.is_stop else book.listing.price(first_ticks)
        return price * request.quantity

    def _notional_min(self, listing: Listing) -> Decimal:
        is_listed = self._rules.notional_min is NotionalMin.LISTED
        return listing.notional_min if is_listed else NOTIONAL_MIN_ROUND[listing.quote]

    def _quote_decimals(self, listing: Listing) -> int:
        """Of money to spend: as many as prices have (protocol 6.1); unsettled where prices have none (A7)."""
        if not listing.has_fraction and self._rules.quote_decimals is QuoteDecimals.TWO:
            return QUOTE_DECIMALS_TWO
        return listing.price_decimals

    def _taker(self, listing: Listing, account_id: int) -> Ratio:
        return self._state.rates(account_id, listing.quote).taker


def _closed(request: OrderRequest) -> Refusal:
    return Refusal.LIMIT_NOT_PLACED if request.method.has_limit else Refusal.MARKET_NOT_EXECUTED
