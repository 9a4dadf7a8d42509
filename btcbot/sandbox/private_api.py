"""The private endpoints of the api host (protocol 5): which there are, and what is done to orders."""

from starlette.responses import Response
from starlette.routing import Route

from btcbot.sandbox.answers import failure, json_answer, order_refused, page
from btcbot.sandbox.desk import Ask, Desk
from btcbot.sandbox.faults import FaultName
from btcbot.sandbox.floor import Floor
from btcbot.sandbox.order_requests import read_order
from btcbot.sandbox.private_views import PrivateViews, whole_number
from btcbot.sandbox.profiles import Shapes
from btcbot.sandbox.rows import receipt
from btcbot.simulation.orders import Refusal

WEB_METHODS = ("GET", "POST", "PUT", "DELETE")
WEB_PATHS = (
    "/api/v1/withdrawals/{rest:path}", "/api/v2/order", "/api/v2/order/{rest:path}", "/api/v2/openOrders",
    "/api/v2/allOrders", "/api/v2/users/{rest:path}", "/api/v3/account/{rest:path}",
)  # fmt: skip


class PrivateApi:
    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._profile = floor.profile

    def routes(self, desk: Desk) -> list[Route]:
        views, transactions = PrivateViews(self._floor), "/api/v1/users/transactions"
        return [
            desk.private("/api/v1/users/balances", {"GET": ("balances", views.balances)}),
            desk.private("/api/v1/order", {"POST": ("submit", self.submit), "DELETE": ("cancel", self.cancel)}),
            desk.private("/api/v1/order/{order_id}", {"GET": ("order", views.order)}),
            desk.private("/api/v1/openOrders", {"GET": ("open_orders", views.open_orders)}),
            desk.private("/api/v1/allOrders", {"GET": ("all_orders", views.all_orders)}),
            desk.private(f"{transactions}/trade", {"GET": ("user_trades", views.user_trades)}),
            desk.private(f"{transactions}/trade/{{trade_id}}", {"GET": ("user_trades", views.user_trade)}),
            desk.private(f"{transactions}/crypto", {"GET": ("transfers_crypto", views.crypto_transfers)}),
            desk.private(f"{transactions}/fiat", {"GET": ("transfers_fiat", views.fiat_transfers)}),
            *(desk.private(path, dict.fromkeys(WEB_METHODS, ("web_login", _never))) for path in WEB_PATHS),
        ]

    def submit(self, ask: Ask) -> Response:
        if not ask.is_json:
            return Response(status_code=415)
        wanted = read_order(ask.body, ask.query, self._floor)
        if isinstance(wanted, Response):
            return wanted
        if isinstance(wanted, Refusal):
            return self._refused(wanted)
        if not wanted.request.method.has_limit and ask.strike(FaultName.MARKET_ORDERS_OFF):
            return self._refused(Refusal.METHOD)
        account_id = ask.caller.account_id
        if (late := ask.strike(FaultName.ORDER_ACCEPTED_LATE)) is not None:
            self._floor.submit_later(account_id, wanted.request, float(late.seconds))
            return page(late.status or 504)
        answer = self._floor.submit(account_id, wanted.request)
        if isinstance(answer, Refusal):
            return self._refused(answer)
        if ask.strike(FaultName.ORDER_DOUBLED):
            self._floor.submit(account_id, wanted.request)
        data = receipt(self._floor, self._floor.venue.orders[answer.order_id], wanted.texts)
        if self._profile.shapes is Shapes.NOW:
            return json_answer({"httpStatusCode": 200, "data": data, "success": True, "message": "SUCCESS", "code": 0})
        return json_answer({"data": data, "success": True, "message": "OK", "code": 0})

    def cancel(self, ask: Ask) -> Response:
        """Only an id in the query counts (protocol 5.3)."""
        order_id = whole_number(ask.get("id"))
        account_id = ask.caller.account_id
        if order_id is None:
            return self._not_canceled(Refusal.CANCEL_UNKNOWN)
        if ask.strike(FaultName.CANCEL_BLOCKED):
            return self._not_canceled(Refusal.CANCEL_BLOCKED)
        if ask.strike(FaultName.CANCEL_LOST):
            return self._receipt()
        is_overtaken = ask.strike(FaultName.FILLED_WHILE_CANCELING) is not None
        answer = self._floor.cancel(account_id, order_id)
        if isinstance(answer, Refusal):
            return self._not_canceled(answer)
        if is_overtaken:
            self._floor.force_fill(order_id)
        return self._receipt()

    def _receipt(self) -> Response:
        """Accepted, not done; and of the order it says nothing."""
        if self._profile.shapes is Shapes.NOW:
            return json_answer({"success": True, "message": "SUCCESS", "code": 0})
        return json_answer({"success": True, "message": "SUCCESS", "code": "", "data": {}})

    def _refused(self, refusal: Refusal) -> Response:
        return order_refused(refusal.message, self._profile.numbering.number(refusal.code))

    def _not_canceled(self, refusal: Refusal) -> Response:
        return failure(refusal.message, self._profile.numbering.number(refusal.code))


def _never(_ask: Ask) -> Response:
    """No key opens what needs the web login, or moves money out (protocol 1, 5.9)."""
    raise AssertionError("no permission opens this endpoint")
