"""A network in memory under httpx's own pool. Time is moved by the test, and a day passes in seconds.

It does to connections what servers do: one that idled too long is closed without a word; one that has answered so many
requests or has grown old is told so with its last answer; and now and then all are dropped at once.
"""

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace

import httpcore
import httpx
import pytest

from btcbot.exchange.http import KEEPALIVE_SECONDS, Http


@dataclass
class Habits:
    """Of a server, or of what stands before it."""

    idle_seconds_max: float = 75.0
    requests_max: int = 1_000
    age_seconds_max: float = 3_600.0


@dataclass
class Server:
    habits: Habits = field(default_factory=Habits)
    now: float = 0.0
    dropped_at: float = -1.0  # all connections that were open then
    connections: int = 0
    orders_warm: int = 0
    orders_cold: int = 0
    reads: int = 0

    @property
    def orders(self) -> int:
        return self.orders_warm + self.orders_cold


class Connection(httpcore.AsyncNetworkStream):
    def __init__(self, server: Server) -> None:
        self._server = server
        self._opened_at = self._used_at = server.now
        self._requests = 0
        self._incoming = bytearray()
        self._answers: list[bytes] = []
        self._is_closing = False
        server.connections += 1

    @property
    def _is_closed(self) -> bool:
        server = self._server
        is_idle = server.now - self._used_at > server.habits.idle_seconds_max
        return self._is_closing or is_idle or self._opened_at <= server.dropped_at

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._incoming += buffer
        head, found, body = bytes(self._incoming).partition(b"\r\n\r\n")
        length = next((int(line[16:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length: ")), 0)
        if not found or len(body) < length:
            return
        self._incoming.clear()
        if self._is_closed:
            return  # nobody reads it; the answer will be the end of the stream
        self._take(head)

    def _take(self, head: bytes) -> None:
        if head.startswith(b"POST"):
            self._server.orders_warm += self._requests > 0
            self._server.orders_cold += self._requests == 0
        else:
            self._server.reads += 1
        self._requests += 1
        server = self._server
        self._used_at = server.now
        is_old = server.now - self._opened_at > server.habits.age_seconds_max
        self._is_closing = is_old or self._requests >= server.habits.requests_max
        last = b"Connection: close\r\n" if self._is_closing else b""
        self._answers.append(b"HTTP/1.1 200 OK\r\n" + last + b"Content-Length: 2\r\n\r\n{}")

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        await asyncio.sleep(0)
        return self._answers.pop(0) if self._answers else b""

    async def aclose(self) -> None:
        self._is_closing = True

    def get_extra_info(self, info: str) -> object:
        return self._is_closed if info == "is_readable" else None


@dataclass
class Network(httpcore.AsyncNetworkBackend):
    server: Server

    async def connect_tcp(self, *args: object, **more: object) -> httpcore.AsyncNetworkStream:
        return Connection(self.server)


def http_to(server: Server, monkeypatch: pytest.MonkeyPatch) -> Http:
    """A client with httpx's pool, which counts keep-alive by the test's time instead of the machine's."""
    monkeypatch.setattr("httpcore._async.http11.time", SimpleNamespace(monotonic=lambda: server.now))
    limits = httpx.Limits(max_connections=2, max_keepalive_connections=2, keepalive_expiry=KEEPALIVE_SECONDS)
    transport = httpx.AsyncHTTPTransport(verify=False, trust_env=False, limits=limits)
    transport._pool._network_backend = Network(server)
    return Http("http://exchange.example.test", transport)
