"""One event, one line of JSON; no secret in it; and nobody waits for it."""

import asyncio
import base64
import io
import json
import logging
import os
import select
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btcbot.domain.errors import ConfigurationError
from btcbot.domain.events import Event
from btcbot.domain.money import amount
from btcbot.domain.secrets import Secret
from btcbot.observability import logs
from btcbot.observability.field_values import plain
from btcbot.observability.logs import LogObserver, current_cycle, level_of, start_logging
from btcbot.observability.masking import MASK, Mask

KEY = Secret('canary-Key/with+signs=and "quotes" ğüş')
SECRET = Secret(base64.b64encode(b"the canary that signs").decode())
ROOT = Path(__file__).parents[3]


class Lines:
    """A log that is read back."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.observer = start_logging(
            role="live", instance_id="i1", config_hash="c0ffee", level="INFO", stream=self.stream, secrets=(KEY, SECRET)
        )

    def read(self) -> list[dict[str, object]]:
        self.observer.stop()
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, hook = tuple(root.handlers), root.level, sys.excepthook
    yield
    logging.captureWarnings(False)
    sys.excepthook = hook
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def log() -> Iterator[Lines]:
    lines = Lines()
    yield lines
    lines.observer.stop()


def test_a_line_says_when_what_who_and_under_which_configuration(log: Lines) -> None:
    log.observer.observed(Event.FILL_BOOKED, pair="BTCTRY", quantity=Decimal("0.00100"))
    (line,) = log.read()
    assert datetime.fromisoformat(str(line.pop("time"))).tzinfo is not None
    assert line == {
        "level": "INFO", "event": "fill_booked", "process_role": "live", "process_instance_id": "i1", "cycle_id": None,
        "config_hash": "c0ffee", "db_fingerprint": None, "pair": "BTCTRY", "quantity": "0.00100",
    }  # fmt: skip


def test_time_is_utc_in_milliseconds_and_the_clock_s_own_when_there_is_one() -> None:
    class Noon:
        def now(self) -> datetime:
            return datetime(2026, 3, 1, 15, 0, 0, 123_456, tzinfo=timezone(timedelta(hours=3)))

        def monotonic(self) -> float:
            return 0.0

    stream = io.StringIO()
    observer = start_logging(
        role="live", instance_id="i", config_hash="c", level="INFO", stream=stream, secrets=(), clock=Noon()
    )
    observer.observed(Event.PAUSED)
    observer.stop()
    assert json.loads(stream.getvalue())["time"] == "2026-03-01T12:00:00.123Z"


def test_the_cycle_and_the_database_are_on_every_line_once_they_are_known(log: Lines) -> None:
    token = current_cycle.set("c7")
    log.observer.observed(Event.DATABASE_OPENED, db_fingerprint="abcd")
    current_cycle.reset(token)
    log.observer.observed(Event.PAUSED)
    log.observer.observed(Event.CYCLE_COMPLETED, cycle_id="c8")
    lines = log.read()
    assert not any(name.endswith("_") for line in lines for name in line)
    assert [(line["cycle_id"], line["db_fingerprint"]) for line in lines] == [
        ("c7", "abcd"), (None, "abcd"), ("c8", "abcd"),
    ]  # fmt: skip


def test_a_field_never_takes_the_place_of_what_identifies_the_line(log: Lines) -> None:
    log.observer.observed(Event.PAUSED, level="loud", process_role="monitor")
    (line,) = log.read()
    assert (line["level"], line["level_"]) == ("WARNING", "loud")
    assert (line["process_role"], line["process_role_"]) == ("live", "monitor")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Decimal("1E+3"), "1000"), (Decimal("0.10"), "0.10"), (Decimal("NaN"), None), (float("inf"), None), (1.5, 1.5),
        (datetime(2026, 3, 1, tzinfo=UTC), "2026-03-01T00:00:00.000Z"), (timedelta(seconds=2), 2.0),
        (Event.PAUSED, "paused"), (amount("10 TRY"), "10 TRY"), ((1, None, True), [1, None, True]),
        ({"a": {"b": Decimal(1)}}, {"a": {"b": "1"}}), (b"\x00secret", "7 bytes"), (Path("/x"), "/x"),
        (Secret("hidden"), "Secret(***)"), (ValueError("bad"), "ValueError: bad"),
        ({"x-signature": "abc", "n": 1}, {"x-signature": MASK, "n": 1}),
    ],
)  # fmt: skip
def test_values_are_shown_exactly_or_not_at_all(value: object, shown: object) -> None:
    assert plain(value) == shown


def test_long_and_deep_values_are_cut() -> None:
    deep: list[object] = []
    for _ in range(1_000):
        deep = [deep]
    assert len(json.dumps(plain({"text": "x" * 100_000, "deep": deep, "many": list(range(10_000))}))) < 10_000


def test_a_value_that_cannot_show_itself_does_not_silence_its_event(log: Lines) -> None:
    class Mute:
        def __str__(self) -> str:
            raise RuntimeError("no")

    log.observer.observed(Event.PAUSED, by=Mute())
    assert log.read()[0]["by"] == "a Mute that cannot be shown"


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text() | st.decimals() | st.binary() | st.integers(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))  # fmt: skip
def test_whatever_is_told_can_be_written_as_json(value: object) -> None:
    json.dumps(plain(value), allow_nan=False)


def test_warnings_and_what_the_event_loop_reports_are_defects_and_libraries_report(log: Lines) -> None:
    async def fail() -> None:
        raise ValueError("lost in a task")

    async def main() -> None:
        task = asyncio.create_task(fail())
        await asyncio.sleep(0)
        del task

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old ways", DeprecationWarning, stacklevel=1)
    logging.getLogger("httpx").info("too chatty")
    logging.getLogger("uvicorn.error").warning("port %s", 8080)
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(main())
    by_logger = {line["logger"]: line for line in log.read()}
    assert set(by_logger) == {"py.warnings", "uvicorn.error", "asyncio"}
    assert by_logger["py.warnings"]["event"] == by_logger["asyncio"]["event"] == "defect_caught"
    assert "lost in a task" in str(by_logger["asyncio"]["traceback"])
    assert (by_logger["uvicorn.error"]["event"], by_logger["uvicorn.error"]["message"]) == (
        "library_reported", "port 8080",
    )  # fmt: skip


def test_an_uncaught_exception_is_the_last_line_and_stderr_gets_no_traceback() -> None:
    program = textwrap.dedent("""
        import sys
        from btcbot.domain.secrets import Secret
        from btcbot.observability.logs import start_logging
        start_logging(role="live", instance_id="i", config_hash="c", level="INFO", stream=sys.stdout,
                      secrets=(Secret("canary-secret"),))
        raise RuntimeError("the canary-secret is out")
    """)
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=30)
    line = json.loads(ended.stdout)
    assert (ended.returncode, ended.stderr) == (1, "")
    assert (line["event"], line["error"]) == ("defect_caught", f"RuntimeError: the {MASK} is out")


def test_every_level_is_decided_for_events_that_exist() -> None:
    assert {level_of(event) for event in Event} == {
        logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR
    }  # fmt: skip


# ------------------------------------------------------------------------------------------------ secrets


def forms(secret: str) -> list[str]:
    exact = secret.encode()
    return [
        secret, quote(secret, safe=""), base64.b64encode(exact).decode(), base64.urlsafe_b64encode(exact).decode(),
        base64.b64encode(b"user:" + exact).decode(), base64.b64encode(b"xy" + exact + b"tail").decode(), exact.hex(),
    ]  # fmt: skip


def hidden_in(secret: str) -> list[str]:
    """What must not be found: the whole, or the middle of any encoding."""
    return [secret[4:-4], *(form[12:-8] for form in forms(secret)[1:])]


def by_exception(log: Lines, text: str) -> None:
    try:
        raise ConfigurationError(f"refused {text}")
    except ConfigurationError as error:
        log.observer.observed(Event.DEFECT_CAUGHT, error=error)


def by_chained_exception(log: Lines, text: str) -> None:
    try:
        try:
            raise KeyError(text)
        except KeyError as inner:
            raise ValueError("outer") from inner
    except ValueError:
        logging.getLogger("asyncio").exception("task failed")


def by_loop(log: Lines, text: str) -> None:
    loop = asyncio.new_event_loop()
    loop.call_exception_handler({"message": text, "exception": RuntimeError(text)})
    loop.close()


def by_warning(log: Lines, text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(text, UserWarning, stacklevel=1)


PATHS: dict[str, Callable[[Lines, str], None]] = {
    "field": lambda log, text: log.observer.observed(Event.REQUEST_FAILED, said=text),
    "nested": lambda log, text: log.observer.observed(Event.REQUEST_FAILED, said={"a": [{"b": (text,)}]}),
    "key of a field": lambda log, text: log.observer.observed(Event.REQUEST_FAILED, said={text: 1}),
    "name of a field": lambda log, text: log.observer.observed(Event.REQUEST_FAILED, **{text: 1}),
    "bound": lambda log, text: log.observer.bind(place=text),
    "exception": by_exception,
    "chained exception": by_chained_exception,
    "event loop": by_loop,
    "warning": by_warning,
    "library": lambda log, text: logging.getLogger("websockets").warning("sent %s", text),
    "library, bad arguments": lambda log, text: logging.getLogger("httpx").warning("%d", text),
    "unknown library": lambda log, text: logging.getLogger("someone.else").error(text),
    "uncaught": lambda log, text: log.observer.crashed(RuntimeError, RuntimeError(text), None),
    "bytes": lambda log, text: log.observer.observed(Event.REQUEST_FAILED, body=text.encode()),
    "header": lambda log, text: log.observer.observed(Event.REQUEST_FAILED, headers={"X-Signature": text}),
    "secret itself": lambda log, text: log.observer.observed(Event.REQUEST_FAILED, it=Secret(text)),
}


def test_no_secret_leaves_on_any_path_in_any_form(capfd: pytest.CaptureFixture[str]) -> None:
    told = 0
    written = ""
    for path in PATHS.values():
        for secret in (KEY.reveal(), SECRET.reveal()):
            for form in forms(secret):
                log = Lines()
                path(log, f"before {form} after")
                log.observer.observed(Event.PAUSED)
                assert log.read()
                written += log.stream.getvalue()
                told += 1
    assert told >= 200
    out, err = capfd.readouterr()
    for secret in (KEY.reveal(), SECRET.reveal()):
        for hidden in hidden_in(secret):
            assert hidden not in written + out + err, hidden
            assert json.dumps(hidden)[1:-1] not in written + out + err, hidden


@given(st.text(min_size=12), st.binary(max_size=7), st.binary(max_size=7))
def test_base64_of_a_secret_is_found_wherever_it_starts(secret: str, before: bytes, after: bytes) -> None:
    encoded = base64.b64encode(before + secret.encode() + after).decode()
    assert MASK in Mask((Secret(secret),))(encoded)


def test_the_mask_does_not_show_what_it_hides() -> None:
    assert KEY.reveal() not in repr(Mask((KEY,)))


# ------------------------------------------------------------------------------------------ never in the way


def test_a_blocked_stdout_delays_nobody_and_what_was_dropped_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "QUEUE_LINES_MAX", 50)
    monkeypatch.setattr(logs, "STOP_SECONDS", 0.2)
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        observer = start_logging(role="live", instance_id="i", config_hash="c", level="INFO", stream=stream, secrets=())
        began = time.perf_counter()
        for number in range(2_000):
            observer.observed(Event.PAUSED, number=number, padding="x" * 1_000)
        assert time.perf_counter() - began < 5
        assert observer.lines_dropped > 1_500
        began = time.perf_counter()
        observer.stop()
        assert time.perf_counter() - began < 2
        taken = drained(reading, lambda taken: taken.count(b'"event": "paused"') + observer.lines_dropped >= 2_000)
    lines = [json.loads(line) for line in taken.splitlines()]
    numbers = [line["number"] for line in lines if line["event"] == "paused"]
    assert numbers == sorted(numbers)
    assert len(numbers) + observer.lines_dropped == 2_000


def test_dropped_lines_are_told_when_output_is_taken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()

    class Gated(io.StringIO):
        def write(self, text: str) -> int:
            gate.wait(10)
            return super().write(text)

    monkeypatch.setattr(logs, "QUEUE_LINES_MAX", 5)
    stream = Gated()
    observer = start_logging(role="live", instance_id="i", config_hash="c", level="INFO", stream=stream, secrets=())
    for number in range(20):
        observer.observed(Event.PAUSED, number=number)
    gate.set()
    while True:
        observer.observed(Event.RESUMED)
        if 0 < observer._handler._told == observer.lines_dropped:  # all went out with a line that found room
            break
        time.sleep(0.01)
    observer.stop()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    dropped = sum(line["lines"] for line in lines if line["event"] == "log_lines_dropped")
    assert dropped == observer.lines_dropped
    assert len(lines) - sum(line["event"] == "log_lines_dropped" for line in lines) + dropped >= 20


def test_a_closed_output_is_nobody_s_problem() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        observer: LogObserver = start_logging(
            role="live", instance_id="i", config_hash="c", level="INFO", stream=stream, secrets=()
        )
        observer.observed(Event.PAUSED)
        observer.stop()


def drained(descriptor: int, is_all: Callable[[bytes], bool]) -> str:
    """Everything that a writer has to say; its thread may wait long for its turn on a busy machine."""
    taken, deadline = b"", time.monotonic() + 30
    while not (is_all(taken) and taken.endswith(b"\n")):
        assert time.monotonic() < deadline, taken[-500:]
        if select.select([descriptor], [], [], 1.0)[0]:
            taken += os.read(descriptor, 65_536)
    os.close(descriptor)
    return taken.decode()


@pytest.mark.parametrize(
    "event", [Event.HALTED, Event.HALT_LATCHED, Event.ORDER_ADOPTED, Event.ORDERS_LEFT_OPEN, Event.LEDGER_MISMATCHED]
)
def test_what_a_person_must_look_at_is_told_as_an_error(event: Event) -> None:
    assert logs.level_of(event) == logging.ERROR
