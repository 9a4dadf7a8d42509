"""The record as a page for people: numbered lines, newest first, with the accounts, halts and faults that are set."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import get_args

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from btcbot.sandbox.accounts import Accounts
from btcbot.sandbox.faults import Faults
from btcbot.sandbox.floor import EPOCH, Floor
from btcbot.sandbox.record import kind_of_happening
from btcbot.simulation.happenings import Happening

TEMPLATES = Path(__file__).parent / "templates"
LINES_PER_PAGE = 100
KINDS = (
    "request", "answer", "balance_changed", *(kind_of_happening(happening) for happening in get_args(Happening)),
    "fault_struck", "scenario_played",
)  # fmt: skip
UNSAID, EMPTY = ("n", "until"), ("", "0", 0, False)


@dataclass(frozen=True, slots=True)
class ShownLine:
    number: int
    at: str
    kind: str
    facts: Mapping[str, object]
    is_refusal: bool


class RecordPage:
    def __init__(self, floor: Floor, faults: Faults, accounts: Accounts) -> None:
        self._floor = floor
        self._faults = faults
        self._accounts = accounts

    def rendered(self, kind: str, after: int | None, before: int | None) -> str:
        """The lines after a number or before one; without either, the last ones."""
        record, kinds = self._floor.record, [kind] if kind in KINDS else []
        if after is not None:
            lines, until = record.after(after, LINES_PER_PAGE, kinds)
        else:
            lines = record.before(record.count + 1 if before is None else before, LINES_PER_PAGE, kinds)
            until = lines[-1][0] if lines else record.count
        return _template().render(
            profile=self._floor.profile.name,
            now=self._floor.clock.now(),
            accounts=self._accounts.described(),
            faults=self._faults.listed(),
            halted=[pair for pair in self._floor.listings if not self._floor.venue.is_trading(pair)],
            lines=[_shown(number, line) for number, line in reversed(lines)],
            count=record.count,
            kinds=KINDS,
            kind=kind,
            before=lines[0][0] if lines else 0,
            until=until,
            is_latest=after is None and before is None,
        )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("record.html")


def _shown(number: int, line: str) -> ShownLine:
    """Without what says nothing: fields that are empty or zero, and which lines were written together."""
    document = json.loads(line)
    moment = EPOCH + timedelta(milliseconds=document.pop("at"))
    kind = document.pop("kind")
    facts = {name: value for name, value in document.items() if name not in UNSAID and value not in EMPTY}
    at = f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}"
    return ShownLine(number, at, kind, facts, kind == "answer" and document["status"] != 200)
