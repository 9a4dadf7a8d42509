"""Serves the page on loopback, inside the watcher's own event loop."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from btcbot.dashboard.app import build_app
from btcbot.domain.errors import ConfigurationError
from btcbot.services.monitor_view import MonitorView

LOOPBACK = "127.0.0.1"
PEERS_MAX = 32
IDLE_SECONDS = 5


class _Server(uvicorn.Server):
    """Signals belong to the watcher."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve_page(port: int, view: Callable[[], MonitorView]) -> None:
    """Serve until cancelled; a port that is taken is a configuration error."""
    listener = _listener(port)
    config = uvicorn.Config(
        build_app(view), lifespan="off", log_config=None, access_log=False, server_header=False, ws="none",
        limit_concurrency=PEERS_MAX, timeout_keep_alive=IDLE_SECONDS, timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = _Server(config)
    with listener:
        try:
            await server.serve([listener])
        finally:
            for opened in getattr(server, "servers", ()):  # when we are cancelled, uvicorn leaves them open
                opened.close()


def _listener(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
    except OSError as error:
        listener.close()
        raise ConfigurationError(f"BTCBOT_DASHBOARD_PORT={port} cannot be opened ({error.strerror})") from error
    return listener
