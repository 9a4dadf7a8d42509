"""What is sold takes its cost out of what was bought: exactly, in order, and never more than there is."""

from decimal import Decimal
from itertools import count
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btcbot.domain.lots import COST_STEP, NO_RATE, AverageCost, FifoLots, LotMethod, Lots, Oversold, lots_by
from btcbot.domain.money import ZERO, divide_down

METHODS = pytest.mark.parametrize("method", list(LotMethod))


class Buy(NamedTuple):
    quantity: Decimal
    price: Decimal
    charges: Decimal

    @property
    def cost(self) -> Decimal:
        return self.quantity * self.price + self.charges


def buy(lots: Lots, number: int, quantity: str, price: str, charges: str = "0", other: str = "0") -> None:
    bought = Buy(Decimal(quantity), Decimal(price), Decimal(charges))
    lots.buy([number], [bought.quantity], [bought.price], [bought.cost], [Decimal(other)])


def test_the_oldest_lot_goes_first_and_a_sale_takes_from_several() -> None:
    lots = FifoLots()
    buy(lots, 1, "1", "100", "1")
    buy(lots, 2, "2", "110", "2")
    sold = lots.sell(Decimal("2.5"))
    assert sold.lots == ((1, Decimal(1)), (2, Decimal("1.5")))
    assert sold.cost == 101 + Decimal("1.5") * 110 + Decimal("1.5")
    left = lots.left()
    assert (lots.quantity, left.cost, left.lots) == (Decimal("0.5"), Decimal("55.5"), ((2, Decimal("0.5")),))


def test_average_cost_is_the_same_for_every_unit_until_the_next_buy() -> None:
    lots = AverageCost()
    buy(lots, 1, "1", "100")
    buy(lots, 2, "1", "110")
    assert lots.sell(Decimal(1)).cost == 105
    buy(lots, 3, "1", "115")
    assert lots.sell(Decimal(1)).cost == 110


@METHODS
def test_what_has_no_exact_part_is_rounded_down_and_the_last_sale_takes_the_rest(method: LotMethod) -> None:
    lots = lots_by(method)
    buy(lots, 1, "3", "0", "0.10000000")
    assert [lots.sell(Decimal(1)).cost for _ in range(3)] == [
        Decimal("0.03333333"), Decimal("0.03333333"), Decimal("0.03333334"),
    ]  # fmt: skip


@METHODS
def test_a_sale_of_more_than_is_held_is_refused_and_changes_nothing(method: LotMethod) -> None:
    lots = lots_by(method)
    buy(lots, 1, "1", "100")
    with pytest.raises(Oversold, match="2 were sold while 1 were held"):
        lots.sell(Decimal(2))
    assert (lots.quantity, lots.left().cost) == (1, 100)


@METHODS
def test_a_cost_without_a_rate_is_no_number_until_it_is_sold(method: LotMethod) -> None:
    lots = lots_by(method)
    lots.buy([1], [Decimal(1)], [Decimal(100)], [Decimal(100)], [NO_RATE])
    assert lots.sell(Decimal(1)).cost_other.is_nan()
    buy(lots, 2, "1", "100", other="2.5")
    assert lots.sell(Decimal(1)).cost_other == Decimal("2.5")


amounts = st.decimals(min_value="0.00000001", max_value="1000", places=8)
prices = st.decimals(min_value="0.01", max_value="5000000", places=2)
charges = st.decimals(min_value="0", max_value="50", places=8)
buys = st.builds(Buy, amounts, prices, charges)
parts = st.fractions(min_value=0, max_value=1)
histories = st.lists(buys | parts, max_size=30)


def part_of(quantity: Decimal, share: object) -> Decimal:
    """Some of a quantity, on its grid."""
    steps = int(quantity / COST_STEP)
    return int(steps * share) * COST_STEP  # type: ignore[operator, no-any-return]


@METHODS
@given(histories)
def test_cost_of_all_sales_and_of_what_is_left_is_all_that_was_paid(method: LotMethod, history: list[object]) -> None:
    lots, numbers = lots_by(method), count(1)
    paid = sold = held = ZERO
    for event in history:
        if isinstance(event, Buy):
            lots.buy([next(numbers)], [event.quantity], [event.price], [event.cost], [event.cost])
            paid, held = paid + event.cost, held + event.quantity
        else:
            quantity = part_of(held, event)
            consumed = lots.sell(quantity)
            assert consumed.cost >= 0
            sold, held = sold + consumed.cost, held - quantity
        left = lots.left()
        assert lots.quantity == held >= 0
        assert sold + left.cost == paid
        assert left.cost > 0 if held else left.cost == 0
        if method is LotMethod.FIFO:
            assert sum((size for _, size in left.lots), start=ZERO) == held
            assert all(size > 0 for _, size in left.lots)


@given(st.lists(buys, min_size=1, max_size=6), st.lists(parts, max_size=6))
def test_how_a_quantity_is_split_over_sales_does_not_change_its_cost(bought: list[Buy], shares: list[object]) -> None:
    for method in LotMethod:
        at_once, in_parts = lots_by(method), lots_by(method)
        for number, each in enumerate(bought):
            for lots in (at_once, in_parts):
                lots.buy([number], [each.quantity], [each.price], [each.cost], [ZERO])
        cost = quantity = ZERO
        for share in shares:
            some = part_of(in_parts.quantity, share)
            cost, quantity = cost + in_parts.sell(some).cost, quantity + some
        assert at_once.sell(quantity).cost == cost


class LotByLot:
    """First in, first out, written down plainly: each sale goes through the lots one after another."""

    def __init__(self) -> None:
        self.lots: list[list[Decimal]] = []  # size, price, cost, cost in the other asset, how much is sold

    def sell(self, quantity: Decimal) -> tuple[Decimal, Decimal, list[tuple[int, Decimal]]]:
        cost, other, taken = ZERO, ZERO, []
        for number, lot in enumerate(self.lots):
            part = min(quantity, lot[0] - lot[4])
            if part:
                before, after = self.sold_of(lot), self.sold_of([*lot[:4], lot[4] + part])
                cost, other = cost + after[0] - before[0], other + after[1] - before[1]
                taken.append((number, part))
                quantity, lot[4] = quantity - part, lot[4] + part
        return cost, other, taken

    @staticmethod
    def sold_of(lot: list[Decimal]) -> tuple[Decimal, Decimal]:
        size, price, cost, other, sold = lot
        if sold == size:
            return cost, other
        charges = divide_down((cost - price * size) * sold, size, COST_STEP)
        return price * sold + charges, divide_down(other * sold, size, COST_STEP)


@given(st.lists(st.lists(buys, min_size=1, max_size=4) | parts, max_size=25))
def test_many_lots_at_once_are_lot_by_lot_to_the_last_digit(history: list[object]) -> None:
    lots, plainly = FifoLots(), LotByLot()
    for event in history:
        if isinstance(event, list):
            numbers = range(len(plainly.lots), len(plainly.lots) + len(event))
            others = [each.charges + COST_STEP for each in event]
            lots.buy(
                numbers, [each.quantity for each in event], [each.price for each in event],
                [each.cost for each in event], others,
            )  # fmt: skip
            plainly.lots += [
                [each.quantity, each.price, each.cost, other, ZERO] for each, other in zip(event, others, strict=True)
            ]
        else:
            quantity = part_of(lots.quantity, event)
            sold = lots.sell(quantity)
            assert (sold.cost, sold.cost_other, list(sold.lots)) == plainly.sell(quantity)
        left = lots.left()
        assert left.lots == tuple(
            (number, lot[0] - lot[4]) for number, lot in enumerate(plainly.lots) if lot[0] > lot[4]
        )
        assert left.cost == sum((lot[2] - plainly.sold_of(lot)[0] for lot in plainly.lots), start=ZERO)
        assert left.cost_other == sum((lot[3] - plainly.sold_of(lot)[1] for lot in plainly.lots), start=ZERO)
