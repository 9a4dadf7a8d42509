"""The journals that must behave alike. Another one joins by adding its factory here."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from btcbot.domain.ports import Journal
from btcbot.research.journal import MemoryJournal
from tests.unit.persistence.world import LIMITS, Clock, CountedIds, live_store

JournalFactory = Callable[[Path], AbstractContextManager[Journal]]
"""Opens a journal of deployment TEST with the limits and the fee of `world`, in a directory of its own."""


@contextmanager
def sqlite_journal(directory: Path) -> Iterator[Journal]:
    with live_store(directory / "live.db") as store:
        yield store.journal


@contextmanager
def memory_journal(_directory: Path) -> Iterator[Journal]:
    yield MemoryJournal(LIMITS, "TEST", Clock(), CountedIds())


JOURNALS: Mapping[str, JournalFactory] = {"sqlite": sqlite_journal, "memory": memory_journal}
