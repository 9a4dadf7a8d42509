"""Which service a command starts, how each way to end becomes an exit code, and what is said on which stream."""

import errno
import json
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import pytest

import btcbot.dashboard
import btcbot.sandbox
import btcbot.services
from btcbot import __version__
from btcbot.cli.main import perform
from btcbot.domain.errors import (
    ConfigurationError,
    ExchangeUnreachable,
    ExitCode,
    FenceLost,
    KeyRefused,
    LockHeld,
    OwnershipError,
    UnsafeState,
)
from btcbot.domain.events import Event
from btcbot.domain.health import Check, HealthReport, Reason, Status
from btcbot.domain.profiles import LiveProfile, MonitorProfile, SandboxProfile
from tests.unit.config.environments import API_KEY, API_SECRET, Ground


class Remembering:
    """Stands for the log: keeps what it was started with and told."""

    def __init__(self, **started_with: Any) -> None:
        self.started_with = started_with
        self.told: list[tuple[Event, dict[str, object]]] = []
        self.stopped = 0

    def observed(self, event: Event, **fields: object) -> None:
        self.told.append((event, fields))

    def stop(self) -> None:
        self.stopped += 1


@dataclass
class Stage:
    """Services that do what the test says, and what they were given."""

    ends: Callable[[], object] = lambda: ExitCode.OK
    calls: list[tuple[str, tuple[object, ...]]] = field(default_factory=list)
    logs: list[Remembering] = field(default_factory=list)
    prepared: int = 0

    def service(self, name: str) -> Callable[..., Coroutine[None, None, object]]:
        async def act(*given: object) -> object:
            self.calls.append((name, given))
            return self.ends()

        return act

    def start_logging(self, **given: Any) -> Remembering:
        self.logs.append(Remembering(**given))
        return self.logs[-1]

    def prepare(self) -> None:
        self.prepared += 1


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    stage = Stage()
    for package, module, names in (
        (btcbot.services, "live", ("run_live", "check_live")),
        (btcbot.services, "monitor", ("watch", "health_once", "check_monitor")),
        (btcbot.services, "control", ("send_command",)),
        (btcbot.sandbox, "server", ("serve",)),
        (btcbot.dashboard, "server", ("serve_page",)),
    ):
        stand_in = ModuleType(f"{package.__name__}.{module}")
        for name in names:
            setattr(stand_in, name, stage.service(name))
        monkeypatch.setitem(sys.modules, stand_in.__name__, stand_in)
        monkeypatch.setattr(package, module, stand_in, raising=False)
    monkeypatch.setattr("btcbot.observability.logs.start_logging", stage.start_logging)
    for module in ("workers", "health", "sandbox"):
        monkeypatch.setattr(f"btcbot.cli.{module}.prepare_worker", stage.prepare)
    return stage


@pytest.fixture
def enter(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], None]:
    def set_all(environ: dict[str, str]) -> None:
        for name, text in environ.items():
            monkeypatch.setenv(name, text)

    return set_all


Enter = Callable[[dict[str, str]], None]
Capture = pytest.CaptureFixture[str]


def raising(error: BaseException) -> Callable[[], object]:
    def end() -> object:
        raise error

    return end


# ---------------------------------------------------------------------------------------------------- what is started


def test_run_starts_live_with_its_profile(stage: Stage, enter: Enter, ground: Ground) -> None:
    enter(ground.live())
    assert perform(["run", "--cycle-seconds", "7"]) == 0
    ((name, (profile, _, observer, build)),) = stage.calls
    assert (name, build, stage.prepared) == ("run_live", __version__, 1)
    assert isinstance(profile, LiveProfile)
    assert profile.common.cycle_seconds == 7
    (log,) = stage.logs
    assert observer is log
    assert log.stopped == 1
    assert log.started_with["role"] == "live"
    assert log.started_with["level"] == "INFO"
    assert log.started_with["stream"] is sys.stdout
    assert log.started_with["config_hash"] == profile.common.config_hash
    assert [secret.reveal() for secret in log.started_with["secrets"]] == [API_KEY, API_SECRET]
    ((event, fields),) = log.told
    assert event is Event.PROCESS_STARTED
    assert fields["armed_by_settings"] is True
    assert fields["api_url"] == "http://127.0.0.1:18080"


def test_health_watch_starts_the_monitor(stage: Stage, enter: Enter, ground: Ground) -> None:
    enter(ground.monitor())
    assert perform(["health", "--watch"]) == 0
    ((name, (profile, _, observer, build, page)),) = stage.calls
    assert (name, build, page, stage.prepared) == ("watch", __version__, None, 1)
    assert isinstance(profile, MonitorProfile)
    assert observer is stage.logs[0]


def test_the_page_is_passed_in_when_it_is_wanted(stage: Stage, enter: Enter, ground: Ground) -> None:
    enter(ground.monitor(BTCBOT_DASHBOARD_PORT="19100"))
    assert perform(["health", "--watch"]) == 0
    ((_, (*_, page)),) = stage.calls
    assert page is sys.modules["btcbot.dashboard.server"].serve_page


def test_sandbox_serves(stage: Stage, enter: Enter, ground: Ground) -> None:
    enter(ground.sandbox())
    assert perform(["sandbox"]) == 0
    ((name, (profile, clock, sleeper, observer)),) = stage.calls
    assert name == "serve"
    assert isinstance(profile, SandboxProfile)
    assert clock.now().tzinfo is UTC
    assert callable(sleeper.sleep)
    assert observer is stage.logs[0]


def test_sandbox_mirrors_what_the_command_line_names(stage: Stage, enter: Enter, ground: Ground) -> None:
    enter(ground.sandbox())
    assert perform(["sandbox", "--mirror", "https://api.btcturk.com"]) == 0
    ((_, (profile, *_)),) = stage.calls
    assert isinstance(profile, SandboxProfile)
    assert profile.mirror is not None
    assert profile.mirror.ws_url == "wss://ws-feed-pro.btcturk.com"


def test_sandbox_profiles_says_what_each_one_changes(capsys: Capture) -> None:
    assert perform(["sandbox", "profiles"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split(maxsplit=2)[:2] == ["documented", "-"]
    assert any(line.split() == ["decimal_comma", "B5", "is_decimal_comma=true"] for line in lines)
    assert any(line.startswith("contrary") and "cancel_ms=3000" in line and "first_page=0" in line for line in lines)


def test_sandbox_init_makes_a_directory_that_settings_accept(enter: Enter, ground: Ground, capsys: Capture) -> None:
    directory = ground.root / "new"
    assert perform(["sandbox", "init", str(directory)]) == 0
    names = {"live.key", "live.secret", "monitor.key", "monitor.secret", "clock_anchor"}
    before = {name: (directory / name).read_text() for name in names}
    assert perform(["sandbox", "init", str(directory)]) == 0
    assert before == {name: (directory / name).read_text() for name in names}
    assert len(set(before.values())) == len(names)
    assert capsys.readouterr() == ("", "")


def test_sandbox_init_says_why_it_cannot(ground: Ground, capsys: Capture) -> None:
    (ground.root / "file").write_text("")
    assert perform(["sandbox", "init", str(ground.root / "file")]) == 78
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("btcbot: the sandbox's directory cannot be made: ")


@pytest.mark.parametrize(("role", "service"), [("live", "check_live"), ("monitor", "check_monitor")])
def test_check_prints_what_passed(
    stage: Stage, enter: Enter, ground: Ground, capsys: Capture, role: str, service: str
) -> None:
    stage.ends = lambda: ("lock: free", "clock: +0.001 s off")
    enter(ground.live() if role == "live" else ground.monitor())
    assert perform(["check"]) == 0
    assert capsys.readouterr() == ("ok  lock: free\nok  clock: +0.001 s off\n", "")
    assert [name for name, _ in stage.calls] == [service]
    assert (stage.logs[0].started_with["role"], stage.logs[0].started_with["level"]) == (role, "ERROR")


def test_version_and_help_need_nothing(stage: Stage, capsys: Capture) -> None:
    assert perform(["version"]) == 0
    assert capsys.readouterr().out == f"btcbot {__version__}\n"
    for arguments in (["--help"], ["run", "--help"], ["sandbox", "--help"], ["sandbox", "init", "--help"]):
        assert perform(arguments) == 0
        assert "Usage: btcbot" in capsys.readouterr().out
    assert (stage.calls, stage.logs) == ([], [])


# ---------------------------------------------------------------------------------------------------- how it ends

ENDINGS = [
    (ConfigurationError("c"), 78), (KeyRefused("k"), 78), (LockHeld("l"), 73), (FenceLost("f"), 73),
    (OwnershipError("o"), 77),
    (UnsafeState("u"), 76), (ExchangeUnreachable("e"), 69),
]  # fmt: skip
WORKERS = [(["run"], "live"), (["health", "--watch"], "monitor"), (["check"], "live"), (["sandbox"], "sandbox")]


def environment_of(ground: Ground, role: str) -> dict[str, str]:
    return {"live": ground.live, "monitor": ground.monitor, "sandbox": ground.sandbox}[role]()


@pytest.mark.parametrize(("arguments", "role"), WORKERS)
@pytest.mark.parametrize(("error", "code"), ENDINGS, ids=lambda value: type(value).__name__)
def test_an_error_becomes_its_exit_code_one_line_and_one_event(
    stage: Stage, enter: Enter, ground: Ground, capsys: Capture, arguments: list[str], role: str, error: Exception,
    code: int,
) -> None:  # fmt: skip
    stage.ends = raising(error)
    enter(environment_of(ground, role))
    assert perform(arguments) == code
    assert capsys.readouterr() == ("", f"btcbot: {error}\n")
    (log,) = stage.logs
    assert log.told[-1] == (Event.START_REFUSED, {"error": error, "exit_code": code})
    assert log.stopped == 1


@pytest.mark.parametrize(("arguments", "role"), WORKERS)
def test_a_defect_is_named_on_stderr_and_told_in_full_to_the_log(
    stage: Stage, enter: Enter, ground: Ground, capsys: Capture, arguments: list[str], role: str
) -> None:
    error = ZeroDivisionError(f"with {API_SECRET}\nand a second line")
    stage.ends = raising(error)
    enter(environment_of(ground, role))
    assert perform(arguments) == 70
    said = capsys.readouterr()
    assert said == ("", "btcbot: stopped by a defect (ZeroDivisionError). Next: report it with the log of this run.\n")
    assert stage.logs[-1].told[-1] == (Event.DEFECT_CAUGHT, {"error": error})


@pytest.mark.parametrize(("arguments", "role"), WORKERS)
def test_settings_that_do_not_load_get_their_line_in_the_log_all_the_same(
    stage: Stage, enter: Enter, ground: Ground, capsys: Capture, arguments: list[str], role: str
) -> None:
    enter(environment_of(ground, role) | {"BTCBOT_PAIRS": "", "BTCTURK_API_KEY": API_KEY})
    assert perform(arguments) == 78
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "BTCBOT_PAIRS is empty" in said.err
    assert said.err.endswith("Next: correct the environment file of this role and start again.\n")
    (log,) = stage.logs
    assert [event for event, _ in log.told] == [Event.START_REFUSED]
    assert API_KEY in [secret.reveal() for secret in log.started_with["secrets"]]
    assert stage.calls == []


def test_a_message_is_one_line_whatever_it_holds(stage: Stage, enter: Enter, ground: Ground, capsys: Capture) -> None:
    stage.ends = raising(LockHeld("held by\n  pid 7\r\n\tof live\u2028now"))
    enter(ground.live())
    assert perform(["run"]) == 73
    assert capsys.readouterr().err.splitlines() == [f"btcbot: held by pid 7 of live now. Next: {LockHeld.next_step}."]


def test_an_interrupt_ends_as_in_a_shell(stage: Stage, enter: Enter, ground: Ground, capsys: Capture) -> None:
    stage.ends = raising(KeyboardInterrupt())
    enter(ground.live())
    assert perform(["run"]) == 130
    assert capsys.readouterr() == ("", "")


def test_a_service_decides_its_exit_code(stage: Stage, enter: Enter, ground: Ground) -> None:
    stage.ends = lambda: ExitCode.UNSAFE
    enter(ground.live())
    assert perform(["run"]) == 76


@pytest.mark.parametrize(
    ("role", "arguments", "said"),
    [
        ("monitor", ["run"], "APP_ROLE is monitor, and `btcbot run` runs the other role; monitor runs as"),
        ("live", ["health", "--watch"], "APP_ROLE is live, and `btcbot health --watch` runs the other role"),
        ("live", ["health"], "APP_ROLE is live, and `btcbot health` runs the other role"),
        ("live", ["sandbox"], "APP_ROLE is a setting of"),
    ],
)  # fmt: skip
def test_a_command_with_the_other_roles_environment_is_refused(
    stage: Stage, enter: Enter, ground: Ground, capsys: Capture, role: str, arguments: list[str], said: str
) -> None:
    enter(environment_of(ground, role))
    assert perform(arguments) == 78
    assert said in capsys.readouterr().err
    assert stage.calls == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Missing command"),
        (["trade"], "No such command 'trade'"),
        (["run", "--cycle-second", "1"], "No such option: --cycle-second"),
        (["run", "now"], "Got unexpected extra argument"),
        (["run", "--cycle-seconds"], "requires an argument"),
        (["halt"], "Missing option '--reason'"),
        (["sandbox", "init"], "Missing argument 'DIR'"),
        (["sandbox", "destroy"], "No such command 'destroy'"),
        (["health", "--watch", "--json"], "--json is for a single report"),
    ],
)
def test_a_wrong_usage_is_64_and_one_line(stage: Stage, capsys: Capture, arguments: list[str], said: str) -> None:
    assert perform(arguments) == 64
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("btcbot: ")
    assert said in captured.err
    assert ". Next: " in captured.err
    assert captured.err.count("\n") == 1
    assert stage.calls == []


def test_a_malformed_cycle_time_is_a_wrong_usage(stage: Stage, enter: Enter, ground: Ground, capsys: Capture) -> None:
    enter(ground.live())
    assert perform(["run", "--cycle-seconds", "5,0"]) == 64
    assert "--cycle-seconds must be seconds as a plain decimal number from 0.1 to 3600" in capsys.readouterr().err
    assert [event for event, _ in stage.logs[0].told] == [Event.START_REFUSED]


# ---------------------------------------------------------------------------------------------------- health, once

REPORT = HealthReport(
    datetime(2026, 1, 31, 9, 30, tzinfo=UTC),
    (
        Check("exchange", Status.OK, Reason.FINE, "answered in 12 ms", ""),
        Check("live", Status.WARN, Reason.LIVE_PAUSED, "paused since 09:00", "btcbot resume --reason TEXT"),
    ),
)


def test_the_report_is_a_table_for_people(stage: Stage, enter: Enter, ground: Ground, capsys: Capture) -> None:
    stage.ends = lambda: REPORT
    enter(ground.monitor())
    assert perform(["health"]) == 1
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "WARN  2 checks at 2026-01-31T09:30:00+00:00",
        "OK    exchange  fine         answered in 12 ms",
        "WARN  live      live_paused  paused since 09:00",
        "      do: btcbot resume --reason TEXT",
    ]
    assert said.err == ""
    (log,) = stage.logs
    assert log.started_with["stream"] is not sys.stdout
    assert log.stopped == 1


def test_the_report_is_one_line_of_json_for_machines(
    stage: Stage, enter: Enter, ground: Ground, capsys: Capture
) -> None:
    stage.ends = lambda: REPORT
    enter(ground.monitor())
    assert perform(["health", "--json"]) == 1
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out) == {
        "status": "WARN",
        "checked_at": "2026-01-31T09:30:00+00:00",
        "checks": [
            {"name": "exchange", "status": "OK", "reason": "fine", "detail": "answered in 12 ms", "remedy": ""},
            {
                "name": "live", "status": "WARN", "reason": "live_paused", "detail": "paused since 09:00",
                "remedy": "btcbot resume --reason TEXT",
            },
        ],
    }  # fmt: skip


@pytest.mark.parametrize("status", list(Status))
def test_the_exit_code_is_the_status(stage: Stage, enter: Enter, ground: Ground, status: Status) -> None:
    checks = (Check("any", status, Reason.NOT_CHECKED, "", ""),)
    stage.ends = lambda: HealthReport(REPORT.checked_at, checks)
    enter(ground.monitor())
    assert perform(["health"]) == int(status)


def test_no_checks_at_all_are_shown_as_unknown(stage: Stage, enter: Enter, ground: Ground, capsys: Capture) -> None:
    stage.ends = lambda: HealthReport(REPORT.checked_at, ())
    enter(ground.monitor())
    assert perform(["health"]) == 3
    assert capsys.readouterr().out == "UNKNOWN  0 checks at 2026-01-31T09:30:00+00:00\n"


def test_a_single_report_that_cannot_be_made_is_one_line_on_stderr(
    stage: Stage, enter: Enter, ground: Ground, capsys: Capture
) -> None:
    stage.ends = raising(ExchangeUnreachable("no answer"))
    enter(ground.monitor())
    assert perform(["health", "--json"]) == 69
    assert capsys.readouterr() == ("", f"btcbot: no answer. Next: {ExchangeUnreachable.next_step}.\n")
    assert stage.logs[0].told == []


def test_a_defect_of_a_single_report_is_told_on_stdout(
    stage: Stage, enter: Enter, ground: Ground, capsys: Capture
) -> None:
    error = OSError(errno.EIO, "broken")
    stage.ends = raising(error)
    enter(ground.monitor())
    assert perform(["health"]) == 70
    assert stage.logs[-1].started_with["stream"] is sys.stdout
    assert stage.logs[-1].told == [(Event.DEFECT_CAUGHT, {"error": error})]
    assert "defect (OSError)" in capsys.readouterr().err


# ---------------------------------------------------------------------------------------------------- the operator


@dataclass(frozen=True)
class Answer:
    ok: bool
    message: str
    next_step: str


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_a_command_goes_to_live_with_its_reason(
    stage: Stage, enter: Enter, ground: Ground, capsys: Capture, verb: str
) -> None:
    stage.ends = lambda: Answer(True, "paused: no new entries", "btcbot resume --reason TEXT")
    enter({"BTCBOT_RUN_DIR": str(ground.root / "run"), "BTCBOT_PAIRS": "wrong, and of no concern"})
    assert perform([verb, "--reason", "maintenance"]) == 0
    ((_, (run_dir, sent, arguments, ids)),) = stage.calls
    assert (run_dir, sent, arguments) == (ground.root / "run", verb, {"reason": "maintenance"})
    assert len(ids.new()) == 32
    assert capsys.readouterr() == ("paused: no new entries. Next: btcbot resume --reason TEXT.\n", "")


def test_a_no_of_live_is_an_unsafe_state(stage: Stage, enter: Enter, ground: Ground, capsys: Capture) -> None:
    stage.ends = lambda: Answer(False, "not resumed: 1 order is unknown", "settle it, then resume again")
    enter({"BTCBOT_RUN_DIR": str(ground.root / "run")})
    assert perform(["resume", "--reason", "x"]) == 76
    said = "btcbot: not resumed: 1 order is unknown. Next: settle it, then resume again.\n"
    assert capsys.readouterr() == ("", said)


def test_halt_trips_the_file_before_it_asks(stage: Stage, enter: Enter, ground: Ground, capsys: Capture) -> None:
    halt_file = ground.root / "run" / "halt"

    def answer() -> Answer:
        assert halt_file.read_text() == "prices look wrong\n"
        return Answer(True, "halted", "")

    stage.ends = answer
    enter({"BTCBOT_RUN_DIR": str(ground.root / "run")})
    assert perform(["halt", "--reason", "prices look wrong"]) == 0
    assert capsys.readouterr() == (f"halt file: {halt_file}\nhalted\n", "")


def test_halt_holds_when_live_cannot_be_asked(stage: Stage, enter: Enter, ground: Ground, capsys: Capture) -> None:
    stage.ends = raising(UnsafeState("nobody listens"))
    enter({"BTCBOT_RUN_DIR": str(ground.root / "run")})
    assert perform(["halt", "--reason", "x"]) == 0
    assert (ground.root / "run" / "halt").exists()
    said = capsys.readouterr()
    assert said.out == f"halt file: {ground.root / 'run' / 'halt'}\n"
    assert said.err.startswith("btcbot: live did not confirm: nobody listens. Next: ")
    assert said.err.endswith("It halts when it sees the file, and starts halted.\n")


@pytest.mark.parametrize("verb", ["halt", "pause", "resume"])
@pytest.mark.parametrize(
    ("environ", "reason", "code", "said"),
    [
        ({}, "x", 78, "BTCBOT_RUN_DIR is not set"),
        ({"BTCBOT_RUN_DIR": "run"}, "x", 78, "BTCBOT_RUN_DIR must be an absolute path"),
        ({}, "  ", 64, "--reason is empty"),
    ],
)
def test_an_order_needs_a_reason_and_a_place(
    stage: Stage, enter: Enter, capsys: Capture, verb: str, environ: dict[str, str], reason: str, code: int, said: str
) -> None:  # fmt: skip
    enter(environ)
    assert perform([verb, "--reason", reason]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert stage.calls == []
