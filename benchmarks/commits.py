"""What our records cost on top of SQLite: a cycle's commit, and the two commits of an order before it leaves.

Both sides write the same rows of the same schema, with its triggers, its indexes and its hashes, to files of their own
on one disk, in turns, `synchronous=FULL`, and move the log into the file between commits and never within one. The
bare side is what is left when everything is known beforehand: prepared statements on a plain `sqlite3` connection, rows
that are text already, each hashed as ours are.
"""

import re
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from figures import Figure, parser, percentile, pin, tell

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the builders of the tests

from btcbot.domain.balances import Balance
from btcbot.domain.events import Event
from btcbot.domain.money import ZERO, Asset, amount, use_money_context
from btcbot.domain.orders.evidence import NoByteLeft
from btcbot.domain.orders.records import JournaledOrder
from btcbot.domain.signals import Direction, Signal
from btcbot.persistence.sqlite.chain import ChainHead, canonical, content_hash
from btcbot.persistence.sqlite.database import PRAGMAS, Database
from btcbot.persistence.sqlite.live_store import LiveStore
from tests.unit.persistence.test_unit_of_work import record
from tests.unit.persistence.world import START, approved, live_store

ROUNDS, ROUNDS_QUICK = 3_000, 30
P50_MAX, P99_MAX = 1.6, 2.0
CHECKPOINT_EVERY = 50
COMMITS = ("a cycle, six rows", "an order's intent, three rows", "its sending, three rows")
# What a row is known by; everything else is repeated as it was.
KEYS = frozenset({"order_id", "decision_id", "client_order_id", "label_sequence", "cycle_id"})


@dataclass(frozen=True, slots=True)
class Statement:
    """One write of a commit, as ours made it."""

    sql: str
    values: tuple[object, ...]

    @property
    def table(self) -> str:
        return self.sql.split()[2 if self.sql.startswith("INSERT") else 1]

    def fresh(self, number: int) -> dict[str, object]:
        """The same row under keys that were not there yet, by column."""
        named = re.search(r"\((.*?)\) VALUES", self.sql)
        columns = named[1].split(", ") if named else re.findall(r"(\w+) = \?", self.sql)
        kept: dict[str, object] = {}
        for position, (column, value) in enumerate(zip(columns, self.values, strict=True)):
            name = column if column not in kept else f"{column} {position}"  # the condition of an UPDATE
            is_key = column in KEYS and value != "no-cycle"
            kept[name] = value if not is_key else number if isinstance(value, int) else f"{value}/{number}"
        return kept


class Bare:
    """A copy of the commits of ours, written again under new keys by nothing but `sqlite3` and the hashing."""

    def __init__(self, path: Path, commits: Sequence[Sequence[Statement]]) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        for name, value in PRAGMAS:
            self._connection.execute(f"PRAGMA {name} = {value}")
        self._commits = commits
        self._head = ChainHead(10_000_000, "0" * 64)

    def write(self, which: int, number: int) -> float:
        """Seconds that one commit takes, its rows made ready beforehand."""
        rows = [(each.sql, each.table, each.fresh(number)) for each in self._commits[which]]
        execute = self._connection.execute
        began = time.perf_counter()
        execute("BEGIN IMMEDIATE")
        texts: list[str] = []
        for sql, table, row in rows:
            if "chain_hash" in row:
                if "content_hash" in row:
                    row["content_hash"] = content_hash(texts)
                row["chain_sequence"] = self._head.sequence + 1
                self._head = self._head.next(table, row)
                row["chain_hash"] = self._head.hash
            elif table in ("signals", "events", "balances"):
                texts.append(canonical(table, row))
            execute(sql, tuple(row.values()))
        execute("COMMIT")
        return time.perf_counter() - began

    def checkpoint(self) -> None:
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        self._connection.close()


def main() -> int:
    options = parser(__doc__).parse_args()
    use_money_context()
    pin(0)
    rounds = ROUNDS_QUICK if options.quick else ROUNDS
    with tempfile.TemporaryDirectory(prefix="btcbot-commits-") as directory:
        taken = measure(Path(directory), rounds)
    figures = []
    for name, (ours, bare) in taken.items():
        for percent, ratio_max in ((50, P50_MAX), (99, P99_MAX)):
            here, there = percentile(ours, percent), percentile(bare, percent)
            note = f"{here * 1e6:.0f} µs, bare {there * 1e6:.0f} µs"
            figures.append(Figure(f"{name}, p{percent}", here / there, "×", at_most=ratio_max, note=note))
    return tell(figures, options)


def measure(directory: Path, rounds: int) -> dict[str, tuple[list[float], list[float]]]:
    """Ours and the bare one in turns, so that what the machine does meanwhile happens to both."""
    for name in ("ours", "bare"):
        (directory / name).mkdir(mode=0o700)
    with live_store(directory / "bare" / "live.db"):
        pass  # the schema, for the other side
    taken: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in COMMITS}
    with live_store(directory / "ours" / "live.db") as store:
        bare = Bare(directory / "bare" / "live.db", [statements_of(commit) for commit in commits(store, 0)])
        for number in range(1, rounds + 1):
            for which, (name, commit) in enumerate(zip(COMMITS, commits(store, number), strict=True)):
                taken[name][0].append(timed(commit))
                taken[name][1].append(bare.write(which, number))
            if number % CHECKPOINT_EVERY == 0:
                store.checkpoint()
                bare.checkpoint()
        bare.close()
    return taken


def commits(store: LiveStore, number: int) -> Iterator[Callable[[], object]]:
    """One round, a commit at a time, as the services call them; what comes between is nobody's time."""
    unit = store.unit_of_work(f"cycle-{number}", START)
    for pair in ("BTCTRY", "ETHTRY"):
        unit.add_signal(Signal(pair, Direction.HOLD, 0.25, amount("100 TRY"), "ema(close, 12) above ema(close, 26)"))
    unit.add_event(Event.RECONCILED, {"orders": 3, "trades": 0})
    held = amount("12345.67 TRY").number
    unit.add_balances((Balance(Asset("TRY"), held, held, ZERO),))
    unit.finish(record())
    yield unit.commit
    made: list[JournaledOrder] = []
    wanted = approved(f"decision-{number}", quantity="0.0001")
    yield lambda: made.append(store.journal.intent(wanted))
    yield lambda: store.journal.sending(made[0])
    store.journal.record(made[0].order_id, NoByteLeft("the benchmark"))


def statements_of(commit: Callable[[], object]) -> tuple[Statement, ...]:
    """What a commit of ours writes."""
    genuine = Database.execute
    written: list[Statement] = []

    def execute(database: Database, sql: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        if sql.startswith(("INSERT", "UPDATE")):
            written.append(Statement(sql, tuple(values)))
        return genuine(database, sql, values)

    with mock.patch.object(Database, "execute", execute):
        commit()
    return tuple(written)


def timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
