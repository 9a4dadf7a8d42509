"""The page of the record: what a person sees of requests, orders and balances."""

import re

import httpx

from tests.integration.sandbox.playground import Playground


async def _page(playground: Playground, query: str = "") -> httpx.Response:
    return await playground.http.get(f"http://127.0.0.1:{playground.sandbox.admin_port}/{query}")


def _numbers(page: str) -> list[int]:
    return [int(number) for number in re.findall(r'<td class="number">([0-9]+)</td>', page)]


def _link(page: str, words: str) -> str:
    found = re.search(rf'<a href="/([^"]*)">{words}</a>', page)
    assert found, words
    return found.group(1).replace("&amp;", "&")


async def test_the_page_shows_the_last_lines_the_accounts_and_the_faults(playground: Playground) -> None:
    order_id = await playground.placed("BTCTRY", "buy", "0.0003", "3000000")
    await playground.fault("silent_feed", None, key="live")
    answer = await _page(playground)
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "script" not in answer.text.replace("script-src", "")
    count = len(await playground.record())
    assert _numbers(answer.text) == list(range(count, 0, -1))
    assert "halted" not in answer.text.partition("<body>")[2]
    await playground.admin("POST", "halts", params={"pair": "SOLTRY"})
    assert ">halted: SOLTRY<" in (await _page(playground)).text
    for words in (str(order_id), "documented", "<b>live</b>", "silent_feed", "key=live", "B-T1-1", "200000 TRY"):
        assert words in answer.text, words


async def test_lines_are_turned_page_by_page_and_by_kind(playground: Playground) -> None:
    for _ in range(150):
        await playground.private("GET", "openOrders")
    count = len(await playground.record())
    latest = (await _page(playground)).text
    assert _numbers(latest) == list(range(count, count - 100, -1))
    previous = (await _page(playground, _link(latest, "previous"))).text
    assert _numbers(previous) == list(range(count - 100, count - 200, -1))
    assert _numbers((await _page(playground, _link(previous, "next"))).text) == _numbers(latest)
    assert _numbers((await _page(playground, _link(previous, "first"))).text) == list(range(100, 0, -1))
    answers = (await _page(playground, _link(latest, "answer"))).text
    assert set(re.findall(r'<tr class="(\w+)">', answers)) == {"answer"}
    assert len(_numbers((await _page(playground, _link(answers, "previous"))).text)) == 50
    assert "No such line" in (await _page(playground, "?kind=fault_struck")).text
    assert 'http-equiv="refresh"' in latest
    assert 'http-equiv="refresh"' not in previous


async def test_what_clients_send_is_shown_as_text(playground: Playground) -> None:
    await playground.private("GET", "openOrders?pairSymbol=<script>alert(1)</script>")
    page = (await _page(playground)).text
    assert "<script>" not in page
    assert "alert(1)" in page


async def test_the_record_is_searched_by_kind(playground: Playground) -> None:
    await playground.private("GET", "openOrders")
    url = f"http://127.0.0.1:{playground.sandbox.admin_port}/record"
    answer = await playground.http.get(url, params={"kind": ["request", "answer"], "limit": "1"})
    (line,) = answer.json()
    assert (line["kind"], answer.headers["X-Looked-Until"]) == ("request", str(line["n"]))
    rest = await playground.http.get(url, params={"kind": ["request", "answer"], "after": line["n"]})
    assert [entry["kind"] for entry in rest.json()] == ["answer"]
    assert rest.headers["X-Looked-Until"] == str(len(await playground.record()))
