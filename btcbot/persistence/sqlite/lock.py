"""The lock file of a database: a kernel lock decides, the text explains (reliability, section 4).

`fcntl.flock` is used directly: the protocol writes the holder into the very descriptor that holds the lock, compares
that descriptor with the path, opens it no-follow, and never removes the file. filelock keeps its descriptor to itself
and unlinks the file on release. POSIX record locks would vanish with any other descriptor of the file.

The file is never unlinked and has no age rule. Its text names a holder in one of four stages: `opening`, `held` while
the database is open and has a log, `closing`, and `released` after an orderly end. Any other text than `released` was
left by a process that died or was interrupted.
"""

import atexit
import fcntl
import json
import os
import socket
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import psutil

from btcbot.domain.errors import FenceLost, LockHeld, UnsafeState
from btcbot.domain.profiles import Role
from btcbot.persistence.sqlite.errors import UnsafePath
from btcbot.persistence.sqlite.fields import utc_text
from btcbot.persistence.sqlite.filesystems import require_trusted_filesystem
from btcbot.persistence.sqlite.paths import require_plain, require_safe_directory

TEXT_BYTES_MAX = 64 * 1024
REOPENINGS_MAX = 3
PROBES_MAX = 100  # `is_locked` of another process holds a shared lock for microseconds


class Stage(StrEnum):
    OPENING = "opening"
    HELD = "held"
    CLOSING = "closing"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process that cannot be mistaken for another: start ticks and boot id, since process numbers come again."""

    role: Role
    instance_id: str
    pid: int
    boot_id: str
    start_ticks: int  # since boot; unlike a start time it does not move when the clock is set
    pid_namespace: str
    hostname: str  # information only: containers get a new one each time
    deployment_id: str
    build: str
    config_hash: str
    started_at: datetime

    @classmethod
    def of_this_process(
        cls, role: Role, instance_id: str, deployment_id: str, build: str, config_hash: str, started_at: datetime
    ) -> "ProcessIdentity":
        pid = os.getpid()
        return cls(
            role, instance_id, pid, boot_id(), start_ticks(pid), pid_namespace(), socket.gethostname(), deployment_id,
            build, config_hash, started_at,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Seal:
    """How far a database had certainly come: kept beside it, so that an older copy in its place is noticed."""

    epoch: int
    sequence: int  # of the last link of its hash chain
    hash: str


@dataclass(frozen=True, slots=True)
class Holder:
    """What a lock file says of the process that holds or held it."""

    role: str
    instance_id: str
    pid: int
    boot_id: str
    start_ticks: int
    pid_namespace: str
    hostname: str
    deployment_id: str
    build: str
    config_hash: str
    started_at: str
    db_uuid: str
    stage: Stage
    seal: Seal | None = None

    def __str__(self) -> str:
        return (
            f"process {self.pid} ({self.role}, instance {self.instance_id}) on {self.hostname}, "
            f"started {self.started_at}"
        )

    @property
    def is_alive(self) -> bool:
        """Whether that very process runs. Blind for other pid namespaces, so it may only refuse, never permit."""
        if self.boot_id != boot_id() or self.pid_namespace != pid_namespace():
            return False
        try:
            is_running = psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            is_running = True  # somebody else's process: it is there
        return is_running and start_ticks(self.pid) == self.start_ticks


class DatabaseLock:
    """Held from `take` to `release` or to the end of the process, whichever comes first."""

    def __init__(
        self, path: Path, descriptor: int, identity: ProcessIdentity, previous: Holder | None, *, was_unclean: bool
    ) -> None:
        """Use `take`."""
        self._path = path
        self._descriptor: int | None = descriptor
        self._identity = identity
        self._holder: Holder | None = None
        self.previous = previous
        self.was_unclean = was_unclean

    @classmethod
    def take(cls, db_path: Path, identity: ProcessIdentity) -> "DatabaseLock":
        """Take the lock or raise `LockHeld`, which names the holder. Writes nothing but an empty lock file."""
        require_safe_directory(db_path.parent)
        require_trusted_filesystem(db_path.parent)
        path = lock_path(db_path)
        descriptor = _locked_descriptor(path)
        try:
            text = _text(descriptor)
            previous = _parse(text)
            if previous is not None and previous.stage is not Stage.RELEASED:
                is_us = (previous.pid, previous.start_ticks) == (identity.pid, identity.start_ticks)
                if previous.is_alive and not is_us:
                    raise LockHeld(f"{path} names {previous}, which still runs")
        except BaseException:
            os.close(descriptor)
            raise
        was_unclean = bool(text) and (previous is None or previous.stage is not Stage.RELEASED)
        return cls(path, descriptor, identity, previous, was_unclean=was_unclean)

    def write_holder(self, db_uuid: str) -> None:
        """Say who holds the lock: after the database was found to be ours, before it is opened."""
        described = {name: value for name, value in asdict(self._identity).items() if name != "started_at"}
        before = self.previous
        self._write(
            Holder(
                **described, started_at=utc_text(self._identity.started_at), db_uuid=db_uuid, stage=Stage.OPENING,
                seal=before.seal if before is not None and before.db_uuid == db_uuid else None,
            )
        )  # fmt: skip

    def mark_open(self, seal: Seal | None = None) -> None:
        """The database is open and has a log: a start that finds this text and no log knows that it was lost."""
        assert self._holder is not None, "the holder is written before the database is opened"
        self._write(replace(self._holder, stage=Stage.HELD, seal=seal or self._holder.seal))
        # An interpreter that ends without `close` closes the database all the same, and its log goes with it.
        atexit.register(self.mark_closing)

    def keep(self, seal: Seal) -> None:
        """How far the database has come by now, all of it durable."""
        assert self._holder is not None, "what was never opened has not come anywhere"
        if self._holder.seal != seal:
            self._write(replace(self._holder, seal=seal))

    def mark_closing(self) -> None:
        """The database is about to be closed in order; from here on its log may vanish."""
        assert self._holder is not None, "what was never opened is not closed"
        if self._descriptor is not None and self._holder.stage is Stage.HELD:
            self._write(replace(self._holder, stage=Stage.CLOSING))

    def require_held(self) -> None:
        """`FenceLost` unless the path still leads to the file that we hold. Two stats."""
        if self._descriptor is None:
            raise FenceLost(f"the lock {self._path} was released")
        if not _is_same_file(self._path, self._descriptor):
            raise FenceLost(f"the lock file {self._path} was removed or replaced")

    def release(self) -> None:
        """Give the lock up. The text says `released` only where the database was closed in order before."""
        if self._descriptor is None:
            return
        if self._holder is not None and self._holder.stage is Stage.CLOSING:
            self._write(replace(self._holder, stage=Stage.RELEASED))
        os.close(self._descriptor)
        self._descriptor = None
        atexit.unregister(self.mark_closing)

    def _write(self, holder: Holder) -> None:
        assert self._descriptor is not None, "a released lock is not written"
        text = json.dumps(asdict(holder), indent=1).encode() + b"\n"
        try:
            os.pwrite(self._descriptor, text, 0)
            os.ftruncate(self._descriptor, len(text))
            os.fsync(self._descriptor)
        except OSError as error:
            raise UnsafeState(f"the lock file {self._path} cannot be written ({error.strerror})") from error
        self._holder = holder


def lock_path(db_path: Path) -> Path:
    return db_path.with_name(f"{db_path.name}.lock")


def read_holder(db_path: Path) -> Holder | None:
    """Who the lock file names, or nothing where it is absent, empty or unreadable; not whether the lock is held."""
    try:
        descriptor = os.open(lock_path(db_path), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        return _parse(_text(descriptor))
    finally:
        os.close(descriptor)


def is_locked(db_path: Path) -> bool:
    """Whether a process holds the lock right now. Creates nothing."""
    try:
        descriptor = os.open(lock_path(db_path), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


def boot_id() -> str:
    return _first_line(Path("/proc/sys/kernel/random/boot_id"))


def pid_namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return "unknown"


def start_ticks(pid: int) -> int:
    """Clock ticks from boot to the start of a process; zero where the system does not tell."""
    stat = _first_line(Path(f"/proc/{pid}/stat"))
    after_name = stat.rpartition(")")[2].split()  # the name may hold spaces and brackets
    return int(after_name[19]) if len(after_name) > 19 else 0


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").partition("\n")[0]
    except OSError:
        return "unknown"


def _locked_descriptor(path: Path) -> int:
    for _ in range(REOPENINGS_MAX):
        descriptor = _opened(path)
        try:
            require_plain(path, os.fstat(descriptor))
            if not _flocked(descriptor):
                holder = _parse(_text(descriptor))
                raise LockHeld(f"{path} is held by {holder or 'a process that has not named itself yet'}")
            if _is_same_file(path, descriptor):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
    raise LockHeld(f"{path} is being replaced by somebody, again and again")


def _opened(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        return os.open(path, flags, 0o600)
    except OSError as error:
        raise UnsafePath(f"the lock file {path} cannot be opened ({error.strerror})") from error


def _flocked(descriptor: int) -> bool:
    for _ in range(PROBES_MAX):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        return True
    return False


def _is_same_file(path: Path, descriptor: int) -> bool:
    ours = os.fstat(descriptor)
    try:
        there = path.lstat()
    except OSError:
        return False
    return (ours.st_dev, ours.st_ino, ours.st_nlink) == (there.st_dev, there.st_ino, 1)


def _text(descriptor: int) -> bytes:
    return os.pread(descriptor, TEXT_BYTES_MAX, 0)


def _parse(text: bytes) -> Holder | None:
    """The holder, or nothing: a text that is torn or foreign explains nothing."""
    try:
        document = json.loads(text)
        seal = document.get("seal")
        found = Holder(
            **{**document, "stage": Stage(document["stage"]), "seal": None if seal is None else Seal(**seal)}
        )
        is_a_process = type(found.pid) is int and found.pid > 0 and type(found.start_ticks) is int
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return found if is_a_process else None
