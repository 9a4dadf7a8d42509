"""Writes docs/risk.md: controls, rules, reasons, tests: `python -m tests.unit.risk.table`. A test holds it."""

import importlib
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_type_hints

from btcbot.domain.orders.intents import Purpose
from btcbot.risk.reasons import Reason
from btcbot.risk.rules import RULES, Rule
from tests.faults.table import exists
from tests.unit.risk.controls import CONTROLS
from tests.unit.risk.test_gate import CASES, Case

PAGE = Path(__file__).resolve().parents[3] / "docs" / "risk.md"
FLIPS = "tests/unit/risk/test_gate.py::test_each_rule_flips_a_verdict_alone"
ORDER = ("PT", "I", "C")


def problems() -> list[str]:
    """Controls that nothing holds, rules that no test flips alone, and names that do not exist."""
    flipped = {
        (case.rule, wanted.purpose) for case in CASES for wanted in (case.entry, case.exit) if wanted is not None
    }
    return [
        *(f"{rule.name} belongs to no control" for rule in RULES if rule.control not in CONTROLS),
        *(f"nothing holds {name}" for name, control in CONTROLS.items() if not control.held_by and not rules_of(name)),
        *(f"no test shows {name}" for name, control in CONTROLS.items() if not control.tests and not rules_of(name)),
        *(f"no test flips {rule.name} alone for an {purpose}" for rule in RULES for purpose in rule.purposes
          if (rule.name, purpose) not in flipped),
        *(f"no test makes {rule.name} say {name}" for rule in RULES for name in reasons_of(rule)
          if name not in {case.names[0] for case in cases_of(rule)}
          and name not in {each for case in CASES for each in case.names}),
        *(f"{rule.name} faces exits and does not say what harm it keeps them from" for rule in RULES
          if (Purpose.EXIT in rule.purposes) is not bool(rule.harm)),
        *(f"{test} does not exist" for control in CONTROLS.values() for test in control.tests if not exists(test)),
        *(f"{code} does not exist" for control in CONTROLS.values() for code in control.held_by if not is_there(code)),
    ]  # fmt: skip


def rules_of(control: str) -> tuple[Rule, ...]:
    return tuple(rule for rule in RULES if rule.control == control)


def cases_of(rule: Rule) -> tuple[Case, ...]:
    return tuple(case for case in CASES if case.rule == rule.name)


def reasons_of(rule: Rule) -> tuple[str, ...]:
    """What a rule may answer, by its own annotation."""
    answer = get_type_hints(getattr(rule.judge, "__wrapped__", rule.judge))["return"]
    kinds = [kind for kind in get_args(answer) if kind is not types.NoneType]
    assert all(issubclass(kind, Reason) and kind is not Reason for kind in kinds), f"{rule.name} names its reasons"
    return tuple(_name(kind) for kind in kinds)


def is_there(code: str) -> bool:
    module, _, name = f"btcbot.{code}".rpartition(".")
    return hasattr(importlib.import_module(module), name)


def page() -> str:
    lines = [
        "# The risk gate", "",
        "Made from the code by `python -m tests.unit.risk.table`; a test holds it against the code.", "",
        *PROSE.splitlines(), "",
        "## Controls", "",
        "Every reason against an order is reported, gravest first. *in* and *out*: whether entries, exits or both meet",
        "the rule.", "",
        "| control | what | rule | for | reasons | tests |", "| --- | --- | --- | --- | --- | --- |",
        *(line for name in sorted(CONTROLS, key=_place) for line in _rows(name)), "",
        "## What an exit meets", "",
        "An exit takes risk away. Only what would make it harmful stands in its way; no pause, loss, cap or throttle",
        "does.", "",
        "| rule | what harm it keeps an exit from |", "| --- | --- |",
        *(f"| {_words(rule)} | {rule.harm} |" for rule in RULES if rule.harm), "",
        "## Order of gravity", "",
        *(f"{place}. {_words(rule)} ({rule.control})" for place, rule in enumerate(RULES, start=1)), "",
    ]  # fmt: skip
    return "\n".join(lines)


PROSE = """\
`assess` puts an intent before every rule that applies to its purpose. A rule is a small pure function of the order
and of one moment: it says nothing, or a typed reason with the numbers that decided it. What is missing or absurd
refuses, and so does a rule that breaks. What unfinished orders may still use up, unknown ones and fees included, is
reserved in full. Orders of one decision are judged one after another, each as if those before it were working.

`btcbot risk` shows each limit, its use and its headroom, and what would be refused; `btcbot risk what-if BUY BTCTRY
0.001 @ 2500000` puts one order before every rule.

## What outlives a restart

State changes only by events. Positions, fees, results, reservations, entries of the hour and of the day, and
submits of the last minute are added up from the journal; the day, its opening and the peak come from the last
cycle; halt and pause from their latches; marks within the volatility window, the reference of the jump rule,
volatility pauses and learnt ticks from what each cycle keeps. Marks of the process before measure jumps and moves;
they value nothing: no entry is made, no loss judged and no day opened before a fit reading of the new process. A
process that dies inside a cycle loses what that one reading taught. The trading day is that of
`BTCBOT_TRADING_DAY_ZONE`.

## A breaker tripped: what to do

- **Halted** (day loss, drawdown): no submit leaves, cancels go on, what rested is called back. Find out why, then
  `btcbot resume --reason TEXT`. It halts again as long as the figure is beyond its limit.
- **Paused by the breaker** (entries of a day): exits go on. So many entries a day are a defect that repeats itself,
  or a cap too low for the strategy. Look with `btcbot risk`, mend or raise `BTCBOT_RISK_ENTRIES_PER_DAY_MAX`, then
  `btcbot resume`. Without either it pauses again at the next entry of that instrument, until the day is over. A
  backtest, where nobody resumes, refuses and goes on with the next day.
- **Everything else** ends by itself: a pause, a throttle, a jump that the next reading confirms.
"""


def _rows(name: str) -> Iterator[str]:
    control, rules = CONTROLS[name], rules_of(name)
    for place, rule in enumerate(rules):
        tests = "<br>".join(f"test_gate.py[{case}]" for case in cases_of(rule))
        what = (name, control.what) if place == 0 else ("", "")
        yield f"| {what[0]} | {what[1]} | {_words(rule)} | {_for(rule)} | {'<br>'.join(reasons_of(rule))} | {tests} |"
    if control.held_by or control.tests:
        what = (name, control.what) if not rules else ("", "")
        held = "<br>".join(f"`{code}`" for code in control.held_by)
        tests = "<br>".join(f"{path.rpartition('/')[2]}::{test}" for path, _, test in map(_parts, control.tests))
        yield f"| {what[0]} | {what[1]} | {held} | | | {tests} |"


def _parts(test: str) -> tuple[str, str, str]:
    return test.partition("::")


def _for(rule: Rule) -> str:
    return " and ".join(
        word for purpose, word in ((Purpose.ENTRY, "in"), (Purpose.EXIT, "out")) if purpose in rule.purposes
    )


def _words(rule: Rule) -> str:
    return rule.name.replace("_", " ")


def _name(kind: type[Reason]) -> str:
    return Reason.name.fget(kind.__new__(kind))  # type: ignore[attr-defined, no-any-return]


def _place(name: str) -> tuple[int, int]:
    letters = name.rstrip("0123456789")
    return ORDER.index(letters), int(name.removeprefix(letters))


if __name__ == "__main__":
    if found := problems():
        raise SystemExit("\n".join(found))
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
