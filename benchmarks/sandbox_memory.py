"""How much the sandbox's memory grows in an hour of replay, with a client that takes every frame and reads books.

The clock runs at sixty times the usual rate, so that the hour takes a minute. Memory is read at fixed times, each after
a collection of garbage, once the first minutes are over; the growth is the slope through all readings. The recording is
made up, unless one is named: `--source FILE`.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import httpx
from far_end import PAIRS
from figures import Figure, parser, pin, tell
from local_exchange import LocalExchange, local_exchange
from made_up_recording import make_recording
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

RATE = 60
WARM_MINUTES, WARM_MINUTES_QUICK = 12.0, 0.2  # of the sandbox's clock, like all minutes here
MINUTES, MINUTES_QUICK = 60.0, 0.5
READINGS, READINGS_QUICK = 30, 3
MEGABYTE = 1_000_000


async def listen(exchange: LocalExchange, pairs: tuple[str, ...]) -> None:
    """Take every frame in; a socket that was not answered in time is opened again."""
    while True:
        with suppress(ConnectionClosed, OSError):
            url = f"ws://127.0.0.1:{exchange.ws_port}"
            async with connect(url, compression=None, ping_interval=None, max_size=None) as socket:
                for pair in pairs:
                    for channel in ("obdiff", "orderbook", "ticker", "trade"):
                        await socket.send(
                            json.dumps([151, {"type": 151, "channel": channel, "event": pair, "join": True}])
                        )
                while True:
                    await socket.recv(decode=False)
        await asyncio.sleep(0.1)


async def read(exchange: LocalExchange, pairs: tuple[str, ...]) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{exchange.api_port}", trust_env=False) as http:
        while True:
            for pair in pairs:
                await http.get("/api/v2/orderbook", params={"pairSymbol": pair})
                await http.get("/api/v2/trades", params={"pairSymbol": pair})
                await asyncio.sleep(0.1)


async def measure(
    exchange: LocalExchange, pairs: tuple[str, ...], warm: float, minutes: float, count: int
) -> list[Figure]:
    busy = [asyncio.ensure_future(work(exchange, pairs)) for work in (listen, read)]
    await asyncio.sleep(warm * 60 / RATE)
    readings: list[tuple[float, int]] = []
    began = used = exchange.usage()
    for reading in range(count + 1):
        used = exchange.usage()
        readings.append((reading / count * minutes / 60, used.rss_bytes))
        if reading < count:
            await asyncio.sleep(minutes * 60 / RATE / count)
    for task in busy:
        task.cancel()
    await asyncio.gather(*busy, return_exceptions=True)
    hours, sizes = zip(*readings, strict=True)
    slope = statistics.linear_regression(hours, sizes).slope
    cpu = (used.cpu_seconds - began.cpu_seconds) / (minutes * 60)
    return [
        Figure("sandbox RSS after warming up", sizes[0] / MEGABYTE, "MB"),
        Figure("sandbox RSS growth in an hour of replay", slope / MEGABYTE, "MB", at_most=1.0),
        Figure("last less first reading", (sizes[-1] - sizes[0]) / MEGABYTE, "MB"),
        Figure("CPU per second of replay", cpu * 100, "% of a core"),
    ]


def main() -> int:
    options = parser(__doc__)
    options.add_argument("--source", type=Path, help="a recording to replay; its pairs are named with --pairs")
    options.add_argument("--pairs", type=lambda text: tuple(text.split(",")), default=PAIRS)
    chosen: argparse.Namespace = options.parse_args()
    warm, minutes, count = WARM_MINUTES, MINUTES, READINGS
    if chosen.quick:
        warm, minutes, count = WARM_MINUTES_QUICK, MINUTES_QUICK, READINGS_QUICK
    pin(0)
    with tempfile.TemporaryDirectory(prefix="btcbot-memory-") as directory:
        room = Path(directory)
        source = chosen.source or make_recording(room / "btcturk-20260101T00.jsonl.gz", timedelta(minutes=2 * minutes))
        with local_exchange(room / "sandbox", chosen.pairs, rate=RATE, source=source.absolute()) as exchange:
            figures = asyncio.run(measure(exchange, chosen.pairs, warm, minutes, count))
    return tell(figures, chosen)


if __name__ == "__main__":
    sys.exit(main())
