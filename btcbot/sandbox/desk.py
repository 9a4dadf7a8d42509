"""What every HTTP host does with a request before and after its own work: faults, limits, who it is, the record."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from btcbot.domain.events import Event
from btcbot.domain.ports import Observer
from btcbot.sandbox.admission import Admission, Caller, TurnedAway, shut_out
from btcbot.sandbox.answers import NoAnswer, too_many
from btcbot.sandbox.facts import facts_of
from btcbot.sandbox.faults import Fault, FaultName
from btcbot.sandbox.floor import Floor
from btcbot.sandbox.limits import Exceeded, RateLimits
from btcbot.sandbox.mishaps import Mishaps

BODY_BYTES_MAX = 64 * 1024

Query = Sequence[tuple[str, str]]
PublicWork = Callable[[Mapping[str, str]], Response]


@dataclass(frozen=True, slots=True)
class Ask:
    """A private request that got in. `query` may repeat a name."""

    caller: Caller
    query: Query
    path: Mapping[str, str]
    body: bytes
    is_json: bool
    strike: Callable[[FaultName], Fault | None] = field(repr=False)  # of the faults that match the request

    def get(self, name: str) -> str | None:
        return next((value for key, value in self.query if key == name), None)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.query if key == name]


PrivateWork = Callable[[Ask], Response]


class Desk:
    """Wraps the work of an endpoint into a route."""

    def __init__(
        self, floor: Floor, admission: Admission, limits: RateLimits, mishaps: Mishaps, observer: Observer
    ) -> None:  # fmt: skip
        self._floor = floor
        self._admission = admission
        self._limits = limits
        self._mishaps = mishaps
        self._observer = observer

    def public(self, path: str, endpoint: str, work: PublicWork) -> Route:
        async def answer(request: Request) -> Response:
            now_ms, ip = self._floor.now_ms(), _ip(request)
            if self._admission.is_shut_out(ip, now_ms):
                return shut_out()
            base = {"endpoint": endpoint, "method": "GET", "path": request.scope["path"]}
            query = request.query_params
            facts = self._facts(base, query.multi_items(), request.path_params, b"")
            ready = self._mishaps.before(facts)
            if ready is None and (exceeded := self._charge(endpoint, ip, None, now_ms)) is not None:
                ready = too_many(exceeded)
            return await self._mishaps.in_time(facts, ready or self._mishaps.spoiled(facts, work(query)))

        return _route(path, answer, ["GET"])

    def private(self, path: str, methods: Mapping[str, tuple[str, PrivateWork]]) -> Route:
        """`methods` gives endpoint and work by HTTP method."""

        async def answer(request: Request) -> Response:
            if self._admission.is_shut_out(_ip(request), self._floor.now_ms()):
                return shut_out()
            endpoint, work = methods[request.method]
            body = await _body(request)
            if body is None:
                return Response(status_code=413)
            key = self._admission.key(request.headers.get("x-pck", ""))
            now_ms, name = self._floor.now_ms(), key.name if key else None
            base = {"endpoint": endpoint, "method": request.method, "path": request.scope["path"], "key": name or ""}
            asked = {
                "key": name, "method": request.method, "path": base["path"],
                "query": request.scope["query_string"].decode("latin-1"), "body": body.decode("utf-8", "replace"),
            }  # fmt: skip
            number = self._floor.record.append("request", asked, now_ms)
            query = request.query_params.multi_items()
            facts = self._facts(base, query, request.path_params, body)
            response = self._mishaps.before(facts)
            if response is None:
                account = None if key is None else str(key.account_id)
                verdict = self._let_in(request, endpoint, account, now_ms)
                if isinstance(verdict, Caller):
                    response = work(self._ask(verdict, request, query, body, facts))
                else:
                    response = verdict
                response = self._mishaps.spoiled(facts, response)
            status = None if isinstance(response, NoAnswer) else response.status_code
            self._floor.record.append("answer", {"request": number, "status": status}, self._floor.now_ms())
            return await self._mishaps.in_time(facts, response)

        return _route(path, answer, methods)

    def is_shut_out(self, ip: str) -> bool:
        """Whether the edge lets nothing of an address through."""
        return self._admission.is_shut_out(ip, self._floor.now_ms())

    def is_known(self, public: str, message: str, signature: str) -> Caller | None:
        """The caller whose key signed a message; nobody if it did not."""
        return self._admission.signed(public, message, signature)

    def has_key(self, public: str) -> bool:
        return self._admission.key(public) is not None

    def _let_in(self, request: Request, endpoint: str, account: str | None, now_ms: int) -> Caller | Response:
        """Who asks, or what is answered instead."""
        ip = _ip(request)
        exceeded = self._charge(endpoint, ip, account, now_ms)
        if exceeded is not None:
            return too_many(exceeded)
        verdict = self._admission.admit(request.headers, ip, endpoint, now_ms)
        if isinstance(verdict, TurnedAway):
            self._observer.observed(Event.SANDBOX_REQUEST_REFUSED, endpoint=endpoint, reason=verdict.reason)
            return verdict.answer
        return verdict

    def _ask(
        self, caller: Caller, request: Request, query: Query, body: bytes, facts: Mapping[str, str]
    ) -> Ask:  # fmt: skip
        is_json = request.headers.get("content-type", "").lower().startswith("application/json")
        return Ask(caller, query, request.path_params, body, is_json, lambda name: self._mishaps.strike(name, facts))

    def _facts(
        self, base: dict[str, str], query: Query, path: Mapping[str, str], body: bytes
    ) -> Mapping[str, str]:  # fmt: skip
        """More than the base only where a fault could ask for it."""
        return facts_of(base, query, path, body, self._floor.venue.orders) if self._mishaps.are_possible() else base

    def _charge(self, endpoint: str, ip: str, account: str | None, now_ms: int) -> Exceeded | None:
        exceeded = self._limits.charge(endpoint, ip, account, now_ms)
        if exceeded is not None:
            self._observer.observed(Event.RATE_LIMITED, endpoint=endpoint, retry_after=exceeded.retry_after)
        return exceeded


async def _body(request: Request) -> bytes | None:
    """Nothing for one that is too long: the rest of it is not read."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            return None
    return body


def _ip(request: Request) -> str:
    client = request.scope.get("client")
    return client[0] if client else ""


def _route(path: str, answer: Callable[[Request], object], methods: Iterable[str]) -> Route:
    """HEAD comes with GET as starlette has it; at the exchange no method comes with another (protocol 4.7)."""
    route = Route(path, answer, methods=list(methods))
    route.methods = set(methods)
    return route
