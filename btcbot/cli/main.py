"""The `btcbot` command: what can be said on the command line. What it does is imported only when it is asked for.

Exit codes are those of the design, section 6: click's 2 for a wrong usage becomes 64, because 2 is FAIL of `health`.
"""

import sys
from typing import Annotated, NoReturn

import typer

from btcbot import __version__
from btcbot.cli.endings import INTERRUPTED, OK, USAGE, complain, conclude


def _plain() -> typer.Typer:
    """No error boxes and no colours: what a person can read, a log can hold."""
    return typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


app = _plain()
sandbox = _plain()
app.add_typer(sandbox, name="sandbox")

Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the journal.")]


@app.callback()
def btcbot() -> None:
    """A trading bot for the spot pairs of BtcTurk: live trades, the monitor watches and can never trade."""


@app.command()
def run(
    cycle_seconds: Annotated[
        str | None, typer.Option("--cycle-seconds", metavar="N", help="Overrides BTCBOT_CYCLE_SECONDS.")
    ] = None,
) -> int:
    """Trade: the live worker (APP_ROLE=live), until SIGTERM."""
    from btcbot.cli.workers import run_live

    return conclude(lambda desk: run_live(desk, cycle_seconds), "live", is_worker=True)


@app.command()
def health(
    watch: Annotated[bool, typer.Option("--watch", help="Keep watching: the monitor, until SIGTERM.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The report as one line of JSON.")] = False,
) -> int:
    """Say how live and the exchange are (APP_ROLE=monitor); exits 0 OK, 1 WARN, 2 FAIL, 3 UNKNOWN."""
    if watch and as_json:
        complain("--json is for a single report, and --watch logs JSON anyway. Next: leave one of the two out.")
        return USAGE
    if watch:
        from btcbot.cli.workers import watch as keep_watching

        return conclude(keep_watching, "monitor", is_worker=True)
    from btcbot.cli.health import health_once

    return conclude(lambda desk: health_once(desk, as_json=as_json), "monitor", is_worker=False)


@app.command()
def check() -> int:
    """Make every start-up check of the role in APP_ROLE, and exit without starting."""
    from btcbot.cli.workers import check as check_role

    return conclude(check_role, "check", is_worker=True)


@app.command()
def halt(reason: Reason) -> int:
    """No submit at all from now on; cancels go on. Works when live hangs or is down."""
    from btcbot.cli.operator import halt as trip

    return conclude(lambda desk: trip(desk, reason), "operator", is_worker=False)


@app.command()
def pause(reason: Reason) -> int:
    """No new entries; exits and cancels go on."""
    from btcbot.cli.operator import ask

    return conclude(lambda desk: ask(desk, "pause", reason), "operator", is_worker=False)


@app.command()
def resume(reason: Reason) -> int:
    """Lift a pause or a halt, after live has reconciled."""
    from btcbot.cli.operator import ask

    return conclude(lambda desk: ask(desk, "resume", reason), "operator", is_worker=False)


@app.command()
def seal(order: Annotated[str, typer.Argument(metavar="ORDER")], reason: Reason) -> int:
    """Declare an unknown ORDER (id or label) absent: you looked, and the exchange never had it."""
    from btcbot.cli.operator import ask

    return conclude(lambda desk: ask(desk, "seal", reason, order=order), "operator", is_worker=False)


@sandbox.callback(invoke_without_command=True)
def serve_sandbox(context: typer.Context) -> int:
    """The local exchange: serve it until SIGTERM, or `init` its directory."""
    if context.invoked_subcommand is not None:
        return OK
    from btcbot.cli.sandbox import serve

    return conclude(serve, "sandbox", is_worker=True)


@sandbox.command("init")
def init_sandbox(directory: Annotated[str, typer.Argument(metavar="DIR")]) -> int:
    """Make DIR with the sandbox's keys and clock anchor; what is there stays."""
    from btcbot.cli.sandbox import init

    return conclude(lambda desk: init(desk, directory), "sandbox", is_worker=False)


@app.command()
def version() -> int:
    """Say which btcbot this is."""
    sys.stdout.write(f"btcbot {__version__}\n")
    return OK


def perform(arguments: list[str]) -> int:
    """Do what the arguments say and return the exit code."""
    try:
        code = app(arguments, prog_name="btcbot", standalone_mode=False)
    except typer.TyperException as error:
        # Every one of them is about the command line: an unknown command or option, a missing or malformed value.
        complain(f"{error.format_message().rstrip('.')}. Next: see btcbot --help.")
        return USAGE
    except typer.Abort:
        return INTERRUPTED
    return code if isinstance(code, int) else OK


def main() -> NoReturn:
    """The entry point of the `btcbot` program."""
    # A terminal that cannot write a letter gets its escape, not a traceback.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    sys.exit(perform(sys.argv[1:]))
