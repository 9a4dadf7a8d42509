"""`btcbot record` and `btcbot probe`: what is started with what, what is printed, and how each ends."""

import json
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import btcbot.services
from btcbot import __version__
from btcbot.cli.main import perform
from btcbot.cli.probe import as_text
from btcbot.domain.conformance import Finding, Verdict
from btcbot.domain.errors import ExchangeUnreachable, ExitCode, LockHeld
from btcbot.domain.profiles import CommonProfile, LiveProfile, RecordProfile
from btcbot.services.probe import ProbeWish
from btcbot.services.probe_report import ProbeReport, Section
from tests.unit.config.environments import API_KEY, API_SECRET, Ground

Capture = pytest.CaptureFixture[str]
AT = datetime(2026, 11, 23, 5, tzinfo=UTC)


def report(*findings: Finding) -> ProbeReport:
    sections = (Section("REST, public", findings),)
    return ProbeReport("http://127.0.0.1:18080", "live", "BTCTRY", "1.0", AT, AT + timedelta(seconds=31), sections)


KNOWN = Finding("server time", Verdict.AS_KNOWN, "HTTP 200, 78 bytes")
OTHER = Finding("separator in balances", Verdict.DIFFERS, "a comma", "B5")
UNASKED = Finding("far order", Verdict.NOT_ASKED, "trading is halted")


@dataclass
class Stage:
    """Services that answer what the test says, and what they were given."""

    answer: Callable[[], object] = lambda: report(KNOWN)
    calls: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)

    def service(self, name: str) -> Callable[..., Coroutine[None, None, object]]:
        async def act(*given: object) -> object:
            self.calls.append((name, given))
            return self.answer()

        return act


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    stage = Stage()
    recording = ModuleType("btcbot.services.recording")
    recording.run_record = stage.service("run_record")  # type: ignore[attr-defined]
    placing = ModuleType("btcbot.services.probe_live")
    placing.probe_and_place = stage.service("probe_and_place")  # type: ignore[attr-defined]
    for module in (recording, placing):
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setattr(btcbot.services, module.__name__.rpartition(".")[2], module, raising=False)
    monkeypatch.setattr("btcbot.services.probe.probe", stage.service("probe"))
    for module_name in ("record", "probe"):
        monkeypatch.setattr(f"btcbot.cli.{module_name}.prepare_worker", lambda: None)
    return stage


@pytest.fixture
def enter(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], None]:
    def set_all(environ: dict[str, str]) -> None:
        for name, text in environ.items():
            monkeypatch.setenv(name, text)

    return set_all


Enter = Callable[[dict[str, str]], None]
LOCAL = {
    "BTCTURK_API_URL": "http://127.0.0.1:18080",
    "BTCTURK_GRAPH_URL": "http://127.0.0.1:18081",
    "BTCTURK_WS_URL": "ws://127.0.0.1:18082",
}

# ------------------------------------------------------------------------------------------------------------- record


def test_record_takes_its_options_before_the_environment(
    stage: Stage, enter: Enter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    stage.answer = lambda: ExitCode.OK
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    enter({**LOCAL, "BTCBOT_RECORD_DIR": "/nowhere", "BTCBOT_PAIRS": "BTCTRY"})
    assert (
        perform(["record", "--dir", "here", "--pairs", "ETHTRY,BTCTRY", "--bytes-max", "5000000", "--hours", "2"]) == 0
    )
    ((name, (profile, _, _, build)),) = stage.calls
    assert (name, build) == ("run_record", __version__)
    assert isinstance(profile, RecordProfile)
    assert (profile.directory, profile.pairs) == (tmp_path / "here", ("ETHTRY", "BTCTRY"))
    assert (profile.bytes_max, profile.duration) == (5_000_000, timedelta(hours=2))
    (line,) = capsys.readouterr().out.splitlines()
    told = json.loads(line)
    assert (told["event"], told["process_role"]) == ("process_started", "recorder")
    assert told["directory"] == str(tmp_path / "here")


def test_record_refuses_what_makes_no_sense(stage: Stage, enter: Enter, tmp_path: Path, capsys: Capture) -> None:
    enter({**LOCAL, "BTCBOT_PAIRS": "BTCTRY"})
    assert perform(["record"]) == 78
    assert "BTCBOT_RECORD_DIR is not set" in capsys.readouterr().err
    assert perform(["record", "--dir", str(tmp_path), "--hours", "-1"]) == 64
    assert perform(["record", "--dir", str(tmp_path), "--bytes-max", "lots"]) == 78
    assert stage.calls == []


# -------------------------------------------------------------------------------------------------------------- probe


def test_probe_looks_with_the_environment_of_either_role(stage: Stage, enter: Enter, ground: Ground) -> None:
    enter(ground.monitor())
    assert perform(["probe"]) == 0
    ((name, (common, wish, _, _, build)),) = stage.calls
    assert (name, build) == ("probe", __version__)
    assert isinstance(common, CommonProfile)
    assert wish == ProbeWish("BTCTRY", 20.0)


def test_probe_is_told_what_to_look_at(stage: Stage, enter: Enter, ground: Ground) -> None:
    enter(ground.live())
    assert perform(["probe", "--pair", "ETHTRY", "--seconds", "5", "--public", "--with-amounts"]) == 0
    ((_, (_, wish, *_)),) = stage.calls
    assert wish == ProbeWish("ETHTRY", 5.0, is_public_only=True, shows_amounts=True)


def test_only_live_places_and_only_when_it_is_told_so(stage: Stage, enter: Enter, ground: Ground) -> None:
    enter(ground.live())
    assert perform(["probe", "--place-and-cancel", "ETHTRY"]) == 0
    ((name, (profile, wish, *_)),) = stage.calls
    assert name == "probe_and_place"
    assert isinstance(profile, LiveProfile)
    assert wish.pair == "ETHTRY"


def test_the_monitor_never_places(stage: Stage, enter: Enter, ground: Ground, capsys: Capture) -> None:
    enter(ground.monitor())
    assert perform(["probe", "--place-and-cancel", "BTCTRY"]) == 78
    assert "the monitor cannot trade" in capsys.readouterr().err
    assert stage.calls == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["--seconds", "0"],
        ["--seconds", "ten"],
        ["--seconds", "100000"],
        ["--place-and-cancel", "BTCTRY", "--public"],
        ["--place-and-cancel", "BTCTRY", "--pair", "ETHTRY"],
    ],
)
def test_probe_refuses_what_makes_no_sense(stage: Stage, enter: Enter, ground: Ground, arguments: list[str]) -> None:
    enter(ground.live())
    assert perform(["probe", *arguments]) == 64
    assert stage.calls == []


@pytest.mark.parametrize(("findings", "code"), [((KNOWN,), 0), ((KNOWN, OTHER), 1), ((KNOWN, UNASKED), 1), ((), 0)])
def test_the_exit_code_says_whether_all_was_as_known(
    stage: Stage, enter: Enter, ground: Ground, findings: tuple[Finding, ...], code: int
) -> None:
    stage.answer = lambda: report(*findings)
    enter(ground.monitor())
    assert perform(["probe"]) == code


@pytest.mark.parametrize(("error", "code"), [(ExchangeUnreachable("nobody"), 69), (LockHeld("live runs"), 73)])
def test_what_keeps_it_from_looking_has_its_own_exit_code(
    stage: Stage, enter: Enter, ground: Ground, capsys: Capture, error: Exception, code: int
) -> None:
    def refuse() -> object:
        raise error

    stage.answer = refuse
    enter(ground.live())
    assert perform(["probe"]) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("btcbot: ")


def test_the_report_is_text_for_people(stage: Stage, enter: Enter, ground: Ground, capsys: Capture) -> None:
    stage.answer = lambda: report(KNOWN, OTHER)
    enter(ground.live())
    perform(["probe"])
    assert capsys.readouterr().out.splitlines() == [
        "btcbot 1.0 probe of http://127.0.0.1:18080 as live, with BTCTRY",
        "2026-11-23T05:00:00+00:00, 31 s",
        "",
        "REST, public",
        "  as known  server time            HTTP 200, 78 bytes",
        "  differs   separator in balances  a comma  [B5]",
        "",
        "1 as known, 1 differs, 0 not seen, 0 not asked",
    ]


def test_the_report_is_a_document_for_machines(stage: Stage, enter: Enter, ground: Ground, capsys: Capture) -> None:
    stage.answer = lambda: report(OTHER)
    enter(ground.live())
    perform(["probe", "--json"])
    document = json.loads(capsys.readouterr().out)
    assert document["as_known"] is False
    assert document["sections"] == [
        {
            "title": "REST, public",
            "findings": [
                {"what": "separator in balances", "verdict": "differs", "detail": "a comma", "question": "B5"}
            ],
        }
    ]


def test_a_secret_that_got_into_a_finding_does_not_get_out(
    stage: Stage, enter: Enter, ground: Ground, capsys: Capture
) -> None:
    stage.answer = lambda: report(Finding("x", Verdict.DIFFERS, f"said {API_KEY} and {API_SECRET}"))
    enter(ground.live())
    for arguments in (["probe"], ["probe", "--json"]):
        perform(arguments)
        out = capsys.readouterr().out
        assert API_KEY not in out
        assert API_SECRET not in out


def test_whatever_was_answered_the_report_is_plain_lines() -> None:
    text = as_text(report(Finding("a\nb", Verdict.DIFFERS, "c\r\nd\te")))
    assert "a b  c d e" in text
    assert len(text.splitlines()) == 7
