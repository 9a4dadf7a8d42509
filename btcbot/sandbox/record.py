"""The record: a JSON line for everything that happened, numbered from 1. It is the venue's memory and the tests' truth.

A line is complete when its newline is there; a torn last line (the process died while writing it) is cut off. A file
that has grown long is sealed under the number of its first line and a new one begun; all are kept.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from decimal import Decimal
from enum import StrEnum
from io import FileIO
from itertools import islice
from pathlib import Path
from typing import get_args

from btcbot.domain.errors import UnsafeState
from btcbot.domain.money import parse, plain
from btcbot.sandbox.segments import Segment
from btcbot.simulation.happenings import Happening

LINES_PER_ANSWER_MAX = 10_000
LINES_LOOKED_AT_MAX = 1_000_000  # in search of some kinds: about half a second
SEGMENT_BYTES_MAX = 64 * 1024 * 1024
_HEAD = re.compile(rb'\{"n":([0-9]{1,15}),"at":[0-9]{1,15},"kind":"([a-z_]+)"[,}]')


class DamagedRecord(UnsafeState):
    next_step = "move the file away: the sandbox then starts with fresh accounts, and the workers need fresh databases"


class RecordNotWritten(UnsafeState):
    next_step = "make room on the disk of BTCBOT_SANDBOX_DIR and start the sandbox again"


def kind_of_happening(happening: type) -> str:
    """`OrderMatched` is written as `order_matched`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in happening.__name__).lstrip("_")


_HAPPENINGS: Mapping[bytes, type] = {
    kind_of_happening(happening).encode(): happening for happening in get_args(Happening)
}


class Record:
    """Append-only. Every line reaches the operating system before `append` returns."""

    def __init__(self, path: Path, segment_bytes_max: int = SEGMENT_BYTES_MAX) -> None:
        self._file = FileIO(path, "a+")
        self._path = path
        self._segment_bytes_max = segment_bytes_max
        self._segments = [Segment(sealed, int(number)) for number, sealed in _sealed(path)]

    @property
    def count(self) -> int:
        """The number of the last line."""
        return self._segments[-1].next - 1 if self._segments else 0

    def past(self) -> Iterator[Happening]:
        """What the record holds of the venue, from the first line on. Read once, before the first `append`."""
        next_number = 1
        for segment in self._segments:
            if segment.first != next_number:
                raise DamagedRecord(f"line {next_number} and what follows until {segment.first} is missing")
            yield from self._read(segment)
            if segment.path.stat().st_size != segment.end:
                raise DamagedRecord(f"line {segment.count + 1} of {segment.path} is not whole")
            next_number = segment.next
        active = Segment(self._path, next_number)
        self._segments.append(active)
        yield from self._read(active)
        self._file.truncate(active.end)

    def append(self, kind: str, body: Mapping[str, object], at_ms: int) -> int:
        """Its number. Raises `RecordNotWritten`: then nothing of it was written."""
        segment = self._segments[-1]
        if segment.end >= self._segment_bytes_max:
            segment = self._begin_next(segment)
        number = segment.next
        line = _encode({"n": number, "at": at_ms, "kind": kind, **body}).encode() + b"\n"
        if self._file.write(line) != len(line):
            self._file.truncate(segment.end)
            raise RecordNotWritten(f"line {number} does not go into {self._path}: the disk is full")
        segment.add(len(line))
        return number

    def append_happening(self, happening: Happening) -> int:
        body = {field.name: getattr(happening, field.name) for field in fields(happening) if field.name != "at_ms"}
        return self.append(kind_of_happening(type(happening)), body, happening.at_ms)

    def after(
        self, number: int, limit: int, kinds: Collection[str] = ()
    ) -> tuple[Sequence[tuple[int, str]], int]:  # fmt: skip
        """Lines with higher numbers, as they were written, and the last number that was looked at: a search for some
        kinds is bounded.
        """
        wanted = {kind.encode() for kind in kinds}
        most = min(limit, LINES_PER_ANSWER_MAX)
        lines = (
            (at, line.decode().rstrip("\n"))
            for segment in self._segments[self._place(number + 1) :]
            for at, line in segment.lines(number + 1, number + 1 + LINES_LOOKED_AT_MAX, wanted)
        )
        found = list(islice(lines, most))
        is_cut = len(found) == most and most > 0
        return found, found[-1][0] if is_cut else max(number, min(self.count, number + LINES_LOOKED_AT_MAX))

    def before(self, number: int, limit: int, kinds: Collection[str] = ()) -> Sequence[tuple[int, str]]:
        """The lines just before a number, oldest first; likewise."""
        wanted = {kind.encode() for kind in kinds}
        found: list[tuple[int, str]] = []
        end = min(number, self.count + 1)
        until = max(end - LINES_LOOKED_AT_MAX, 1)
        while end > until and len(found) < limit:
            segment = self._segments[self._place(end - 1)]
            first = segment.block_of(end - 1)
            found[:0] = [(at, line.decode().rstrip("\n")) for at, line in segment.lines(first, end, wanted)]
            end = first
        return found[-limit:]

    def close(self) -> None:
        self._file.close()

    def _place(self, number: int) -> int:
        """Which segment holds a number."""
        return max(bisect_right(self._segments, number, key=lambda segment: segment.first) - 1, 0)

    def _begin_next(self, full: Segment) -> Segment:
        """Seal the file under its number. Whoever dies between the two steps finds no open file, and makes one."""
        full.path = self._path.with_name(f"{self._path.stem}-{full.first:012d}{self._path.suffix}")
        self._file.close()
        self._path.rename(full.path)
        self._file = FileIO(self._path, "a+")
        self._segments.append(Segment(self._path, full.next))
        return self._segments[-1]

    def _read(self, segment: Segment) -> Iterator[Happening]:
        """Every whole line of a file, counted; the happenings among them."""
        with open(segment.path, "rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    return
                happening = _happening(line, segment)
                segment.add(len(line))
                if happening is not None:
                    yield happening


def _sealed(path: Path) -> Sequence[tuple[str, Path]]:
    """Files that were sealed, oldest first, with the number in their name."""
    name = re.compile(rf"{re.escape(path.stem)}-([0-9]{{12}}){re.escape(path.suffix)}", re.ASCII)
    matches = ((name.fullmatch(file.name), file) for file in path.parent.iterdir())
    return sorted((match.group(1), file) for match, file in matches if match is not None)


def _happening(line: bytes, segment: Segment) -> Happening | None:
    """Most lines are requests and answers: of these the head is all that matters."""
    head = _HEAD.match(line)
    try:
        if head is None or not line.endswith(b"}\n"):
            raise ValueError("it has another form")
        if int(head.group(1)) != segment.next:
            raise ValueError("a number is missing")
        kind = _HAPPENINGS.get(head.group(2))
        return None if kind is None else _built(kind, json.loads(line))
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedRecord(f"line {segment.count + 1} of {segment.path} is not a record ({error})") from error


def _built(kind: type, document: Mapping[str, object]) -> Happening:
    """A happening from its line: numbers from text, words into their enumerations. Older lines lack what is newer."""
    values: dict[str, object] = {}
    for field in fields(kind):
        name = "at" if field.name == "at_ms" else field.name
        if name not in document and field.default is not MISSING:
            continue
        value = document[name]
        if field.type is Decimal:
            value = parse(str(value))
        elif isinstance(field.type, type) and issubclass(field.type, StrEnum):
            value = field.type(str(value))
        values[field.name] = value
    happening: Happening = kind(**values)
    return happening


def _text_of(value: object) -> str:
    if isinstance(value, Decimal):
        return plain(value)
    raise TypeError(f"{type(value).__name__} does not go into a record")


_encode = json.JSONEncoder(separators=(",", ":"), default=_text_of).encode
