"""What `deploy/up` is asked for on the command line."""

import argparse
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NoReturn

from checkout.terminal import USAGE

# supervisord counts a start as good after this long. The image has longer times, see deploy/supervisord.conf.
START_SECONDS = 5

# Those that change the environment files. They are remembered with the books they were given for.
REMEMBERED = ("seed", "source", "speed", "pairs", "currency", "clock_rate", "cycle_seconds", "strategy", "ports")


@dataclass(frozen=True, slots=True)
class Options:
    """One command line. `given` holds, by name, what changes the environment files, and only what was given."""

    command: str
    root: Path | None
    start_seconds: int
    given: Mapping[str, str]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"up: {message}. Next: see `up --help`\n")


def parse_options(arguments: list[str], commands: Iterable[str]) -> Options:
    """Ends the program with one line and exit code 64 when the arguments are wrong."""
    parser = _Parser(
        prog="up",
        description="btcbot from a checkout: the sandbox exchange, the monitor and the live worker under supervisord.",
        epilog="All options but --root and --startsecs change the written environment files in var/env. They are "
        "remembered in var/lib, beside the books they were given for: what is not given again stays as it was, until "
        "`fresh` moves the books. Once the sandbox has a record, seed, source and pairs cannot change. "
        "A file in var/env that was edited by hand is never overwritten.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "command",
        choices=commands,
        help="run: start, follow the logs, stop all on Ctrl-C; start and stop: in the background; "
        "prepare: write var/ and start nothing; fresh: move the books (var/lib) to var/old, so that the next start "
        "begins new ones",
    )
    parser.add_argument(
        "--seed", metavar="N", type=_number("a whole number", whole=True), help="the generated market's seed"
    )
    parser.add_argument("--source", metavar="FILE", type=_source, help="replay this recorded file; or `generator`")
    parser.add_argument(
        "--speed", metavar="X", type=_number("a number above 0"), help="recorded seconds per sandbox second"
    )
    parser.add_argument("--pairs", metavar="A,B,…", help="the pairs to trade, e.g. BTCTRY,ETHTRY")
    parser.add_argument(
        "--currency",
        metavar="CODE",
        type=_currency,
        help="what the pairs are quoted in and the limits count, e.g. USDT",
    )
    parser.add_argument(
        "--clock-rate", metavar="X", type=_number("a number above 0"), help="btcbot's seconds per real second, 1 to 60"
    )
    parser.add_argument(
        "--cycle-seconds", metavar="N", type=_number("a number above 0"), help="seconds from one cycle to the next"
    )
    parser.add_argument(
        "--strategy",
        metavar="NAME",
        type=_strategy,
        help="which strategy runs, with its own default parameters: one that ships, or MODULE:NAME of your own in "
        "var/env/strategies",
    )
    parser.add_argument(
        "--ports", metavar="BASE", type=_ports, help="use ports BASE to BASE+3 in place of the tracked ones"
    )
    parser.add_argument("--root", metavar="DIR", type=Path, help="write DIR/var in place of the checkout's var")
    parser.add_argument(
        "--startsecs",
        metavar="N",
        type=_number("a whole number", whole=True),
        default=str(START_SECONDS),
        help=f"seconds after which supervisord counts a worker as started (default {START_SECONDS})",
    )
    read = vars(parser.parse_args(arguments))
    return Options(
        command=read["command"],
        root=read["root"],
        start_seconds=int(read["startsecs"]),
        given={name: read[name] for name in REMEMBERED if read[name] is not None},
    )


def _number(what: str, *, whole: bool = False) -> Callable[[str], str]:
    def convert(text: str) -> str:
        try:
            number = Decimal(text)
        except InvalidOperation:
            number = Decimal(-1)
        plain = text.isascii() and text.replace(".", "", 0 if whole else 1).isdigit()
        if not plain or (number <= 0 and not whole):
            raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
        return text

    return convert


def _ports(text: str) -> str:
    if not (text.isascii() and text.isdigit() and 1024 <= int(text) <= 65_532):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 1024 to 65532")
    return text


def _currency(text: str) -> str:
    if not re.fullmatch(r"[A-Z0-9]{2,10}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not the code of an asset, in A-Z and 0-9")
    return text


def _strategy(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}(:[A-Za-z][A-Za-z0-9_]{0,39})?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not the name of a strategy")
    return text


def _source(text: str) -> str:
    if text == "generator":
        return text
    path = Path(text).resolve()
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"there is no file {path}")
    return str(path)
