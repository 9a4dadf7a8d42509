"""Reading the processes' JSON log lines with human eyes: short lines, and a follower that survives rotation."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

LINE_LENGTH_MAX = 240
TAIL_BYTES_MAX = 65_536

# On every line, and the same on every line of a process: they identify, they do not tell.
_CONTEXT = frozenset(
    {
        "time",
        "level",
        "event",
        "message",
        "logger",
        "process_role",
        "process_instance_id",
        "config_hash",
        "cycle_id",
        "db_fingerprint",
    }
)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def compact(source: str, raw: str) -> str:
    """One log line for a person: time, process, level, event, the fields that matter. Not JSON: the line as it is."""
    name = source.removeprefix("btcbot-")
    try:
        line = json.loads(raw)
    except (ValueError, RecursionError):
        line = None
    if not isinstance(line, dict):
        return _printable(f"{'':8} {name:<8} {'':8} {raw}")
    time = str(line.get("time", ""))
    time = time[11:19] if time[10:11] in ("T", " ") else time[:8]
    event = str(line.get("event") or line.get("message") or "")
    details = [f"{key}={_value(value)}" for key, value in line.items() if key not in _CONTEXT]
    message = line.get("message")
    if message and message != event:
        details.append(str(message))
    return _printable(" ".join([f"{time:8} {name:<8} {str(line.get('level', '')).lower():8} {event}", *details]))


def _value(value: object) -> str:
    if isinstance(value, str):
        return value if value and " " not in value else json.dumps(value, ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _printable(text: str) -> str:
    """Nothing in a log may steer the terminal."""
    text = _UNPRINTABLE.sub("?", text)
    return text if len(text) <= LINE_LENGTH_MAX else text[: LINE_LENGTH_MAX - 1] + "…"


def last_lines(path: Path, count: int, since: int = 0) -> list[str]:
    """The last lines of a file, at most `count`, none that lie before byte `since`; none when there is no file."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            start = max(since if since <= size else 0, size - TAIL_BYTES_MAX)
            file.seek(start)
            return file.read(TAIL_BYTES_MAX).decode("utf-8", "replace").splitlines()[-count:]
    except FileNotFoundError:
        return []


class Follower:
    """What is appended to a file from now on, line by line, through rotation and re-creation."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._rest = b""
        self._open(at_end=True)

    def _open(self, *, at_end: bool) -> None:
        try:
            self._file = self._path.open("rb")
        except FileNotFoundError:
            return
        if at_end:
            self._file.seek(0, os.SEEK_END)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def lines(self) -> Iterator[str]:
        """The complete lines since the last call."""
        if self._file is None:
            self._open(at_end=False)
        yield from self._read()
        if self._was_replaced():
            # The old file is finished: what was written to it between the read and the rotation still counts.
            yield from self._read()
            self.close()
            self._rest = b""
            self._open(at_end=False)
            yield from self._read()

    def _read(self) -> Iterator[str]:
        if self._file is None:
            return
        *whole, self._rest = (self._rest + self._file.read()).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace")

    def _was_replaced(self) -> bool:
        if self._file is None:
            return False
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return False
        mine = os.fstat(self._file.fileno())
        return (there.st_dev, there.st_ino) != (mine.st_dev, mine.st_ino) or there.st_size < self._file.tell()
