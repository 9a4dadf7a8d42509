"""A real process dies by SIGKILL at any line of it and at any system call, or for want of memory, and the next one is
judged: nothing lost, nothing doubled, the books exact (rows 44, 45, 46 and 50).

The process recovers what an earlier kill left, trades, and shuts down. Between two writing system calls nothing changes
that outlives it, so that the campaign over all of those has every state that a kill can leave; the one over the lines
looks for what that argument overlooks. Both take the better part of an hour: `make fault-test`.
"""

import os
import pickle
import random
import resource
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from btcbot.domain.profiles import Role
from btcbot.persistence.sqlite.ownership import verify_records
from tests.faults import dying
from tests.faults.dying import EXCHANGES_DESCRIPTOR, FAILED, SURVIVED, Death, Mortal
from tests.faults.watching import Calls, Line, Lines, ask_to_be_traced, kill_oneself

SEED = 44
LINES_SAMPLED, AGAIN_SAMPLED, CALLS_SAMPLED, HUNGRY_SAMPLED = 8, 1, 5, 3
SHARDS = 8  # of a long campaign, which then runs on several cores
HOARDED = (1 << 20, 1 << 16, 1 << 12, *range(480, 0, -16))  # bytes: down to what the interpreter's own pools hold
SPARE_BLOCKS = 20
HOARD: list[object] = []
pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory) -> Death:
    """What a killed worker left: orders at rest, one on the wire, a ledger."""
    directory = tmp_path_factory.mktemp("first")
    death = Death.after_a_first_life(directory / "life")
    death.copied_to(directory / "again").settles(arrives=True)  # what is computed once in a process is computed by now
    return death


@pytest.fixture(scope="session")
def lines(first: Death, tmp_path_factory: pytest.TempPathFactory) -> dict[Line, list[int]]:
    """Every line of ours that a whole life executes, with the counts at which it does."""
    directory = tmp_path_factory.mktemp("lines")

    def remember(life: Mortal) -> None:
        watched = Lines()
        life.at_the_end = lambda: directory.joinpath("seen").write_bytes(pickle.dumps(watched.when))
        watched.start()

    status = first.copied_to(directory / "life").dies(remember)
    assert os.waitstatus_to_exitcode(status) == SURVIVED
    found: dict[Line, list[int]] = pickle.loads((directory / "seen").read_bytes())
    return found


def killed_at(line: int) -> Callable[[Mortal], None]:
    return lambda life: Lines(line, kill_oneself).start()


def was_killed(status: int) -> bool:
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def kill_and_judge(death: Death, point: int, last: int) -> None:
    """Lives differ by a few lines, so that one may end in order just before it comes to a point near its end."""
    status = death.dies(killed_at(point))
    assert was_killed(status) or (os.waitstatus_to_exitcode(status) == SURVIVED and point > last * 0.98), point
    judge(death, point)


def last_of(lines: dict[Line, list[int]]) -> int:
    return max(counts[-1] for counts in lines.values())


def judge(death: Death, point: int) -> None:
    """What is on disk is whole, and the next worker finds everything."""
    verify_records(death.directory / "live.db", Role.LIVE)
    death.settles(arrives=point % 2 == 0)


def test_a_life_executes_the_lines_of_recovery_cycle_and_shutdown(lines: dict[Line, list[int]]) -> None:
    files = {Path(file).name for file, _ in lines}
    assert {
        "lock.py",
        "opening.py",
        "reconciliation.py",
        "decision.py",
        "gate.py",
        "order_desk.py",
        "journal.py",
    } <= files
    assert {"unit_of_work.py", "chain.py", "run_loop.py", "halting.py", "trading_book.py"} <= files
    assert len(lines) > 1_800


def test_killed_at_a_line_it_loses_and_doubles_nothing(
    first: Death, lines: dict[Line, list[int]], tmp_path: Path
) -> None:  # fmt: skip
    chance = random.Random(SEED)
    for counts in chance.sample(list(lines.values()), LINES_SAMPLED):
        point = chance.choice(counts)
        kill_and_judge(first.copied_to(tmp_path / str(point)), point, last_of(lines))


def test_killed_at_a_line_of_each_recovery_it_loses_and_doubles_nothing(
    first: Death, lines: dict[Line, list[int]], tmp_path: Path
) -> None:
    chance = random.Random(SEED)
    began = min(count for (file, _), counts in lines.items() if file.endswith("decision.py") for count in counts)
    for number in range(AGAIN_SAMPLED):
        death = first.copied_to(tmp_path / str(number))
        for _ in range(3):
            assert was_killed(death.dies(killed_at(chance.randrange(1, began))))
        judge(death, number)


def test_killed_at_a_writing_system_call_what_was_acknowledged_is_there(first: Death, tmp_path: Path) -> None:
    whole = Calls(but_on=EXCHANGES_DESCRIPTOR)
    status = first.copied_to(tmp_path / "whole").dies(lambda life: ask_to_be_traced(), whole.trace)
    assert os.waitstatus_to_exitcode(status) == SURVIVED
    names = [name for name, _ in whole.entered]
    assert {*names} >= {"pwrite64", "fdatasync", "fsync", "ftruncate", "unlink", "sendto"}
    chance = random.Random(SEED)
    rare = [number for number, name in enumerate(names, start=1) if name != "pwrite64"]
    (log, _), (file, _) = Counter(on for name, on in whole.entered if name == "pwrite64").most_common(2)
    assert names.count("fdatasync") > 20, f"{log} is the log, {file} the file that it is moved into"
    moved = [number for number, call in enumerate(whole.entered, start=1) if call == ("pwrite64", file)]
    for point in (*chance.sample(rare, CALLS_SAMPLED - 2), *chance.sample(moved, 2)):
        call_and_judge(first, tmp_path, point)


def call_and_judge(first: Death, tmp_path: Path, point: int) -> bool:
    """Whether there was a call of that number."""
    death = first.copied_to(tmp_path / str(point))
    calls = Calls(point, EXCHANGES_DESCRIPTOR)
    status = death.dies(lambda life: ask_to_be_traced(), calls.trace)
    if not was_killed(status):
        assert len(calls.entered) < point, "it ended before it came to that call"
        return False
    judge(death, point)
    return True


def starved() -> None:
    """From now on the process gets no more memory; what it has is filled up, but for a little."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    spare = [bytes(size) for size in HOARDED[-20:] for _ in range(SPARE_BLOCKS)]
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize(),) * 2)
    hoard: object = None  # a chain, since a list asks for one large block again and again
    for size in HOARDED:
        with suppress(MemoryError):
            while True:
                hoard = (hoard, bytes(size))
    HOARD.append(hoard)
    spare.clear()


def test_without_memory_it_ends_and_loses_and_doubles_nothing(
    first: Death, lines: dict[Line, list[int]], tmp_path: Path
) -> None:
    """50: under a cap, at any line. The kernel's own kill is a SIGKILL at a line, as above."""
    chance = random.Random(SEED)
    last = last_of(lines)
    ends = []
    for point in chance.sample(range(1, last), HUNGRY_SAMPLED):
        death = first.copied_to(tmp_path / str(point))
        status = death.dies(lambda life, point=point: Lines(point, starved).start())  # type: ignore[misc]
        ends.append(os.waitstatus_to_exitcode(status))
        judge(death, point)
    assert FAILED in ends, "want of memory was felt"


@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_killed_at_every_line_it_loses_and_doubles_nothing(
    first: Death, lines: dict[Line, list[int]], tmp_path: Path, shard: int
) -> None:
    """Each line of the source, the first time that it is executed and once more at random."""
    chance = random.Random(shard)
    for counts in sorted(lines.values())[shard::SHARDS]:
        for point in {counts[0], chance.choice(counts)}:
            death = first.copied_to(tmp_path / str(point))
            kill_and_judge(death, point, last_of(lines))
            death.forget()


@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_killed_at_every_writing_system_call_what_was_acknowledged_is_there(
    first: Death, tmp_path: Path, shard: int
) -> None:
    point = shard + 1
    while call_and_judge(first, tmp_path, point):
        Death(tmp_path / str(point)).forget()
        point += SHARDS
    assert point > 1_000


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_killed_twice_and_starved_at_random_lines_it_loses_and_doubles_nothing(
    first: Death, lines: dict[Line, list[int]], tmp_path: Path
) -> None:
    chance = random.Random(dying.SEED)
    last = last_of(lines)
    for number in range(200):
        death = first.copied_to(tmp_path / str(number))
        for _ in range(chance.randrange(1, 4)):
            then = chance.choice((kill_oneself, kill_oneself, starved))
            point = chance.randrange(1, last)
            death.dies(lambda life, point=point, then=then: Lines(point, then).start())  # type: ignore[misc]
        judge(death, number)
        death.forget()
