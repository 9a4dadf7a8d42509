"""The main job for real: three programs under supervisord, trading on the generated market, judged from outside."""

import os
import re
import signal

import pytest

from tests.e2e.stack import Stack, stack
from tests.e2e.truth import assert_books_agree

FILLS = "SELECT count(DISTINCT order_id) FROM fills"
OVER = "('not_sent', 'rejected', 'absent_sealed', 'filled', 'canceled')"
UNFINISHED = f"SELECT count(*) FROM order_heads WHERE state NOT IN {OVER}"
CYCLES = "SELECT count(*) FROM cycles"
IN_FLIGHT = "SELECT count(*) FROM order_heads WHERE state = 'sending'"
FOUND = "SELECT count(*) FROM order_history WHERE before = 'unknown' AND after IN ('open', 'partial', 'closing')"
AUDIT = ("process_role", "process_instance_id", "cycle_id", "config_hash")


def come_to_rest(running: Stack) -> None:
    """Halt as an operator would, and wait until every order of ours is over."""
    halted = running.btcbot("live", "halt", "--reason", "the test compares the books")
    assert halted.code == 0, halted.err
    running.until(lambda: running.count(UNFINISHED) == 0, 60, "all orders over")


@pytest.mark.timeout(400)
def test_the_main_job_trades_and_its_books_are_true() -> None:
    with stack("--seed", "1") as running:
        status = running.ctl("status")
        assert len(re.findall(r"^btcbot-\w+ +RUNNING", status.out, re.MULTILINE)) == 3, status.out
        running.until(lambda: running.count(FILLS) >= 4, 200, "four filled orders")

        health = running.btcbot("monitor", "health", "--json")
        assert health.code in (0, 1), health.out
        for table in (
            "cycles",
            "signals",
            "verdicts",
            "orders",
            "order_history",
            "fills",
            "ledger",
            "events",
            "outbox",
        ):
            assert running.count(f"SELECT count(*) FROM {table}") > 0, f"{table} is empty"
            empty = " OR ".join(f"{column} IS NULL OR {column} = ''" for column in AUDIT)
            assert running.count(f"SELECT count(*) FROM {table} WHERE {empty}") == 0, f"{table} has rows nobody owns"
        running.until(
            lambda: int(str(running.rows("SELECT count(*) FROM feed_copy", database=running.monitor_db)[0][0])) > 0,
            30, "the monitor has copies of the feed",
        )  # fmt: skip

        come_to_rest(running)
        assert_books_agree(running)
        assert {str(line["process_role"]) for line in running.log("btcbot-live")} == {"live"}
        stopped = running.stop()
        assert stopped.code == 0, stopped.err
        assert running.stop().code == 0, "stopping twice is no failure"


def cycle_on(running: Stack, cycles: int) -> None:
    """Wait until live has gone round some more times."""
    enough = running.count(CYCLES) + cycles
    running.until(lambda: running.count(CYCLES) >= enough, 120, f"{cycles} more cycles")


def kill_live(running: Stack) -> None:
    """SIGKILL, and wait for the worker that supervisord starts in its place."""
    victim = running.pid("btcbot-live")
    os.kill(victim, signal.SIGKILL)

    def is_replaced() -> bool:
        status = running.ctl("status", "btcbot-live").out
        return "RUNNING" in status and running.pid("btcbot-live") != victim

    running.until(is_replaced, 60, "a new live worker")


def kill_in_flight(running: Stack) -> None:
    """SIGKILL while an order is on the wire: the exchange has it, and its answer is still on the way."""
    running.fault("late_answer", seconds=20, count=1, match={"endpoint": "submit"})
    running.until(lambda: running.count(IN_FLIGHT) > 0, 200, "an order on the wire")
    kill_live(running)
    running.clear_faults()


def kill_and_recover(running: Stack, times: int) -> None:
    """Every third kill hits an order in flight, the others whatever is going on after some more cycles."""
    for number in range(times):
        if number % 3 == 0:
            kill_in_flight(running)
        else:
            cycle_on(running, 1 + number % 7)
            kill_live(running)
    cycle_on(running, 3)
    come_to_rest(running)
    assert_books_agree(running)
    assert running.count(FOUND) > 0, "an order whose answer was lost is found by its label"


KILL_PROFILE = {"live": {"BTCBOT_CRASH_LOOP_STARTS_MAX": "1000"}}


@pytest.mark.timeout(500)
def test_restarted_by_operators_and_killed_it_loses_and_doubles_nothing() -> None:
    with stack("--seed", "3", "--startsecs", "1", changes=KILL_PROFILE) as running:
        running.until(lambda: running.count(FILLS) >= 1, 200, "a first fill")
        for program in ("btcbot-live", "btcbot-monitor", "btcbot-sandbox"):
            assert running.ctl("restart", program).code == 0, f"restarting {program}"
        assert running.ctl("stop", "btcbot-live").code == 0
        assert running.ctl("start", "btcbot-live").code == 0
        cycle_on(running, 5)
        kill_and_recover(running, 3)
        assert running.rows("SELECT DISTINCT verb FROM control") == [("halt",)], "only the test's own halt"


@pytest.mark.slow
@pytest.mark.kill
@pytest.mark.timeout(1800)
def test_killed_twenty_times_it_loses_and_doubles_nothing() -> None:
    with stack("--seed", "4", "--startsecs", "1", changes=KILL_PROFILE) as running:
        running.until(lambda: running.count(FILLS) >= 1, 200, "a first fill")
        kill_and_recover(running, 20)
        assert running.count(FILLS) >= 3, "it traded between the kills"


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", ["1", "2", "3", "4", "5"])
def test_ten_minutes_bring_twenty_filled_orders(seed: str) -> None:
    with stack("--seed", seed) as running:
        running.until(lambda: running.count(FILLS) >= 20, 600, "twenty filled orders within ten minutes")
        come_to_rest(running)
        assert_books_agree(running)
