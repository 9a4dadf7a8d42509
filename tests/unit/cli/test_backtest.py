"""`btcbot backtest` as a person types it: what it prints, what it writes, how it ends."""

import json
from pathlib import Path

import pytest

from btcbot.cli.main import perform
from tests.unit.research.recordings import walk, written

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def data(tmp_path: Path) -> str:
    return str(written(tmp_path / "btctry_1h.csv", walk(1, 120).candles))


def test_the_result_is_printed_with_losses_first(data: str, capsys: Capture) -> None:
    assert perform(["backtest", "ema_cross", "--data", data]) == 0
    out = capsys.readouterr().out
    assert out.startswith("ema_cross with 20,000.00 TRY\nBTCTRY, candles of 60 min")
    assert out.index("deepest fall") < out.index("result after all costs")


def test_json_is_one_line(data: str, capsys: Capture) -> None:
    params = '{"fast": 2, "slow": 5, "notional": "900"}'
    said = ["backtest", "ema_cross", "--data", f"BTCTRY={data}", "--params", params, "--to-the-end", "--json"]
    assert perform(said) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["strategy"], document["capital"], document["halt"]) == ("ema_cross", "20000 TRY", None)


def test_a_report_is_a_page_with_its_plot(data: str, tmp_path: Path, capsys: Capture) -> None:
    rates = tmp_path / "rates.csv"
    rates.write_text("time,close\n" + "".join(f"2024-03-0{day},31.{day}\n" for day in range(1, 9)), encoding="utf-8")
    target = tmp_path / "out"
    assert perform(["backtest", "ema_cross", "--data", data, "--report", str(target), "--rates", str(rates)]) == 0
    page = (target / "ema_cross.md").read_text(encoding="utf-8")
    assert "![ema_cross" in page
    assert "`fast` 3" in page
    assert "the result in dollars" in page
    assert (target / "ema_cross.svg").stat().st_size > 1000


@pytest.mark.parametrize(
    ("said", "code", "message"),
    [
        (["nothing", "--data", "DATA"], 78, "names no strategy"),
        (["ema_cross", "--data", "missing.csv"], 64, "there is no file"),
        (["ema_cross", "--data", "DATA", "--params", "{"], 64, "is not JSON"),
        (["ema_cross", "--data", "DATA", "--params", '{"slow": 0}'], 78, "slow"),
        (["ema_cross", "--data", "DATA", "--capital", "much"], 64, "20000 TRY"),
        (["ema_cross", "--data", "DATA", "--capital", "100 USDT"], 64, "is not quoted in USDT"),
        (["ema_cross", "--data", "DATA", "--capital", "100 EUR"], 64, "fees are published"),
        (["ema_cross", "--data", "DATA", "--data", "DATA"], 64, "is given twice"),
        (["ema_cross", "--data", "DATA", "--limit", "speed=1"], 64, "names no limit"),
        (["ema_cross", "--data", "DATA", "--rates", "DATA2"], 64, "does not tell a rate a day"),
        (["ema_cross", "--data", "DATA2"], 64, "say which pair it holds"),
        (["ema_cross", "--data", "BTCTRY=DATA2"], 64, "lacks one of the columns"),
        (["ema_cross", "--data", "DATA", "--params", '{"slow": 200}'], 64, "warms up on"),
    ],
)
def test_what_makes_no_sense_says_what_to_do(
    data: str, tmp_path: Path, said: list[str], code: int, message: str, capsys: Capture
) -> None:
    odd = tmp_path / "odd.csv"
    odd.write_text("a,b\n1,2\n", encoding="utf-8")
    assert perform(["backtest", *(word.replace("DATA2", str(odd)).replace("DATA", data) for word in said)]) == code
    error = capsys.readouterr().err
    assert message in error
    assert "Next:" in error
