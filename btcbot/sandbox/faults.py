"""Faults on demand: what goes wrong, how often, and for which requests."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from btcbot.domain.errors import BtcbotError
from btcbot.domain.money import ZERO, MalformedNumber, parse

FAULTS_MAX = 1_000


class FaultName(StrEnum):
    DROP_ANSWER_AFTER_ACCEPT = "drop_answer_after_accept"  # done, and no answer ever comes
    HTML_AFTER_ACCEPT = "html_after_accept"  # done, and the edge answers 504 with a page
    HTML_EVERYWHERE = "html_everywhere"  # not done, the edge answers 502 with a page
    LATE_ANSWER = "late_answer"  # done, and the answer comes `seconds` later
    UNAVAILABLE_503 = "unavailable_503"
    RATE_LIMITED_429 = "rate_limited_429"
    UNAUTHORIZED = "unauthorized"
    SILENT_FEED = "silent_feed"  # the socket stays open, pings go on, no frame comes
    SEQUENCE_GAP = "sequence_gap"  # one difference of a book is left out
    CANCEL_LOST = "cancel_lost"  # answered with a receipt, and nothing happens


class MalformedFault(BtcbotError):
    next_step = 'send {"fault": NAME, "count": N or null, "match": {…}}'


@dataclass(slots=True)
class Fault:
    """`match` names facts that a request must have: endpoint, method, path, key, pair. `left` none: until removed."""

    number: int
    name: FaultName
    left: int | None
    match: Mapping[str, str]
    seconds: Decimal

    def described(self) -> dict[str, object]:
        return {
            "id": self.number, "fault": self.name, "count": self.left, "match": dict(self.match),
            "seconds": self.seconds,
        }  # fmt: skip


class Faults:
    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._number = 0

    def add(self, document: object) -> Fault:
        """Raises `MalformedFault` for anything but the documented shape."""
        if len(self._faults) >= FAULTS_MAX:
            raise MalformedFault("there are too many faults already")
        if not isinstance(document, dict) or not document.keys() <= {"fault", "count", "match", "seconds"}:
            raise MalformedFault("a fault is an object with fault, count, match and seconds")
        name, count, match = document.get("fault"), document.get("count"), document.get("match", {})
        if name not in tuple(FaultName):
            raise MalformedFault(f"there is no fault {str(name)[:40]!r}, only {', '.join(FaultName)}")
        if count is not None and (not isinstance(count, int) or isinstance(count, bool) or count < 1):
            raise MalformedFault("count is a positive integer or null")
        if not isinstance(match, dict) or not all(isinstance(value, str) for value in match.values()):
            raise MalformedFault("match is an object of texts")
        try:
            seconds = parse(str(document.get("seconds", ZERO)))
        except MalformedNumber as error:
            raise MalformedFault("seconds is a plain number") from error
        self._number += 1
        fault = Fault(self._number, FaultName(name), count, match, seconds)
        self._faults.append(fault)
        return fault

    def remove(self, number: int | None) -> None:
        """One, or all."""
        self._faults = [fault for fault in self._faults if number is not None and fault.number != number]

    def listed(self) -> list[dict[str, object]]:
        return [fault.described() for fault in self._faults]

    def strike(self, name: FaultName, facts: Mapping[str, str]) -> Fault | None:
        """The first fault of that name which the facts match, counted as used."""
        for fault in self._faults:
            if fault.name is name and all(facts.get(key) == value for key, value in fault.match.items()):
                if fault.left is not None:
                    fault.left -= 1
                    if fault.left == 0:
                        self._faults.remove(fault)
                return fault
        return None
