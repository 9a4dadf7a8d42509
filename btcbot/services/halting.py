"""Halts: latched, durable, lifted only by a person. Anyone may trip the file; nobody lifts by deleting it.

The latch is the row in live's database **or** the halt file in the run directory. Live turns a file into a row as soon
as it sees one; from then on the row holds even when the file is gone.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from btcbot.domain.errors import UnsafeState
from btcbot.domain.events import Event
from btcbot.domain.ports import Observer

if TYPE_CHECKING:  # the monitor and `btcbot halt` write the file without the database room
    from btcbot.persistence.sqlite.live_store import LiveStore

HALT_FILE = "halt"
HALT_FILE_MODE = 0o660
REASON_CHARACTERS_MAX = 500


def write_halt_file(run_dir: Path, reason: str) -> Path:
    """Trip the halt file. One that is there already stays as it is: the first reason is the one to read."""
    path = run_dir / HALT_FILE
    line = " ".join(reason.split())[:REASON_CHARACTERS_MAX] + "\n"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, HALT_FILE_MODE)
    except FileExistsError:
        return path
    except OSError as error:
        raise UnsafeState(f"the halt file {path} cannot be written ({error.strerror})") from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, HALT_FILE_MODE)  # whatever the umask: the other role's user shares the group
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
    return path


class Halting:
    """Live's view of the latch. `reason()` is asked before every submit."""

    def __init__(self, store: "LiveStore", run_dir: Path, observer: Observer) -> None:
        self._store = store
        self._path = run_dir / HALT_FILE
        self._observer = observer

    def reason(self) -> str | None:
        """Why trading is halted, or nothing. An unreadable halt file halts too."""
        latched = self._store.halt()
        if latched is not None:
            return latched
        tripped = self._file_reason()
        if tripped is None:
            return None
        reason = f"halt file: {tripped}"
        try:
            self.latch(reason, by="halt_file")
        except UnsafeState as error:  # the file holds until the row can be written
            self._observer.observed(Event.RECORDS_BLOCKED, detail=str(error))
        return reason

    def latch(self, reason: str, by: str) -> None:
        """Make a halt durable. The first reason stays until a person lifts it."""
        if self._store.halt() is None:
            self._store.latch_halt(reason, by)
            self._observer.observed(Event.HALT_LATCHED, reason=reason, by=by)

    def lift(self, reason: str, by: str) -> None:
        """A person's decision, after a clean reconciliation. The file first: a crash in between leaves it latched."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise UnsafeState(f"the halt file {self._path} cannot be removed ({error.strerror})") from error
        self._store.lift_halt(reason, by)
        self._observer.observed(Event.HALT_LIFTED, reason=reason, by=by)

    def _file_reason(self) -> str | None:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            return f"unreadable ({error.strerror})"
        try:
            text = os.read(descriptor, REASON_CHARACTERS_MAX)
        except OSError as error:
            return f"unreadable ({error.strerror})"
        finally:
            os.close(descriptor)
        return text.decode("utf-8", "replace").strip() or "no reason given"
