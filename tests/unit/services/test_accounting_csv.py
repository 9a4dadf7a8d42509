"""The accounting CSV: a line a fill that another program can read, whole or not there at all."""

import csv
import io
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from btcbot.domain.errors import UsageError
from btcbot.domain.periods import Calendar, Grouping
from btcbot.services import accounting_csv
from btcbot.services.accounting_csv import HEAD, write_accounting
from btcbot.services.report import ReportWish
from tests.unit.services.told_history import tell

BLOTTER = """
    1181163798924649598 2026-03-01T21:30:00 BTCTRY buy  1.5 @ 100.5 2 0.5
    1181163798924649599 2026-03-01T22:00:00 BTCTRY buy  1   @ 110   1 0.2
    1181163798924649600 2026-03-02T10:00:00 BTCTRY sell 2   @ 120   2 0.4
"""


@pytest.fixture
def wish(tmp_path: Path) -> ReportWish:
    rates = tmp_path / "rates.csv"
    rates.write_text("2026-03-01,40\n")
    return ReportWish(
        tell(tmp_path / "live.db", BLOTTER).path, Calendar(Grouping.PAIR), tax_rate=Decimal("0.001"), rates_file=rates
    )


def rows(text: str, delimiter: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))


def test_a_sale_says_its_lots_its_cost_and_its_result(wish: ReportWish, tmp_path: Path) -> None:
    target = tmp_path / "books.csv"
    assert write_accounting(wish, target, for_turkish_excel=False, overwrite=False) == 3
    bought, _, sold = rows(target.read_text(encoding="utf-8"))
    assert tuple(bought) == HEAD
    assert (bought["time_utc"], bought["time_istanbul"]) == (
        "2026-03-01T21:30:00.000Z", "2026-03-02T00:30:00.000+03:00",
    )  # fmt: skip
    assert (bought["cost"], bought["proceeds"], bought["realised"]) == ("153.25", "", "")
    assert sold == {
        "trade_id": "1181163798924649600", "order_id": "order-1181163798924649600",
        "time_utc": "2026-03-02T10:00:00.000Z", "time_istanbul": "2026-03-02T13:00:00.000+03:00", "pair": "BTCTRY",
        "side": "sell", "quantity": "2", "price": "120", "gross": "240", "fee": "2", "fee_currency": "TRY",
        "fee_try": "2", "transaction_tax": "0.64", "lots_consumed": "1181163798924649598x1.5 1181163798924649599x0.5",
        "cost": "208.85", "proceeds": "237.36", "realised": "28.51", "position": "0.5", "usdt_try": "40",
        "chain_hash": sold["chain_hash"],
    }  # fmt: skip
    assert len(sold["chain_hash"]) == 64


def test_for_excel_in_turkey_there_are_semicolons_commas_and_a_mark(wish: ReportWish, tmp_path: Path) -> None:
    target = tmp_path / "books.csv"
    write_accounting(wish, target, for_turkish_excel=True, overwrite=False)
    raw = target.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbftrade_id;order_id;")
    _, _, sold = rows(raw.decode("utf-8-sig"), ";")
    assert (sold["realised"], sold["trade_id"]) == ("28,51", "'1181163798924649600")  # Excel keeps 15 digits


def test_only_what_was_asked_for_is_written(wish: ReportWish, tmp_path: Path) -> None:
    path = tell(tmp_path / "other.db", "1 2026-02-01T10:00:00 BTCTRY buy 2 @ 50 0 0\n" + BLOTTER).path
    target = tmp_path / "books.csv"
    calendar = Calendar(Grouping.PAIR, first=date(2026, 3, 1))
    write_accounting(ReportWish(path, calendar), target, for_turkish_excel=False, overwrite=False)
    *_, sold = rows(target.read_text(encoding="utf-8"))
    assert (sold["lots_consumed"], sold["cost"], sold["usdt_try"]) == ("1x2", "100", "")


def test_an_existing_file_is_kept_unless_forced(wish: ReportWish, tmp_path: Path) -> None:
    target = tmp_path / "books.csv"
    target.write_text("mine")
    with pytest.raises(UsageError, match="--force"):
        write_accounting(wish, target, for_turkish_excel=False, overwrite=False)
    assert target.read_text() == "mine"
    write_accounting(wish, target, for_turkish_excel=False, overwrite=True)
    assert target.read_text().startswith("trade_id,")


def test_a_failure_leaves_nothing_half_written(
    wish: ReportWish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(accounting_csv.os, "fsync", fail)
    before = {file.name for file in tmp_path.iterdir()}
    with pytest.raises(accounting_csv.UnsafeState, match="disk full"):
        write_accounting(wish, tmp_path / "books.csv", for_turkish_excel=False, overwrite=False)
    assert {file.name for file in tmp_path.iterdir()} == before


@pytest.mark.parametrize("text", ["=1+1", "+1", "-x", "@SUM(A1)", "\tx"])
def test_no_text_becomes_a_formula(text: str) -> None:
    assert accounting_csv._cell(text, for_turkish_excel=False) == f"'{text}"
    assert accounting_csv._cell(Decimal("-1.5"), for_turkish_excel=False) == "-1.5"
