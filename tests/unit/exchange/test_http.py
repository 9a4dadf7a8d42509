import asyncio

import httpx
import pytest

from btcbot.exchange.errors import NoAnswer, NotSent, NotTheExchange, snippet
from btcbot.exchange.http import Http
from btcbot.exchange.json_text import BYTES_MAX


def http(handler: object) -> Http:
    return Http("https://api.example.test", httpx.MockTransport(handler))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (httpx.ConnectError, NotSent),
        (httpx.ConnectTimeout, NotSent),
        (httpx.PoolTimeout, NotSent),
        (httpx.ReadTimeout, NoAnswer),
        (httpx.WriteTimeout, NoAnswer),
        (httpx.ReadError, NoAnswer),
        (httpx.WriteError, NoAnswer),
        (httpx.CloseError, NoAnswer),
        (httpx.RemoteProtocolError, NoAnswer),
        (httpx.LocalProtocolError, NoAnswer),
        (httpx.DecodingError, NoAnswer),
    ],
)
async def test_only_a_connection_that_was_never_made_proves_that_nothing_left(
    failure: type[httpx.TransportError], expected: type[Exception]
) -> None:
    calls = 0

    def handler(request: httpx.Request) -> httpx.Response:
        nonlocal calls
        calls += 1
        raise failure("planted")

    with pytest.raises(expected):
        await http(handler).send("POST", "/x", timeout=5.0)
    assert calls == 1


async def test_a_refused_connection_is_not_sent() -> None:
    with pytest.raises(NotSent):
        await Http("http://127.0.0.1:1").send("GET", "/", timeout=5.0)


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    calls = []

    def handler(request: httpx.Request) -> httpx.Response:
        calls.append(request)
        return httpx.Response(302, headers={"Location": "https://elsewhere.example.test/"})

    answer = await http(handler).send("GET", "/x", timeout=5.0)
    assert answer.status == 302
    assert len(calls) == 1


async def test_an_answer_without_end_is_given_up() -> None:
    sent = 0

    class Endless(httpx.AsyncByteStream):
        async def __aiter__(self) -> object:
            nonlocal sent
            while True:
                sent += 65536
                yield b" " * 65536

    with pytest.raises(NotTheExchange):
        await http(lambda request: httpx.Response(200, stream=Endless())).send("GET", "/x", timeout=5.0)
    assert sent <= BYTES_MAX + 2 * 65536


@pytest.mark.looptime
async def test_the_timeout_covers_the_whole_answer() -> None:
    class Dripping(httpx.AsyncByteStream):
        async def __aiter__(self) -> object:
            while True:
                await asyncio.sleep(1)
                yield b" "

    began = asyncio.get_running_loop().time()
    with pytest.raises(NoAnswer):
        await http(lambda request: httpx.Response(200, stream=Dripping())).send("GET", "/x", timeout=15.0)
    assert asyncio.get_running_loop().time() - began == pytest.approx(15.0)


@pytest.mark.looptime
async def test_cancelling_a_request_surfaces_as_cancelled() -> None:
    async def handler(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(100)
        return httpx.Response(200)

    task = asyncio.ensure_future(http(handler).send("POST", "/x", timeout=15.0))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(("header", "seconds"), [("55", 55.0), ("soon", None), ("-1", None), ("9" * 12, 3600.0)])
async def test_retry_after_is_a_number_of_seconds_or_nothing(header: str, seconds: float | None) -> None:
    answer = await http(lambda request: httpx.Response(429, headers={"Retry-After": header})).send(
        "GET", "/x", timeout=5.0
    )
    assert answer.retry_after == seconds


def test_nothing_of_the_environment_reaches_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")
    client = Http("https://api.example.test")._client
    assert client._mounts == {}
    assert client.trust_env is False
    assert client.follow_redirects is False


def test_a_snippet_is_short_printable_and_without_tokens() -> None:
    shown = snippet(b"<html>\n\x00<h1>504</h1> mDSrvYrUYbe6EgpZl1u/dqei/PHEe8S5tPmX0P2WsTk= \xff" + b"x " * 500)
    assert shown.startswith("<html> <h1>504</h1> ***")
    assert "mDSrvYrUYbe6" not in shown
    assert len(shown) <= 200
    assert shown.isprintable()
