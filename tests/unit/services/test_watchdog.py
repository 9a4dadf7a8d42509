"""In processes of their own: what hangs is ended, what goes round is not."""

import subprocess
import sys
import textwrap

PROGRAM = """
import asyncio
from btcbot.services.runtime import LoopSleeper
from btcbot.services.watchdog import end_where_the_loop_hangs

async def main():
    watching = asyncio.create_task(end_where_the_loop_hangs(LoopSleeper(), {seconds}))
    await asyncio.sleep(0)
    {work}
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    {afterwards}
    print("ended by itself")

asyncio.run(main())
"""


def ran(work: str, seconds: float, afterwards: str = "pass") -> "subprocess.CompletedProcess[str]":
    program = textwrap.dedent(PROGRAM).format(work=work, seconds=seconds, afterwards=afterwards)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50)


def test_a_loop_that_hangs_ends_its_process_and_says_where_it_stood() -> None:
    done = ran("while True: pass", 0.2)
    assert done.returncode == 1
    assert "ended by itself" not in done.stdout
    assert "Timeout" in done.stderr
    assert "in main" in done.stderr


def test_a_loop_that_comes_round_is_left_alone() -> None:
    done = ran("await asyncio.sleep(0.01)", 40)
    assert (done.returncode, done.stdout.strip()) == (0, "ended by itself"), done.stderr


def test_nobody_watches_any_more_once_it_was_cancelled() -> None:
    """What comes after the loop's work, such as closing the database, may take its time."""
    done = ran("await asyncio.sleep(0)", 0.2, "import threading; threading.Event().wait(0.5)")
    assert (done.returncode, done.stdout.strip()) == (0, "ended by itself"), done.stderr
