"""What the gate says when it cannot judge, and what it says of an order whose instrument changed: word for word."""

from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Inexact, getcontext

import pytest

from btcbot.domain.money import MalformedNumber, amount, parse, round_half_even, use_money_context
from btcbot.domain.orders.intents import Side
from btcbot.risk import gate
from btcbot.risk.gate import form_reasons, market_reasons
from btcbot.risk.reasons import (
    InstrumentChanged,
    InstrumentNotTrading,
    NotionalBelowMin,
    OrderOffGrid,
    Reason,
    RuleFailed,
)
from btcbot.risk.view import RiskView
from tests.unit.domain.builders import BTC_TRY, ETH_TRY, FEE_RATIO, LIMITS, START, intent, market, trading

VIEW = RiskView("BTCTRY", market(), trading(), LIMITS, START, FEE_RATIO)
SELL = intent(Side.SELL, "0.001", "1000000")


def test_an_instrument_that_became_another_is_named_with_both() -> None:
    assert form_reasons(SELL, ETH_TRY) == (InstrumentChanged(BTC_TRY, ETH_TRY),)


def test_a_minimum_is_reached_at_its_very_number() -> None:
    assert form_reasons(SELL, replace(BTC_TRY, notional_min=parse("1000"))) == ()
    assert form_reasons(SELL, replace(BTC_TRY, notional_min=parse("1000.01"))) == (
        NotionalBelowMin(amount("1000 TRY"), amount("1000.01 TRY")),
    )


def test_every_objection_to_a_form_is_given_gravest_first() -> None:
    listed = replace(BTC_TRY, price_step=parse("7"), is_trading=False)
    assert form_reasons(intent(), listed) == (
        OrderOffGrid(parse("1000100"), parse("7"), parse("0.00149985"), BTC_TRY.lot_step),
        InstrumentNotTrading("BTCTRY"),
    )


def test_a_fit_market_has_nothing_against_it() -> None:
    assert market_reasons(VIEW) == ()


def test_a_look_that_breaks_is_a_reason_with_its_name_and_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[RiskView] = []

    def broken_look(view: RiskView) -> Reason | None:
        looked.append(view)
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(gate, "FITNESS", (broken_look, broken_look))
    assert market_reasons(VIEW) == (RuleFailed("broken_look", "ZeroDivisionError: a defect"),)
    assert looked == [VIEW, VIEW]


def test_a_malformed_number_is_shown_by_its_first_forty_characters() -> None:
    assert str(MalformedNumber("1" * 41)).startswith(f"{'1' * 40!r} is not a plain decimal number")


def test_a_grid_without_a_step_is_a_defect() -> None:
    with pytest.raises(AssertionError, match=r"^a grid has a positive step$"):
        round_half_even(parse("1"), parse("0"))


def test_the_money_context_is_exact_to_sixty_digits_and_traps_the_rest() -> None:
    use_money_context()
    context = getcontext()
    assert (context.prec, context.rounding, context.traps[Inexact]) == (60, ROUND_HALF_EVEN, True)
