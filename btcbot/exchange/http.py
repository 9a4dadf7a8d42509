"""One request, one answer. The only module that knows httpx.

Promises: no retries, no redirects, no cookies, nothing read from the environment, TLS verified, at most `BYTES_MAX` of
an answer taken in, every wait bounded. It knows one thing that matters more than the rest: whether a failure proves
that no byte of the request left (`NotSent`), or proves nothing (`NoAnswer`).

Requests go to httpx's transport, past its client: what the client would add (merged headers and cookies, redirects,
authentication, a timer for each read and write) we either must not have or pay for on every order.
"""

import asyncio
import math
import ssl
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache, cached_property, lru_cache
from typing import Any
from urllib.parse import urlencode

import httpx

from btcbot.exchange.errors import NoAnswer, NotSent, NotTheExchange
from btcbot.exchange.json_text import BYTES_MAX, read_json

CONNECT_SECONDS = 10.0
KEEPALIVE_SECONDS = 60.0  # real seconds, whatever the clock rate; a server is told to give up after 75 or later
CONNECTIONS_MAX = 8
URLS_KEPT = 64
RETRY_AFTER_MAX = 3600.0
Query = tuple[tuple[str, str], ...]
Headers = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True)
class HttpAnswer:
    """Status and body; `retry_after` in seconds when a header said how long to stay away."""

    status: int
    body: bytes
    retry_after: float | None = None

    @cached_property
    def document(self) -> object:
        """The body as JSON, parsed once however many look at it; `Malformed` when it is none. Nobody changes it."""
        return read_json(self.body)


class Http:
    """One host, a few kept connections.

    `open_at` is when an answer last left its connection open, in the loop's time, `in_flight` how many requests wait.
    """

    def __init__(
        self,
        base_url: str,
        transport: httpx.AsyncBaseTransport | None = None,
        *,
        connections_max: int = CONNECTIONS_MAX,
    ) -> None:
        self.open_at = -math.inf
        self.in_flight = 0
        base = httpx.URL(base_url)
        self.netloc = base.netloc.decode("ascii")
        self._transport = transport or httpx.AsyncHTTPTransport(
            verify=_tls(),
            trust_env=False,
            limits=httpx.Limits(
                max_connections=connections_max,
                max_keepalive_connections=connections_max,
                keepalive_expiry=KEEPALIVE_SECONDS,
            ),
        )
        prefix = base.raw_path.rstrip(b"/")
        self._url_of = lru_cache(URLS_KEPT)(lambda target: base.copy_with(raw_path=prefix + target))
        self._headers = (
            (b"Host", base.netloc),
            (b"Accept", b"application/json"),
            # Bodies come as they are: a compressed one could grow beyond any limit between two reads.
            (b"Accept-Encoding", b"identity"),
            (b"User-Agent", b"btcbot"),
        )

    async def send(
        self,
        method: str,
        path: str,
        query: Query = (),
        *,
        headers: Headers = (),
        body: bytes | None = None,
        timeout: float,
    ) -> HttpAnswer:
        """Put one request on the wire and take one answer in.

        Raises `NotSent` when no connection was made, `NoAnswer` on everything else that breaks or takes longer than
        `timeout` in all, `NotTheExchange` when the answer is too large. A cancelled task may have sent the request.
        """
        request = self._request(method, path, query, headers, body, timeout)
        self.in_flight += 1
        self.open_at = -math.inf
        try:
            async with asyncio.timeout(timeout):
                response = await self._transport.handle_async_request(request)
                content, is_kept = await _bounded_body(response)
            if is_kept and "close" not in response.headers.get("Connection", "").lower():
                self.open_at = asyncio.get_running_loop().time()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as error:
            raise NotSent(f"no connection to {self.netloc} ({_named(error)})") from error
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError) as error:  # TimeoutError is an OSError
            raise NoAnswer(f"{method} {path} got no answer ({_named(error)})") from error
        finally:
            self.in_flight -= 1
        return HttpAnswer(response.status_code, content, _retry_after(response.headers))

    @property
    def is_closed(self) -> bool:
        """Whether the next request would have to open a connection, as far as we were told."""
        return self.open_at == -math.inf and self.in_flight == 0

    async def aclose(self) -> None:
        await self._transport.aclose()

    def _request(
        self, method: str, path: str, query: Query, headers: Headers, body: bytes | None, timeout: float
    ) -> httpx.Request:
        target = path.encode("ascii")
        if query:
            target += b"?" + urlencode(query).encode("ascii")
        length = () if body is None else ((b"Content-Length", b"%d" % len(body)),)
        # Reads and writes need no timer of their own: the whole exchange has one. A connection that was not made in
        # time is told apart, because then nothing was sent.
        patience = min(CONNECT_SECONDS, timeout)
        return httpx.Request(
            method,
            self._url_of(target),
            headers=[*self._headers, *headers, *length],
            stream=httpx.ByteStream(body or b""),
            extensions={"timeout": {"connect": patience, "pool": patience}},
        )


@cache
def _tls() -> ssl.SSLContext:
    """One for all connections: reading the certificates of all authorities takes longer than an order."""
    return httpx.create_ssl_context(trust_env=False)


async def _bounded_body(response: httpx.Response) -> tuple[bytes, bool]:
    """The whole body, and whether its connection may be used again.

    A body that comes compressed although that was not asked for is opened within the same bound.
    """
    stream = response.stream
    assert isinstance(stream, httpx.AsyncByteStream), "an asynchronous transport gives asynchronous bodies"
    content = bytearray()
    is_kept = True
    try:
        async for chunk in stream:
            content += chunk
            _require_bounded(content, response)
        connection = response.extensions.get("network_stream")
        if connection is not None and _has_more(stream):
            is_kept = False
            await connection.aclose()
    finally:
        await stream.aclose()
    if response.headers.get("Content-Encoding") == "gzip":
        return _unzipped(bytes(content), response), is_kept
    return bytes(content), is_kept


def _has_more(stream: Any) -> bool:
    """Whether bytes came behind the end of an answer: the library would take them for the answer to the next request.

    It keeps them where no public door leads to. Should the way there ever change, no connection is used twice, which
    costs time and nothing else.
    """
    try:
        behind, _ = stream._httpcore_stream._stream._connection._h11_state.trailing_data  # noqa: SLF001 - no public way
    except AttributeError:
        return True
    return bool(behind)


def _unzipped(content: bytes, response: httpx.Response) -> bytes:
    try:
        plain = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(content, BYTES_MAX + 1)
    except zlib.error as error:
        raise NotTheExchange(f"an answer cannot be decompressed ({error})", response.status_code) from error
    _require_bounded(plain, response)
    return plain


def _require_bounded(content: bytes | bytearray, response: httpx.Response) -> None:
    if len(content) > BYTES_MAX:
        raise NotTheExchange(f"an answer is larger than {BYTES_MAX} bytes", response.status_code)


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]


def _retry_after(headers: httpx.Headers) -> float | None:
    """The longest stay that is named, in seconds; a date counts from the answer's own `Date` (open question F5)."""
    named = (headers.get("Retry-After"), headers.get("X-Retry-After"))
    stays = [stay for text in named if text is not None and (stay := _seconds(text, headers.get("Date"))) is not None]
    return min(max(stays), RETRY_AFTER_MAX) if stays else None


def _seconds(text: str, date: str | None) -> float | None:
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        stay = parsedate_to_datetime(text) - parsedate_to_datetime(date or "")
    except (TypeError, ValueError, OverflowError):  # not a date, one without a zone, or one that no calendar holds
        return None
    return max(stay.total_seconds(), 0.0)
