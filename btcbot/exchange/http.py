"""One request, one answer. The only module that knows httpx.

Promises: no retries, no redirects, nothing read from the environment, TLS verified, no more than `BYTES_MAX` of an
answer taken in, every wait bounded. It knows one thing that matters more than the rest: whether a failure proves that
no byte of the request left (`NotSent`), or proves nothing (`NoAnswer`).
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from btcbot.exchange.errors import NoAnswer, NotSent, NotTheExchange
from btcbot.exchange.json_text import BYTES_MAX

CONNECT_SECONDS = 10.0
KEEPALIVE_SECONDS = 300.0  # httpx counts real seconds; an order should find its connection warm
CONNECTIONS_MAX = 8
RETRY_AFTER_MAX = 3600.0
Query = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """Status and body; `retry_after` in seconds when the header named a number."""

    status: int
    body: bytes
    retry_after: float | None = None


class Http:
    """One host, a few kept connections."""

    def __init__(self, base_url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._client = httpx.AsyncClient(
            base_url=base_url,
            transport=transport,
            trust_env=False,
            follow_redirects=False,
            limits=httpx.Limits(
                max_connections=CONNECTIONS_MAX,
                max_keepalive_connections=CONNECTIONS_MAX,
                keepalive_expiry=KEEPALIVE_SECONDS,
            ),
            # Bodies come as they are: a compressed one could grow beyond any limit between two reads.
            headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "btcbot"},
        )

    async def send(
        self,
        method: str,
        path: str,
        query: Query = (),
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout: float,
    ) -> HttpAnswer:
        """Put one request on the wire and take one answer in.

        Raises `NotSent` when no connection was made, `NoAnswer` on everything else that breaks or takes longer than
        `timeout` in all, `NotTheExchange` when the answer is too large. A cancelled task may have sent the request.
        """
        limits = httpx.Timeout(timeout, connect=min(CONNECT_SECONDS, timeout))
        request = self._client.build_request(
            method, path, params=query or None, headers=headers, content=body, timeout=limits
        )
        try:
            async with asyncio.timeout(timeout):
                response = await self._client.send(request, stream=True)
                try:
                    content = await _bounded_body(response)
                finally:
                    await response.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as error:
            raise NotSent(f"no connection to {self._client.base_url.netloc.decode()} ({_named(error)})") from error
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError) as error:  # TimeoutError is an OSError
            raise NoAnswer(f"{method} {path} got no answer ({_named(error)})") from error
        return HttpAnswer(response.status_code, content, _retry_after(response.headers.get("Retry-After")))

    async def aclose(self) -> None:
        await self._client.aclose()


async def _bounded_body(response: httpx.Response) -> bytes:
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > BYTES_MAX:
            raise NotTheExchange(f"an answer is larger than {BYTES_MAX} bytes", response.status_code)
    return bytes(content)


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]


def _retry_after(text: str | None) -> float | None:
    if text is None or not (text.isascii() and text.isdigit()):
        return None
    return min(float(text), RETRY_AFTER_MAX)
