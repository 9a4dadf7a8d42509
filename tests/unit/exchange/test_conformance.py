"""The notebook of a conformance check: what becomes of an answer, of a refusal, and of none at all."""

import json

import pytest

from btcbot.domain.conformance import Finding, Verdict
from btcbot.domain.errors import KeyRefused
from btcbot.exchange import known_shapes
from btcbot.exchange.conformance import Notebook
from btcbot.exchange.errors import NoAnswer, RateLimited
from btcbot.exchange.http import HttpAnswer

KNOWN = {"data": [], "success": True, "message": None, "code": 0}


def answer(document: object, status: int = 200) -> HttpAnswer:
    return HttpAnswer(status, document if isinstance(document, bytes) else json.dumps(document).encode())


def noted(document: object, status: int = 200) -> Finding:
    notebook = Notebook(shows_amounts=False)
    notebook.data("tickers", answer(document, status), known_shapes.TICKERS)
    (finding,) = notebook.findings
    return finding


def test_a_known_answer_is_noted_with_what_came() -> None:
    assert noted(KNOWN) == Finding("tickers", Verdict.AS_KNOWN, "HTTP 200, code 0, 57 bytes")


@pytest.mark.parametrize(
    ("change", "status", "told"),
    [
        ({"more": 1}, 200, "more is new: a whole number"),
        ({"code": "SUCCESS"}, 200, "code is 'SUCCESS' instead of 0"),
        ({"message": "WAIT"}, 200, "message of a success is none of the known ones"),
        ({"data": None}, 200, "data is null instead of a list"),
        ({"success": False, "message": "NO"}, 200, "HTTP 200: "),
        ({}, 201, "HTTP 201: "),
        ({"success": False}, 400, "HTTP 400: "),
    ],
)
def test_what_differs_is_told(change: dict[str, object], status: int, told: str) -> None:
    finding = noted(KNOWN | change, status)
    assert finding.verdict is Verdict.DIFFERS
    assert told in finding.detail


@pytest.mark.parametrize(("body", "status"), [(b"<html>blocked</html>", 403), (b"", 200), (b'{"code":"X"}', 503)])
def test_what_is_not_the_exchange_differs_too(body: bytes, status: int) -> None:
    finding = noted(body, status)
    assert finding.verdict is Verdict.DIFFERS
    assert f"HTTP {status}" in finding.detail


@pytest.mark.parametrize(
    ("change", "status", "verdict"),
    [
        ({}, 400, Verdict.AS_KNOWN),
        ({}, 404, Verdict.DIFFERS),
        ({"code": 1151}, 400, Verdict.DIFFERS),
        ({"message": "No order"}, 400, Verdict.DIFFERS),
        ({"success": True}, 400, Verdict.DIFFERS),
    ],
)
def test_a_refusal_is_known_word_for_word(change: dict[str, object], status: int, verdict: Verdict) -> None:
    notebook = Notebook(shows_amounts=False)
    document = {"success": False, "message": "Order not found", "code": 1152} | change
    notebook.refusal("an order that is not there", answer(document, status), "Order not found", 1152)
    assert [finding.verdict for finding in notebook.findings] == [verdict]


@pytest.mark.parametrize("error", [NoAnswer("a timeout"), RateLimited("GET ticker", 42.0)])
async def test_no_answer_is_noted_with_its_reason(error: Exception) -> None:
    async def ask() -> HttpAnswer:
        raise error

    notebook = Notebook(shows_amounts=False)
    assert await notebook.asked("tickers", ask()) is None
    (finding,) = notebook.findings
    assert (finding.verdict, finding.detail) == (Verdict.NOT_ASKED, error.args[0])
    assert notebook.data("tickers", None, known_shapes.TICKERS) is None
    assert len(notebook.findings) == 1


async def test_a_refused_key_ends_the_asking() -> None:
    async def ask() -> HttpAnswer:
        raise KeyRefused("no")

    with pytest.raises(KeyRefused):
        await Notebook(shows_amounts=False).asked("balances", ask())


def test_nothing_like_a_secret_gets_into_a_detail() -> None:
    secret = "A1b2C3d4E5f6G7h8I9j0K1l2M3n4"
    assert secret not in noted({"success": False, "message": f"key {secret} is wrong"}, 401).detail
