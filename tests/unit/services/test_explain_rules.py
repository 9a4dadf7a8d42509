"""What is said of a rule that passed is what its refusal would have said."""

import pytest

from btcbot.domain.orders.intents import Intent
from btcbot.risk.gate import Refused, answer_of, assess
from btcbot.risk.rules import RULES, Rule
from btcbot.risk.view import RiskView
from btcbot.services.explain_rules import NOTHING_MEASURED, looks, numbers_of
from tests.unit.risk.test_gate import CASES, ENTRY_INTENT, EXIT_INTENT, Case, view

# Their reason tells a fact and no comparison: what is said of a pass is another fact.
WITHOUT_A_COMPARISON = {
    "trading_is_not_halted", "market_is_there", "market_is_without_gaps", "book_has_both_sides", "book_is_well_formed",
    "instrument_is_as_listed", "no_order_of_the_pair_is_unresolved", "no_order_of_the_side_is_unresolved",
    "own_orders_are_not_crossed", "positions_are_valued", "instrument_is_trading", "trading_is_not_paused",
}  # fmt: skip
MISSING = {"mid_missing", "rule_failed", "day_unknown", "balance_unknown"}


def wanted(case: Case) -> tuple[Intent, ...]:
    return tuple(intent for intent in (case.entry, case.exit) if intent is not None)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_that_passes_shows_its_numbers(rule: Rule) -> None:
    for intent in (ENTRY_INTENT, EXIT_INTENT):
        if rule.applies_to(intent.purpose):
            assert answer_of(rule, intent, view()) is None
            assert numbers_of(rule, intent, view()) not in ("", NOTHING_MEASURED)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_is_shown_is_what_the_gate_said(case: Case) -> None:
    seen = case.change(view())
    for intent in wanted(case):
        shown = looks(intent, seen)
        verdict = assess(intent, seen)
        reasons = verdict.named_reasons() if isinstance(verdict, Refused) else ()
        assert tuple(dict.fromkeys((look.refusal, look.numbers) for look in shown if look.refusal)) == reasons
        assert [look.rule for look in shown] == [
            rule.name.replace("_", " ") for rule in RULES if rule.applies_to(intent.purpose)
        ]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_comparison_is_told_alike_whether_it_passed_or_not(case: Case) -> None:
    seen: RiskView = case.change(view())
    for intent in wanted(case):
        for rule in RULES:
            if not rule.applies_to(intent.purpose) or rule.name in WITHOUT_A_COMPARISON:
                continue
            reason = answer_of(rule, intent, seen)
            if reason is not None and reason.name not in MISSING:
                assert numbers_of(rule, intent, seen) == reason.numbers
