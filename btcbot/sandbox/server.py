"""`btcbot sandbox`: the local exchange on four loopback ports, until it is told to stop."""

import asyncio
import logging
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from websockets.asyncio.server import serve as serve_websocket

from btcbot.domain.errors import ConfigurationError, ExitCode
from btcbot.domain.events import Event
from btcbot.domain.ports import Clock, Observer, Sleeper
from btcbot.domain.profiles import SandboxProfile
from btcbot.sandbox.accounts import Accounts
from btcbot.sandbox.admin import Admin
from btcbot.sandbox.admission import Admission
from btcbot.sandbox.desk import Desk
from btcbot.sandbox.faults import Faults
from btcbot.sandbox.feed import BATCH_SECONDS, FRAME_BYTES_MAX, Feed
from btcbot.sandbox.floor import Floor
from btcbot.sandbox.graph_api import GraphApi
from btcbot.sandbox.keys import KeyRing
from btcbot.sandbox.limits import RateLimits
from btcbot.sandbox.mishaps import Mishaps
from btcbot.sandbox.private_api import PrivateApi
from btcbot.sandbox.profiles import profile_named
from btcbot.sandbox.public_api import PublicApi
from btcbot.sandbox.record import Record
from btcbot.sandbox.scenario import Scenario, read_scenario
from btcbot.sandbox.sources import opened_market

LOOPBACK = "127.0.0.1"
RECORD = "record.jsonl"
CLOSING_SECONDS_MAX = 2
KEEP_ALIVE_SECONDS = 75
COMPRESSED_BYTES_MIN = 256  # shorter answers gain nothing


class PortTaken(ConfigurationError):
    next_step = "stop what listens there (another sandbox?), or choose another BTCBOT_SANDBOX_…_PORT"


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A sandbox that serves, and where."""

    moving: asyncio.Task[None]  # ends only with an error
    api_port: int
    graph_port: int
    ws_port: int
    admin_port: int


async def serve(profile: SandboxProfile, clock: Clock, sleeper: Sleeper, observer: Observer) -> ExitCode:
    """Serve until SIGTERM or SIGINT. What is wrong with settings, directory or ports is a `ConfigurationError`."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def signaled(number: signal.Signals) -> None:
        observer.observed(Event.SIGNAL_RECEIVED, signal=number.name)
        stop.set()

    async with open_sandbox(profile, clock, sleeper, observer) as sandbox:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, signaled, number)
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({stopping, sandbox.moving}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if sandbox.moving.done():
            sandbox.moving.result()
    return ExitCode.OK


@asynccontextmanager
async def open_sandbox(
    profile: SandboxProfile, clock: Clock, sleeper: Sleeper, observer: Observer
) -> AsyncIterator[Sandbox]:
    """All four hosts, and the market moving. Port 0 takes any free one."""
    venue_profile = profile_named(profile.venue_profile)
    keys = KeyRing(profile.directory)
    steps = read_scenario(profile.scenario, profile.pairs)
    async with AsyncExitStack() as stack:
        ports = (profile.api_port, profile.graph_port, profile.ws_port, profile.admin_port)
        sockets = [stack.enter_context(_bound(port)) for port in ports]
        record = Record(profile.directory / RECORD)
        stack.callback(record.close)
        source = await stack.enter_async_context(opened_market(profile, clock, sleeper, observer))
        floor = Floor(source, record, venue_profile, clock, observer)
        floor.sum_up_the_day()
        limits, faults = RateLimits(are_accounts_counted=venue_profile.account_limits), Faults()
        admission, mishaps = Admission(keys, venue_profile), Mishaps(faults, floor, sleeper)
        desk = Desk(floor, admission, limits, mishaps, observer)
        feed = Feed(floor, desk, limits, faults, venue_profile, sleeper, observer)
        public, private = PublicApi(floor, faults, venue_profile), PrivateApi(floor)
        hosts = (
            (sockets[0], [*public.routes(desk), *private.routes(desk)]),
            (sockets[1], GraphApi(floor, venue_profile).routes(desk)),
            (sockets[3], Admin(floor, faults, Accounts(floor, keys)).routes()),
        )
        await stack.enter_async_context(_http(hosts))
        await stack.enter_async_context(
            serve_websocket(
                feed.serve,
                sock=sockets[2],
                process_request=feed.admit,
                compression=None,
                ping_interval=None,
                max_size=FRAME_BYTES_MAX,
                close_timeout=CLOSING_SECONDS_MAX,
                logger=feed.logger,
                server_header=None,
            )
        )
        moving = asyncio.create_task(_move(feed, Scenario(steps, floor, faults), clock, sleeper))
        stack.push_async_callback(_stopped, moving)
        opened = [bound.getsockname()[1] for bound in sockets]
        observer.observed(
            Event.SANDBOX_OPENED, api_port=opened[0], graph_port=opened[1], ws_port=opened[2], admin_port=opened[3],
            pairs=list(profile.pairs),
        )  # fmt: skip
        yield Sandbox(moving, *opened)


async def _move(feed: Feed, scenario: Scenario, clock: Clock, sleeper: Sleeper) -> None:
    """The market and the timetable, until one of them cannot go on."""
    moving = [asyncio.create_task(_batches(feed, clock, sleeper)), asyncio.create_task(scenario.play(clock, sleeper))]
    try:
        await asyncio.gather(*moving)
    finally:
        for task in moving:
            task.cancel()


async def _batches(feed: Feed, clock: Clock, sleeper: Sleeper) -> None:
    """One batch after another, without catching up on batches that were missed."""
    next_at = clock.monotonic()
    while True:
        feed.batch()
        next_at = max(next_at + BATCH_SECONDS, clock.monotonic())
        await sleeper.sleep(next_at - clock.monotonic())


async def _stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def _http(hosts: Sequence[tuple[socket.socket, Sequence[Route]]]) -> AsyncIterator[None]:
    """HTTP hosts on the loop that runs already: no signal handlers, no log lines, no timer of their own."""
    logging.getLogger("uvicorn.error").addFilter(_is_meant)
    serving: list[tuple[uvicorn.Server, socket.socket]] = []
    try:
        for bound, routes in hosts:
            server = _server(routes)
            await server.startup(sockets=[bound])
            serving.append((server, bound))
        yield
    finally:
        await asyncio.gather(*(server.shutdown(sockets=[bound]) for server, bound in serving))


def _server(routes: Sequence[Route]) -> uvicorn.Server:
    config = uvicorn.Config(
        Host(routes),
        lifespan="off",
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,  # an address is whose connection it is, and limits count by it
        date_header=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=CLOSING_SECONDS_MAX,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    return server


def _is_meant(line: logging.LogRecord) -> bool:
    """All that the library reports, but not that a fault cut an answer off."""
    return "without completing response" not in line.getMessage()


class Host:
    """Starlette's routing, with a short way for what most requests name: a path as it is written.

    Whoever takes compressed answers gets them, as from the exchange's edge (protocol 1).
    """

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = {route.path: route for route in routes if not route.param_convertors}
        self._any = Starlette(routes=routes, exception_handlers={HTTPException: _bare})
        self._any.router.redirect_slashes = False  # a path with one too many is unknown, and sent nowhere
        self._compressed = GZipMiddleware(self._routed, minimum_size=COMPRESSED_BYTES_MIN, compresslevel=1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        takes_gzip = any(name == b"accept-encoding" and b"gzip" in value for name, value in scope["headers"])
        await (self._compressed if takes_gzip else self._routed)(scope, receive, send)

    async def _routed(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._routes.get(scope.get("path", ""))
        if route is not None and scope["method"] in (route.methods or ()):
            await route.app({**scope, "path_params": {}}, receive, send)
        else:
            await self._any(scope, receive, send)


def _bare(_request: Request, error: Exception) -> Response:
    """An unknown path and a wrong method get a status and no body (protocol 4.7)."""
    assert isinstance(error, HTTPException)
    return Response(status_code=error.status_code, headers=error.headers)


def _bound(port: int) -> socket.socket:
    # The protocol is named because the loop sets no-delay only where it sees TCP; without it answers take 40 ms more.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((LOOPBACK, port))
    except OSError as error:
        bound.close()
        raise PortTaken(f"port {port} on {LOOPBACK} cannot be opened ({error.strerror})") from error
    return bound
