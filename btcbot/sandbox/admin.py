"""The admin host: the sandbox's own record and accounts, and faults on demand. Not part of the exchange's protocol.

| path         | method               | what                                                                           |
|--------------|----------------------|--------------------------------------------------------------------------------|
| `/`          | GET                  | a page for people: the record, the accounts, the faults (`record_page`)        |
| `/record`    | GET                  | lines as a list: `after=N`, `limit=N`, `kind=WORD` (repeatable)                |
| `/accounts`  | GET, POST            | all; a new account or key, answered with its secret                            |
| `/transfers` | POST                 | a deposit or withdrawal                                                        |
| `/faults`    | GET, POST, DELETE    | all; a new one; one (`id=N`) or all away                                       |
| `/halts`     | GET, POST, DELETE    | pairs that are halted; `pair=X` halts one, or lets it go on                    |

What a page of another site sends through the browser of whoever works on this machine is refused.
"""

import base64
import json
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from btcbot.domain.errors import BtcbotError
from btcbot.sandbox.accounts import Accounts
from btcbot.sandbox.answers import json_answer
from btcbot.sandbox.faults import Faults
from btcbot.sandbox.floor import Floor
from btcbot.sandbox.record_page import RecordPage
from btcbot.simulation.happenings import Transferred

LINES_PER_ANSWER = 1_000
HOSTS = ("127.0.0.1", "localhost")
PAGE_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "cache-control": "no-store",
}

Answer = Callable[[Request], Awaitable[Response]]


class Admin:
    def __init__(self, floor: Floor, faults: Faults, accounts: Accounts) -> None:
        self._floor = floor
        self._faults = faults
        self._accounts = accounts
        self._page = RecordPage(floor, faults, accounts)

    def routes(self) -> list[Route]:
        return [
            Route(path, _from_here(answer), methods=methods)
            for path, answer, methods in (
                ("/", self.page, ["GET"]),
                ("/record", self.record, ["GET"]),
                ("/accounts", self.accounts, ["GET", "POST"]),
                ("/transfers", self.transfers, ["POST"]),
                ("/faults", self.faults, ["GET", "POST", "DELETE"]),
                ("/halts", self.halts, ["GET", "POST", "DELETE"]),
            )
        ]

    async def page(self, request: Request) -> Response:
        kind = request.query_params.get("kind", "")
        after, before = (_whole(request.query_params.get(name)) for name in ("after", "before"))
        page = self._page.rendered(kind, after, before).encode("utf-8", "replace")  # clients may name orders oddly
        return HTMLResponse(page, headers=PAGE_HEADERS)

    async def record(self, request: Request) -> Response:
        """Everything after a number, as a list. A search for kinds is bounded: `X-Looked-Until` says how far it got."""
        after, limit = _whole(request.query_params.get("after")), _whole(request.query_params.get("limit"))
        kinds = request.query_params.getlist("kind")
        lines, until = self._floor.record.after(after or 0, LINES_PER_ANSWER if limit is None else limit, kinds)
        return Response(
            f"[{','.join(line for _, line in lines)}]",
            media_type="application/json",
            headers={"X-Looked-Until": str(until)},
        )

    async def accounts(self, request: Request) -> Response:
        if request.method == "GET":
            return json_answer(self._accounts.described())
        try:
            key = self._accounts.open(json.loads(await request.body()))
        except (BtcbotError, ValueError, RecursionError) as error:
            return json_answer({"message": str(error)}, 400)
        return json_answer(
            {
                "name": key.name, "account_id": key.account_id, "permissions": sorted(key.permissions),
                "key": key.public, "secret": base64.b64encode(key.secret).decode(),
            },
            201,
        )  # fmt: skip

    async def transfers(self, request: Request) -> Response:
        try:
            transfer = self._accounts.transfer(json.loads(await request.body()))
        except (BtcbotError, ValueError, RecursionError) as error:
            return json_answer({"message": str(error)}, 400)
        kind = transfer.direction if isinstance(transfer, Transferred) else "withdrawal"
        return json_answer({"transfer_id": transfer.transfer_id, "kind": kind}, 201)

    async def faults(self, request: Request) -> Response:
        if request.method == "GET":
            return json_answer(self._faults.listed())
        if request.method == "DELETE":
            self._faults.remove(_whole(request.query_params.get("id")))
            return json_answer(self._faults.listed())
        try:
            fault = self._faults.add(json.loads(await request.body()))
        except (BtcbotError, ValueError, RecursionError) as error:
            return json_answer({"message": str(error)}, 400)
        return json_answer(fault.described(), 201)

    async def halts(self, request: Request) -> Response:
        if request.method != "GET":
            pair = self._floor.pair(request.query_params.get("pair", ""))
            if pair is None:
                return json_answer({"message": "pair is one that the sandbox lists"}, 400)
            self._floor.set_frozen(pair, is_frozen=request.method == "POST")
        return json_answer([pair for pair in self._floor.listings if not self._floor.venue.is_trading(pair)])


def _from_here(answer: Answer) -> Answer:
    """Only for who names this machine, and for no page that came from elsewhere."""

    async def guarded(request: Request) -> Response:
        origin = request.headers.get("origin")
        if request.url.hostname not in HOSTS or (origin is not None and urlsplit(origin).hostname not in HOSTS):
            return Response(status_code=403)
        return await answer(request)

    return guarded


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 12 else None
