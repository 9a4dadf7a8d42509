"""What a year of 5-second cycles on ten pairs takes: measured on a stretch of the real services, and extrapolated.

The live worker trades on the local exchange, both at a clock rate, for some minutes. Every row of a year is there:
cycles, signals, verdicts, snapshots, decisions, reconciliations, orders, fills, ledger, messages. Then the stretch is
sealed into an archive as live does it. A year is the archives of all its cycles, what stays in live's file for good
(orders, fills, ledger, their journal), and a live file as long as it may get. The generated market has eight pairs in
one currency; what they take is multiplied by ten eighths. It trades more often than most: its orders are counted in.
"""

import asyncio
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from unittest import mock

from figures import Figure, parser, tell
from live_settings import live_profile
from local_exchange import LocalExchange, local_exchange
from unread_log import unread_log

from btcbot.domain.money import use_money_context
from btcbot.domain.profiles import ClockProfile, Credentials, LiveProfile
from btcbot.domain.secrets import Secret
from btcbot.persistence.sqlite import archives
from btcbot.services.event_log import EventLog
from btcbot.services.live import opened_store, taken_lock
from btcbot.services.live_wiring import LiveWiring, connect_exchange, decision_params
from btcbot.services.run_loop import RunLoopService
from btcbot.services.running import run_beside
from btcbot.services.runtime import build_runtime, run

PAIRS = (
    "BTCTRY", "ETHTRY", "XRPTRY", "USDTTRY", "AVAXTRY", "SOLTRY", "DOGETRY", "DOTTRY",
)  # fmt: skip
PAIRS_OF_A_YEAR = 10
RATE = 10
STAY = ("orders", "order_heads", "order_history", "fills", "ledger")
LIVE_BYTES_MAX = 2 * 256_000_000  # between two backups it grows beyond where it is due
SECONDS, SECONDS_QUICK = 90.0, 3.0
CYCLE_SECONDS = 5
CYCLES_A_DAY = 86_400 // CYCLE_SECONDS
GB, MB, KB = 1024**3, 1024**2, 1024
GB_MAX = 15.0


def main() -> int:
    options = parser(__doc__).parse_args()
    use_money_context()
    seconds = SECONDS_QUICK if options.quick else SECONDS
    with tempfile.TemporaryDirectory(prefix="btcbot-space-") as directory:
        root = Path(directory)
        (root / "exchange").mkdir(mode=0o700)
        (root / "live").mkdir(mode=0o700)
        with local_exchange(root / "exchange", PAIRS, rate=RATE) as exchange:
            profile = profile_of(root / "live", exchange)
            run(lambda: stretch(profile, seconds * RATE), profile.common.clock)
        return tell(measure(profile.common.state_db_path), options)


def profile_of(directory: Path, exchange: LocalExchange) -> LiveProfile:
    settings = live_profile(directory, exchange.api_port, exchange.ws_port)
    endpoints = replace(settings.common.endpoints, graph_url=f"http://127.0.0.1:{exchange.graph_port}")
    key, secret = ((exchange.directory / f"live.{part}").read_text().strip() for part in ("key", "secret"))
    anchor = datetime.fromisoformat((exchange.directory / "clock_anchor").read_text().strip())
    common = replace(
        settings.common, endpoints=endpoints, credentials=Credentials(Secret(key), Secret(secret)), pairs=PAIRS,
        cycle_seconds=Decimal(CYCLE_SECONDS), clock=ClockProfile(Decimal(RATE), anchor),
    )  # fmt: skip
    return replace(settings, common=common, reconcile_every=timedelta(seconds=60))


def measure(path: Path) -> list[Figure]:
    with closing(sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True)) as connection:
        (cycles,) = connection.execute("SELECT count(*) FROM cycles").fetchone()
        (orders,) = connection.execute("SELECT count(*) FROM orders").fetchone()
        sizes = connection.execute(
            "SELECT tbl_name, sum(pgsize) FROM dbstat JOIN sqlite_schema USING (name) GROUP BY tbl_name"
        ).fetchall()
    stays = sum(size for table, size in sizes if table in STAY)
    with mock.patch.multiple(archives, CYCLES_KEPT=1, CYCLES_MIN=1):
        began = time.perf_counter()
        sealed = archives.seal(path, archives.shelf_of(path))
        took = time.perf_counter() - began
    assert sealed is not None, "a stretch of cycles is enough for an archive"
    share = PAIRS_OF_A_YEAR / len(PAIRS)
    archived = sealed.bytes / sealed.bounds.last_cycle * share
    raw = sum(size for _, size in sizes) / cycles * share
    a_day = (archived + stays / cycles) * CYCLES_A_DAY
    return [
        Figure("cycles measured", cycles, note=f"{orders} orders in them"),
        Figure("a cycle in live's file, ten pairs", raw / KB, "KB"),
        Figure("a cycle in an archive, ten pairs", archived / KB, "KB", note=f"sealed in {took:.1f} s"),
        Figure("written to the log a day", 2 * raw * CYCLES_A_DAY / GB, "GB", note="and moved into the file: twice"),
        Figure("kept of a day", a_day / MB, "MB"),
        Figure("kept of a year", (a_day * 365 + LIVE_BYTES_MAX) / GB, "GB", at_most=GB_MAX),
        Figure("a year without archives", raw * CYCLES_A_DAY * 365 / GB, "GB"),
    ]


async def stretch(profile: LiveProfile, seconds: float) -> None:
    """The worker as `services.live` wires it, for so many of its own seconds."""
    runtime = build_runtime(profile.common.clock)
    with unread_log("live", runtime) as observer:
        events = EventLog(observer)
        with (
            taken_lock(profile, runtime, events, "benchmark") as lock,
            opened_store(profile, runtime, lock, events, "benchmark") as store,
        ):
            wiring = LiveWiring(profile, decision_params(profile), runtime, store, events)
            market, execution = connect_exchange(profile, wiring.policy, runtime, events)
            service = RunLoopService(wiring.parts(market, execution, lambda: None), wiring.readiness)
            asyncio.get_running_loop().call_later(seconds, service.stop)
            try:
                await run_beside(service.run(), (market.run(), execution.hints.run()))
            finally:
                await execution.aclose()
                await market.aclose()


if __name__ == "__main__":
    sys.exit(main())
