"""What an operator may ask of a running process, and what it answers: one JSON line each (design, section 10).

Request: `{"v", "id", "verb", "args"}`. Answer: `{"id", "ok", "message", "next_step"}`.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from btcbot.domain.errors import BtcbotError


class MalformedControlLine(BtcbotError):
    next_step = "the line was dropped and nothing was done; both sides must be of one version of btcbot"


@dataclass(frozen=True, slots=True)
class ControlRequest:
    id: str
    verb: str
    args: Mapping[str, str]

    def line(self) -> bytes:
        """One JSON line with its newline."""
        return _line({"v": 1, "id": self.id, "verb": self.verb, "args": dict(self.args)})


@dataclass(frozen=True, slots=True)
class ControlAnswer:
    id: str  # of the request; empty when the request could not be read
    ok: bool
    message: str
    next_step: str  # empty when there is nothing to do

    def line(self) -> bytes:
        """One JSON line with its newline."""
        return _line({"id": self.id, "ok": self.ok, "message": self.message, "next_step": self.next_step})


def read_request(line: bytes) -> ControlRequest:
    """Parse one line; anything but a request of this version is `MalformedControlLine`."""
    match _document(line, "request"):
        case {"v": 1, "id": str(request_id), "verb": str(verb), "args": dict(args)} if _all_text(args.values()):
            return ControlRequest(request_id, verb, args)
        case _:
            raise MalformedControlLine("a control request has another version or shape")


def read_answer(line: bytes) -> ControlAnswer:
    """Parse one line; anything but an answer is `MalformedControlLine`."""
    match _document(line, "answer"):
        case {"id": str(request_id), "ok": bool(ok), "message": str(message), "next_step": str(next_step)}:
            return ControlAnswer(request_id, ok, message, next_step)
        case _:
            raise MalformedControlLine("a control answer has another shape")


def _all_text(values: Iterable[object]) -> bool:
    return all(isinstance(value, str) for value in values)


def _line(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def _document(line: bytes, what: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise MalformedControlLine(f"a control {what} is not JSON") from error
