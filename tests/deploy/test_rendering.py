"""Which processes run, and what the rendered files say."""

import configparser
import re
from pathlib import Path

import envfile
import pytest
import rendering
from rendering import ENDPOINTS, Places

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
TRACKED = (DEPLOY / "supervisord.conf").read_text()
ROLES = ("live", "monitor", "sandbox")
PLACES = Places(Path("/srv/check out"), Path("/srv/check out/var"))
WORKERS = ("program:btcbot-live", "program:btcbot-monitor")


def endpoints(api: str = "http://127.0.0.1:18080", socket: str = "ws://127.0.0.1:18082") -> dict[str, str]:
    return {"BTCTURK_API_URL": api, "BTCTURK_GRAPH_URL": "http://localhost:18081", "BTCTURK_WS_URL": socket}


def local(places: Places = PLACES) -> configparser.RawConfigParser:
    parser = rendering.read_supervisord(TRACKED)
    rendering.localise(parser, places, start_seconds=5)
    return parser


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:18080", "http://127.9.9.9", "http://localhost:1", "http://[::1]:18080"]
)
def test_loopback_endpoints_need_the_sandbox(url: str) -> None:
    assert rendering.needs_sandbox(endpoints(url), endpoints())


@pytest.mark.parametrize(
    "url",
    [
        "https://api.btcturk.com",
        "http://127.0.0.1.example.org:18080",
        "http://localhost.example.org",
        "http://127.0.0.1@api.btcturk.com",
        "http://10.0.0.1:18080",
        "http://0.0.0.0:18080",
        "127.0.0.1:18080",
        "http://[::1",
        "",
    ],
)
def test_any_other_endpoint_of_any_worker_runs_without_it(url: str) -> None:
    assert not rendering.needs_sandbox(endpoints(url), endpoints())
    assert not rendering.needs_sandbox(endpoints(), endpoints(socket=url))
    assert not rendering.needs_sandbox(endpoints(), {})


def test_the_tracked_files_are_the_sandbox_profile() -> None:
    live, monitor, sandbox = (envfile.read(DEPLOY / "env" / f"{role}.env") for role in ("live", "monitor", "sandbox"))
    assert rendering.needs_sandbox(live, monitor)
    assert [live[name] for name in ("APP_ROLE", "LIVE_TRADING", "SAFE_MODE", "KILL_SWITCH")] == [
        "live",
        "true",
        "false",
        "false",
    ]
    assert [monitor[name] for name in ("APP_ROLE", "LIVE_TRADING", "SAFE_MODE", "KILL_SWITCH")] == [
        "monitor",
        "false",
        "true",
        "true",
    ]
    assert (live["LIVE_TRADING_ACK"], monitor["LIVE_TRADING_ACK"]) == ("real orders on 127.0.0.1:18080", "none")
    assert live["STATE_DB_PATH"] == monitor["BTCBOT_PEER_STATE_DB_PATH"]
    assert monitor["STATE_DB_PATH"] == live["BTCBOT_PEER_STATE_DB_PATH"]
    shared = (
        *ENDPOINTS,
        "BTCBOT_PAIRS",
        "BTCBOT_RUN_DIR",
        "BTCBOT_DEPLOYMENT_ID",
        "BTCBOT_CLOCK_RATE",
        "BTCBOT_CLOCK_ANCHOR_FILE",
    )
    assert [live[name] for name in shared] == [monitor[name] for name in shared]
    for name in ("BTCBOT_PAIRS", "BTCBOT_CLOCK_RATE", "BTCBOT_CLOCK_ANCHOR_FILE"):
        assert sandbox[name] == live[name]
    assert live["BTCTURK_API_KEY_FILE"] != monitor["BTCTURK_API_KEY_FILE"]


@pytest.mark.parametrize("role", ROLES)
def test_the_tracked_files_hold_no_secret(role: str) -> None:
    variables = envfile.read(DEPLOY / "env" / f"{role}.env")
    assert not {"BTCTURK_API_KEY", "BTCTURK_API_SECRET"} & set(variables)


def test_the_image_starts_every_program_directly_with_its_own_file() -> None:
    parser = rendering.read_supervisord(TRACKED)
    start = "/opt/btcbot/bin/python3 -IB /opt/btcbot/deploy/with-env /etc/btcbot/{}.env -- /opt/btcbot/bin/btcbot {}"
    assert parser["program:btcbot-live"]["command"] == start.format("live", "run")
    assert parser["program:btcbot-monitor"]["command"] == start.format("monitor", "health --watch")
    assert parser["program:btcbot-sandbox"]["command"] == start.format("sandbox", "sandbox")


def test_the_image_restarts_crashes_but_no_refusal() -> None:
    parser = rendering.read_supervisord(TRACKED)
    programs = [section for section in parser.sections() if section.startswith("program:")]
    assert len(programs) == 3
    for program in programs:
        section = parser[program]
        assert section["autorestart"] == "unexpected"
        assert section["exitcodes"] == "0,64,73,76,77,78"
        assert (section["stopsignal"], section["stopasgroup"], section["killasgroup"]) == ("TERM", "false", "true")
        assert (section["stdout_logfile"], section["stdout_logfile_maxbytes"]) == ("/dev/fd/1", "0")
    assert [parser[worker]["stopwaitsecs"] for worker in WORKERS] == ["45", "15"]
    priorities = [int(parser[f"program:btcbot-{role}"]["priority"]) for role in ("sandbox", "monitor", "live")]
    assert priorities == sorted(priorities)


def test_supervisord_is_reached_through_a_private_socket_only() -> None:
    parser = rendering.read_supervisord(TRACKED)
    assert parser["unix_http_server"]["chmod"] == "0700"
    assert parser["supervisord"]["umask"] == "077"
    assert not parser.has_section("inet_http_server")
    assert parser["supervisorctl"]["serverurl"] == f"unix://{parser['unix_http_server']['file']}"
    assert "%" not in TRACKED


def test_leaving_out_the_sandbox_keeps_the_rest() -> None:
    parser = rendering.read_supervisord(TRACKED)
    rendering.without_sandbox(parser)
    rendered = rendering.read_supervisord(rendering.write_supervisord(parser))
    assert not rendered.has_section("program:btcbot-sandbox")
    assert [dict(rendered[worker]) for worker in WORKERS] == [dict(parser[worker]) for worker in WORKERS]


def test_a_checkout_has_no_place_of_the_image_left() -> None:
    rendered = rendering.write_supervisord(local())
    assert not re.search(r"/opt/|/etc/|/var/lib/|=/run/|/dev/", rendered)


def test_a_checkout_logs_to_files_that_rotate() -> None:
    parser = local()
    for worker in WORKERS:
        section, name = parser[worker], worker.partition(":")[2]
        assert section["stdout_logfile"] == f"/srv/check out/var/log/{name}.log"
        assert (section["stdout_logfile_maxbytes"], section["stdout_logfile_backups"]) == ("10MB", "5")
        assert section["redirect_stderr"] == "true"
        assert (section["startsecs"], section["startretries"]) == ("5", "3")


def test_a_checkout_quotes_its_paths() -> None:
    command = local()["program:btcbot-live"]["command"]
    assert command.startswith("'/srv/check out/.venv/bin/python3' -IB '/srv/check out/deploy/with-env' ")


@pytest.mark.parametrize("directory", ["/srv/100%", "/srv/a ;b", "/srv/a #b", "/srv/a\nb"])
def test_a_path_that_supervisord_would_misread_is_refused(directory: str) -> None:
    parser = local(Places(Path(directory), Path(directory) / "var"))
    with pytest.raises(rendering.RenderingError, match="Next: "):
        rendering.write_supervisord(parser)


@pytest.mark.parametrize("role", ROLES)
def test_a_copy_is_the_tracked_file_in_other_places(role: str) -> None:
    tracked = DEPLOY / "env" / f"{role}.env"
    copy = rendering.env_copy(tracked.read_text(), PLACES, {})
    expected = {name: PLACES.relocate(value) for name, value in envfile.read(tracked).items()}
    assert envfile.parse(copy.encode(), "copy") == expected
    assert "=/var/lib/btcbot" not in copy
    assert rendering.is_as_written(copy)


def test_a_copy_takes_changes_and_removals() -> None:
    tracked = (DEPLOY / "env" / "live.env").read_text()
    copy = rendering.env_copy(tracked, PLACES, {"BTCBOT_PAIRS": "BTCTRY", "BTCBOT_CLOCK_ANCHOR_FILE": None})
    variables = envfile.parse(copy.encode(), "copy")
    assert variables["BTCBOT_PAIRS"] == "BTCTRY"
    assert "BTCBOT_CLOCK_ANCHOR_FILE" not in variables


@pytest.mark.parametrize(
    "changes", [{"BTCBOT_NOTHING": "1"}, {"BTCBOT_PAIRS": "A\nLIVE_TRADING=true"}, {"BTCBOT_PAIRS": "A "}]
)
def test_a_change_that_does_not_fit_is_refused(changes: dict[str, str | None]) -> None:
    with pytest.raises(rendering.RenderingError):
        rendering.env_copy((DEPLOY / "env" / "live.env").read_text(), PLACES, changes)


@pytest.mark.parametrize("edit", [("12", "13"), ("\n", "\n\n"), ("# digest", "# Digest")])
def test_an_edited_copy_is_known(edit: tuple[str, str]) -> None:
    copy = rendering.env_copy((DEPLOY / "env" / "live.env").read_text(), PLACES, {})
    assert not rendering.is_as_written(copy.replace(*edit))
    assert not rendering.is_as_written("")
