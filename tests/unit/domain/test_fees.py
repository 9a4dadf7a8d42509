"""What is planned with: the worst published rate until enough fills have shown a lower one, a higher one at once."""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btcbot.domain.fees import FILLS_KEPT, FILLS_MIN, RATIO_STEP, WORST_PUBLISHED, FeesPaid, paid_ratio
from btcbot.domain.money import Price, Quantity, Ratio, round_half_even, use_money_context
from btcbot.domain.orders.evidence import Fill
from btcbot.domain.orders.intents import Side
from btcbot.domain.state import FillBooked, TradingState, apply
from tests.unit.domain.builders import START, TRY

PUBLISHED = WORST_PUBLISHED[TRY]
EIGHT = Decimal("0.00000001")


def fill(fee: str, tax: str, price: str = "1000", quantity: str = "1") -> Fill:
    return Fill(
        1, 2, None, "BTCTRY", Side.BUY, Price(Decimal(price)), Quantity(Decimal(quantity)), Decimal(fee), Decimal(tax),
        START,
    )  # fmt: skip


def paying(*ratios: str) -> FeesPaid:
    paid = FeesPaid()
    for ratio in ratios:
        paid = paid.after(fill(str(Decimal(ratio) * 1000), "0"))
    return paid


@pytest.mark.parametrize(
    ("fee", "tax", "price", "quantity", "ratio"),
    [
        ("0.19098258", "0.03437687", "313000", "0.0004", "0.0018"),  # sold 2021, from the samples of the protocol
        ("1.6", "0.32", "1000", "1", "0.00192"),
        ("0", "0", "1000", "1", "0"),  # a coupon
        ("0.00000001", "0.00000001", "0.001", "0.001", "0"),  # nothing but rounding
    ],
)
def test_fee_and_tax_together_are_what_a_fill_paid(fee: str, tax: str, price: str, quantity: str, ratio: str) -> None:
    assert paid_ratio(fill(fee, tax, price, quantity)) == Decimal(ratio)


@given(
    st.decimals(min_value="0.01", max_value=100_000, places=4),
    st.decimals(min_value="0.0001", max_value=1_000, places=4),
    st.sampled_from(["0.0024", "0.0021", "0.0014", "0.0001", "0"]),
)
def test_a_rate_charged_with_eight_decimals_is_read_back(price: Decimal, quantity: Decimal, rate: str) -> None:
    """From trades of a few lira on, to the step; below, rounding is larger than the fee."""
    use_money_context()
    cost = price * quantity * Decimal(rate)
    charged = replace(
        fill("0", "0"), price=Price(price), quantity=Quantity(quantity),
        fee=round_half_even(cost * Decimal("0.8"), EIGHT), tax=round_half_even(cost * Decimal("0.2"), EIGHT),
    )  # fmt: skip
    if charged.notional >= 1:
        assert paid_ratio(charged) == Decimal(rate)
    else:
        assert paid_ratio(charged) <= Decimal(rate) + RATIO_STEP


def test_before_any_fill_the_worst_published_rate_is_planned_with() -> None:
    assert FeesPaid().planning_ratio(PUBLISHED) == PUBLISHED == Decimal("0.0024")


def test_a_lower_rate_counts_once_enough_fills_paid_it() -> None:
    assert paying(*["0.0018"] * (FILLS_MIN - 1)).planning_ratio(PUBLISHED) == PUBLISHED
    assert paying(*["0.0018"] * FILLS_MIN).planning_ratio(PUBLISHED) == Decimal("0.0018")


def test_a_higher_rate_counts_at_once_and_stays_as_long_as_it_is_remembered() -> None:
    assert paying("0.003").planning_ratio(PUBLISHED) == Decimal("0.003")
    assert paying("0.003", *["0.0018"] * (FILLS_KEPT - 1)).planning_ratio(PUBLISHED) == Decimal("0.003")
    assert paying("0.003", *["0.0018"] * FILLS_KEPT).planning_ratio(PUBLISHED) == Decimal("0.0018")


def test_makers_fills_among_takers_do_not_lower_it() -> None:
    assert paying(*["0.0012", "0.0024"] * FILLS_MIN).planning_ratio(Ratio(Decimal(0))) == Decimal("0.0024")


@pytest.mark.parametrize("ratio", ["0", "0.0006", "0.0012"])
def test_makers_fills_and_coupons_alone_do_not_lower_it_for_the_next_order_may_take(ratio: str) -> None:
    assert paying(*[ratio] * FILLS_KEPT).planning_ratio(PUBLISHED) == PUBLISHED
    takers = ["0.0021"] * FILLS_MIN
    assert paying(*takers, *[ratio] * (FILLS_KEPT - FILLS_MIN)).planning_ratio(PUBLISHED) == Decimal("0.0021")
    assert paying(*takers, *[ratio] * FILLS_KEPT).planning_ratio(PUBLISHED) == PUBLISHED


@given(
    st.lists(st.sampled_from(["0", "0.0001", "0.0012"]), max_size=FILLS_KEPT),
    st.sampled_from(["0.0024", "0.0021", "0.0015"]),
    st.integers(min_value=0, max_value=FILLS_KEPT),
)
def test_a_taker_never_pays_more_than_was_planned_with(makers: list[str], rate: str, takers: int) -> None:
    """Whatever mixture came before, in whatever order: the plan covers the taker's rate of this account."""
    use_money_context()
    assert paying(*[rate] * takers, *makers).planning_ratio(PUBLISHED) >= Decimal(rate)


@given(st.lists(st.sampled_from(["0.0001", "0.0012", "0.0024", "0.004"]), max_size=150))
def test_what_is_planned_is_never_less_than_what_the_last_fill_paid(ratios: list[str]) -> None:
    use_money_context()
    planned = paying(*ratios).planning_ratio(PUBLISHED)
    assert planned >= Decimal(ratios[-1] if ratios else "0.0024")


def test_a_restart_that_books_the_same_fills_plans_with_the_same_rate() -> None:
    def booked(fills: Iterable[Fill]) -> TradingState:
        state = TradingState(TRY)
        for each in fills:
            state = apply(state, FillBooked(each))
        return state

    fills = [fill("1.5", "0.3") for _ in range(FILLS_MIN)]
    assert booked(fills).fees == booked(fills).fees
    assert booked(fills).fees.planning_ratio(PUBLISHED) == Decimal("0.0018")
