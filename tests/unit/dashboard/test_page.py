"""The page shows what the watcher knows, changes nothing, and talks to nobody but this machine."""

import re
import socket
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from btcbot.dashboard import app as page
from btcbot.dashboard.app import HEADERS, build_app, figure
from btcbot.dashboard.server import serve_page
from btcbot.domain.errors import ConfigurationError
from btcbot.domain.health import Check, HealthReport, Reason, Status, read_report
from btcbot.services.monitor_view import MonitorView

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FINE = Check("exchange", Status.OK, Reason.FINE, "answered in 0.050 s", "")
HALTED = Check("live trading", Status.FAIL, Reason.LIVE_HALTED, "halted: day loss", "find the cause, then resume")
FIGURES = {
    "phase": "cycling", "cycles": 1234, "halt_reason": None, "paused": False, "armed": True, "unresolved": 0,
    "working": 2, "equity": "100234.500000000000001", "day_pnl": "-12.50",
}  # fmt: skip
VIEW = MonitorView("1.2.3", HealthReport(NOON, (FINE,)), NOON, FIGURES, 98_765)


class Shown:
    """What the page is given at the moment of a request."""

    def __init__(self) -> None:
        self.view = VIEW


@pytest.fixture
def shown() -> Shown:
    return Shown()


@pytest.fixture
async def browser(shown: Shown) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(build_app(lambda: shown.view), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8090") as client:
        yield client


async def test_the_page_says_that_all_is_well_and_what_live_does(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    for text in (
        "All is well",
        "OK",
        "exchange",
        "answered in 0.050 s",
        "100,234.5",
        "-12.5",
        "1,234",
        "98,765",
        "armed",
    ):
        assert text in answer.text
    assert "To do" not in answer.text


async def test_what_is_broken_comes_first_with_its_remedy(browser: httpx.AsyncClient, shown: Shown) -> None:
    shown.view = replace(
        VIEW, report=HealthReport(NOON, (FINE, HALTED)), figures={**FIGURES, "halt_reason": "day loss"}
    )
    text = (await browser.get("/")).text
    assert text.index("To do") < text.index("find the cause, then resume") < text.index(">Checks<")
    assert "Something is broken" in text
    assert re.search(r"<dt>Trading</dt><dd>halted</dd>", text)


@pytest.mark.parametrize(
    ("figures", "state"),
    [
        ({"paused": True, "armed": True, "halt_reason": None}, "paused"),
        ({"armed": False, "halt_reason": None}, "not armed"),
        ({}, "not armed"),
    ],
)
async def test_how_live_trades_is_one_word(
    browser: httpx.AsyncClient, shown: Shown, figures: dict[str, object], state: str
) -> None:
    shown.view = replace(VIEW, figures=figures)
    assert f"<dt>Trading</dt><dd>{state}</dd>" in (await browser.get("/")).text


async def test_without_a_heartbeat_the_page_says_so(browser: httpx.AsyncClient, shown: Shown) -> None:
    shown.view = replace(VIEW, heartbeat_at=None, figures={})
    assert "No heartbeat of live" in (await browser.get("/")).text


async def test_figures_of_a_live_that_is_not_heard_any_more_are_marked(
    browser: httpx.AsyncClient, shown: Shown
) -> None:
    assert "not heard any more" not in (await browser.get("/")).text
    old = Check("live heartbeat", Status.FAIL, Reason.HEARTBEAT_OLD, "52.0 s old", "restart it")
    shown.view = replace(VIEW, report=HealthReport(NOON, (old,)))
    assert "not heard any more" in (await browser.get("/")).text


async def test_what_others_say_is_text_and_never_markup(browser: httpx.AsyncClient, shown: Shown) -> None:
    evil = Check("x", Status.WARN, Reason.LIVE_PAUSED, "<script>alert(1)</script>", '"><img src=x>')
    shown.view = replace(
        VIEW, report=HealthReport(NOON, (evil,)), figures={**FIGURES, "equity": "<b>", "working": ["<i>"]}
    )
    text = (await browser.get("/")).text
    assert "&lt;script&gt;" in text
    for markup in ("<script", "<img", "<b>&", "<i>"):
        assert markup not in text


async def test_json_is_the_report_and_its_status_is_for_machines(browser: httpx.AsyncClient, shown: Shown) -> None:
    answer = await browser.get("/health.json")
    assert (answer.status_code, read_report(answer.text)) == (200, VIEW.report)
    shown.view = replace(VIEW, report=HealthReport(NOON, (HALTED,)))
    assert (await browser.get("/health.json")).status_code == 503


async def test_every_answer_carries_the_headers(browser: httpx.AsyncClient, shown: Shown) -> None:
    answers = [await browser.get(path) for path in ("/", "/health.json", "/style.css", "/nothing", "/../etc/passwd")]
    answers += [await browser.post("/"), await browser.get("/", headers={"host": "evil.example"})]
    shown.view = None  # type: ignore[assignment]
    answers.append(await browser.get("/"))
    assert [answer.status_code for answer in answers] == [200, 200, 200, 404, 404, 405, 400, 500]
    for answer in answers:
        for name, value in HEADERS.items():
            assert answer.headers.get_list(name) == [value]
        assert "set-cookie" not in answer.headers
    assert "default-src 'self'" in HEADERS["content-security-policy"]
    assert answers[-1].text == "Internal Server Error"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
async def test_only_reading_is_allowed(browser: httpx.AsyncClient, method: str) -> None:
    for path in ("/", "/health.json", "/style.css"):
        assert (await browser.request(method, path)).status_code == 405


async def test_heads_are_answered_without_a_body(browser: httpx.AsyncClient) -> None:
    answer = await browser.head("/")
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8090", 200), ("localhost", 200), ("localhost:1", 200), ("evil.example", 400), ("10.0.0.1", 400),
        ("127.0.0.1.evil.example", 400), ("", 400),
    ],
)  # fmt: skip
async def test_only_loopback_names_are_answered(browser: httpx.AsyncClient, host: str, status: int) -> None:
    assert (await browser.get("/", headers={"host": host})).status_code == status


async def test_the_page_needs_no_script_and_nothing_from_elsewhere(browser: httpx.AsyncClient) -> None:
    text = (await browser.get("/")).text
    assert not re.search(r"<script|style=|javascript:|\son\w+=", text)
    assert set(re.findall(r'(?:href|src)="([^"]*)"', text)) == {"/style.css", "/health.json"}
    style = (await browser.get("/style.css")).text
    assert "url(" not in style
    assert "@import" not in style
    assert "prefers-color-scheme: dark" in style


@pytest.mark.parametrize(
    ("value", "shown_as"),
    [
        ("1234567.890", "1,234,567.89"), (0, "0"), ("0.000000001", "0.00"), ("NaN", "–"), (None, "–"), ("text", "text"),
        ("1e-8", "0.00"), ("-1000", "-1,000"),
    ],
)  # fmt: skip
def test_figures_are_shown_for_reading(value: object, shown_as: str) -> None:
    assert figure(value) == shown_as


async def test_a_taken_port_is_named() -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"BTCBOT_DASHBOARD_PORT={port}"):
            await serve_page(port, lambda: VIEW)


def test_what_the_page_is_made_of_is_in_the_package() -> None:
    here = Path(page.__file__).parent
    assert (here / "templates" / "health.html").is_file()
    assert (here / "static" / "style.css").is_file()
