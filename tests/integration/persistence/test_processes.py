"""Lock, fence and durability between real processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from btcbot.domain.errors import ExitCode, LockHeld
from btcbot.domain.profiles import Role
from btcbot.persistence.sqlite.lock import DatabaseLock, Stage, is_locked, lock_path, read_holder
from btcbot.persistence.sqlite.ownership import verify_records
from tests.unit.persistence.world import identity, live_store

PROJECT = Path(__file__).parents[3]
Start = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "live.db"


@pytest.fixture
def start(path: Path) -> Iterator[Start]:
    processes: list[subprocess.Popen[str]] = []

    def begin(what: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.persistence.holder", str(path), what], cwd=PROJECT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        processes.append(process)
        return process

    yield begin
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_second_writer_is_refused_by_name_and_the_first_is_untouched(path: Path, start: Start) -> None:
    first = start("wait")
    assert line(first) == "open 1 False"
    files = {name: path.with_name(name).read_bytes() for name in ("live.db", "live.db-wal", "live.db.lock")}
    second = start("wait")
    answer = line(second)
    assert second.wait(10) == ExitCode.LOCKED
    assert answer.startswith("refused ")
    for fact in (
        f"process {first.pid} (live, instance instance-{first.pid})",
        os.uname().nodename,
        "2026-03-01T12:00:00",
    ):
        assert fact in answer
    assert {name: path.with_name(name).read_bytes() for name in files} == files
    first.communicate("\n", timeout=10)
    assert first.returncode == 0
    with live_store(path) as store:
        assert not store.was_unclean


def test_one_of_many_wins_the_race(path: Path, start: Start) -> None:
    racers = [start("wait") for _ in range(5)]
    answers = [line(racer).split()[0] for racer in racers]
    assert sorted(answers) == ["open", *["refused"] * 4]
    winner = racers[answers.index("open")]
    assert all(racer.wait(10) == ExitCode.LOCKED for racer in racers if racer is not winner)
    winner.communicate("\n", timeout=10)


@pytest.mark.parametrize("acknowledged", [1, 2, 9, 30])
def test_whatever_was_acknowledged_before_a_kill_is_there_afterwards(
    path: Path, start: Start, acknowledged: int
) -> None:  # fmt: skip
    process = start("journal")
    assert line(process) == "open 1 False"
    told = [line(process).split() for _ in range(acknowledged)]
    process.send_signal(signal.SIGKILL)
    assert process.stdout is not None
    told += [rest.split() for rest in process.stdout.read().splitlines(keepends=True) if rest.endswith("\n")]
    process.wait(10)
    assert not is_locked(path)
    verify_records(path, Role.LIVE)
    last = {order_id: state for state, order_id in told}
    with live_store(path) as store:
        assert store.was_unclean
        assert store.epoch == 2
        for order_id, state in last.items():
            assert store.journal.get(order_id).state in (state, "not_sent")
        assert len(last) <= sum(store.journal.counters().values()) <= len(last) + 1


def test_a_killed_holder_is_followed_at_once(path: Path, start: Start) -> None:
    for epoch in (1, 2, 3):
        process = start("wait")
        assert line(process) == f"open {epoch} {epoch > 1}"
        process.kill()
        process.wait(10)
        left = read_holder(path)
        assert left is not None
        assert left.stage is Stage.HELD
        assert not left.is_alive


def test_an_interpreter_that_ends_without_closing_is_unclean_and_loses_nothing(path: Path, start: Start) -> None:
    process = start("leave")
    assert line(process) == "open 1 False"
    process.communicate("\n", timeout=10)
    left = read_holder(path)
    assert left is not None
    assert left.stage is Stage.CLOSING
    with live_store(path) as store:
        assert store.was_unclean


def test_a_forked_child_keeps_the_lock_of_its_dead_parent(path: Path, start: Start) -> None:
    process = start("fork")
    assert line(process) == "open 1 False"
    child = int(line(process).split()[1])
    process.kill()
    process.wait(10)
    with pytest.raises(LockHeld, match=f"process {process.pid} "):
        DatabaseLock.take(path, identity())
    os.kill(child, signal.SIGKILL)
    while is_locked(path):
        pass
    with live_store(path) as store:
        assert store.was_unclean


def test_the_text_of_a_living_holder_refuses_even_where_its_lock_file_was_replaced(path: Path, start: Start) -> None:
    process = start("wait")
    assert line(process) == "open 1 False"
    text = lock_path(path).read_bytes()
    lock_path(path).unlink()
    lock_path(path).write_bytes(text)
    lock_path(path).chmod(0o600)
    assert not is_locked(path)
    with pytest.raises(LockHeld, match="still runs"):
        DatabaseLock.take(path, identity())
