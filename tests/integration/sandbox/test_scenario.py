"""A timetable of faults and halts, on the sandbox's own clock."""

import json
from pathlib import Path

import pytest

from btcbot.sandbox.scenario import UnusableScenario
from tests.integration.sandbox.playground import Playground, playing

TIMETABLE = [
    {"at_seconds": 60, "fault": {"fault": "unavailable_503", "match": {"endpoint": "balances"}}},
    {"at_seconds": 120, "halt_pair": "BTCTRY"},
    {"at_seconds": 90.5, "clear": True},
    {"at_seconds": 180, "resume_pair": "BTCTRY"},
]


def _written(path: Path, document: object) -> Path:
    path.write_text(json.dumps(document))
    return path


async def _balances(playground: Playground) -> int:
    return (await playground.private("GET", "users/balances")).status_code


async def test_a_timetable_is_played_once_at_its_times(tmp_path: Path) -> None:
    scenario = _written(tmp_path / "timetable.json", TIMETABLE)
    async with playing(tmp_path / "s", scenario=scenario) as playground:
        resting = await playground.placed("BTCTRY", "buy", "0.0003", "3000000")
        seen = []
        for seconds in (59, 2, 29, 1):
            await playground.time.pass_by(seconds)
            seen.append(await _balances(playground))
        assert seen == [200, 503, 503, 200]
        await playground.time.pass_by(30)
        refused = await playground.submit("BTCTRY", "buy", "0.0003", "3000000")
        assert refused.json()["message"] == "FAILED_LIMIT_ORDER"
        assert (await playground.submit("SOLTRY", "buy", "0.1", "3000")).status_code in (200, 400)
        symbols = (await playground.public("server/exchangeinfo")).json()["data"]["symbols"]
        assert {symbol["name"]: symbol["status"] == "TRADING" for symbol in symbols} == {
            "BTCTRY": False,
            "SOLTRY": True,
        }
        assert (await playground.private("DELETE", f"order?id={resting}")).status_code == 200
        assert await playground.admin("GET", "halts") == ["BTCTRY"]
        await playground.time.pass_by(60)
        await playground.placed("BTCTRY", "buy", "0.0003", "3000000")
        played = [line for line in await playground.record() if line["kind"] == "scenario_played"]
        assert [(line["entry"], line["at_seconds"]) for line in played] == [
            (1, "60"),
            (3, "90.5"),
            (2, "120"),
            (4, "180"),
        ]
        assert played[0]["fault"]["fault"] == "unavailable_503"
        assert not playground.sandbox.moving.done()


async def test_a_timetable_with_a_mistake_keeps_the_sandbox_closed(tmp_path: Path) -> None:
    scenario = _written(tmp_path / "timetable.json", [{"at_seconds": 1, "halt_pair": "ETHTRY"}])
    with pytest.raises(UnusableScenario, match="entry 1"):
        async with playing(tmp_path / "s", scenario=scenario):
            pass
