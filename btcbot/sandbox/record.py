"""The record: a JSON line for everything that happened, numbered from 1. It is the venue's memory and the tests' truth.

Lines that belong together, as both sides of a trade and what they did to balances, are written at once, and the first
of them names the last one (`until`). What is not whole at the end of the file, a line without its newline or such lines
without their last one, is cut off: the process died while writing it, and nobody heard of it.

A file that has grown long is sealed under the number of its first line and a new one begun; all are kept.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
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
_HEAD = re.compile(rb'\{"n":([0-9]{1,15}),"at":[0-9]{1,15},"kind":"([a-z_]+)"(?:,"until":([0-9]{1,15}))?[,}]')


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


@dataclass(frozen=True, slots=True)
class Line:
    kind: str
    body: Mapping[str, object]
    at_ms: int


def line_of(happening: Happening) -> Line:
    body = {field.name: getattr(happening, field.name) for field in fields(happening) if field.name != "at_ms"}
    return Line(kind_of_happening(type(happening)), body, happening.at_ms)


class Record:
    """Append-only. Every line reaches the operating system before `append` returns.

    What once could not be written is missing, and what comes after it would make no sense without it: from then on
    nothing is written, and `check` says so to whoever goes on.
    """

    def __init__(self, path: Path, segment_bytes_max: int = SEGMENT_BYTES_MAX) -> None:
        self._file = FileIO(path, "a+")
        self._path = path
        self._segment_bytes_max = segment_bytes_max
        self._segments = [Segment(sealed, int(number)) for number, sealed in _sealed(path)]
        self._missing = ""  # what could not be written

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
        return self.append_together([Line(kind, body, at_ms)])

    def append_together(self, lines: Sequence[Line]) -> int:
        """The number of the first one. A restart finds all of them or none; likewise."""
        self.check()
        segment = self._segments[-1]
        if segment.end >= self._segment_bytes_max:
            segment = self._begin_next(segment)
        first = segment.next
        last = first + len(lines) - 1
        texts: list[bytes] = []
        for number, line in enumerate(lines, first):
            head: dict[str, object] = {"n": number, "at": line.at_ms, "kind": line.kind}
            if number == first < last:
                head["until"] = last
            texts.append(_encode({**head, **line.body}).encode() + b"\n")
        self._write(b"".join(texts), segment)
        for text in texts:
            segment.add(len(text))
        return first

    def check(self) -> None:
        """Raises `RecordNotWritten` once something is missing."""
        if self._missing:
            raise RecordNotWritten(self._missing)

    def _write(self, data: bytes, segment: Segment) -> None:
        try:
            written, reason = self._file.write(data), "the disk is full"
        except OSError as error:
            written, reason = 0, error.strerror or type(error).__name__
        if written != len(data):
            self._missing = f"line {segment.next} does not go into {self._path} ({reason})"
            self._file.truncate(segment.end)
            self.check()

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
        """Every whole line of a file, counted; the happenings among them. Lines that belong together count together."""
        sizes: list[int] = []
        happenings: list[Happening] = []
        until = 0
        with open(segment.path, "rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    return
                number = segment.next + len(sizes)
                last, happening = _read_line(line, number, segment)
                until = until if sizes else last
                sizes.append(len(line))
                if happening is not None:
                    happenings.append(happening)
                if number == until:
                    for size in sizes:
                        segment.add(size)
                    yield from happenings
                    sizes, happenings = [], []


def _sealed(path: Path) -> Sequence[tuple[str, Path]]:
    """Files that were sealed, oldest first, with the number in their name."""
    name = re.compile(rf"{re.escape(path.stem)}-([0-9]{{12}}){re.escape(path.suffix)}", re.ASCII)
    matches = ((name.fullmatch(file.name), file) for file in path.parent.iterdir())
    return sorted((match.group(1), file) for match, file in matches if match is not None)


def _read_line(line: bytes, number: int, segment: Segment) -> tuple[int, Happening | None]:
    """The last of the lines that it begins, and what happened. Most lines are requests and answers: of these the head
    is all that matters.
    """
    head = _HEAD.match(line)
    try:
        if head is None or not line.endswith(b"}\n"):
            raise ValueError("it has another form")
        if int(head.group(1)) != number:
            raise ValueError("a number is missing")
        until = int(head.group(3) or number)
        if until < number:
            raise ValueError("it ends before it begins")
        kind = _HAPPENINGS.get(head.group(2))
        return until, None if kind is None else _built(kind, json.loads(line))
    except (ValueError, KeyError, TypeError) as error:
        place = number - segment.first + 1
        raise DamagedRecord(f"line {place} of {segment.path} is not a record ({error})") from error


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
