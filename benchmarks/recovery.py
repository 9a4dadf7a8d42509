"""How long after `kill -9` live is reconciled and cycling again, and whether its books are true after all the kills.

The whole main job runs under supervisord, at the clock's own rate: sandbox, live and monitor. Live is killed at a
random moment, again and again, every fourth time with an order on the wire whose answer is held back, when one comes up
soon enough. Measured is from the signal to the commit of the first cycle of the worker that supervisord started in its
place; no cycle begins before the orders are taken over and the account is reconciled. The threshold of the crash-loop
breaker is raised, and supervisord takes a start for good after a second. `make kill-test KILLS=100` runs it; it is not
part of `make bench`, because a hundred kills take half an hour.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

from figures import Figure, parser, percentile, tell

PROJECT = Path(__file__).parents[1]
sys.path.insert(0, str(PROJECT))  # for the stack of the tests, and their comparison of the books

from tests.e2e.stack import Stack, stack  # noqa: E402
from tests.e2e.truth import assert_books_agree  # noqa: E402

MEDIAN_SECONDS_MAX, P99_SECONDS_MAX = 10.0, 30.0
KILLS, KILLS_QUICK = 100, 2
LIVE = "btcbot-live"
SETTLE_SECONDS = (1.5, 12.0)  # between being back and the next kill: two cycles and anything in between
IN_FLIGHT_EVERY, IN_FLIGHT_SECONDS = 4, 30.0
BACK_SECONDS_MAX = 120.0
POLL_SECONDS = 0.02
OVER = "('not_sent', 'rejected', 'absent_sealed', 'filled', 'canceled')"
UNFINISHED = f"SELECT count(*) FROM order_heads WHERE state NOT IN {OVER}"
ON_WIRE = "SELECT count(*) FROM order_heads WHERE state = 'sending'"
CHANGES = {
    "live": {
        "BTCBOT_CRASH_LOOP_STARTS_MAX": "1000",
        "BTCBOT_STRATEGY_PARAMS": '{"fast": 2, "slow": 4, "notional": "1500"}',
    }
}


def last_cycle(running: Stack) -> str:
    """Of which worker the last cycle is."""
    return str(running.rows("SELECT process_instance_id FROM cycles ORDER BY id DESC LIMIT 1")[0][0])


def wait_for_order(running: Stack) -> bool:
    """Hold the next order's answer back, and say whether one was on the wire before patience ended."""
    running.fault("late_answer", seconds=20, count=1, match={"endpoint": "submit"})
    deadline = time.monotonic() + IN_FLIGHT_SECONDS
    while time.monotonic() < deadline:
        if running.count(ON_WIRE):
            return True
        time.sleep(POLL_SECONDS)
    running.clear_faults()
    return False


def kill(running: Stack) -> float:
    """Seconds from the signal to the first committed cycle of the next worker."""
    before, victim = last_cycle(running), running.pid(LIVE)
    began = time.monotonic()
    os.kill(victim, signal.SIGKILL)
    while last_cycle(running) == before:
        assert time.monotonic() - began < BACK_SECONDS_MAX, running.last_log()
        time.sleep(POLL_SECONDS)
    return time.monotonic() - began


def measure(running: Stack, kills: int, chance: random.Random) -> list[Figure]:
    seconds: list[float] = []
    in_flight = 0
    running.until(lambda: running.count("SELECT count(*) FROM cycles") >= 3, 120, "three cycles")
    for number in range(kills):
        time.sleep(chance.uniform(*SETTLE_SECONDS))
        is_on_wire = number % IN_FLIGHT_EVERY == 0 and wait_for_order(running)
        in_flight += is_on_wire
        seconds.append(kill(running))
        if is_on_wire:
            running.clear_faults()
        print(f"kill {number + 1}: {seconds[-1]:.2f} s{', an order on the wire' * is_on_wire}", file=sys.stderr)
    assert running.rows("SELECT DISTINCT verb FROM control") == [], "nothing halts for being killed"
    halted = running.btcbot("live", "halt", "--reason", "the books are compared")
    assert halted.code == 0, halted.err
    running.until(lambda: running.count(UNFINISHED) == 0, 120, "all orders over")
    assert_books_agree(running)
    return [
        Figure("kill -9 to the first cycle, median", percentile(seconds, 50), "s", at_most=MEDIAN_SECONDS_MAX),
        Figure("kill -9 to the first cycle, p99", percentile(seconds, 99), "s", at_most=P99_SECONDS_MAX),
        Figure("the longest", max(seconds), "s"),
        Figure("kills", kills, note=f"{in_flight} with an order on the wire"),
        Figure("orders", running.count("SELECT count(*) FROM orders"), note="none lost, none doubled, ledger equal"),
    ]


def main() -> int:
    options = parser(__doc__)
    options.add_argument("--kills", type=int, default=KILLS)
    options.add_argument("--seed", type=int, default=1, help="of the moments, and of the generated market")
    options.add_argument("--rate", type=int, default=1, help="of the clock; what is required holds for 1")
    chosen = options.parse_args()
    start = ("--seed", str(chosen.seed), "--startsecs", "1", "--clock-rate", str(chosen.rate))
    with stack(*start, changes=CHANGES) as running:
        figures = measure(running, KILLS_QUICK if chosen.quick else chosen.kills, random.Random(chosen.seed))
    return tell(figures, chosen)


if __name__ == "__main__":
    sys.exit(main())
