"""The one way to a private call: budget, guard, stamp, send, and what the answer says about further calls.

Live and monitor share it; which calls exist is decided by who imports `account`, `cancel` and `submit`.
"""

import asyncio
import math

from btcbot.domain.errors import KeyInDoubt, KeyRefused
from btcbot.domain.events import Event
from btcbot.domain.ports import Clock, Observer, Sleeper
from btcbot.domain.profiles import CommonProfile
from btcbot.exchange.answers import BAD_REQUEST, OK, envelope_of
from btcbot.exchange.errors import (
    Malformed,
    NoAnswer,
    NotSent,
    NotTheExchange,
    PrivateCallsStopped,
    RateLimited,
    StampsAhead,
    Unauthorized,
    Unavailable,
    is_about_nonce,
    is_unauthorized,
    snippet,
)
from btcbot.exchange.http import Http, HttpAnswer, Query
from btcbot.exchange.lanes import Lanes, Warming
from btcbot.exchange.limits import TOO_MANY_REQUESTS, Budgets, Endpoint
from btcbot.exchange.public import PublicClient
from btcbot.exchange.reads import READ_SECONDS, with_retries
from btcbot.exchange.signing import Signer
from btcbot.exchange.venue_clock import VenueClock

UNAUTHORIZED_IN_A_ROW_MAX = 3
FAILURES_IN_A_ROW_MAX = 3
RESERVED_SECONDS = 60.0  # how long the last call that may be refused is a cancel's, before a read takes it
UNAUTHORIZED, FORBIDDEN = 401, 403


class PrivateChannel:
    """Signed calls of one key. Counts what goes wrong in a row, over all of them.

    The exchange may insist that stamps rise in the order in which they arrive (open question D2), which over several
    connections is not the order in which they were signed. So one read is signed and under way at a time, and none
    while a submit or a cancel is: those wait for nobody, and no read signed later overtakes them.
    """

    def __init__(
        self, http: Http, orders: Lanes, signer: Signer, venue_clock: VenueClock, budgets: Budgets, observer: Observer
    ) -> None:
        """`orders` is what submits and cancels go by, so that no slow read is ever before them."""
        self._http = http
        self._orders = orders
        self._signer = signer
        self._venue_clock = venue_clock
        self._budgets = budgets
        self._observer = observer
        self._was_let_in = False
        self._unauthorized_in_a_row = 0
        self._unauthorized_at = 0.0
        self._is_read_on_wire = False
        self._failures_in_a_row = 0
        self._must_measure = False
        self._reading = asyncio.Lock()
        self._orders_under_way = 0
        self._no_order_under_way = asyncio.Event()
        self._no_order_under_way.set()

    @classmethod
    def connect(cls, profile: CommonProfile, clock: Clock, observer: Observer) -> "PrivateChannel":
        """Own connections and an own budget; nothing is sent yet."""
        budgets = Budgets(profile.role, clock)
        http = Http(profile.endpoints.api_url)
        orders = Lanes.connect(profile.endpoints.api_url)
        venue_clock = VenueClock(PublicClient(http, http, budgets, observer), clock)
        signer = Signer(profile.credentials, venue_clock.now_ms)
        return cls(http, orders, signer, venue_clock, budgets, observer)

    @property
    def signer(self) -> Signer:
        return self._signer

    @property
    def venue_clock(self) -> VenueClock:
        return self._venue_clock

    def warming(self, pair: str, sleeper: Sleeper) -> Warming:
        """Keeps the way of orders warm, with readings of a pair's ticker, while its `run()` runs."""
        return Warming(self._orders, pair, self._budgets, sleeper, self._observer)

    def obstacle(self, endpoint: Endpoint) -> str | None:
        """Why a call that changes something should not even be tried now, or nothing (reliability I8, I9, I10).

        Of the calls that may be refused in a row, the last is a cancel's: no submit takes it.
        """
        allowed = UNAUTHORIZED_IN_A_ROW_MAX - (endpoint is not Endpoint.CANCEL)
        if self._unauthorized_in_a_row >= allowed:
            return f"{self._unauthorized_in_a_row} private calls in a row were not let in"
        try:
            self._budgets.require_open(endpoint)
        except RateLimited as blocked:
            return str(blocked)
        return None

    @property
    def is_troubled(self) -> bool:
        """Three failures of the exchange in a row: only reads probe whether it is back."""
        return self._failures_in_a_row >= FAILURES_IN_A_ROW_MAX

    async def admit(self, endpoint: Endpoint, patience: float = math.inf) -> None:
        """Wait for room in the budget of a call that `send_once` will make; see `Budgets.acquire`."""
        await self._budgets.acquire(endpoint, patience)

    async def read(self, endpoint: Endpoint, path: str, query: Query = ()) -> HttpAnswer:
        """A signed GET, tried again where that can help. The answer is JSON; what it says is for the caller to judge.

        Raises `KeyRefused` when the key was never let in, `PrivateCallsStopped` after three refusals in a row,
        `Unauthorized`, `RateLimited`, `StampsAhead` or an `ExchangeUnreachable`.
        """

        refusals = 0

        async def attempt() -> HttpAnswer:
            nonlocal refusals
            self._require_open()
            await self._budgets.acquire(endpoint)
            async with self._reading:
                self._require_open()
                await self._measure_clock()
                while self._orders_under_way:  # another may have left between the end of the last and our turn
                    await self._no_order_under_way.wait()
                self._require_open()  # an order that was waited for may have been refused
                self._is_read_on_wire = True
                try:
                    answer = await self._signed(self._http, endpoint, "GET", path, query, None, READ_SECONDS)
                finally:
                    self._is_read_on_wire = False
            try:
                return self._require_answer(endpoint, answer)
            except Unauthorized as error:
                # One more try after the clock was measured; three refusals in a row would end all private calls.
                refusals += 1
                error.is_worth_another_try = error.is_about_nonce and refusals == 1
                raise

        return await with_retries(endpoint, attempt, self._observer)

    async def _measure_clock(self) -> None:
        if self._must_measure:
            await self._venue_clock.measure()
            self._must_measure = False
        else:
            await self._venue_clock.ensure_fresh()

    async def send_once(
        self, endpoint: Endpoint, method: str, path: str, query: Query, body: bytes | None, timeout: float
    ) -> HttpAnswer:
        """Sign and send exactly one submit or cancel, waiting for nothing before it.

        No more are under way at once than may be refused in a row. Raises `StampsAhead` and `NotSent` before any byte
        left, `NoAnswer` or `NotTheExchange` when that is unknown.
        """
        under_way = self._orders_under_way + self._is_read_on_wire
        if self._unauthorized_in_a_row + under_way >= UNAUTHORIZED_IN_A_ROW_MAX:
            raise NotSent(f"{self._unauthorized_in_a_row} calls were not let in, {under_way} are under way")
        self._orders_under_way += 1
        self._no_order_under_way.clear()
        try:
            return await self._signed(self._orders, endpoint, method, path, query, body, timeout)
        finally:
            self._orders_under_way -= 1
            if self._orders_under_way == 0:
                self._no_order_under_way.set()

    async def _signed(
        self, way: Http | Lanes, endpoint: Endpoint, method: str, path: str, query: Query, body: bytes | None,
        timeout: float,
    ) -> HttpAnswer:  # fmt: skip
        try:
            headers = self._signer.headers()
        except StampsAhead:
            self._must_measure = True
            raise
        try:
            answer = await way.send(method, path, query, headers=headers, body=body, timeout=timeout)
        except (NotSent, NoAnswer, NotTheExchange) as error:
            self._failures_in_a_row += 1
            self._observer.observed(Event.REQUEST_FAILED, endpoint=str(endpoint), error=str(error))
            raise
        self._note(endpoint, answer)
        return answer

    async def aclose(self) -> None:
        await self._orders.aclose()
        await self._http.aclose()

    def _note(self, endpoint: Endpoint, answer: HttpAnswer) -> None:
        """What this answer means for the calls after it."""
        message = message_of(answer)
        if message is None:
            self._failures_in_a_row += 1
            self._observer.observed(
                Event.REQUEST_FAILED, endpoint=str(endpoint), status=answer.status, said=snippet(answer.body)
            )
            return
        self._failures_in_a_row = 0
        if answer.status == TOO_MANY_REQUESTS:
            blocked = self._budgets.block(endpoint, answer.retry_after)
            self._observer.observed(Event.RATE_LIMITED, endpoint=str(endpoint), seconds=blocked.seconds)
        elif is_unauthorized(answer.status, message):
            self._unauthorized_in_a_row += 1
            self._unauthorized_at = self._venue_clock.monotonic()
            self._must_measure = self._must_measure or is_about_nonce(message)
            is_last = self._unauthorized_in_a_row == UNAUTHORIZED_IN_A_ROW_MAX
            self._observer.observed(
                Event.PRIVATE_CALLS_STOPPED if is_last else Event.REQUEST_FAILED, endpoint=str(endpoint),
                status=answer.status, said=snippet(answer.body), in_a_row=self._unauthorized_in_a_row,
            )  # fmt: skip
        elif answer.status in (OK, BAD_REQUEST):
            self._unauthorized_in_a_row = 0
            self._was_let_in = True

    def _require_open(self) -> None:
        """Whether a read may leave: never after too many refusals, and not while the last one is a cancel's."""
        self._require_not_stopped()
        is_last = self._unauthorized_in_a_row == UNAUTHORIZED_IN_A_ROW_MAX - 1
        if is_last and self._venue_clock.monotonic() - self._unauthorized_at < RESERVED_SECONDS:
            raise KeyInDoubt(f"{self._unauthorized_in_a_row} private calls in a row were not let in")

    def _require_not_stopped(self) -> None:
        if self._unauthorized_in_a_row >= UNAUTHORIZED_IN_A_ROW_MAX:
            raise PrivateCallsStopped(f"{self._unauthorized_in_a_row} private calls in a row were not let in")

    def _require_answer(self, endpoint: Endpoint, answer: HttpAnswer) -> HttpAnswer:
        if answer.status == TOO_MANY_REQUESTS:
            self._budgets.require_open(endpoint)
        message = message_of(answer) or ""
        if is_unauthorized(answer.status, message):
            self._require_not_stopped()
            envelope_of(answer, endpoint)  # an HTML page with a 403 is not the exchange speaking
            if not self._was_let_in and not is_about_nonce(message):
                raise KeyRefused(f"the exchange refused the API key: {snippet(message) or answer.status}")
            raise Unauthorized(message or f"HTTP {answer.status}")
        envelope_of(answer, endpoint)  # what is worth another try raises here, inside the retries
        return answer


def message_of(answer: HttpAnswer) -> str | None:
    """What the exchange says about a call; `None` where it does not speak, or only of being out of order.

    A 401 and a 429 count whatever their bodies hold. A 403 without a word is the edge's own page (protocol, section 1).
    """
    try:
        message = envelope_of(answer, "an answer").message or ""
    except (NotTheExchange, Unavailable, Malformed):
        return "" if answer.status in (UNAUTHORIZED, TOO_MANY_REQUESTS) else None
    return None if answer.status == FORBIDDEN and not message else message
