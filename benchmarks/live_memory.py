"""How much live's memory grows in a simulated day of trading: the real services, their database on disk, virtual time.

One worker trades for a warm-up and then twenty-four hours against the simulated exchange, in one process, with a cycle
every five seconds, a signal a minute and pair, partial fills and cancels. Readings of the resident memory are taken at
every full hour, after a collection of garbage; the growth is the slope through all of them. What the exchange's side
remembers is not live's: it is taken away from it at every reading, as far as it is over and an hour old. Two things of
the real wiring are not in the way here: the clients' sockets (`sandbox_memory.py` keeps one busy) and the log.
"""

import argparse
import asyncio
import gc
import resource
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import looptime
from figures import Figure, parser, tell

PROJECT = Path(__file__).parents[1]
sys.path.insert(0, str(PROJECT))  # for the simulated exchange of the tests, and the worker against it

from btcbot.domain.money import use_money_context  # noqa: E402
from tests.simulation.exchange import Weather  # noqa: E402
from tests.simulation.worker import Lives  # noqa: E402

MEGABYTE = 1_000_000
GROWTH_MB_MAX = 1.0
HOURS, HOURS_QUICK = 24.0, 0.05
WARM_HOURS, WARM_HOURS_QUICK = 2.0, 0.02
READINGS, READINGS_QUICK = 24, 3
CYCLE_SECONDS = Decimal(5)
KEPT_MS = 3_600_000
SEED = 2
CALM = Weather(cancel_lost=3, read_failed=1)


class Day(Lives):
    """One life that nobody kills."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, SEED, 0.0, False)
        self.network.weather = CALM
        common = replace(self.profile.common, cycle_seconds=CYCLE_SECONDS)
        self.profile = replace(self.profile, common=common, seal_quiet=timedelta(minutes=15))
        self.readings: list[tuple[float, int]] = []
        self.orders = self.cycles = 0

    async def trade(self, warm: float, hours: float, count: int) -> None:
        use_money_context()
        self._open()
        task = asyncio.ensure_future(self.service.run())
        await asyncio.wait({task}, timeout=warm * 3600)
        for reading in range(count + 1):
            if task.done():
                task.result()
            self.orders += forget(self)
            gc.collect()
            self.readings.append((reading * hours / count, resident_bytes()))
            if reading < count:
                await asyncio.wait({task}, timeout=hours * 3600 / count)
        self.cycles = self.store.counts()["cycles"]
        self.service.stop()
        await task
        self._close()


def forget(day: Day) -> int:
    """Take from the exchange's side what is over and old; how many orders there were of it."""
    network, venue = day.network, day.network.venue
    until = network.now_ms - KEPT_MS
    state = venue._state  # noqa: SLF001 - the venue keeps everything for ever, on purpose
    old = [order_id for order_id, order in state.orders.items() if not order.is_open and order.accepted.at_ms < until]
    for order_id in old:
        del state.orders[order_id]
    for orders in (*state.orders_by_account.values(), *state.orders_by_pair.values()):
        orders[:] = [order for order in orders if order.accepted.order_id in state.orders]
    for matches in (state.matches, *state.matches_by_account.values()):
        matches[:] = [match for match in matches if match.order_id in state.orders]
    state.labels.clear()
    venue.news()
    venue.prints()
    for stream in venue.source._streams.values():  # noqa: SLF001
        stream._bars.clear()  # noqa: SLF001
    network.wire.clear()
    network.accepted.clear()
    return len(old)


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


def main() -> int:
    options = parser(__doc__)
    options.add_argument("--hours", type=float, default=HOURS, help="simulated, after the warm-up")
    chosen: argparse.Namespace = options.parse_args()
    warm, hours, count = (
        (WARM_HOURS_QUICK, HOURS_QUICK, READINGS_QUICK) if chosen.quick else (WARM_HOURS, chosen.hours, READINGS)
    )
    with tempfile.TemporaryDirectory(prefix="btcbot-live-memory-") as directory:
        room = Path(directory) / "live"
        room.mkdir(mode=0o700)
        loop = looptime.new_event_loop(start=0.0, noop_cycles=2)
        day = Day(room)
        began = time.process_time()
        try:
            loop.run_until_complete(day.trade(warm, hours, count))
        finally:
            loop.close()
        used = time.process_time() - began
        size = sum(path.stat().st_size for path in room.glob("live.db*"))
    at, sizes = zip(*day.readings, strict=True)
    slope = statistics.linear_regression(at, sizes).slope
    return tell(
        [
            Figure("live RSS after warming up", sizes[0] / MEGABYTE, "MB"),
            Figure(
                "live RSS growth in a simulated day of trading", slope * 24 / MEGABYTE, "MB", at_most=GROWTH_MB_MAX,
                note=f"{hours:g} h, {day.cycles:,} cycles",
            ),
            Figure("last less first reading", (sizes[-1] - sizes[0]) / MEGABYTE, "MB"),
            Figure("orders in that time", day.orders),
            Figure("database", size / MEGABYTE, "MB"),
            Figure("CPU for it", used, "s", note=f"{(hours + warm) * 3600 / used:,.0f} times real time"),
        ],
        chosen,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
