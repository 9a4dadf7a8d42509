"""The private endpoints of the api host (protocol 5). Views lag as they do at the exchange."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from starlette.responses import Response
from starlette.routing import Route

from btcbot.domain.money import ZERO, Asset, parse, plain
from btcbot.domain.orders.intents import Side
from btcbot.sandbox.answers import failure, json_answer, order_refused, success
from btcbot.sandbox.desk import Ask, Desk
from btcbot.sandbox.faults import FaultName, Faults
from btcbot.sandbox.floor import Floor
from btcbot.sandbox.public_api import NAMES
from btcbot.sandbox.wire import padded
from btcbot.simulation.happenings import Method, OrderMatched
from btcbot.simulation.orders import Order, OrderRequest, Refusal

ORDERS_PER_PAGE, ORDERS_PER_PAGE_MAX = 100, 1_000
TRADES_MAX = 200
TRADES_DAYS = 30
DAY_MS = 86_400_000
_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,16})?", re.ASCII)
_METHODS = {"limit": Method.LIMIT, "market": Method.MARKET}
_STOPS = ("stoplimit", "stopmarket")


@dataclass(frozen=True, slots=True)
class Lags:
    """How long after the fact each view shows it."""

    order_ms: int = 200
    trade_ms: int = 1_500


class PrivateApi:
    def __init__(self, floor: Floor, faults: Faults, lags: Lags) -> None:
        self._floor = floor
        self._faults = faults
        self._lags = lags

    def routes(self, desk: Desk) -> list[Route]:
        return [
            desk.private("/api/v1/users/balances", {"GET": ("balances", self.balances)}),
            desk.private("/api/v1/order", {"POST": ("submit", self.submit), "DELETE": ("cancel", self.cancel)}),
            desk.private("/api/v1/order/{order_id}", {"GET": ("order", self.order)}),
            desk.private("/api/v1/openOrders", {"GET": ("open_orders", self.open_orders)}),
            desk.private("/api/v1/allOrders", {"GET": ("all_orders", self.all_orders)}),
            desk.private("/api/v1/users/transactions/trade", {"GET": ("user_trades", self.user_trades)}),
            desk.private("/api/v1/users/transactions/crypto", {"GET": ("transfers_crypto", self.transfers)}),
            desk.private("/api/v1/users/transactions/fiat", {"GET": ("transfers_fiat", self.transfers)}),
        ]

    # ------------------------------------------------------------------------------------------- orders

    def submit(self, ask: Ask) -> Response:
        if not ask.is_json:
            return Response(status_code=415)
        wanted = self._wanted(ask.body)
        if isinstance(wanted, Response):
            return wanted
        request, texts = wanted
        answer = self._floor.submit(ask.caller.account_id, request)
        if isinstance(answer, Refusal):
            return order_refused(answer)
        listing = self._floor.listings[request.pair]
        return json_answer(
            {
                "httpStatusCode": 200,
                "data": {
                    "id": answer.order_id,
                    "quantity": texts["quantity"],
                    "price": texts["price"] if request.method is Method.LIMIT else "0",
                    "stopPrice": "0",
                    "newOrderClientId": request.client_order_id,
                    "type": request.side,
                    "method": request.method,
                    "pairSymbol": listing.pair,
                    "pairSymbolNormalized": f"{listing.base}_{listing.quote}",
                    "datetime": answer.at_ms,
                },
                "success": True,
                "message": "SUCCESS",
                "code": 0,
            }
        )

    def _wanted(self, body: bytes) -> tuple[OrderRequest, Mapping[str, str]] | Response:
        """The order that a body asks for, and its numbers as they were written."""
        try:
            document = json.loads(body, parse_int=str, parse_float=str)
        except ValueError:
            return failure("INVALID_REQUEST", 1037)
        if not isinstance(document, dict) or not isinstance(document.get("pairSymbol"), str):
            return failure("INVALID_REQUEST", 1037)
        pair = self._floor.pair(document["pairSymbol"])
        if pair is None:
            return failure(f"Pair {document['pairSymbol'][:20]} does not exists.", 1037)
        side = str(document.get("orderType")).lower()
        method = str(document.get("orderMethod")).lower()
        if method in _STOPS:
            return order_refused(Refusal.METHOD)
        quantity, price = document.get("quantity"), document.get("price")
        if method == "market" and price is None:
            price = "0"
        client_order_id = document.get("newOrderClientId")
        if (
            side not in ("buy", "sell")
            or method not in _METHODS
            or not isinstance(quantity, str)
            or not isinstance(price, str)
            or _NUMBER.fullmatch(quantity) is None
            or _NUMBER.fullmatch(price) is None
            or not (client_order_id is None or isinstance(client_order_id, str))
        ):
            return order_refused(Refusal.PARAMETER)
        request = OrderRequest(
            pair,
            Side(side),
            _METHODS[method],
            parse(price) if method == "limit" else ZERO,
            parse(quantity),
            client_order_id or self._made_up_client_id(),
        )
        return request, {"quantity": quantity, "price": price}

    def _made_up_client_id(self) -> str:
        """The exchange makes one up when there is none (protocol 5.2); here it is a count."""
        count = f"{len(self._floor.venue.orders):032x}"
        return "-".join((count[:8], count[8:12], count[12:16], count[16:20], count[20:]))

    def cancel(self, ask: Ask) -> Response:
        order_id = _number(ask.get("id"))
        facts = {"endpoint": "cancel", "key": ask.caller.key.name}
        receipt = json_answer({"success": True, "message": "SUCCESS", "code": 0})
        if order_id is not None and self._faults.strike(FaultName.CANCEL_LOST, facts):
            return receipt
        answer = Refusal.CANCEL_UNKNOWN if order_id is None else self._floor.cancel(ask.caller.account_id, order_id)
        return failure(answer.message, answer.code) if isinstance(answer, Refusal) else receipt

    def order(self, ask: Ask) -> Response:
        self._floor.advance()
        order_id = _number(ask.path.get("order_id"))
        order = self._floor.venue.orders.get(order_id) if order_id is not None else None
        if order is None or order.accepted.account_id != ask.caller.account_id or not self._is_visible(order):
            return failure("Order not found", 1152)
        shown = self._shown(order)
        if order.first_price:
            shown["price"] = plain(order.first_price)  # the first trade's, not an average (protocol 5.4)
        return success(shown)

    def open_orders(self, ask: Ask) -> Response:
        self._floor.advance()
        wanted = ask.get("pairSymbol")
        pair = None if wanted is None else self._floor.pair(wanted)
        if wanted is not None and pair is None:
            return failure(f"Pair {wanted[:20]} does not exists.", 1037)
        orders = [
            order
            for order in self._floor.venue.open_orders_of(ask.caller.account_id)
            if (pair is None or order.accepted.pair == pair) and self._is_visible(order)
        ]
        rows = {
            side: [self._shown(order) | {"time": 0} for order in orders if order.accepted.side is side] for side in Side
        }
        return success({"asks": rows[Side.SELL], "bids": rows[Side.BUY]})

    def all_orders(self, ask: Ask) -> Response:
        """Newest first. Times are seconds (protocol 5.6)."""
        now_ms = self._floor.advance()
        wanted = ask.get("pairSymbol")
        if not wanted:
            return failure("INVALID_REQUEST_ERROR", 1037)
        pair = self._floor.pair(wanted)
        if pair is None:
            return failure(f"Pair {wanted[:20]} does not exists.", 1037)
        start, end, first_id = (_number(ask.get(name)) for name in ("startTime", "endTime", "orderId"))
        if start is not None and start > now_ms // 1000:
            return failure("startTime cannot be bigger than current unix timestamp.", 1038)
        limit = min(_number(ask.get("limit")) or ORDERS_PER_PAGE, ORDERS_PER_PAGE_MAX)
        page = max(_number(ask.get("page")) or 1, 1)
        orders = [
            order
            for order in self._floor.venue.orders_of(ask.caller.account_id)
            if order.accepted.pair == pair
            and self._is_visible(order)
            and (first_id is None or order.accepted.order_id >= first_id)
            and (start is None or order.accepted.at_ms >= start * 1000)
            and (end is None or order.accepted.at_ms < (end + 1) * 1000)
        ]
        return success([self._shown(order) for order in orders[(page - 1) * limit : page * limit]])

    def _is_visible(self, order: Order) -> bool:
        return self._floor.now_ms() - order.accepted.at_ms >= self._lags.order_ms

    def _shown(self, order: Order) -> dict[str, object]:
        accepted = order.accepted
        listing = self._floor.venue.listing(accepted.pair)
        unspent = accepted.quantity - order.spent if order.is_market_buy else accepted.quantity
        return {
            "id": accepted.order_id,
            "price": plain(accepted.price if accepted.method is Method.LIMIT else order.first_price),
            "amount": plain(order.amount),
            "quantity": plain(unspent),
            "stopPrice": "0",
            "pairSymbol": accepted.pair,
            "pairSymbolNormalized": f"{listing.base}_{listing.quote}",
            "type": accepted.side,
            "method": accepted.method,
            "orderClientId": accepted.client_order_id,
            "time": accepted.at_ms,
            "updateTime": order.updated_ms,
            "status": order.status,
            "leftAmount": padded(order.left, 16),
        }

    # ------------------------------------------------------------------------------------------- money

    def balances(self, ask: Ask) -> Response:
        now_ms = self._floor.advance()
        account = self._floor.venue.accounts[ask.caller.account_id]
        held = account.balances()
        listings = self._floor.listings.values()
        assets = dict.fromkeys(
            [*(listing.quote for listing in listings), *(listing.base for listing in listings), *held]
        )  # fmt: skip
        return success([self._balance(asset, account.total(asset), account.held(asset), now_ms) for asset in assets])

    @staticmethod
    def _balance(asset: Asset, total: Decimal, held: Decimal, now_ms: int) -> dict[str, object]:
        return {
            "asset": asset,
            "assetname": NAMES.get(asset, asset),
            "balance": plain(total),
            "locked": plain(held),
            "free": plain(total - held),
            "orderFund": plain(held),
            "requestFund": "0",
            "precision": 2 if asset == "TRY" else 8,
            "timestamp": now_ms,
        }

    def user_trades(self, ask: Ask) -> Response:
        """By order alone, or by filters; newest first, 200 rows at most, and late (protocol 5.7)."""
        now_ms = self._floor.advance()
        order_id = _number(ask.get("orderId"))
        matches: Sequence[OrderMatched] = [
            match
            for match in reversed(self._floor.venue.matches)
            if match.account_id == ask.caller.account_id and match.at_ms + self._lags.trade_ms <= now_ms
        ]
        if order_id is not None:
            matches = [match for match in matches if match.order_id == order_id]
        else:
            wanted = ask.get("pairSymbol")
            pair = None if wanted is None else self._floor.pair(wanted)
            sides = [text.lower() for text in ask.all("type")]
            symbols = [text.upper() for text in ask.all("symbol")]
            start, end = _number(ask.get("startDate")), _number(ask.get("endDate"))
            start = now_ms - TRADES_DAYS * DAY_MS if start is None else start
            matches = [
                match
                for match in matches
                if (wanted is None or match.pair == pair)
                and (not sides or match.side in sides)
                and (not symbols or self._floor.venue.listing(match.pair).base in symbols)
                and start <= match.at_ms
                and (end is None or match.at_ms <= end)
            ]
        return success([self._trade(match) for match in matches[:TRADES_MAX]], "SUCCESS")

    def _trade(self, match: OrderMatched) -> dict[str, object]:
        return trade_row(self._floor, match)

    def transfers(self, ask: Ask) -> Response:
        """Nobody pays in or out here."""
        return success([], "SUCCESS")


def trade_row(floor: Floor, match: OrderMatched) -> dict[str, object]:
    """One of our trades, as REST and frame 423 tell it: amount signed, fee and tax negative on both sides."""
    listing = floor.venue.listing(match.pair)
    signed = match.quantity if match.side is Side.BUY else -match.quantity
    return {
        "id": match.trade_id,
        "timestamp": match.at_ms,
        "amount": plain(signed),
        "preciseAmount": signed,
        "fee": _negative(match.fee),
        "tax": _negative(match.tax),
        "price": plain(match.price),
        "numeratorSymbol": listing.base,
        "denominatorSymbol": listing.quote,
        "orderType": match.side,
        "orderId": match.order_id,
        "orderClientId": floor.venue.orders[match.order_id].accepted.client_order_id,
    }


def _negative(number: Decimal) -> str:
    return format(-number, "f") if number else "0"


def _number(text: str | None) -> int | None:
    """A whole number of a query; nothing for anything else."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 18 else None
