"""Thousands of images of a disk after a power failure, and of bits that flipped on it.

Of a torn log every acknowledged commit is there and no half of another, whatever part of the unsynced rest reached the
disk, in whatever order and however garbled. A flipped bit is found, or it was nobody's: then the records are as before.
"""

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from btcbot.domain.errors import BtcbotError
from btcbot.domain.profiles import Role
from btcbot.persistence.sqlite.ownership import read_only, verify_records
from btcbot.persistence.sqlite.verification import examine
from tests.faults.test_disk import lived
from tests.unit.persistence.world import live_store

SHORT, LONG = 120, 10_000  # of each of the two kinds
SECTOR, PAGE = 512, 4096


class Whole:
    """A life, and what was on the disk after each of its commits."""

    def __init__(self, path: Path) -> None:
        self.logs: list[tuple[int, bytes]] = []
        with live_store(path) as store:
            self.content = path.read_bytes()
            for _ in lived(store):
                self.logs.append((store.chain_head()[0], path.with_name("live.db-wal").read_bytes()))
        self.closed = path.read_bytes()
        self.rows = rows_of(path)


def rows_of(path: Path) -> list[tuple[object, ...]]:
    """Everything that counts."""
    with closing(sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True)) as connection:
        heads = connection.execute("SELECT order_id, state, exchange_order_id, filled FROM order_heads ORDER BY rowid")
        links = ("epochs", "orders", "order_history", "fills", "ledger", "control")
        return [
            *heads, *(row for table in links for row in connection.execute(f"SELECT * FROM {table} ORDER BY rowid")),
        ]  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return Whole(tmp_path_factory.mktemp("whole") / "live.db")


def image(path: Path, content: bytes, log: bytes | None = None) -> Path:
    shutil.rmtree(path.parent, ignore_errors=True)
    path.parent.mkdir(mode=0o700)
    for name, data in ((path.name, content), (f"{path.name}-wal", log)):
        if data is not None:
            file = path.with_name(name)
            file.write_bytes(data)
            file.chmod(0o600)
    return path


def torn(chance: random.Random, rest: bytes) -> bytes:
    """What may have come of an unsynced tail: sectors there or not, cut, of zeros, garbled, or of an older time."""
    sectors = [rest[at : at + SECTOR] for at in range(0, len(rest), SECTOR)]
    share = chance.random()
    made = []
    for sector in sectors:
        fate = chance.random()
        if fate < share:
            made.append(sector)
        elif fate < share + (1 - share) / 3:
            made.append(bytes(len(sector)))
        elif fate < share + 2 * (1 - share) / 3:
            made.append(chance.randbytes(len(sector)))
        else:
            made.append(chance.choice(sectors)[: len(sector)].ljust(len(sector), b"\0"))
    return b"".join(made)[: chance.randrange(len(rest) + 1) if chance.random() < 0.5 else None]


def require_all_acknowledged(whole: Whole, path: Path, chance: random.Random) -> None:
    place = chance.randrange(len(whole.logs) - 1)
    (acknowledged, synced), (after, longer) = whole.logs[place : place + 2]
    image(path, whole.content, synced + torn(chance, longer[len(synced) :]))
    verify_records(path, Role.LIVE)
    with read_only(path, "mode=ro") as connection:
        links = sum(
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("epochs", "orders", "order_history", "fills", "ledger", "control", "cycles", "checkpoints")
        )
    assert links in (acknowledged, after)


def require_found_or_nobodys(whole: Whole, path: Path, chance: random.Random) -> None:
    content = bytearray(whole.closed)
    for _ in range(chance.choice((1, 1, 1, 2, 8))):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    image(path, bytes(content))
    try:
        problems = examine(path).problems
    except BtcbotError as error:
        problems = (error,)
    if not problems:
        assert rows_of(path) == whole.rows, "a change of what counts went unseen"


def test_whatever_is_torn_every_acknowledged_commit_is_there(whole: Whole, tmp_path: Path) -> None:
    chance = random.Random(55)
    for _ in range(SHORT):
        require_all_acknowledged(whole, tmp_path / "torn" / "live.db", chance)


def test_whatever_bit_flips_is_found_or_was_nobodys(whole: Whole, tmp_path: Path) -> None:
    chance = random.Random(59)
    for _ in range(SHORT):
        require_found_or_nobodys(whole, tmp_path / "flipped" / "live.db", chance)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_twenty_thousand_images(whole: Whole, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(LONG // 10):
        require_all_acknowledged(whole, tmp_path / "torn" / "live.db", chance)
        require_found_or_nobodys(whole, tmp_path / "flipped" / "live.db", chance)
