"""The listener as the real program, spoken to as supervisord speaks."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

LISTENER = Path(__file__).resolve().parents[2] / "deploy" / "state-listener"


def event(name: str, payload: str) -> bytes:
    header = (
        f"ver:3.0 server:supervisor serial:21 pool:state-listener poolserial:10 eventname:{name} len:{len(payload)}\n"
    )
    return (header + payload).encode()


def listen(*events: bytes) -> tuple[bytes, list[dict[str, Any]]]:
    done = subprocess.run([sys.executable, "-IB", LISTENER], input=b"".join(events), capture_output=True, timeout=30)
    assert done.returncode == 0
    return done.stdout, [json.loads(line) for line in done.stderr.splitlines()]


@pytest.mark.parametrize(
    ("name", "payload", "level", "told"),
    [
        (
            "PROCESS_STATE_RUNNING",
            "from_state:STARTING pid:2766",
            "INFO",
            {"state": "RUNNING", "from_state": "STARTING", "pid": 2766},
        ),
        ("PROCESS_STATE_STARTING", "from_state:BACKOFF tries:2", "INFO", {"state": "STARTING", "tries": 2}),
        ("PROCESS_STATE_BACKOFF", "from_state:STARTING tries:1", "WARNING", {"state": "BACKOFF", "tries": 1}),
        (
            "PROCESS_STATE_EXITED",
            "from_state:RUNNING expected:0 pid:7",
            "ERROR",
            {"state": "EXITED", "expected": False},
        ),
        ("PROCESS_STATE_EXITED", "from_state:RUNNING expected:1 pid:7", "INFO", {"state": "EXITED", "expected": True}),
        ("PROCESS_STATE_FATAL", "from_state:BACKOFF", "CRITICAL", {"state": "FATAL", "from_state": "BACKOFF"}),
        ("PROCESS_STATE_UNKNOWN", "from_state:BACKOFF", "ERROR", {"state": "UNKNOWN"}),
    ],
)
def test_a_change_of_state_is_one_json_line(name: str, payload: str, level: str, told: dict[str, object]) -> None:
    _, lines = listen(event(name, f"processname:btcbot-live groupname:btcbot-live {payload}"))
    assert len(lines) == 1
    assert (
        lines[0].items() >= {"level": level, "event": "process_state_changed", "process": "btcbot-live", **told}.items()
    )


def test_every_event_is_answered_and_none_asked_for_twice() -> None:
    events = [event("PROCESS_STATE_FATAL", "processname:a groupname:a from_state:BACKOFF")] * 3
    answers, lines = listen(*events)
    assert answers == b"READY\n" + b"RESULT 2\nOKREADY\n" * 3
    assert len(lines) == 3


def test_an_unknown_payload_does_not_stop_it() -> None:
    answers, lines = listen(event("PROCESS_STATE_FATAL", "something new"), event("PROCESS_STATE_FATAL", ""))
    assert answers.count(b"OK") == 2
    assert [line["process"] for line in lines] == ["", ""]
