"""Waiting until all programs run and the monitor reports both workers healthy. Every wait ends, and says why."""

import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from rendering import LIVE, MONITOR, SANDBOX

from checkout.log_lines import compact, last_lines
from checkout.places import Checkout
from checkout.processes import is_answering
from checkout.supervision import Program
from checkout.terminal import FAILED, Problem, say

PROGRAMS = (SANDBOX, MONITOR, LIVE)

START_SECONDS_MAX = 120.0
DAEMON_SECONDS_MAX = 20.0
HEALTH_SECONDS_MAX = 30.0
# Every question starts an interpreter, which is half a second of one core.
HEALTH_PAUSE_SECONDS = 2.0
HEALTHY = (0, 1)


def wait_until_answering(checkout: Checkout, daemon: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + DAEMON_SECONDS_MAX
    while not is_answering(checkout.supervisor):
        if daemon.poll() is not None:
            raise Problem(f"supervisord ended with code {daemon.returncode}. Its last words: {last_words(checkout)}")
        if time.monotonic() > deadline:
            raise Problem(
                f"no answer from supervisord within {DAEMON_SECONDS_MAX:.0f} s. Its last words: {last_words(checkout)}"
            )
        time.sleep(0.05)


def last_words(checkout: Checkout) -> str:
    said = [
        line for name in ("supervisord.out", "supervisord.log") for line in last_lines(checkout.var / "log" / name, 2)
    ]
    return " / ".join(said) or "nothing"


def wait_until_running(checkout: Checkout, since: Mapping[str, int], deadline: float) -> None:
    told = ""
    while True:
        programs = [program for program in checkout.supervisor.programs() if program.name in PROGRAMS]
        for program in programs:
            if program.has_given_up:
                raise Problem(failure(checkout, program, since))
        states = ", ".join(f"{program.name} {program.state.lower()}" for program in sorted(programs, key=order))
        if states != told:
            say(f"up: {states}")
            told = states
        if all(program.is_running for program in programs):
            return
        if time.monotonic() > deadline:
            late = next(program for program in programs if not program.is_running)
            raise Problem(f"not all running within {START_SECONDS_MAX:.0f} s. {failure(checkout, late, since)}")
        time.sleep(0.2)


def order(program: Program) -> int:
    return PROGRAMS.index(program.name)


def wait_until_healthy(checkout: Checkout, since: Mapping[str, int], deadline: float) -> None:
    say("up: waiting until the monitor reports both workers healthy")
    while True:
        code, said = health(checkout)
        if code in HEALTHY:
            return
        answered = time.monotonic()
        while time.monotonic() < answered + HEALTH_PAUSE_SECONDS:
            for program in checkout.supervisor.programs():
                if program.name in PROGRAMS and program.has_given_up:
                    raise Problem(failure(checkout, program, since))
            if time.monotonic() > deadline:
                tails = "\n".join(tail(checkout, name, since) for name in (MONITOR, LIVE))
                raise Problem(f"not healthy within {START_SECONDS_MAX:.0f} s; `btcbot health` says:\n{said}\n{tails}")
            time.sleep(0.2)


def health(checkout: Checkout) -> tuple[int, str]:
    """The exit code and the words of `btcbot health`."""
    try:
        done = subprocess.run(
            checkout.command("monitor", "health"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=HEALTH_SECONDS_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return FAILED, f"no answer within {HEALTH_SECONDS_MAX:.0f} s"
    return done.returncode, done.stdout.strip()


def failure(checkout: Checkout, program: Program, since: Mapping[str, int]) -> str:
    exited = f", exit code {program.exit_code}" if program.exit_code > 0 else ""
    return f"{program.name} is {program.state.lower()}{exited}. {tail(checkout, program.name, since)}"


def tail(checkout: Checkout, name: str, since: Mapping[str, int]) -> str:
    lines = [compact(name, line) for line in last_lines(checkout.log(name), 12, since.get(name, 0))]
    return "\n".join([f"The end of {checkout.log(name)}:", *(f"  {line}" for line in lines or ["(nothing)"])])


def size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
