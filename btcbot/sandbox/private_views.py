"""What the private endpoints show of orders and money (protocol 5). Views lag, as they do at the exchange."""

from collections.abc import Iterable
from itertools import islice

from starlette.responses import Response

from btcbot.domain.money import Asset, plain
from btcbot.domain.orders.intents import Side
from btcbot.sandbox.answers import failure, failure_without_data, pair_unknown, success
from btcbot.sandbox.desk import Ask
from btcbot.sandbox.faults import FaultName
from btcbot.sandbox.floor import Floor
from btcbot.sandbox.history import as_of
from btcbot.sandbox.public_api import required_pair
from btcbot.sandbox.rows import balance_row, listed_trade_row, open_order_row, order_row, transfer_row
from btcbot.simulation.happenings import Means, OrderMatched
from btcbot.simulation.orders import Order

ORDERS_PER_PAGE_MAX = 1_000
ROWS_MAX = 200  # of users/transactions
DAYS_BACK = 30
DAY_MS = 86_400_000
DIGITS_MAX = 18


class PrivateViews:
    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._profile = floor.profile

    # ------------------------------------------------------------------------------------------- orders

    def order(self, ask: Ask) -> Response:
        moment_ms = self._moment_of_orders(ask)
        order_id = whole_number(ask.path["order_id"])
        order = self._floor.venue.orders.get(order_id) if order_id is not None else None
        was = None if order is None else as_of(order, moment_ms)
        if was is None or was.accepted.account_id != ask.caller.account_id:
            return failure("Order not found", 1152)
        shown = order_row(self._floor, was)
        if was.first_price:
            shown["price"] = plain(was.first_price)  # the first trade's, not an average (protocol 5.4)
        return success(shown)

    def open_orders(self, ask: Ask) -> Response:
        moment_ms = self._moment_of_orders(ask)
        wanted = ask.get("pairSymbol")
        pair = None if wanted is None else self._floor.pair(wanted)
        if wanted is not None and pair is None:
            return pair_unknown(wanted)
        sides: dict[Side, list[object]] = {Side.BUY: [], Side.SELL: []}
        for order in self._floor.history.open_orders(ask.caller.account_id, pair, moment_ms):
            sides[order.accepted.side].append(open_order_row(self._floor, order))
        return success({"asks": sides[Side.SELL], "bids": sides[Side.BUY]})

    def all_orders(self, ask: Ask) -> Response:
        """Times are seconds, whatever the documentation says of all times (protocol 5.6)."""
        moment_ms = self._moment_of_orders(ask)
        pair = required_pair(self._floor, ask.get("pairSymbol"))
        if isinstance(pair, Response):
            return pair
        start, end, first_id = (whole_number(ask.get(name)) for name in ("startTime", "endTime", "orderId"))
        if start is not None and start > self._floor.now_ms() // 1000:
            return failure("startTime cannot be bigger than current unix timestamp.", 1038)
        start_ms = 0 if start is None else start * 1000 + (0 if self._profile.is_start_inclusive else 1000)
        limit = min(whole_number(ask.get("limit")) or self._profile.orders_per_page, ORDERS_PER_PAGE_MAX)
        page = max((whole_number(ask.get("page")) or 0) - self._profile.first_page, 0)
        orders = (
            was
            for order in self._orders(ask.caller.account_id, pair)
            if order.accepted.at_ms >= start_ms
            and (end is None or order.accepted.at_ms < (end + 1) * 1000)
            and (first_id is None or order.accepted.order_id >= first_id)
            and (was := as_of(order, moment_ms)) is not None
        )
        return success([order_row(self._floor, order) for order in islice(orders, page * limit, (page + 1) * limit)])

    def _orders(self, account_id: int, pair: str) -> Iterable[Order]:
        newest_first = self._floor.venue.orders_of(account_id, pair)
        return reversed(tuple(newest_first)) if self._profile.is_oldest_first else newest_first

    def _moment_of_orders(self, ask: Ask) -> int:
        """The moment whose orders are shown now."""
        return self._floor.advance() - self._profile.lags.order_ms - _lag_ms(ask, FaultName.LAGGING_ORDERS)

    # ------------------------------------------------------------------------------------------- money

    def balances(self, ask: Ask) -> Response:
        now_ms = self._floor.advance()
        account = self._floor.venue.accounts[ask.caller.account_id]
        moment_ms = now_ms - self._profile.lags.balance_ms - _lag_ms(ask, FaultName.LAGGING_BALANCES)
        holds_moment_ms = min(moment_ms, now_ms - _lag_ms(ask, FaultName.LAGGING_HOLDS))
        rows = []
        for asset in self._assets(account.totals):
            total, held = self._floor.history.balance(account.account_id, asset, moment_ms)
            if holds_moment_ms < moment_ms:
                held = min(total, self._floor.history.balance(account.account_id, asset, holds_moment_ms)[1])
            requested = min(account.withdrawn(asset), held)
            rows.append(balance_row(self._floor, asset, total, held, requested, now_ms))
        return success(rows)

    def _assets(self, held: Iterable[Asset]) -> list[Asset]:
        """Every asset that is listed or held, quotes first."""
        listings = self._floor.listings.values()
        listed = [*(listing.quote for listing in listings), *(listing.base for listing in listings)]
        return list(dict.fromkeys([*listed, *held]))

    def user_trades(self, ask: Ask) -> Response:
        """By order alone, or by filters; newest first, 200 rows at most, and late (protocol 5.7)."""
        moment_ms = self._moment_of_trades(ask)
        order_id = whole_number(ask.get("orderId"))
        matches = self._matches_of_order(ask, order_id) if order_id is not None else self._matches_filtered(ask)
        shown = (match for match in matches if match.at_ms <= moment_ms)
        return success([listed_trade_row(self._floor, match) for match in islice(shown, ROWS_MAX)], "SUCCESS")

    def user_trade(self, ask: Ask) -> Response:
        """One trade by its id: named by the server's own description alone, so its shape is a guess."""
        moment_ms = self._moment_of_trades(ask)
        trade_id = whole_number(ask.path["trade_id"], digits_max=DIGITS_MAX + 1)
        own = reversed(self._floor.venue.matches_of(ask.caller.account_id))
        match = next((match for match in own if match.trade_id == trade_id and match.at_ms <= moment_ms), None)
        if match is None:
            return failure_without_data("INVALID_REQUEST_ERROR", 1037)
        return success(listed_trade_row(self._floor, match), "SUCCESS")

    def crypto_transfers(self, ask: Ask) -> Response:
        return self._transfers(ask, Means.CRYPTO)

    def fiat_transfers(self, ask: Ask) -> Response:
        return self._transfers(ask, Means.FIAT)

    def _transfers(self, ask: Ask, means: Means) -> Response:
        self._floor.advance()
        if ask.get("symbol") == "":
            return failure_without_data("currencySymbol parameter must be set", 1037)
        directions, symbols = _words(ask, "type"), _words(ask, "symbol")
        start, end = self._span(ask)
        transfers = (
            transfer
            for transfer in reversed(self._floor.venue.transfers_of(ask.caller.account_id))
            if transfer.means is means
            and (not directions or transfer.direction in directions)
            and (not symbols or transfer.asset.lower() in symbols)
            and start <= transfer.at_ms <= end
        )
        return success([transfer_row(self._floor, transfer) for transfer in islice(transfers, ROWS_MAX)], "SUCCESS")

    def _matches_of_order(self, ask: Ask, order_id: int) -> Iterable[OrderMatched]:
        order = self._floor.venue.orders.get(order_id)
        is_own = order is not None and order.accepted.account_id == ask.caller.account_id
        return order.matches[::-1] if order is not None and is_own else ()

    def _matches_filtered(self, ask: Ask) -> Iterable[OrderMatched]:
        wanted = ask.get("pairSymbol")
        pair = None if wanted is None else self._floor.pair(wanted)
        sides, symbols = _words(ask, "type"), _words(ask, "symbol")
        start, end = self._span(ask)
        for match in reversed(self._floor.venue.matches_of(ask.caller.account_id)):
            if match.at_ms < start:
                return
            if (
                match.at_ms <= end
                and (wanted is None or match.pair == pair)
                and (not sides or match.side in sides)
                and (not symbols or self._floor.venue.listing(match.pair).base.lower() in symbols)
            ):
                yield match

    def _moment_of_trades(self, ask: Ask) -> int:
        return self._floor.advance() - self._profile.lags.trade_ms - _lag_ms(ask, FaultName.LAGGING_TRADES)

    def _span(self, ask: Ask) -> tuple[int, int]:
        """First and last millisecond that are asked for: the last thirty days where nothing is said."""
        now_ms = self._floor.now_ms()
        start, end = (whole_number(ask.get(name)) for name in ("startDate", "endDate"))
        return now_ms - DAYS_BACK * DAY_MS if start is None else start, now_ms if end is None else end


def whole_number(text: str | None, *, digits_max: int = DIGITS_MAX) -> int | None:
    """A whole number of a query or path; nothing for anything else."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= digits_max else None


def _lag_ms(ask: Ask, fault: FaultName) -> int:
    struck = ask.strike(fault)
    return 0 if struck is None else int(struck.seconds * 1000)


def _words(ask: Ask, name: str) -> list[str]:
    return [text.lower() for text in ask.all(name)]
