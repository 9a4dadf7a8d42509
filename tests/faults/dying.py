"""A worker in a process of its own that dies at a line, at a system call, or for want of memory; and the one after it.

The process trades against the simulated exchange in virtual time, on a database on disk. What the exchange took is
written down by the exchange's side, and what left is what came out of a socket: both outlive the process. The worker
that comes after it is judged against that truth, by `tests/simulation/invariants.py` after every cycle of its.
"""

import asyncio
import os
import pickle
import shutil
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import looptime

from btcbot.domain.money import use_money_context
from btcbot.domain.orders.records import JournaledOrder
from btcbot.simulation.generator import generated_market
from btcbot.simulation.happenings import OrderAccepted
from btcbot.simulation.orders import Refusal
from btcbot.simulation.rules import VenueRules
from btcbot.simulation.venue import Venue
from tests.faults.killing import REST_SECONDS, come_to_rest
from tests.simulation.exchange import START_MS, Network, Weather, new_market
from tests.simulation.worker import PAIRS, Lives

SEED = 2  # partial fills, cancels that are overtaken and exits within the first minutes
STORY_SECONDS = 75.0  # a recovery, cycles, and a shutdown
GAP_SECONDS = 5.0
QUIET = timedelta(seconds=20)
MESSAGE_BYTES_MAX = 64 * 1024
EXCHANGES_DESCRIPTOR = 250  # in a process that dies: what is written there is the exchange's doing
SURVIVED, FAILED = 0, 70


@dataclass(frozen=True, slots=True)
class Declined:
    """The exchange took an order in, and said no."""

    client_order_id: str


@dataclass
class Outlived(Network):
    """The network of a process that dies: what the exchange took is on record before anybody is told."""

    memory: Path = Path()

    def __post_init__(self) -> None:
        self.descriptor = os.open(self.memory, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def close(self) -> None:
        self.remember()
        os.close(self.descriptor)

    def remember(self) -> None:
        for news in self.venue.news():
            os.write(self.descriptor, pickle.dumps(news.happening))

    def advanced(self) -> Venue:
        venue = super().advanced()
        self.remember()
        return venue

    def accept(self, order: JournaledOrder) -> OrderAccepted | Refusal:
        answer = super().accept(order)
        self.remember()
        if isinstance(answer, Refusal):
            os.write(self.descriptor, pickle.dumps(Declined(order.client_order_id)))
        return answer

    async def travel(self) -> None:
        self.remember()  # a cancel that was just taken
        await super().travel()


@dataclass
class Mortal(Lives):
    """One worker on a database and an exchange that may be older than it is."""

    since: float = 0.0  # seconds of virtual time
    door: socket.socket | None = None  # by which orders leave, when the worker is one that dies
    outlived: Outlived = field(init=False)
    late: list[JournaledOrder] = field(default_factory=list)  # that were still on the wire at the death before
    at_the_end: Callable[[], object] = lambda: None  # of a life that did not die

    def __post_init__(self) -> None:
        super().__post_init__()
        self.profile = replace(self.profile, seal_quiet=QUIET)
        self.ids.last = round(self.since * 1_000_000)  # nobody had these ids before
        memory = self.directory / "exchange"
        past = list(unpickled(memory))
        happenings = [each for each in past if not isinstance(each, Declined)]
        venue = new_market(PAIRS, self.seed)
        if happenings:
            source = generated_market(PAIRS, self.seed)
            source.advance(START_MS + round(self.since * 1000))  # nobody trades twice on what was printed before
            venue = Venue(source, VenueRules(), START_MS, happenings)
        self.outlived = Outlived(venue, PAIRS, self.chance, Weather(), memory=memory)
        self.network = self.outlived
        accepted = [each.client_order_id for each in past if isinstance(each, OrderAccepted)]
        self.network.accepted.update(accepted)
        left = list(unpickled(self.directory / "left"))
        self.network.wire.extend(order.client_order_id for order in left)
        known = {*accepted, *(each.client_order_id for each in past if isinstance(each, Declined))}
        self.late = [order for order in left if order.client_order_id not in known]

    def _before_a_submit(self, order: JournaledOrder) -> None:
        if self.door is None:
            super()._before_a_submit(order)
            with (self.directory / "left").open("ab") as left:
                left.write(pickle.dumps(order))
        else:
            self.door.send(pickle.dumps(order))

    async def lives(self, *, is_killed_in_submit: bool = False) -> None:
        """A start, cycles, and an orderly end, unless it dies before."""
        if is_killed_in_submit:
            self.network.kill_in_submit = 1
            self.network.on_kill = lambda: os.kill(os.getpid(), signal.SIGKILL)
        self._open()
        task = asyncio.ensure_future(self.service.run())
        await asyncio.wait({task}, timeout=STORY_SECONDS)
        if task.done():
            task.result()
        self.service.stop()
        await task
        self.store.close()
        self.lock.release()
        self.outlived.close()
        sys.settrace(None)
        self.at_the_end()

    async def settles(self, *, arrives: bool) -> None:
        """The worker after a death: it recovers, goes on, and comes to rest with exact books."""
        if arrives:
            for order in self.late:
                self.network.accept(order)
        self._open()
        task = asyncio.ensure_future(self.service.run())
        await asyncio.wait({task}, timeout=REST_SECONDS)
        if task.done():
            task.result()
        await come_to_rest(self)
        self.service.stop()
        await task
        self._close()
        self.outlived.close()


@dataclass
class Death:
    """A database and an exchange's memory in a directory, and what becomes of the processes that work on them."""

    directory: Path
    at: float = 0.0  # virtual time of the next start

    @classmethod
    def after_a_first_life(cls, directory: Path) -> "Death":
        """A worker traded for a while and was killed with an order on the wire: the next has something to recover."""
        directory.mkdir(mode=0o700, parents=True)
        first = cls(directory)
        status = first.dies(lambda life: None, is_killed_in_submit=True)
        assert os.WTERMSIG(status) == signal.SIGKILL
        assert (directory / "exchange").stat().st_size > 0
        return first

    def copied_to(self, directory: Path) -> "Death":
        shutil.copytree(self.directory, directory)
        return Death(directory, self.at)

    def forget(self) -> None:
        shutil.rmtree(self.directory)

    def dies(
        self, prepare: Callable[[Mortal], None], parent: Callable[[int], int] | None = None,
        *, is_killed_in_submit: bool = False,
    ) -> int:  # fmt: skip
        """One life in a forked process; its wait status. `prepare` runs there, and arranges for the death."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        child = os.fork()
        if child == 0:
            _live_and_exit(self.directory, self.at, theirs, prepare, is_killed_in_submit)
        theirs.close()
        status = os.waitpid(child, 0)[1] if parent is None else parent(child)
        with (self.directory / "left").open("ab") as left:
            while message := ours.recv(MESSAGE_BYTES_MAX):
                left.write(message)
        ours.close()
        self.at += STORY_SECONDS + GAP_SECONDS
        return status

    def settles(self, *, arrives: bool) -> Mortal:
        """The next worker, in this process. `arrives`: what was on the wire at the death reaches the exchange."""
        return _on_a_loop(self.at, lambda: Mortal(self.directory, SEED, 0.0, True, since=self.at), arrives)


def _on_a_loop(at: float, build: Callable[[], Mortal], arrives: bool) -> Mortal:
    loop = looptime.new_event_loop(start=at, noop_cycles=2)
    try:
        life = build()
        loop.run_until_complete(life.settles(arrives=arrives))
        return life
    finally:
        loop.close()


def _live_and_exit(
    directory: Path, at: float, door: socket.socket, prepare: Callable[[Mortal], None], is_killed_in_submit: bool
) -> None:
    """What the forked process does; it never comes back."""
    code = FAILED
    try:
        use_money_context()
        loop = looptime.new_event_loop(start=at, noop_cycles=2)
        life = Mortal(directory, SEED, 0.0, False, since=at, door=door)
        os.dup2(life.outlived.descriptor, EXCHANGES_DESCRIPTOR)
        life.outlived.descriptor = EXCHANGES_DESCRIPTOR
        prepare(life)
        loop.run_until_complete(life.lives(is_killed_in_submit=is_killed_in_submit))
        code = SURVIVED
    except BaseException:  # noqa: BLE001 - the fork of a test must not go on as the test
        sys.settrace(None)
        with suppress(BaseException):
            traceback.print_exc()
    finally:
        os._exit(code)


def unpickled(path: Path) -> Iterator[Any]:
    """All records of a file; one that was cut short never happened."""
    if not path.exists():
        return
    with path.open("rb") as file, suppress(EOFError, pickle.UnpicklingError):
        while True:
            yield pickle.load(file)
