"""The status feed's messages: one way, numbered, so that nothing is missed or doubled (design, sections 2 and 10).

The reader's first line is `{"resume_after": N}`; then live writes `{"v", "n", "kind", "at", "body"}`, a JSON object a
line. A heartbeat carries the last number and none of its own (`n` repeats), so the reader sees a backlog as a number.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from btcbot.domain.errors import BtcbotError

VERSION = 1
LINE_BYTES_MAX = 64 * 1024


class FeedKind(StrEnum):
    HEARTBEAT = "heartbeat"  # every second; body: instance, cycle, cycle age, halted, paused, armed, unresolved, …
    CYCLE = "cycle"
    DECISION = "decision"
    ORDER = "order"
    FILL = "fill"
    BALANCE = "balance"
    ASSIGNMENT = "assignment"
    HALT = "halt"


class MalformedFeedLine(BtcbotError):
    next_step = "the reader drops the connection and joins again; if it repeats, both processes must be of one version"


@dataclass(frozen=True, slots=True)
class FeedMessage:
    number: int
    kind: FeedKind
    at: datetime
    body: Mapping[str, object]

    def line(self) -> bytes:
        """One JSON line with its newline."""
        document = {
            "v": VERSION, "n": self.number, "kind": self.kind, "at": self.at.isoformat(), "body": self.body,
        }  # fmt: skip
        return json.dumps(document, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def read_feed_line(line: bytes) -> FeedMessage:
    """Parse one line; anything but a message of this version is `MalformedFeedLine`."""
    try:
        document = json.loads(line)
        if document["v"] != VERSION or not isinstance(document["body"], dict) or not isinstance(document["n"], int):
            raise MalformedFeedLine("a feed line has another version or shape")
        return FeedMessage(
            document["n"], FeedKind(document["kind"]), datetime.fromisoformat(document["at"]), document["body"]
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise MalformedFeedLine(f"a feed line is not a message ({type(error).__name__})") from error


def read_resume_line(line: bytes) -> int:
    """The number after which a reader wants to go on."""
    try:
        resume_after = json.loads(line)["resume_after"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise MalformedFeedLine("the reader's first line is not a resume number") from error
    if not isinstance(resume_after, int) or isinstance(resume_after, bool) or resume_after < 0:
        raise MalformedFeedLine("the reader's resume number is not a count")
    return resume_after
