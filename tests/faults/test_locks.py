"""The lock between real processes, in numbers (reliability, section 4), and across namespaces (rows 92, 94 to 97).

A short share of each number runs always; `make fault-test` runs all of them.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from btcbot.domain.errors import ExitCode, FenceLost, LockHeld
from btcbot.domain.orders.states import OrderState
from btcbot.persistence.sqlite.lock import DatabaseLock, is_locked, lock_path, read_holder
from tests.unit.persistence.world import approved, identity, live_store

PROJECT = Path(__file__).parents[2]
RACERS = 4
REFUSAL_SECONDS_MAX = 1.0
ELSEWHERE = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--uts")
NAMED_ELSEWHERE = ("sh", "-c", 'hostname elsewhere && exec "$0" "$@"')
pytestmark = pytest.mark.timeout(120)

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "live.db"


def forked(work: Callable[[], object]) -> int:
    """A child that does `work` and ends; its exit code says whether that raised."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return child


def race(path: Path, racers: int) -> list[bytes]:
    """All start at one moment; what each of them came to. The winner holds on until everybody has answered."""
    gun, answers, rest = os.pipe(), os.pipe(), os.pipe()

    def run() -> None:
        os.read(gun[0], 1)
        try:
            lock = DatabaseLock.take(path, identity(instance_id=f"instance-{os.getpid()}"))
        except LockHeld:
            os.write(answers[1], b"0")
            return
        lock.write_holder("db-uuid")
        os.write(answers[1], b"1")
        os.read(rest[0], 1)

    children = [forked(run) for _ in range(racers)]
    os.write(gun[1], b"x" * racers)
    told = [os.read(answers[0], 1) for _ in range(racers)]
    os.write(rest[1], b"x")
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * racers
    for end in (*gun, *answers, *rest):
        os.close(end)
    return told


def races(path: Path, count: int) -> None:
    for _ in range(count):
        assert race(path, RACERS).count(b"1") == 1


def killed_and_followed(path: Path, rounds: int) -> None:
    """Each holder opens the database, is killed, and the next one has it at once."""
    ready = os.pipe()

    def hold() -> None:
        with live_store(path):
            os.write(ready[1], b"1")
            signal.pause()

    for number in range(1, rounds + 1):
        child = forked(hold)
        os.set_blocking(ready[0], False)
        while True:
            try:
                assert os.read(ready[0], 1) == b"1"
                break
            except BlockingIOError:
                assert os.waitpid(child, os.WNOHANG) == (0, 0), f"round {number}: refused although the holder is dead"
                time.sleep(0.001)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    for end in ready:
        os.close(end)
    with live_store(path) as store:
        assert store.epoch == rounds + 1
        assert store.was_unclean


def test_of_those_who_start_at_one_moment_one_wins(path: Path) -> None:
    races(path, 12)


def test_nobody_is_refused_for_a_holder_that_was_killed(path: Path) -> None:
    killed_and_followed(path, 12)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_of_a_thousand_races_each_has_one_winner(path: Path) -> None:
    races(path, 1_000)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_in_a_thousand_kills_nobody_is_refused_for_a_dead_holder(path: Path) -> None:
    killed_and_followed(path, 1_000)


# --------------------------------------------------------------------------------------------- processes of their own


@pytest.fixture
def start(path: Path) -> Iterator[Start]:
    processes: list[subprocess.Popen[str]] = []

    def begin(*before: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*before, sys.executable, "-m", "tests.integration.persistence.holder", str(path), "wait"], cwd=PROJECT,
            text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        processes.append(process)
        return process

    yield begin
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def said(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def elsewhere() -> tuple[str, ...]:
    """Into namespaces of processes, mounts and names of one's own, as a container has them, where that is allowed."""
    allowed = (ELSEWHERE, (*ELSEWHERE[:1], "--user", "--map-root-user", *ELSEWHERE[1:]), ())
    for way in allowed:
        try:
            tried = subprocess.run([*way, *NAMED_ELSEWHERE, "true"], capture_output=True, timeout=30, check=False)
        except FileNotFoundError:
            continue
        if way and tried.returncode == 0:
            return (*way, *NAMED_ELSEWHERE)
    return ()  # then it is a process like any other, and what has to hold is the same


def test_another_namespace_is_refused_and_refuses(path: Path, start: Start) -> None:
    """92: process numbers say nothing across namespaces; the kernel's lock belongs to the file."""
    way = elsewhere()
    inside = start(*way)
    assert said(inside) == "open 1 False"
    holder = read_holder(path)
    assert holder is not None
    if way:
        assert (holder.pid, holder.hostname) == (1, "elsewhere")
        assert holder.pid_namespace != os.readlink("/proc/self/ns/pid")
        assert not holder.is_alive, "the guard is blind there, and may only refuse"
    began = time.monotonic()
    with pytest.raises(LockHeld, match=f"process {holder.pid} "):
        DatabaseLock.take(path, identity())
    assert time.monotonic() - began < REFUSAL_SECONDS_MAX
    inside.kill()
    inside.communicate()
    while is_locked(path):
        time.sleep(0.001)

    with live_store(path) as store:
        assert (store.epoch, store.was_unclean) == (2, True)
        refused = start(*way)
        assert f"process {os.getpid()} " in said(refused)
        assert refused.wait(30) == ExitCode.LOCKED
        store.require_fence()


def usurped(path: Path, start: Start, rounds: int) -> None:
    """96: the file is replaced under its holder, somebody else opens the database, and the holder sends no more."""
    for _ in range(rounds):
        with live_store(path) as store:
            order = store.journal.intent(approved(f"{store.epoch}/BTCTRY/1", quantity="0.0001"))
            lock_path(path).unlink()
            other = start()
            assert said(other).startswith(f"open {store.epoch + 1} ")
            with pytest.raises(FenceLost):
                store.require_fence()
            with pytest.raises(FenceLost):
                store.journal.sending(order)
            other.communicate("\n", timeout=30)
            assert other.returncode == 0
        with live_store(path) as store:
            assert store.journal.get(order.order_id).state is OrderState.INTENT
            store.journal.not_sent(order, "a test")  # makes room for the next one


def test_a_usurped_writer_is_stopped_before_its_next_submit(path: Path, start: Start) -> None:
    usurped(path, start, 1)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_usurped_writer_is_stopped_every_time(path: Path, start: Start) -> None:
    usurped(path, start, 50)
