"""An archive made beside the worker, on a thread of its own that counts no money."""

import threading
from pathlib import Path

from btcbot.domain.errors import BtcbotError
from btcbot.persistence.sqlite.archives import Sealed, seal


class Sealing:
    """`seal` on a thread of its own, which nobody has to wait for at the end of the process."""

    def __init__(self, backup: Path, shelf: Path) -> None:
        self._sealed: Sealed | None = None
        self._failure: BtcbotError | None = None
        self._thread = threading.Thread(target=self._run, args=(backup, shelf), name="archive", daemon=True)
        self._thread.start()

    @property
    def is_done(self) -> bool:
        return not self._thread.is_alive()

    def result(self) -> Sealed | None:
        """Once it is done; raises what went wrong."""
        if self._failure is not None:
            raise self._failure
        return self._sealed

    def _run(self, backup: Path, shelf: Path) -> None:
        try:
            self._sealed = seal(backup, shelf)
        except BtcbotError as error:
            self._failure = error
