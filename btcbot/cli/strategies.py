"""`btcbot strategies`: which there are, what one does, a first one of your own, and whether it is fit to trade."""

import dataclasses
import json
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from btcbot.cli.endings import OK, Desk
from btcbot.cli.process import prepare_worker
from btcbot.config.settings import Asset, UsageError, environment

UNFIT = 1
MINUTES = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240}
PATH_VARIABLE = "BTCBOT_STRATEGY_PATH"


@dataclass(frozen=True, slots=True)
class Said:
    """What was typed of a strategy."""

    name: str
    params: str | None
    path: str | None
    currency: str
    interval: str
    as_json: bool


def list_all(_desk: Desk, *, as_json: bool) -> int:
    """One line each."""
    prepare_worker()
    from btcbot.services.strategy_catalog import listed

    for each in listed():
        line = json.dumps(dataclasses.asdict(each)) if as_json else f"{each.name:20} {each.about}"
        sys.stdout.write(f"{line}\n")
    return OK


def show(_desk: Desk, said: Said) -> int:
    """Everything there is to know of one."""
    prepare_worker()
    from btcbot.research.request import choice_of
    from btcbot.services.strategy_catalog import described, lines_of

    choice = dataclasses.replace(choice_of(said.name, said.params), path=strategy_path(said.path))
    told = described(choice, _currency(said.currency), _interval(said.interval))
    lines = [json.dumps(dataclasses.asdict(told))] if said.as_json else lines_of(told)
    for line in lines:
        sys.stdout.write(f"{line}\n")
    return OK


def new(_desk: Desk, name: str, path: str | None) -> int:
    """Write a small strategy that works."""
    prepare_worker()
    from btcbot.services.strategy_template import write_template

    directory = strategy_path(path)
    if directory is None:
        raise UsageError(f"say where: --path DIRECTORY, or {PATH_VARIABLE}")
    for made in write_template(name, directory):
        sys.stdout.write(f"{made}\n")
    return OK


def check(_desk: Desk, said: Said) -> int:
    """Try every promise; exits 1 where one is not kept."""
    prepare_worker()
    from btcbot.research.request import choice_of
    from btcbot.research.strategy_check import check as findings_of
    from btcbot.services.strategy_loading import load_strategy

    choice = dataclasses.replace(choice_of(said.name, said.params), path=strategy_path(said.path))
    currency = _currency(said.currency)
    findings = findings_of(lambda: load_strategy(choice, currency), currency, _interval(said.interval))
    for finding in findings:
        if said.as_json:
            line = json.dumps(dataclasses.asdict(finding))
        else:
            mark = "ok  " if finding.is_kept else "FAIL"
            line = f"{mark}  {finding.name}: {finding.what}"
            line += "" if finding.is_kept else f". Next: {finding.next_step}."
        sys.stdout.write(f"{line}\n")
    return OK if all(finding.is_kept for finding in findings) else UNFIT


def strategy_path(text: str | None) -> Path | None:
    """What was typed, or what the settings say."""
    text = text or environment().get(PATH_VARIABLE)
    return None if not text else Path(text).absolute()


def _currency(text: str) -> Asset:
    if text not in ("TRY", "USDT"):
        raise UsageError("--currency is TRY or USDT")
    return Asset(text)


def _interval(text: str) -> timedelta:
    if text not in MINUTES:
        raise UsageError(f"--interval is one of {', '.join(MINUTES)}")
    return timedelta(minutes=MINUTES[text])
