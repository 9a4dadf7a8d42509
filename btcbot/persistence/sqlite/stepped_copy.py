"""A running database copied by its own process through its one connection, a step at a time, between other work.

SQLite's backup can be stepped; Python's wrapper runs all steps in one call. So that call runs on a thread of its own
which waits inside the call after each step until it is told to go on, and whoever tells it waits until the step is
done. One thread at a time touches the connection, as if there were only one: rows committed between two steps are in
the copy, no step meets an open transaction, and nothing is ever written through a second connection.

Once the last page is copied the thread has the copy to itself: it makes it durable and checks it, and SQLite works
without holding up the interpreter meanwhile.
"""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from btcbot.domain.errors import BtcbotError, UnsafeState
from btcbot.persistence.sqlite.copying import make_durable, make_private, open_target, require_room

PAGES_PER_STEP = 256  # 1 MB: some two milliseconds, and a few times that on a busy disk


class _Abandoned(Exception):
    """The copy is not wanted any more."""


class SteppedCopy:
    """One copy: `advance` until it `is_copied`, then wait until it `is_done`; `failure` says whether it is good."""

    def __init__(self, source: sqlite3.Connection, path: Path, target: Path, check: Callable[[Path], None]) -> None:
        """`check` is called with the finished copy on the copying thread; what it raises makes the copy a failure.

        Raises `UnsafeState` where there is no room or the copy cannot be made.
        """
        require_room(target.parent, path)
        try:
            make_private(target)
        except OSError as error:
            raise UnsafeState(f"no copy can be made at {target} ({error.strerror})") from error
        self._source = source
        self._target = target
        self._check = check
        self._may_step = threading.Semaphore(0)
        self._has_stepped = threading.Semaphore(0)
        self._is_abandoned = False
        self.is_copied = False
        self.failure: BtcbotError | None = None
        self._thread = threading.Thread(target=self._run, name="backup", daemon=True)
        self._thread.start()

    @property
    def is_done(self) -> bool:
        """Durable and checked, or failed."""
        return not self._thread.is_alive()

    def advance(self) -> None:
        """Copy a few more pages. Between transactions only: what is not committed is not copied."""
        if not self.is_copied:
            self._may_step.release()
            self._has_stepped.acquire()

    def abandon(self) -> None:
        """Stop copying and remove what there is. A copy that is complete is left to its thread: nobody waits for it.

        If the process ends first, what is left of it has an unfinished name, and the next backup removes it.
        """
        if self.is_copied:
            return
        self._is_abandoned = True
        self.advance()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._copy()
            make_durable(self._target)
            self._check(self._target)
        except _Abandoned:
            self._target.unlink(missing_ok=True)
        except BtcbotError as error:
            self.failure = error
        except (OSError, sqlite3.Error) as error:
            self.failure = UnsafeState(f"the copy {self._target} failed ({error})")
            self._target.unlink(missing_ok=True)

    def _copy(self) -> None:
        self._may_step.acquire()
        try:
            with closing(open_target(self._target)) as copy:
                self._source.backup(copy, pages=PAGES_PER_STEP, progress=self._pause)
                # The connection is not touched any more; closing the copy writes what is still to be written of it.
                self._hand_back()
        finally:
            if not self.is_copied:
                self._hand_back()

    def _pause(self, _status: int, remaining: int, _total: int) -> None:
        if self._is_abandoned:
            raise _Abandoned
        if remaining:
            self._has_stepped.release()
            self._may_step.acquire()

    def _hand_back(self) -> None:
        self.is_copied = True
        self._has_stepped.release()
