"""How long `btcbot report` takes over a long history: 1,000,000 orders and 5,000,000 fills of five pairs, in a process.

The history is made first, which takes about two minutes and 3 GB beside the temporary files; `--database FILE` keeps it
there and uses it again. Its ledger is not compared: entry by entry it is four times as long as the fills, so `report`
leaves that to `--books`. Beside the time stands that of a bare scan, which takes the same columns row by row and does
nothing with them, so that the figure can be read on a machine that is shared.
"""

import argparse
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from big_history import make_history
from figures import Figure, parser, tell

from btcbot.domain.lots import LotMethod
from btcbot.domain.money import use_money_context
from btcbot.domain.periods import Calendar, Grouping
from btcbot.services.report import ReportWish, make_report

ORDERS, ORDERS_QUICK = 1_000_000, 2_000
FILLS_EACH = 5
SECONDS_MAX = 10
SCAN = "SELECT trade_id, time_exchange, pair, side, price, quantity, fee, tax FROM fills"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def taken(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the clock, and of processor time."""
    began, used = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began, time.process_time() - used


def scan(database: Path) -> None:
    with closing(sqlite3.connect(f"{database.as_uri()}?immutable=1", uri=True)) as connection:
        for _ in connection.execute(SCAN):
            pass


def measure(database: Path, orders: int) -> list[Figure]:
    size = f"{orders * FILLS_EACH:,} fills"
    scanned, _ = taken(lambda: scan(database))
    figures = [Figure(f"bare scan of {size}", scanned, "s")]
    for by, method in (
        (Grouping.PAIR, LotMethod.FIFO), (Grouping.DAY, LotMethod.FIFO), (Grouping.PAIR, LotMethod.AVERAGE),
    ):  # fmt: skip
        wish = ReportWish(database, Calendar(by), method)
        wall, used = taken(lambda wish=wish: make_report(wish, NOW))  # type: ignore[misc]
        note = f"{used:.1f} s of processor time, {wall / scanned:.1f} bare scans"
        at_most = SECONDS_MAX if (by, method) == (Grouping.PAIR, LotMethod.FIFO) else None
        figures.append(Figure(f"report by {by}, {method}, over {size}", wall, "s", at_most=at_most, note=note))
    return figures


def main() -> int:
    options = parser(__doc__)
    options.add_argument("--database", type=Path, metavar="FILE", help="make it there, or use what is there")
    chosen: argparse.Namespace = options.parse_args()
    use_money_context()
    orders = ORDERS_QUICK if chosen.quick else ORDERS
    with tempfile.TemporaryDirectory() as directory:
        database = (chosen.database or Path(directory, "live.db")).absolute()
        if not database.exists():
            make_history(database, orders, FILLS_EACH)
        return tell(measure(database, orders), chosen)


if __name__ == "__main__":
    sys.exit(main())
