"""Recordings on disk: gzip-compressed JSON lines, a file an hour, each of which stands for itself.

1. Lines gather in memory and leave together as one whole gzip member, every few seconds or few hundred kilobytes.
2. While it grows, a file is called `….jsonl.gz.part`. Sealing syncs it and takes the suffix away; what is sealed is
   never touched again.
3. What a killed recorder left is cut after its last whole member, ended with a `gap` line and sealed at the next start.
4. A disk that fails, fills up or takes seconds to write ends the recording with an error. What was written is sealed.
"""

import fcntl
import gzip
import json
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from btcbot.domain.errors import ConfigurationError, LockHeld, UnsafeState
from btcbot.domain.events import Event
from btcbot.domain.ports import Clock, Observer

SUFFIX, PART = ".jsonl.gz", ".part"
MEMBER_BYTES = 512 * 1024  # of lines, before compression
MEMBER_SECONDS = 10.0  # what a crash costs at most
WRITE_SECONDS_MAX = 10.0
FREE_BYTES_MIN = 256 * 1024 * 1024  # left to others, a database beside us among them
FILES_PER_HOUR_MAX = 99
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CHUNK = 1024 * 1024
_GZIP = 16 + zlib.MAX_WBITS


class RecordingFailed(UnsafeState):
    """The disk does not take what is heard. Nothing is left out in silence: the recording ends here."""

    next_step = "what was recorded until now is sealed; make room or give --dir another disk, then start again"


@contextmanager
def held_directory(directory: Path) -> Iterator[None]:
    """One recorder writes into a directory. `LockHeld` where another one does."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigurationError(f"the directory {directory} cannot be opened ({error.strerror})") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockHeld(f"another recorder writes into {directory}") from None
        yield
    finally:
        os.close(descriptor)


def recorded_bytes(directory: Path) -> int:
    """What all recordings in a directory take together."""
    return sum(path.stat().st_size for path in directory.glob(f"*{SUFFIX}*"))


class RecordingFile:
    """One file, from its header to its seal."""

    def __init__(self, directory: Path, at: datetime, header: bytes, clock: Clock) -> None:
        """Begin the file of an hour with its first line. `RecordingFailed` where it cannot be made."""
        self._clock = clock
        self._directory = directory
        self.path = _unused(directory, at)
        self._part = self.path.with_name(self.path.name + PART)
        self._lines = bytearray()
        self._member_began = clock.monotonic()
        self._is_over = False
        self.lines = 0
        self.bytes = 0
        try:
            self._descriptor = os.open(
                self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644
            )
        except OSError as error:
            raise RecordingFailed(f"{self._part} cannot be made ({error.strerror})") from error
        self.write(header)
        self._flush()

    def write(self, line: bytes) -> None:
        """Take one line, with its end. `RecordingFailed` when the disk does not; the file is sealed and over then."""
        if self._is_over:
            return
        self._lines += line
        self.lines += 1
        if len(self._lines) >= MEMBER_BYTES:
            self._flush()

    def keep(self) -> None:
        """To be called every second or so: what has waited long enough goes to the disk."""
        if not self._is_over and self._clock.monotonic() - self._member_began >= MEMBER_SECONDS:
            self._flush()

    def seal(self) -> None:
        """The rest to the disk, synced, under its final name. `RecordingFailed` when the disk does not do that."""
        if self._is_over:
            return
        self._flush()
        try:
            self._finish()
        except OSError as error:
            raise RecordingFailed(f"{self._part} cannot be sealed ({error.strerror})") from error

    def _flush(self) -> None:
        self._member_began = began = self._clock.monotonic()
        if not self._lines:
            return
        member = gzip.compress(self._lines, 6, mtime=0)
        try:
            self._require_room(len(member))
            _write_all(self._descriptor, member)
        except OSError as error:
            self._break_off(f"{self._part} cannot be written ({error.strerror})", error)
        self.bytes += len(member)
        self._lines.clear()
        took = self._clock.monotonic() - began
        if took > WRITE_SECONDS_MAX:
            self._break_off(f"{len(member)} bytes took {took:.0f} s to write: the disk is too slow to keep up", None)

    def _require_room(self, needed: int) -> None:
        space = os.fstatvfs(self._descriptor)
        if space.f_bavail * space.f_frsize < FREE_BYTES_MIN + needed:
            raise OSError(0, f"fewer than {FREE_BYTES_MIN // 2**20} MiB are left on the disk")

    def _break_off(self, what: str, error: OSError | None) -> None:
        """Seal what is whole, and say why there is no more."""
        with suppress(OSError):
            os.ftruncate(self._descriptor, self.bytes)
            self._finish()
        raise RecordingFailed(what) from error

    def _finish(self) -> None:
        self._is_over = True
        try:
            os.fsync(self._descriptor)
        finally:
            os.close(self._descriptor)
        self._part.rename(self.path)
        _sync(self._directory)


def recover(directory: Path, observer: Observer) -> None:
    """Seal what recorders before left, up to the last whole member of each. `RecordingFailed` where that fails."""
    for part in sorted(directory.glob(f"*{SUFFIX}{PART}")):
        try:
            whole, last_line = _whole_members(part)
            lost = part.stat().st_size - whole
            if whole == 0:
                part.unlink()
            else:
                _end(part, whole, last_line)
            _sync(directory)
        except OSError as error:
            raise RecordingFailed(f"{part} cannot be recovered ({error.strerror})") from error
        observer.observed(Event.RECORDING_RECOVERED, path=str(part), bytes=whole, bytes_lost=lost)


def _end(part: Path, whole: int, last_line: bytes) -> None:
    """Cut the file after its whole members, say that something may be missing, and give it its final name."""
    gap = json.dumps({"at": _time_of(last_line), "kind": "gap", "reason": "the recorder was killed"})
    with open(part, "r+b") as file:
        file.truncate(whole)
        file.seek(whole)
        file.write(gzip.compress(f"{gap}\n".encode(), 6, mtime=0))
        file.flush()
        os.fsync(file.fileno())
    part.rename(_free_name(part.with_name(part.name.removesuffix(PART)), part))


def _whole_members(path: Path) -> tuple[int, bytes]:
    """How far the file holds whole members of whole lines, and the last of those lines."""
    whole, last_line = 0, b""
    with open(path, "rb") as file:
        while True:
            file.seek(whole)
            unpacker, tail, read = zlib.decompressobj(_GZIP), b"", 0
            while not unpacker.eof:
                chunk = file.read(_CHUNK)
                if not chunk:
                    return whole, last_line
                try:
                    text = unpacker.decompress(chunk)
                except zlib.error:
                    return whole, last_line
                read += len(chunk)
                tail = (tail + text)[-_CHUNK * 4 :]
            if not tail.endswith(b"\n"):
                return whole, last_line
            whole += read - len(unpacker.unused_data)
            last_line = tail[:-1].rpartition(b"\n")[2]


def _time_of(line: bytes) -> int:
    """When a line was written, in milliseconds: its `at`, or what the header says."""
    try:
        document = json.loads(line)
        if document["kind"] == "header":
            return (datetime.fromisoformat(document["started_at"]) - _EPOCH) // timedelta(milliseconds=1)
        return int(document["at"])
    except (ValueError, KeyError, TypeError):
        return 0


def _unused(directory: Path, at: datetime) -> Path:
    """The hour's name; a second file of the hour sorts after the first and before the next hour."""
    return _free_name(directory / f"btcturk-{at:%Y%m%dT%H}{SUFFIX}")


def _free_name(wanted: Path, ours: Path | None = None) -> Path:
    """This name, or one with a number, that no file has; `ours` is about to lose its own."""
    stem = wanted.name.removesuffix(SUFFIX)
    names = (wanted.name, *(f"{stem}_{count:02}{SUFFIX}" for count in range(2, FILES_PER_HOUR_MAX + 1)))
    for name in names:
        path, part = wanted.with_name(name), wanted.with_name(name + PART)
        if not path.exists() and (part == ours or not part.exists()):
            return path
    raise RecordingFailed(f"{wanted.parent} has {FILES_PER_HOUR_MAX} recordings of one hour already")


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
