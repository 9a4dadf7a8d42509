"""The admin host: the sandbox's own record and accounts, and faults on demand. Not part of the exchange's protocol."""

import json

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from btcbot.sandbox.answers import json_answer
from btcbot.sandbox.faults import Faults, MalformedFault
from btcbot.sandbox.floor import Floor

LINES_PER_ANSWER = 1_000


class Admin:
    def __init__(self, floor: Floor, faults: Faults) -> None:
        self._floor = floor
        self._faults = faults

    def routes(self) -> list[Route]:
        return [
            Route("/record", self.record, methods=["GET"]),
            Route("/accounts", self.accounts, methods=["GET"]),
            Route("/faults", self.faults, methods=["GET", "POST", "DELETE"]),
        ]

    async def record(self, request: Request) -> Response:
        """Everything after a number, as a list."""
        after, limit = (_count(request, name, default) for name, default in (("after", 0), ("limit", LINES_PER_ANSWER)))
        lines = self._floor.record.after(after, limit)
        return Response(f"[{','.join(lines)}]", media_type="application/json")

    async def accounts(self, request: Request) -> Response:
        self._floor.advance()
        return json_answer(
            [
                {
                    "account_id": account_id,
                    "balances": {
                        asset: {"total": str(balance.total), "held": str(balance.held)}
                        for asset, balance in account.balances().items()
                    },
                    "open_orders": [order.accepted.order_id for order in self._floor.venue.open_orders_of(account_id)],
                }
                for account_id, account in self._floor.venue.accounts.items()
            ]
        )

    async def faults(self, request: Request) -> Response:
        if request.method == "GET":
            return json_answer(self._faults.listed())
        if request.method == "DELETE":
            number = request.query_params.get("id", "")
            self._faults.remove(int(number) if number.isascii() and number.isdigit() else None)
            return json_answer(self._faults.listed())
        try:
            fault = self._faults.add(json.loads(await request.body()))
        except (MalformedFault, ValueError) as error:
            return json_answer({"message": str(error)}, 400)
        return json_answer(fault.described(), 201)


def _count(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else default
