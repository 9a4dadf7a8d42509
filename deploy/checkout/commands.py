"""The commands of `deploy/up`."""

import contextlib
import os
import shlex
import signal
import subprocess
import time
from types import FrameType
from typing import NoReturn

import rendering
from rendering import LIVE, MONITOR

from checkout.books import move_books
from checkout.log_lines import Follower, compact
from checkout.options import Options, parse_options
from checkout.places import Checkout
from checkout.processes import is_answering, launch, refuse_leftovers, refuse_taken_ports, stop_all
from checkout.readiness import (
    PROGRAMS,
    START_SECONDS_MAX,
    last_words,
    order,
    size,
    wait_until_answering,
    wait_until_healthy,
    wait_until_running,
)
from checkout.supervision import NotAnswering
from checkout.terminal import CONFIGURATION, FAILED, Interrupted, Problem, say
from checkout.var_directory import refuse_new_options, write_var

FOLLOWED = ("state-listener", MONITOR, LIVE)


def main(arguments: list[str]) -> int:
    """Run the command. Results on stdout, narration on stderr, one exit code per kind of failure."""
    options = parse_options(arguments, COMMANDS)
    os.umask(0o077)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        return COMMANDS[options.command](Checkout.at(options.root), options)
    except Problem as problem:
        say(f"up: {problem}")
        return problem.exit_code
    except rendering.RenderingError as error:
        say(f"up: {error}")
        return CONFIGURATION
    except OSError as error:
        say(f"up: {error}")
        return FAILED
    except Interrupted:
        return 130


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Interrupted


def prepare(checkout: Checkout, options: Options) -> int:
    with checkout.alone():
        if is_answering(checkout.supervisor):
            refuse_new_options(checkout, options)
            say("up: btcbot runs already; var/ stays as it is")
            return 0
        write_var(checkout, options)
    print(f"prepared {checkout.var}")
    return 0


def start(checkout: Checkout, options: Options) -> int:
    with checkout.alone():
        bring_up(checkout, options)
    print(summary(checkout), flush=True)
    return 0


def bring_up(checkout: Checkout, options: Options) -> subprocess.Popen[bytes] | None:
    """All processes running and healthy, or a `Problem` and nothing left of what was started here.

    Returns supervisord when it was started here.
    """
    supervisor = checkout.supervisor
    deadline = time.monotonic() + START_SECONDS_MAX
    daemon = None
    if is_answering(supervisor):
        refuse_new_options(checkout, options)
        say("up: supervisord runs already")
    else:
        write_var(checkout, options)
        refuse_leftovers(checkout)
        refuse_taken_ports(checkout)
        daemon = launch(checkout)
    since = {name: size(checkout.log(name)) for name in PROGRAMS}
    try:
        if daemon is not None:
            wait_until_answering(checkout, daemon)
        for program in supervisor.programs():
            if program.name in PROGRAMS and program.state in ("STOPPED", "EXITED", "FATAL"):
                supervisor.start(program.name)
        wait_until_running(checkout, since, deadline)
        wait_until_healthy(checkout, since, deadline)
    except (NotAnswering, Problem, Interrupted) as error:
        if daemon is not None:
            say("up: stopping what was started")
            stop_all(checkout, daemon)
        if isinstance(error, NotAnswering):
            raise Problem(f"supervisord is gone: {error}. Its last words: {last_words(checkout)}") from None
        raise
    return daemon


def run(checkout: Checkout, options: Options) -> int:
    daemon = None
    try:
        with checkout.alone():
            daemon = bring_up(checkout, options)
        print(summary(checkout), flush=True)
        say("up: following the logs of live and monitor; Ctrl-C stops everything")
        follow(checkout, daemon)
    except (Interrupted, BrokenPipeError):
        pass
    else:
        raise Problem(f"supervisord ended by itself. Its last words: {last_words(checkout)}")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # once is enough: stopping is bounded
    say("\nup: stopping")
    with checkout.alone():
        stop_all(checkout, daemon)
    say("up: stopped, no process is left")
    return 0


def follow(checkout: Checkout, daemon: subprocess.Popen[bytes] | None) -> None:
    """Print what the workers log, until supervisord is gone."""
    with contextlib.ExitStack() as files:
        followers = {name: files.enter_context(contextlib.closing(Follower(checkout.log(name)))) for name in FOLLOWED}
        checked = time.monotonic()
        while True:
            for name, follower in followers.items():
                for line in follower.lines():
                    print(compact(name, line), flush=True)
            if time.monotonic() - checked > 1.0:
                checked = time.monotonic()
                if (daemon.poll() is not None) if daemon else not is_answering(checkout.supervisor):
                    return
            time.sleep(0.2)


def stop(checkout: Checkout, _options: Options) -> int:
    if not checkout.var.is_dir():
        print("nothing runs")
        return 0
    with checkout.alone():
        print("stopped, no process is left" if stop_all(checkout, None) else "nothing runs")
    return 0


def fresh(checkout: Checkout, _options: Options) -> int:
    with checkout.alone():
        if is_answering(checkout.supervisor):
            raise Problem(f"btcbot runs. Next: stop it first, with `{checkout.next_step('stop')}`")
        refuse_leftovers(checkout)
        moved = move_books(checkout)
    if moved is None:
        print("there are no books yet")
    else:
        print(f"moved the books to {moved}; the next start begins new ones, with the options given then")
    return 0


def summary(checkout: Checkout) -> str:
    """What runs, and where to look."""
    live = checkout.variables("live")
    programs = [program for program in checkout.supervisor.programs() if program.name in PROGRAMS]
    exchange = f"{'the sandbox' if checkout.with_sandbox() else 'the exchange'} at {live.get('BTCTURK_API_URL', '')}"
    control, var = shlex.join(checkout.supervisorctl()), checkout.var
    lines = [
        "",
        f"btcbot runs: live trades {live.get('BTCBOT_PAIRS', '')} on {exchange}, the monitor watches.",
        "",
        *(f"  {program.name:<15} {program.state}  {program.description}" for program in sorted(programs, key=order)),
        "",
        f"  status     {control} status",
        f"  health     {shlex.join(checkout.command('monitor', 'health'))}",
        f"  log        {control} tail -f {LIVE}      (JSON lines; files in {var / 'log'})",
        f"  databases  {live.get('STATE_DB_PATH', '')}",
        f"             {checkout.variables('monitor').get('STATE_DB_PATH', '')}",
        f"  settings   {checkout.env('live')}      (then: {control} restart {LIVE})",
        f"  stop       {checkout.up('stop')}",
        "",
    ]
    return "\n".join(lines)


COMMANDS = {"run": run, "start": start, "stop": stop, "prepare": prepare, "fresh": fresh}
