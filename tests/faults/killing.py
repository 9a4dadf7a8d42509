"""One short story of trading, and its worker killed at one chosen point of it: a commit, or a wait for the exchange.

The story ends with a start over what the kill left, and time enough for everything to be settled.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

import looptime

from btcbot.domain.money import use_money_context
from btcbot.services.halting import write_halt_file
from tests.simulation import invariants
from tests.simulation.exchange import Weather
from tests.simulation.worker import Lives

STORY_SECONDS = 60.0
REST_SECONDS = 31.0
QUIET = timedelta(seconds=20)
END_SECONDS = 15.0
ENDS_MAX = 20


class At(StrEnum):
    """Where the process dies."""

    BEFORE_COMMIT = "before a commit"  # all that the transaction wrote is lost
    AFTER_COMMIT = "after a commit"  # it is durable, and nobody heard of it
    WAITING = "while it waits for the exchange"


class Killed(BaseException):
    """Nothing catches it."""


@dataclass
class Cut(Lives):
    """Lives on one file: the first ones are killed at `point`, the last one comes to rest."""

    at: At = At.WAITING
    point: int | None = None  # none: it is only counted how many there are
    weather: Weather = field(default_factory=Weather)
    deaths: int = 1  # that many lives in a row are killed at that point of theirs
    points: int = 0  # how many there were in the first life

    def __post_init__(self) -> None:
        super().__post_init__()
        self.network.weather = replace(self.weather)
        self.profile = replace(self.profile, seal_quiet=QUIET)
        self.left: dict[Path, bytes] = {}

    async def run(self) -> None:
        use_money_context()
        for _ in range(self.deaths):
            await self._dies(STORY_SECONDS)
        self.network.weather = Weather()
        self._open()
        task = asyncio.ensure_future(self.service.run())
        await asyncio.wait({task}, timeout=REST_SECONDS)
        if task.done():
            task.result()
        await come_to_rest(self)
        self.service.stop()
        await task
        self._close()

    async def _dies(self, seconds: float) -> None:
        """A life that ends at the point, or is killed where it stands when it does not come to it."""
        self._open()
        killed = asyncio.get_running_loop().create_future()
        travels = self.network.travels
        if self.at is At.WAITING and self.point is not None:
            self.network.on_kill = lambda: killed.set_result(None)
            self.network.kill_at = travels + self.point
        with self._watched_commits() as commits:
            task = asyncio.ensure_future(self.service.run())
            await asyncio.wait({task, killed}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            self.points = commits[0] if self.at is not At.WAITING else self.network.travels - travels
            self.network.kill_at = None
            if not self.left:
                self._leave()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self.store._database.close()
        for file, content in self.left.items():
            file.write_bytes(content)
            file.chmod(0o600)
        self.left = {}
        self.lock.release()

    def _leave(self) -> None:
        """The files as they are now; from now on the process writes nothing, and so sends nothing."""
        path = self.profile.common.state_db_path
        self.left = {file: file.read_bytes() for file in (path, path.with_name(f"{path.name}-wal"))}
        self.store._database._failure = "killed"

    @contextmanager
    def _watched_commits(self) -> Iterator[list[int]]:
        database, made = self.store._database, [0]
        begin = database.transaction

        def die_at(at: At) -> None:
            if self.at is at and made[0] == self.point:
                self._leave()
                raise Killed

        @contextmanager
        def watched() -> Iterator[None]:
            made[0] += 1
            with begin():
                yield
                die_at(At.BEFORE_COMMIT)
            die_at(At.AFTER_COMMIT)

        database.transaction = watched  # type: ignore[method-assign]
        try:
            yield made
        finally:
            del database.transaction


async def come_to_rest(lives: Lives) -> None:
    """A halt takes everything off the book; what is unknown is sealed by then, and the ledger is exact."""
    write_halt_file(lives.directory, "the end of the story")
    for _ in range(ENDS_MAX):
        await asyncio.sleep(END_SECONDS)
        if not lives.parts.book.unfinished():
            invariants.ledger_is_exact(lives.store, lives.network)
            return
    raise AssertionError(f"S12: still at work: {lives.parts.book.unfinished()}")


def cut(
    directory: Path, seed: int, at: At, point: int | None, weather: Weather | None = None, deaths: int = 1
) -> Cut:  # fmt: skip
    """Tell the story on a loop of its own; what must hold has held when it returns."""
    directory.mkdir(mode=0o700, parents=True)
    loop = looptime.new_event_loop(start=0.0, noop_cycles=2)
    try:
        story = Cut(
            directory,
            seed,
            STORY_SECONDS,
            is_watched=True,
            at=at,
            point=point,
            weather=weather or Weather(),
            deaths=deaths,
        )
        loop.run_until_complete(story.run())
        return story
    finally:
        loop.close()
