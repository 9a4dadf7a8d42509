import errno
import json
from dataclasses import fields
from io import FileIO
from pathlib import Path

import pytest

from btcbot.domain.money import ZERO, Asset, parse
from btcbot.domain.orders.intents import Side
from btcbot.sandbox import record as record_module
from btcbot.sandbox.record import DamagedRecord, Record, RecordNotWritten, line_of
from btcbot.sandbox.segments import STRIDE
from btcbot.simulation.happenings import (
    AccountFunded,
    CancelAccepted,
    Direction,
    Happening,
    HoldReleased,
    Liquidity,
    Means,
    Method,
    OrderAccepted,
    OrderCanceled,
    OrderClosed,
    OrderMatched,
    PairFrozen,
    PairListed,
    Transferred,
)

HAPPENINGS: tuple[Happening, ...] = (
    PairListed("BTCTRY", 1, Asset("BTC"), Asset("TRY"), 0, 8, parse("99.91"), 1),
    AccountFunded(1, Asset("TRY"), parse("200000.00000001"), 2),
    OrderAccepted(
        5, 1, "BTCTRY", Side.BUY, Method.STOP_LIMIT, parse("3"), parse("0.1"), parse("0.30072"), "ÖZ-1", 3, parse("2.9")
    ),
    OrderMatched(
        2**60, 5, 1, "BTCTRY", Side.BUY, parse("3"), parse("0.1"), parse("0.0005"), parse("0"), Liquidity.MAKER,
        parse("0.30072"), 4,
    ),
    CancelAccepted(5, 304, 4),
    OrderCanceled(5, 304),
    OrderClosed(5, 305),
    HoldReleased(5, parse("0.1"), 604),
    Transferred(9, 1, Direction.DEPOSIT, Means.FIAT, Asset("TRY"), parse("480"), ZERO, ZERO, 700),
    PairFrozen("BTCTRY", 800),
)  # fmt: skip


def _reopened(path: Path, **how: int) -> tuple[Record, list[Happening]]:
    record = Record(path, **how)
    return record, list(record.past())


def _written(path: Path, count: int, **how: int) -> Record:
    record, _ = _reopened(path, **how)
    for number in range(1, count + 1):
        kind = "answer" if number % 3 == 0 else "request"
        record.append(kind, {"query": f"q{number}"}, number)
    return record


def test_every_kind_of_happening_comes_back_as_it_was(tmp_path: Path) -> None:
    record, past = _reopened(tmp_path / "r")
    assert past == []
    assert record.append_together([line_of(happening) for happening in HAPPENINGS]) == 1
    assert record.append("request", {"method": "GET"}, 900) == len(HAPPENINGS) + 1
    record.close()
    again, past = _reopened(tmp_path / "r")
    assert tuple(past) == HAPPENINGS
    assert again.append("answer", {}, 901) == len(HAPPENINGS) + 2
    again.close()


def test_a_line_of_an_older_record_lacks_the_newer_fields(tmp_path: Path) -> None:
    record, _ = _reopened(tmp_path / "r")
    canceled = OrderCanceled(5, 304)
    older = {"order_id": canceled.order_id}
    assert older.keys() | {"at_ms"} < {field.name for field in fields(canceled)}
    record.append("order_canceled", older, canceled.at_ms)
    record.close()
    again, past = _reopened(tmp_path / "r")
    assert past == [canceled]
    again.close()


def test_pages_go_on_after_a_number_and_back_before_one(tmp_path: Path) -> None:
    record = _written(tmp_path / "r", 5)
    assert record.after(5, 10) == ([], 5)
    assert [number for number, _ in record.after(2, 2)[0]] == [3, 4]
    assert [json.loads(line)["n"] for _, line in record.after(0, 9)[0]] == [1, 2, 3, 4, 5]
    assert [number for number, _ in record.before(4, 2)] == [2, 3]
    assert [number for number, _ in record.before(99, 2)] == [4, 5]
    assert record.before(1, 2) == []
    record.close()


def test_a_page_holds_only_the_kinds_that_were_asked_for(tmp_path: Path) -> None:
    record = _written(tmp_path / "r", 10)
    assert [number for number, _ in record.after(0, 9, ["answer"])[0]] == [3, 6, 9]
    assert [number for number, _ in record.after(3, 1, ["answer"])[0]] == [6]
    assert [number for number, _ in record.before(9, 9, ["answer"])] == [3, 6]
    assert record.after(0, 9, ["earthquake"]) == ([], 10)
    record.close()


def test_a_search_for_a_kind_ends_somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_module, "LINES_LOOKED_AT_MAX", 2)
    record = _written(tmp_path / "r", 3 * STRIDE)
    assert record.after(0, 9, ["answer"]) == ([], 2)
    assert [number for number, _ in record.after(1, 9, ["answer"])[0]] == [3]
    assert record.before(3 * STRIDE, 9, ["earthquake"]) == []
    record.close()


def test_full_files_are_sealed_and_numbers_run_on_through_all_of_them(tmp_path: Path) -> None:
    count = 2 * STRIDE + 100
    record = _written(tmp_path / "r.jsonl", count, segment_bytes_max=20_000)
    for _ in range(2):
        files = sorted(path.name for path in tmp_path.iterdir())
        assert files[0] == "r-000000000001.jsonl"
        assert files[-1] == "r.jsonl"
        assert len(files) > 5
        assert [number for number, _ in record.after(0, count)[0]] == list(range(1, count + 1))
        for number in (0, 1, 350, STRIDE - 1, STRIDE, count - 2):
            pair = [number + 1, number + 2]
            assert [at for at, _ in record.after(number, 2)[0]] == pair
            assert [at for at, _ in record.before(number + 3, 2)] == pair
        assert [at for at, _ in record.before(count, count, ["answer"])] == list(range(3, count, 3))
        record.close()
        record, _ = _reopened(tmp_path / "r.jsonl", segment_bytes_max=20_000)
    assert record.append("request", {}, 1) == count + 1
    record.close()


def test_who_dies_between_sealing_and_beginning_anew_goes_on(tmp_path: Path) -> None:
    _written(tmp_path / "r.jsonl", 5).close()
    (tmp_path / "r.jsonl").rename(tmp_path / "r-000000000001.jsonl")
    record, _ = _reopened(tmp_path / "r.jsonl")
    assert record.append("request", {}, 1) == 6
    record.close()


@pytest.mark.parametrize("spoil", ["gap", "torn"])
def test_a_sealed_file_that_is_gone_or_torn_is_an_error(tmp_path: Path, spoil: str) -> None:
    _written(tmp_path / "r.jsonl", 500, segment_bytes_max=5_000).close()
    second = sorted(tmp_path.iterdir())[1]
    if spoil == "gap":
        second.unlink()
    else:
        second.write_bytes(second.read_bytes()[:-3])
    record = Record(tmp_path / "r.jsonl")
    with pytest.raises(DamagedRecord, match="missing" if spoil == "gap" else "not whole"):
        list(record.past())
    record.close()


@pytest.mark.parametrize("torn", [b"{", b'{"n":2,"at":1,"kind":"request"}', b"\xff"])
def test_only_a_whole_line_counts(tmp_path: Path, torn: bytes) -> None:
    record, _ = _reopened(tmp_path / "r")
    record.append("request", {}, 1)
    record.close()
    with open(tmp_path / "r", "ab") as file:
        file.write(torn)
    again, _ = _reopened(tmp_path / "r")
    assert again.append("request", {}, 2) == 2
    again.close()
    final, _ = _reopened(tmp_path / "r")
    assert len(final.after(0, 10)[0]) == 2
    final.close()


@pytest.mark.parametrize(
    "line",
    [
        b"rubbish\n", b"[]\n", b'{"n":3,"at":1,"kind":"request"}\n', b'{"n":1,"at":1,"kind":"order_closed"}\n',
        b'{"n":1,"at":1,"kind":"order_closed","order_id":\n', b'{"n":1,"kind":"request"}\n',
    ],
)  # fmt: skip
def test_a_whole_line_that_makes_no_sense_is_an_error(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "r").write_bytes(line)
    record = Record(tmp_path / "r")
    with pytest.raises(DamagedRecord, match="line 1"):
        list(record.past())
    record.close()


def test_what_was_written_together_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "r"
    record, _ = _reopened(path)
    record.append("request", {}, 1)
    before = path.stat().st_size
    trade = [line_of(happening) for happening in HAPPENINGS[:3]]
    assert record.append_together(trade) == 2
    record.close()
    whole = path.read_bytes()
    for end in range(before, len(whole), 5):
        path.write_bytes(whole[:end])
        record, past = _reopened(path)
        assert (past, record.count, path.stat().st_size) == ([], 1, before)
        record.close()
    path.write_bytes(whole)
    record, past = _reopened(path)
    assert (tuple(past), record.count) == (HAPPENINGS[:3], 4)
    record.close()


def test_what_belongs_together_is_in_one_file(tmp_path: Path) -> None:
    record, _ = _reopened(tmp_path / "r.jsonl", segment_bytes_max=600)
    for _ in range(5):
        record.append_together([line_of(happening) for happening in HAPPENINGS[:4]])
    record.close()
    files = sorted(tmp_path.iterdir())
    assert [len(file.read_bytes().splitlines()) % 4 for file in files] == [0] * len(files)
    assert len(files) > 2
    record, past = _reopened(tmp_path / "r.jsonl", segment_bytes_max=600)
    assert tuple(past) == HAPPENINGS[:4] * 5
    record.close()


@pytest.mark.parametrize("short", [True, False])
def test_after_what_could_not_be_written_nothing_is(tmp_path: Path, short: bool) -> None:
    path = tmp_path / "r"
    record = _written(path, 3)
    size = path.stat().st_size
    disk = _FullDisk(path, short)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record, "_file", disk)
        with pytest.raises(RecordNotWritten, match="line 4"):
            record.append_together([line_of(happening) for happening in HAPPENINGS])
    disk.close()
    for again in (record.check, lambda: record.append("request", {}, 9)):
        with pytest.raises(RecordNotWritten, match="line 4"):
            again()
    assert (path.stat().st_size, record.count) == (size, 3)
    record.close()


class _FullDisk:
    """It takes the first bytes, or none."""

    def __init__(self, path: Path, short: bool) -> None:
        self._file = FileIO(path, "a+")
        self._short = short
        self.truncate, self.close = self._file.truncate, self._file.close

    def write(self, data: bytes) -> int:
        if not self._short:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self._file.write(data[:7])
