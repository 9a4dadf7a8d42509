"""Every control is held by something that a test shows, every rule is flipped by a test alone, and the page says so."""

import subprocess
import sys

import pytest

from btcbot.risk.rules import RULES, RULES_OF
from tests.unit.risk import table
from tests.unit.risk.controls import CONTROLS


def test_every_control_is_held_and_every_rule_is_flipped_alone() -> None:
    assert table.problems() == []


def test_the_page_is_made_of_this_code() -> None:
    assert table.PAGE.read_text(encoding="utf-8") == table.page(), "run `python -m tests.unit.risk.table`"


def test_every_control_of_the_policy_is_there() -> None:
    wanted = {*(f"PT{number}" for number in range(1, 16)), *(f"I{number}" for number in range(1, 14)), "C4"}
    assert set(CONTROLS) == wanted


def test_a_purpose_meets_its_rules_in_the_order_of_gravity() -> None:
    for purpose, rules in RULES_OF.items():
        assert rules == tuple(rule for rule in RULES if rule.applies_to(purpose))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_named_test_is_collected() -> None:
    """As pytest itself finds them, cases included."""
    named = {test for control in CONTROLS.values() for test in control.tests}
    named |= {f"{table.FLIPS}[{case}]" for rule in RULES for case in table.cases_of(rule)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider",
         *sorted({test.partition("::")[0] for test in named})],
        cwd=table.PAGE.parents[1], capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    collected = set(done.stdout.splitlines())
    without_cases = {line.partition("[")[0] for line in collected}
    # pytest counts cases of one name: `case0`, `case1`.
    missing = [test for test in named if test not in collected | without_cases and f"{test[:-1]}0]" not in collected]
    assert sorted(missing) == []
