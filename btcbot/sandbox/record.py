"""The record: a JSON line for everything that happened, numbered from 1. It is the venue's memory and the tests' truth.

A line is complete when its newline is there; a torn last line (the process died while writing it) is cut off.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from decimal import Decimal
from enum import StrEnum
from io import FileIO
from pathlib import Path
from typing import get_args

from btcbot.domain.errors import UnsafeState
from btcbot.domain.money import parse, plain
from btcbot.simulation.happenings import Happening

LINES_PER_ANSWER_MAX = 10_000


class DamagedRecord(UnsafeState):
    next_step = "move the file away: the sandbox then starts with fresh accounts, and the workers need fresh databases"


def _kind_of(happening: type) -> str:
    """`OrderMatched` is written as `order_matched`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in happening.__name__).lstrip("_")


_HAPPENINGS: Mapping[str, type] = {_kind_of(happening): happening for happening in get_args(Happening)}


class Record:
    """Append-only. Every line reaches the operating system before `append` returns."""

    def __init__(self, path: Path) -> None:
        self._file = FileIO(path, "a+")
        self._offsets: list[int] = []
        self._end = 0
        self._path = path

    def past(self) -> Iterator[Happening]:
        """What the record holds of the venue, from the first line on. Read once, before the first `append`."""
        self._file.seek(0)
        with open(self._path, "rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    self._file.truncate(self._end)
                    break
                happening = self._read(line)
                self._offsets.append(self._end)
                self._end += len(line)
                if happening is not None:
                    yield happening

    def append(self, kind: str, body: Mapping[str, object], at_ms: int) -> int:
        """Its number."""
        number = len(self._offsets) + 1
        document = {"n": number, "at": at_ms, "kind": kind, **body}
        line = json.dumps(document, separators=(",", ":"), default=_text_of).encode() + b"\n"
        self._file.write(line)
        self._offsets.append(self._end)
        self._end += len(line)
        return number

    def append_happening(self, happening: Happening) -> int:
        body = {field.name: getattr(happening, field.name) for field in fields(happening) if field.name != "at_ms"}
        return self.append(_kind_of(type(happening)), body, happening.at_ms)

    def after(self, number: int, limit: int) -> Sequence[str]:
        """Lines with higher numbers, as they were written."""
        chosen = self._offsets[number : number + min(limit, LINES_PER_ANSWER_MAX)]
        if not chosen:
            return ()
        with open(self._path, "rb") as lines:
            lines.seek(chosen[0])
            return [lines.readline().decode().rstrip("\n") for _ in chosen]

    def close(self) -> None:
        self._file.close()

    def _read(self, line: bytes) -> Happening | None:
        try:
            document = json.loads(line)
            kind = _HAPPENINGS.get(document["kind"])
            if document["n"] != len(self._offsets) + 1:
                raise ValueError("a number is missing")
            return None if kind is None else _built(kind, document)
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedRecord(f"line {len(self._offsets) + 1} of {self._path} is not a record ({error})") from error


def _built(kind: type, document: Mapping[str, object]) -> Happening:
    """A happening from its line: numbers from text, words into their enumerations."""
    values: dict[str, object] = {}
    for field in fields(kind):
        value = document["at" if field.name == "at_ms" else field.name]
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
