"""After a backup, where live's file has grown beyond what it should: the next archive, and its row."""

from pathlib import Path

from btcbot.domain.events import Event
from btcbot.domain.ports import Observer, Sleeper
from btcbot.persistence.sqlite.backups import Backup
from btcbot.persistence.sqlite.live_store import LiveStore
from btcbot.persistence.sqlite.sealing import Sealing

LOOK_SECONDS = 0.25


class Archiver:
    def __init__(self, store: LiveStore, shelf: Path, bytes_max: int, sleeper: Sleeper, observer: Observer) -> None:
        self._store = store
        self._shelf = shelf
        self._bytes_max = bytes_max
        self._sleeper = sleeper
        self._observer = observer

    async def after(self, backup: Backup) -> None:
        """Seal what is due out of a backup that was checked just now. Raises what stands in the way."""
        if self._store.bytes_used() <= self._bytes_max:
            return
        sealing = Sealing(backup.path, self._shelf)
        while not sealing.is_done:
            await self._sleeper.sleep(LOOK_SECONDS)
        sealed = sealing.result()
        if sealed is None:
            return
        self._store.add_archive(sealed)
        self._observer.observed(
            Event.ARCHIVE_SEALED, path=str(self._shelf / sealed.name), bytes=sealed.bytes,
            first_sequence=sealed.first_sequence, last_sequence=sealed.bounds.base.sequence,
            chain_hash=sealed.bounds.base.hash, last_cycle=sealed.bounds.last_cycle,
        )  # fmt: skip
