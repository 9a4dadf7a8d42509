"""`btcbot risk` and `what-if`: what is printed from a worker's database, and how each ends."""

import json
from pathlib import Path

import pytest

from btcbot.cli.main import perform
from btcbot.domain.errors import ExitCode
from btcbot.domain.orders.intents import Purpose
from btcbot.risk.rules import RULES_OF
from tests.unit.services.looping import BUYS, worker

Capture = pytest.CaptureFixture[str]
pytestmark = pytest.mark.looptime


async def lived(tmp_path: Path, seconds: float = 30) -> str:
    with worker(tmp_path, BUYS) as work:
        await work.stops(await work.runs(seconds))
    return str(tmp_path / "live.db")


async def test_every_limit_is_shown_with_its_use_and_what_is_left(tmp_path: Path, capsys: Capture) -> None:
    db = await lived(tmp_path)
    assert perform(["risk", "--db", db]) == ExitCode.OK
    said = capsys.readouterr().out
    for words in ("exposure", "loss of the day", "drawdown", "entries in a day", "quantity of one order", "spread"):
        assert words in said
    assert "BTCTRY: buy " in said
    assert "entry too soon (since_entry=" in said, "an entry was made a moment ago"
    assert perform(["risk", "--db", db, "--json"]) == ExitCode.OK
    report = json.loads(capsys.readouterr().out)
    uses = {(use["limit"], use["pair"]): use for use in report["uses"]}
    assert uses["entries in a day", "BTCTRY"] == {
        "limit": "entries in a day", "pair": "BTCTRY", "used": "1", "most": "100", "left": "99", "is_at_limit": False,
    }  # fmt: skip
    assert report["halt_reason"] is None


async def test_an_order_that_nobody_made_meets_every_rule(tmp_path: Path, capsys: Capture) -> None:
    db = await lived(tmp_path)
    assert perform(["risk", "what-if", "buy", "btctry", "0.001", "@", "3000100", "--db", db]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("buy 0.001 BTC at 3000100, at ")
    assert len(said) == 2 + len(RULES_OF[Purpose.ENTRY])
    assert any("PT7  entry cooldown is over: REFUSED, entry too soon" in line for line in said)
    assert any("PT1  notional is within max: ok (notional=3000.1 TRY, notional_max=5000 TRY)" in line for line in said)
    assert perform(["risk", "what-if", "SELL BTCTRY 0.001@2999900", "--db", db, "--json"]) == 1
    verdict = json.loads(capsys.readouterr().out)
    assert not verdict["approved"]
    assert [rule["refusal"] for rule in verdict["rules"] if rule["refusal"]] == [
        "exit_above_position", "own_order_crossed",
    ]  # fmt: skip


@pytest.mark.parametrize("words", ["BUY BTCTRY 0.001", "HOLD BTCTRY 1 @ 1", "BUY BTCTRY 1e3 @ 1", "BUY XRPTRY 1 @ 1"])
async def test_what_is_no_order_of_ours_is_a_usage_error(tmp_path: Path, capsys: Capture, words: str) -> None:
    db = await lived(tmp_path, 8)
    assert perform(["risk", "what-if", *words.split(), "--db", db]) == ExitCode.USAGE
    assert "Next: " in capsys.readouterr().err


async def test_a_database_without_a_cycle_says_so(tmp_path: Path, capsys: Capture) -> None:
    with worker(tmp_path):
        pass
    assert perform(["risk", "--db", str(tmp_path / "live.db")]) == ExitCode.USAGE
    assert "no cycle yet" in capsys.readouterr().err
