"""Faults on demand: what was done, and what the client hears of it."""

import httpx
import pytest

from tests.integration.sandbox.playground import Playground


async def _labels(playground: Playground) -> list[str]:
    return [line["client_order_id"] for line in await playground.record() if line["kind"] == "order_accepted"]


async def test_an_answer_can_be_lost_after_the_order_was_accepted(playground: Playground) -> None:
    await playground.fault("drop_answer_after_accept", 1, endpoint="submit")
    with pytest.raises(httpx.ReadTimeout):
        await playground.http.post(
            f"{playground.api}/api/v1/order",
            headers=playground.headers(),
            timeout=0.2,
            json={
                "quantity": "0.0003", "price": "3000000", "newOrderClientId": "LOST", "orderMethod": "limit",
                "orderType": "buy", "pairSymbol": "BTCTRY",
            },
        )  # fmt: skip
    assert await _labels(playground) == ["LOST"]
    assert next(line["status"] for line in await playground.record() if line["kind"] == "answer") is None
    assert (await playground.submit("BTCTRY", "buy", "0.0003", "3000000", "NEXT")).status_code == 200


async def test_the_edge_can_answer_with_a_page_after_the_order_was_accepted(playground: Playground) -> None:
    await playground.fault("html_after_accept", 1, endpoint="submit")
    answer = await playground.submit("BTCTRY", "buy", "0.0003", "3000000", "PAGE")
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (504, "text/html")
    assert await _labels(playground) == ["PAGE"]


@pytest.mark.parametrize(
    ("name", "status", "word"),
    [
        ("html_everywhere", 502, "<html>"),
        ("unavailable_503", 503, "SYSTEM_UNDER_MAINTENANCE"),
        ("rate_limited_429", 429, "TOO_MANY_REQUESTS"),
        ("unauthorized", 401, "Unauthorized"),
    ],
)
async def test_a_request_can_be_turned_away_before_anything_is_done(
    playground: Playground, name: str, status: int, word: str
) -> None:
    await playground.fault(name, None)
    answer = await playground.submit("BTCTRY", "buy", "0.0003", "3000000")
    assert answer.status_code == status
    assert word in answer.text
    assert (await playground.public("server/time")).status_code == status
    assert await _labels(playground) == []
    await playground.admin("DELETE", "faults")
    assert (await playground.public("server/time")).status_code == 200


async def test_an_answer_can_come_late(playground: Playground) -> None:
    document = {"fault": "late_answer", "count": 1, "match": {"endpoint": "balances"}, "seconds": 30}
    assert (await playground.admin("POST", "faults", json=document))["seconds"] == 30
    with pytest.raises(httpx.ReadTimeout):
        await playground.private("GET", "users/balances", timeout=0.2)
    assert (await playground.private("GET", "users/balances")).status_code == 200


async def test_a_cancel_can_be_acknowledged_and_lost(playground: Playground) -> None:
    order_id = await playground.placed("BTCTRY", "buy", "0.0003", "3000000")
    await playground.fault("cancel_lost", 1)
    assert (await playground.private("DELETE", f"order?id={order_id}")).json()["success"]
    await playground.time.pass_by(5)
    assert (await playground.private("GET", f"order/{order_id}")).json()["data"]["status"] == "Untouched"


async def test_a_fault_strikes_only_what_it_matches_and_as_often_as_it_says(playground: Playground) -> None:
    await playground.fault("unavailable_503", 2, endpoint="balances", key="live")
    assert (await playground.private("GET", "users/balances", role="monitor")).status_code == 200
    statuses = [(await playground.private("GET", "users/balances")).status_code for _ in range(3)]
    assert statuses == [503, 503, 200]
    assert await playground.admin("GET", "faults") == []


@pytest.mark.parametrize(
    "document",
    [
        {"fault": "earthquake"}, {"fault": "unauthorized", "count": 0}, {"fault": "unauthorized", "often": 1},
        {"fault": "unauthorized", "match": {"key": 1}}, {"fault": "late_answer", "seconds": "soon"}, [], "x",
    ],
)  # fmt: skip
async def test_a_malformed_fault_is_refused_in_words(playground: Playground, document: object) -> None:
    answer = await playground.admin("POST", "faults", json=document)
    assert "Next:" in answer["message"]
    assert await playground.admin("GET", "faults") == []
