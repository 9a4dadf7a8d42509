import asyncio
import gzip
import ssl

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


NOON = "Wed, 23 Sep 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "55"}, 55.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "9" * 12}, 3600.0),
        ({"Retry-After": ""}, None),
        ({"X-Retry-After": "49"}, 49.0),
        ({"Retry-After": "3", "X-Retry-After": "49"}, 49.0),  # the largest seen
        ({"Retry-After": "Wed, 23 Sep 2026 12:00:49 GMT", "Date": NOON}, 49.0),
        ({"Retry-After": "Wed, 23 Sep 2026 11:59:00 GMT", "Date": NOON}, 0.0),
        ({"Retry-After": "Wed, 23 Sep 2026 12:00:49 GMT"}, None),  # by whose clock?
        ({"Retry-After": "Wed, 23 Sep 2026 12:00:49", "Date": NOON}, None),
        ({}, None),
    ],
)
async def test_retry_after_is_a_number_of_seconds_or_a_date_or_nothing(
    headers: dict[str, str], seconds: float | None
) -> None:
    answer = await http(lambda request: httpx.Response(429, headers=headers)).send("GET", "/x", timeout=5.0)
    assert answer.retry_after == seconds


async def test_a_body_that_comes_compressed_unasked_is_opened() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        assert request.headers["Accept-Encoding"] == "identity"
        stream = httpx.ByteStream(gzip.compress(b'{"pong":true}'))
        return httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=stream)

    assert (await http(handler).send("GET", "/x", timeout=5.0)).body == b'{"pong":true}'


@pytest.mark.parametrize("body", [gzip.compress(b" " * (BYTES_MAX + 1)), b"not compressed at all"])
async def test_a_compressed_body_cannot_grow_beyond_the_bound(body: bytes) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(body))

    with pytest.raises(NotTheExchange):
        await http(handler).send("GET", "/x", timeout=5.0)


async def test_what_leaves_is_what_was_asked_for_and_nothing_is_kept_of_what_came() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, headers={"Set-Cookie": "a=b; Path=/"})

    client = Http("https://api.example.test/base", httpx.MockTransport(handler))
    await client.send("POST", "/x", headers=((b"X-Stamp", b"1"),), body=b"{}", timeout=5.0)
    await client.send("GET", "/y", (("pairSymbol", "BTC&TRY"), ("type", "buy"), ("type", "sell")), timeout=5.0)
    post, get = seen
    assert (post.method, str(post.url), post.content) == ("POST", "https://api.example.test/base/x", b"{}")
    assert (post.headers["Host"], post.headers["X-Stamp"], post.headers["Content-Length"]) == (
        "api.example.test",
        "1",
        "2",
    )
    assert str(get.url) == "https://api.example.test/base/y?pairSymbol=BTC%26TRY&type=buy&type=sell"
    assert "Content-Length" not in get.headers
    assert "Cookie" not in get.headers


def test_nothing_of_the_environment_reaches_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")
    transport = Http("https://api.example.test")._transport
    assert isinstance(transport, httpx.AsyncHTTPTransport)
    assert type(transport._pool).__name__ == "AsyncConnectionPool"  # not a proxy's
    context = transport._pool._ssl_context
    assert context is not None
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)


def test_a_snippet_is_short_printable_and_without_tokens() -> None:
    shown = snippet(b"<html>\n\x00<h1>504</h1> mDSrvYrUYbe6EgpZl1u/dqei/PHEe8S5tPmX0P2WsTk= \xff" + b"x " * 500)
    assert shown.startswith("<html> <h1>504</h1> ***")
    assert "mDSrvYrUYbe6" not in shown
    assert snippet(b"FAILED_INVALID_PRICE_SCALE") == "FAILED_INVALID_PRICE_SCALE"
    assert snippet(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "***"
    assert len(shown) <= 200
    assert shown.isprintable()
