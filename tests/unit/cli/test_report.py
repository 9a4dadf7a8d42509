"""`btcbot report` as a person types it: what it prints, what it writes, how it ends."""

import json
from pathlib import Path

import pytest

from btcbot.cli.main import perform
from tests.unit.services.told_history import tell

Capture = pytest.CaptureFixture[str]
BLOTTER = """
    1 2026-03-01T10:00:00 BTCTRY buy  2 @ 100 4 1
    2 2026-03-01T20:00:00 BTCTRY sell 1 @ 120 2 1
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tell(tmp_path / "live.db", BLOTTER).path)


def test_a_report_is_printed(path: str, capsys: Capture) -> None:
    assert perform(["report", "--db", path, "--by", "month", "--method", "average"]) == 0
    out = capsys.readouterr().out
    assert "btcbot report by month - Istanbul time, average cost" in out
    assert "2026-03" in out
    assert "the law is unsettled" in out


def test_json_is_one_line_of_exact_numbers(path: str, capsys: Capture) -> None:
    assert perform(["report", "--db", path, "--json", "--from", "2026-03-01", "--to", "2026-03-31"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["total"]["realised"] == {"try": "14.5", "usdt": None}
    assert (document["books"], document["from"], document["method"]) == ("agree", "2026-03-01", "fifo")


def test_books_that_differ_are_printed_and_told_by_the_exit_code(tmp_path: Path, capsys: Capture) -> None:
    told = tell(tmp_path / "live.db", BLOTTER)
    told.enter("fee", "TRY", "-1", "trade/9")
    assert perform(["report", "--db", str(told.path)]) == 1
    assert "BOOKS DIFFER" in capsys.readouterr().out


def test_a_csv_is_written_once(path: str, tmp_path: Path, capsys: Capture) -> None:
    target = str(tmp_path / "books.csv")
    assert perform(["report", "--db", path, "--csv", target, "--excel-tr"]) == 0
    assert capsys.readouterr().out == f"2 fills in {target}\n"
    assert perform(["report", "--db", path, "--csv", target]) == 64
    assert perform(["report", "--db", path, "--csv", target, "--force"]) == 0


@pytest.mark.parametrize(
    "arguments",
    [["--excel-tr"], ["--force"], ["--csv", "x.csv", "--json"], ["--from", "March"], ["--by", "week"], ["--to"]],
)
def test_what_makes_no_sense_is_a_usage_error(path: str, arguments: list[str], capsys: Capture) -> None:
    assert perform(["report", "--db", path, *arguments]) == 64
    assert "Next:" in capsys.readouterr().err


def test_a_missing_database_is_named(tmp_path: Path, capsys: Capture) -> None:
    assert perform(["report", "--db", str(tmp_path / "absent.db")]) == 77
    assert "absent.db" in capsys.readouterr().err
