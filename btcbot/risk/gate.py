"""The gate: the only place that approves an intent, and fail-closed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from btcbot.domain.instruments import Instrument
from btcbot.domain.money import Amount
from btcbot.domain.orders.intents import ApprovedOrderIntent, Intent, Purpose
from btcbot.risk.reasons import InstrumentChanged, InstrumentNotTrading, NotionalBelowMin, Reason, RuleFailed
from btcbot.risk.rules import FITNESS, RULES_OF, Look, Rule, off_grid, outside_band
from btcbot.risk.view import RiskView


@dataclass(frozen=True, slots=True)
class Refused:
    """An intent with every reason against it, gravest first."""

    intent: Intent
    reasons: tuple[Reason, ...]

    def named_reasons(self) -> tuple[tuple[str, str], ...]:
        """Each reason's name and numbers, as text, for storage and logs."""
        return tuple((reason.name, reason.numbers) for reason in self.reasons)


def assess(intent: Intent, view: RiskView, rules: tuple[Rule, ...] | None = None) -> ApprovedOrderIntent | Refused:
    """Judge one intent by every rule that applies to its purpose, or by those that are named."""
    assert intent.pair == view.pair, "an intent is judged by the view of its own instrument"
    reasons = _each_once(_objections(intent, view, RULES_OF[intent.purpose] if rules is None else rules))
    if reasons:
        return Refused(intent, reasons)
    return ApprovedOrderIntent(intent, intent.reservation(view.fee_ratio))


def form_reasons(intent: Intent, listed: Instrument) -> tuple[Reason, ...]:
    """Why an approved intent no longer fits an instrument whose rules were read since; empty where it still does.

    Only its form is judged again: what it may cost and what it leaves of the caps was settled, and is reserved.
    """
    was = intent.instrument
    if (listed.pair, listed.base, listed.quote) != (was.pair, was.base, was.quote):
        return (InstrumentChanged(was, listed),)
    again = replace(intent, instrument=listed)
    least = Amount(listed.notional_min, listed.quote)
    is_stopped = intent.purpose is Purpose.ENTRY and not listed.is_trading
    objections = (
        off_grid(again),
        outside_band(again),
        None if least <= again.notional else NotionalBelowMin(again.notional, least),
        InstrumentNotTrading(listed.pair) if is_stopped else None,
    )
    return tuple(reason for reason in objections if reason is not None)


def market_reasons(view: RiskView) -> tuple[Reason, ...]:
    """Why this reading of the market is not fit to value a position by; empty when it is."""
    return _each_once(reason for look in FITNESS if (reason := _looked(look, view)) is not None)


def _objections(intent: Intent, view: RiskView, rules: tuple[Rule, ...]) -> Iterator[Reason]:
    for rule in rules:
        if rule.applies_to(intent.purpose) and (reason := answer_of(rule, intent, view)) is not None:
            yield reason


def answer_of(rule: Rule, intent: Intent, view: RiskView) -> Reason | None:
    """One rule's own answer; what could not be judged is refused."""
    try:
        return rule.judge(intent, view)
    except Exception as error:  # noqa: BLE001 - a rule that breaks, on whatever input, must refuse; the reason says so
        return RuleFailed(rule.name, f"{type(error).__name__}: {error}")


def _looked(look: Look, view: RiskView) -> Reason | None:
    try:
        return look(view)
    except Exception as error:  # noqa: BLE001 - a reading that cannot be judged is not fit; the reason says so
        return RuleFailed(look.__name__, f"{type(error).__name__}: {error}")


def _each_once(reasons: Iterator[Reason]) -> tuple[Reason, ...]:
    """Two rules may find the same fact missing; it is said once. Compared as text: a NaN does not equal itself."""
    return tuple({str(reason): reason for reason in reasons}.values())
