"""What every HTTP host does with a request before and after its own work: faults, limits, who it is, the record."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from btcbot.domain.events import Event
from btcbot.domain.ports import Observer, Sleeper
from btcbot.sandbox.answers import NoAnswer, maintenance, page, too_many, unauthorized
from btcbot.sandbox.faults import FaultName, Faults
from btcbot.sandbox.floor import ACCOUNT_ID, Floor
from btcbot.sandbox.keys import ApiKey
from btcbot.sandbox.limits import Exceeded, Limit, RateLimits

STAMP_TOLERANCE_MS = 5_000
STAMP_DIGITS_MAX = 18
BODY_BYTES_MAX = 64 * 1024

PublicWork = Callable[[Mapping[str, str]], Response]


@dataclass(frozen=True, slots=True)
class Caller:
    key: ApiKey
    account_id: int


@dataclass(frozen=True, slots=True)
class Ask:
    """A private request that got in. `query` may repeat a name."""

    caller: Caller
    query: Sequence[tuple[str, str]]
    path: Mapping[str, str]
    body: bytes
    is_json: bool

    def get(self, name: str) -> str | None:
        return next((value for key, value in self.query if key == name), None)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.query if key == name]


PrivateWork = Callable[[Ask], Response]


class Desk:
    """Wraps the work of an endpoint into a route."""

    def __init__(
        self,
        floor: Floor,
        keys: Sequence[ApiKey],
        limits: RateLimits,
        faults: Faults,
        sleeper: Sleeper,
        observer: Observer,
    ) -> None:
        self._floor = floor
        self._keys = {key.public: key for key in keys}
        self._limits = limits
        self._faults = faults
        self._sleeper = sleeper
        self._observer = observer

    def public(self, path: str, endpoint: str, work: PublicWork) -> Route:
        async def answer(request: Request) -> Response:
            facts = {"endpoint": endpoint, "method": "GET", "path": request.url.path}
            ready = self._before(facts)
            if ready is None and (exceeded := self._charge(endpoint, request, None)) is not None:
                ready = too_many(exceeded)
            return ready or await self._late(facts, work(request.query_params))

        return Route(path, answer, methods=["GET"])

    def private(self, path: str, methods: Mapping[str, tuple[str, PrivateWork]]) -> Route:
        """`methods` gives endpoint and work by HTTP method."""

        async def answer(request: Request) -> Response:
            endpoint, work = methods[request.method]
            body = await request.body()
            if len(body) > BODY_BYTES_MAX:
                return Response(status_code=413)
            key = self._keys.get(request.headers.get("x-pck", ""))
            now_ms = self._floor.now_ms()
            number = self._floor.record.append(
                "request",
                {
                    "key": key.name if key else None, "method": request.method, "path": request.url.path,
                    "query": request.url.query, "body": body.decode("utf-8", "replace"),
                },
                now_ms,
            )  # fmt: skip
            facts = {"endpoint": endpoint, "method": request.method, "path": request.url.path}
            facts["key"] = key.name if key else ""
            response = self._before(facts) or self._work(request, body, key, endpoint, work)
            response = self._lose(facts, response)
            self._floor.record.append(
                "answer",
                {"request": number, "status": None if isinstance(response, NoAnswer) else response.status_code},
                self._floor.now_ms(),
            )
            return await self._late(facts, response)

        return Route(path, answer, methods=list(methods))

    def is_known(self, public: str, message: str, signature: str) -> Caller | None:
        """The caller whose key signed a message; nobody if it did not."""
        key = self._keys.get(public)
        if key is None or not _is_signed(key, message, signature):
            return None
        return Caller(key, ACCOUNT_ID)

    def has_key(self, public: str) -> bool:
        return public in self._keys

    def _work(self, request: Request, body: bytes, key: ApiKey | None, endpoint: str, work: PrivateWork) -> Response:
        exceeded = self._charge(endpoint, request, None if key is None else str(ACCOUNT_ID))
        if exceeded is not None:
            return too_many(exceeded)
        reason = self._refuses(request, key, endpoint)
        if reason is not None or key is None:
            self._observer.observed(Event.SANDBOX_REQUEST_REFUSED, endpoint=endpoint, reason=reason)
            return unauthorized(reason or "Invalid Request")
        is_json = request.headers.get("content-type", "").lower().startswith("application/json")
        return work(
            Ask(Caller(key, ACCOUNT_ID), request.query_params.multi_items(), request.path_params, body, is_json)
        )

    def _refuses(self, request: Request, key: ApiKey | None, endpoint: str) -> str | None:
        """Why a request is not let in (protocol 3)."""
        public, stamp, signature = (request.headers.get(name) for name in ("x-pck", "x-stamp", "x-signature"))
        if not public or not stamp or not signature:
            return "Headers are missing"
        if key is None:
            return "Invalid Public key"
        is_number = stamp.isascii() and stamp.isdigit() and len(stamp) <= STAMP_DIGITS_MAX
        if not is_number or abs(self._floor.now_ms() - int(stamp)) > STAMP_TOLERANCE_MS:
            return "Invalid Nonce"
        if not _is_signed(key, public + stamp, signature):
            return "Invalid Signature"
        if endpoint in ("submit", "cancel") and not key.may_trade:
            return "Invalid Request"
        return None

    def _charge(self, endpoint: str, request: Request, account: str | None) -> Exceeded | None:
        ip = request.client.host if request.client else ""
        exceeded = self._limits.charge(endpoint, ip, account, self._floor.now_ms())
        if exceeded is not None:
            self._observer.observed(Event.RATE_LIMITED, endpoint=endpoint, retry_after=exceeded.retry_after)
        return exceeded

    def _before(self, facts: Mapping[str, str]) -> Response | None:
        """Faults that keep a request from being done."""
        if self._faults.strike(FaultName.HTML_EVERYWHERE, facts):
            return page(502, "Bad Gateway")
        if self._faults.strike(FaultName.UNAVAILABLE_503, facts):
            return maintenance()
        if (fault := self._faults.strike(FaultName.RATE_LIMITED_429, facts)) is not None:
            return too_many(Exceeded(Limit(120, 60), max(1, int(fault.seconds))))
        if self._faults.strike(FaultName.UNAUTHORIZED, facts):
            return unauthorized("Invalid Request")
        return None

    def _lose(self, facts: Mapping[str, str], response: Response) -> Response:
        """Faults that lose the answer to what was done."""
        if response.status_code == 200:
            if self._faults.strike(FaultName.DROP_ANSWER_AFTER_ACCEPT, facts):
                return NoAnswer()
            if self._faults.strike(FaultName.HTML_AFTER_ACCEPT, facts):
                return page(504, "Gateway Time-out")
        return response

    async def _late(self, facts: Mapping[str, str], response: Response) -> Response:
        fault = self._faults.strike(FaultName.LATE_ANSWER, facts)
        if fault is not None:
            await self._sleeper.sleep(float(fault.seconds))
        return response


def _is_signed(key: ApiKey, message: str, signature: str) -> bool:
    expected = hmac.new(key.secret, message.encode(), hashlib.sha256).digest()
    try:
        given = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(expected, given)
