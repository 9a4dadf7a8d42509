"""What goes wrong between a request and its answer (the first table of `btcbot.sandbox.faults`)."""

import asyncio
import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from email.utils import format_datetime

from starlette.background import BackgroundTask
from starlette.responses import Response

from btcbot.domain.ports import Sleeper
from btcbot.sandbox.answers import (
    CutAnswer,
    NoAnswer,
    internal_error,
    json_answer,
    maintenance,
    page,
    system_error,
    too_many,
    too_many_in_old_words,
    unauthorized,
)
from btcbot.sandbox.faults import Fault, FaultName, Faults
from btcbot.sandbox.floor import Floor
from btcbot.sandbox.limits import Exceeded, Limit

HELD_BACK_SECONDS = 30.0
FRAMES_FIRST_SECONDS = 0.05
LIMIT = Limit(120, 60)
ANOTHER_ID, ANOTHER_LABEL = 26_999_999_999, "ANOTHER"  # below the first id: an order that never was
BODIES_KEPT_MAX = 256
IDS = frozenset({"id", "orderId"})
LABELS = frozenset({"newOrderClientId", "orderClientId"})

Facts = Mapping[str, str]


class Mishaps:
    """Strikes are written into the record: whoever reads it sees what was the sandbox's doing."""

    def __init__(self, faults: Faults, floor: Floor, sleeper: Sleeper) -> None:
        self._faults = faults
        self._floor = floor
        self._sleeper = sleeper
        self._bodies: dict[tuple[str, str], bytes] = {}  # the last ones, by endpoint and key
        self._held_back: dict[str, list[asyncio.Event]] = {}

    def are_possible(self) -> bool:
        return bool(self._faults)

    def strike(self, name: FaultName, facts: Facts) -> Fault | None:
        fault = self._faults.strike(name, facts)
        if fault is not None:
            about = {"id": fault.number, "fault": fault.name, "facts": dict(facts)}
            self._floor.record.append("fault_struck", about, self._floor.now_ms())
        return fault

    # ------------------------------------------------------------------------------------------- instead of the work

    def before(self, facts: Facts) -> Response | None:
        """The answer to a request that is not done."""
        if not self._faults:
            return None
        for name, answer in self._before.items():
            if (fault := self.strike(name, facts)) is not None:
                return answer(self, fault)
        if facts["endpoint"] == "orderbook" and self.strike(FaultName.STALE_BOOK_503, facts):
            return maintenance()
        return None

    def _until_date(self, fault: Fault) -> Response:
        until = self._floor.clock.now() + timedelta(seconds=_at_least_one(fault))
        return too_many(Exceeded(LIMIT, 1), format_datetime(until, usegmt=True))

    def _turned_away(self, reason: str) -> Response:
        return unauthorized(reason, is_successful=self._floor.profile.is_refusal_successful)

    _before: Mapping[FaultName, Callable[["Mishaps", Fault], Response]] = {
        FaultName.LOST_REQUEST: lambda self, fault: NoAnswer(),
        FaultName.HTML_EVERYWHERE: lambda self, fault: page(fault.status or 502),
        FaultName.UNAVAILABLE_503: lambda self, fault: maintenance(),
        FaultName.INTERNAL_ERROR: lambda self, fault: internal_error(),
        FaultName.RATE_LIMITED_429: lambda self, fault: too_many(Exceeded(LIMIT, _at_least_one(fault))),
        FaultName.RATE_LIMITED_429_UNTIL_DATE: _until_date,
        FaultName.RATE_LIMITED_429_BARE: lambda self, fault: too_many_in_old_words(),
        FaultName.UNAUTHORIZED: lambda self, fault: self._turned_away("Invalid Request"),
        FaultName.INVALID_NONCE: lambda self, fault: self._turned_away("Invalid Nonce"),
        FaultName.UNSUCCESSFUL: lambda self, fault: system_error(),
    }

    # ------------------------------------------------------------------------------------------- after the work

    def spoiled(self, facts: Facts, response: Response) -> Response:
        """The answer to what was done, as the client will get it."""
        whose = (facts["endpoint"], facts.get("key", ""))
        previous = self._bodies.pop(whose, None)
        if len(self._bodies) >= BODIES_KEPT_MAX:
            del self._bodies[next(iter(self._bodies))]
        self._bodies[whose] = bytes(response.body)
        if not self._faults:
            return response
        if previous is not None and self.strike(FaultName.ANSWER_REPEATED, facts):
            return Response(previous, response.status_code, media_type=response.media_type)
        if response.status_code == 200:
            for name, spoil in self._after.items():
                if (fault := self.strike(name, facts)) is not None:
                    return spoil(fault, response)
        return response

    _after: Mapping[FaultName, Callable[[Fault, Response], Response]] = {
        FaultName.DROP_ANSWER_AFTER_ACCEPT: lambda fault, answer: NoAnswer(),
        FaultName.HTML_AFTER_ACCEPT: lambda fault, answer: page(fault.status or 504),
        FaultName.INTERNAL_ERROR_AFTER_ACCEPT: lambda fault, answer: internal_error(),
        FaultName.ANSWER_OF_ANOTHER_ORDER: lambda fault, answer: _of_another_order(answer),
        FaultName.TRUNCATED_JSON: lambda fault, answer: _with_body(answer, bytes(answer.body)[: len(answer.body) // 2]),
        FaultName.CONNECTION_CUT: lambda fault, answer: CutAnswer(answer),
        FaultName.WRONG_CONTENT_TYPE: lambda fault, answer: Response(answer.body, 200, media_type="text/html"),
        FaultName.EMPTY_BODY: lambda fault, answer: _with_body(answer, b""),
    }

    async def in_time(self, facts: Facts, response: Response) -> Response:
        """The same answer, when it is to leave."""
        held_back = self._held_back.pop(facts["endpoint"], None)
        if held_back is not None:
            response.background = BackgroundTask(_let_go, held_back)
        if not self._faults:
            return response
        if (fault := self.strike(FaultName.LATE_ANSWER, facts)) is not None:
            await self._sleeper.sleep(float(fault.seconds))
        if (fault := self.strike(FaultName.PRIVATE_FRAMES_FIRST, facts)) is not None:
            await self._sleeper.sleep(float(fault.seconds) or FRAMES_FIRST_SECONDS)
        if held_back is None and (fault := self.strike(FaultName.ANSWER_HELD_BACK, facts)) is not None:
            await self._hold_back(facts["endpoint"], float(fault.seconds) or HELD_BACK_SECONDS)
        return response

    async def _hold_back(self, endpoint: str, seconds: float) -> None:
        let_go = asyncio.Event()
        self._held_back.setdefault(endpoint, []).append(let_go)
        either = [asyncio.ensure_future(let_go.wait()), asyncio.ensure_future(self._sleeper.sleep(seconds))]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in either:
                one.cancel()


async def _let_go(held_back: list[asyncio.Event]) -> None:
    for event in held_back:
        event.set()


def _at_least_one(fault: Fault) -> int:
    return max(1, int(fault.seconds))


def _with_body(answer: Response, body: bytes) -> Response:
    return Response(body, answer.status_code, media_type=answer.media_type)


def _of_another_order(answer: Response) -> Response:
    """Every order and trade in it becomes one that has another number and label."""
    return json_answer(_as_another(json.loads(bytes(answer.body), parse_float=Decimal)), answer.status_code)


def _as_another(document: object) -> object:
    if isinstance(document, list):
        return [_as_another(item) for item in document]
    if not isinstance(document, dict):
        return document
    changed = {name: _as_another(value) for name, value in document.items()}
    for name in changed.keys() & IDS:
        changed[name] = ANOTHER_ID
    for name in changed.keys() & LABELS:
        changed[name] = ANOTHER_LABEL
    return changed
