"""A reader sees what was booked before it began, in the order in which it happened, and leaves every file as it was."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path

import pytest

from btcbot.domain.errors import OwnershipError
from btcbot.domain.ledger import EntryKind
from btcbot.domain.money import Asset
from btcbot.persistence.sqlite import reading
from btcbot.persistence.sqlite.errors import DamagedDatabase, DatabaseBlocked, NewerSchema
from btcbot.persistence.sqlite.reading import Records, StoredPrice, open_records
from tests.unit.persistence.world import START, approved, live_store, monitor_store, snapshot
from tests.unit.services.told_history import tell

HISTORY = """
    1 2026-03-01T10:00:00 BTCTRY buy  1 @ 100 1 0.2
    2 2026-03-01T10:00:01 BTCTRY buy  1 @ 101 1 0.2
    5 2026-03-01T10:00:05 BTCTRY sell 1 @ 105 1 0.2
    4 2026-03-01T10:00:05 ETHTRY buy  1 @ 50  1 0.2
    6 2026-03-01T10:00:06 BTCTRY sell 1 @ 106 1 0.2
    3 2026-03-01T10:00:02 BTCTRY buy  1 @ 102 1 0.2
    7 2026-03-01T10:00:06 BTCTRY buy  1 @ 107 1 0.2
"""


def trades(records: Records, until: datetime | None = None) -> list[int]:
    return [trade_id for fills in records.fills(until) for trade_id in fills.trade_ids]


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 100])
def test_late_fills_come_where_they_happened_whatever_the_slices(
    rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "SLICE_ROWS", rows)
    records = open_records(tell(tmp_path / "live.db", HISTORY).path)
    assert trades(records) == [1, 2, 3, 4, 5, 6, 7]
    assert trades(records, datetime(2026, 3, 1, 10, 0, 5, tzinfo=UTC)) == [1, 2, 3]
    [first, *_] = records.fills(whole=True)
    assert (first.order_ids[0], first.pairs[0], first.prices[0]) == ("order-1", "BTCTRY", "100")


def test_what_is_booked_after_the_beginning_is_not_read(tmp_path: Path) -> None:
    told = tell(tmp_path / "live.db", HISTORY)
    records = open_records(told.path)
    told.book("8 2026-03-01T09:00:00 BTCTRY buy 1 @ 90 1 0.2")
    assert trades(records) == [1, 2, 3, 4, 5, 6, 7]
    assert records.ledger_sums()[EntryKind.FEE, Asset("TRY")] == -7
    assert trades(open_records(told.path))[0] == 8


def test_the_ledger_is_added_up_by_kind_and_asset(tmp_path: Path) -> None:
    records = open_records(tell(tmp_path / "live.db", HISTORY).path)
    sums = records.ledger_sums()
    assert sums[EntryKind.OPENING, Asset("TRY")] == 1_000_000
    assert sums[EntryKind.TRADE, Asset("BTC")] == 2
    assert sums[EntryKind.TAX, Asset("TRY")] == Decimal("-1.4")
    early = records.ledger_sums(datetime(2026, 3, 1, 10, 0, 1, tzinfo=UTC))
    assert early[EntryKind.TRADE, Asset("TRY")] == -100


def test_a_pair_says_its_assets_through_its_orders(tmp_path: Path) -> None:
    records = open_records(tell(tmp_path / "live.db", HISTORY).path)
    assert records.assets(4) == ("ETH", "TRY")


def test_a_mark_is_the_last_mid_by_then(tmp_path: Path) -> None:
    told = tell(tmp_path / "live.db")
    told.see("2026-03-01T10:00:00", BTCTRY="100", ETHTRY="50")
    for minute in range(1, 30):
        told.see(f"2026-03-01T10:{minute:02}:00", BTCTRY=str(100 + minute))
    records = open_records(told.path)
    now = records.marks(["BTCTRY", "ETHTRY", "XRPTRY"])
    assert now == {
        "BTCTRY": StoredPrice(Decimal(129), datetime(2026, 3, 1, 10, 29, tzinfo=UTC)),
        "ETHTRY": StoredPrice(Decimal(50), datetime(2026, 3, 1, 10, tzinfo=UTC)),
    }
    then = records.marks(["BTCTRY"], datetime(2026, 3, 1, 10, 7, 30, tzinfo=UTC))
    assert then["BTCTRY"].price == 107
    assert records.marks(["BTCTRY"], datetime(2026, 3, 1, 9, tzinfo=UTC)) == {}


def test_prices_of_a_pair_are_each_minutes_first_fill_and_the_mids(tmp_path: Path) -> None:
    told = tell(
        tmp_path / "live.db",
        """
        1 2026-03-01T10:00:01 USDTTRY buy 1 @ 43.1 0 0
        2 2026-03-01T10:00:02 USDTTRY buy 1 @ 43.2 0 0
        3 2026-03-01T10:02:00 USDTTRY buy 1 @ 43.4 0 0
        """,
    )
    told.see("2026-03-01T10:01:00", USDTTRY="43.3")
    prices = open_records(told.path).prices("USDTTRY")
    assert [str(price.price) for price in prices] == ["43.1", "43.3", "43.4"]


def test_the_snapshots_of_the_store_are_understood(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    path = tmp_path / "live.db"
    with live_store(path) as store:
        unit = store.unit_of_work("cycle", START)
        unit.add_snapshot(snapshot("3000000"))
        store.journal.intent(approved())  # which makes the snapshot durable
        unit.rollback()
    assert open_records(path).marks(["BTCTRY"]) == {"BTCTRY": StoredPrice(Decimal(3_000_000), START)}


def test_a_database_that_live_has_open_is_read_and_one_at_rest_is_left_as_it_was(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    path = tmp_path / "live.db"
    with live_store(path):
        assert trades(open_records(path)) == []
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert trades(open_records(path)) == []
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_what_changed_while_it_was_read_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tell(tmp_path / "live.db", HISTORY).path
    looks = iter([(1, 1, 1), (1, 1, 2), (1, 1, 2), (1, 1, 2)])
    monkeypatch.setattr(reading, "_signature", lambda path: next(looks))
    assert reading._ask(path, "SELECT count(*) FROM fills") == [(7,)]
    assert next(looks, None) is None


def test_a_file_that_never_comes_to_rest_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tell(tmp_path / "live.db", HISTORY).path
    looks = count()
    monkeypatch.setattr(reading, "_signature", lambda path: next(looks))
    with pytest.raises(DatabaseBlocked):
        reading._ask(path, "SELECT count(*) FROM fills")
    assert next(looks) == 2 * reading.TRIES


def test_only_lives_database_is_read(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(OwnershipError, match="no database"):
        open_records(tmp_path / "absent.db")
    with monitor_store(tmp_path / "monitor.db"):
        pass
    with pytest.raises(OwnershipError, match="not the database of live"):
        open_records(tmp_path / "monitor.db")
    (tmp_path / "text.db").write_text("no database at all" * 100)
    with pytest.raises(DamagedDatabase):
        open_records(tmp_path / "text.db")
    newer = tell(tmp_path / "newer.db")
    newer.connection.execute("PRAGMA user_version = 999")
    with pytest.raises(NewerSchema):
        open_records(newer.path)
