"""What a sold quantity had cost: by lots, first in first out, or by average cost. Exact to the last digit.

Whatever is bought enters with its whole cost (price × quantity, fee and tax), and whatever is sold takes a part of it
out, so that the cost of all sales and the cost of what is left always add up to all that was paid.

A part may have no exact decimal (a third of a fee). It is then rounded down to `COST_STEP`, and always the part that
was taken out of the whole *so far*, never the single sale: how a quantity was split over sales cannot change their sum,
and the last sale out of a whole takes all that is left of it. Beside the cost in quote runs the same cost in another
asset, valued when it was bought; a quiet NaN there means that no rate was known, and stays one in every sum.

Quantities never become negative: who sells more than there is gets `Oversold`, and nothing has changed.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import accumulate
from typing import Protocol

from btcbot.domain.errors import BtcbotError
from btcbot.domain.money import ZERO, divide_down

COST_STEP = Decimal("0.00000001")  # of a quote asset: as fine as the exchange counts fees
NO_RATE = Decimal("NaN")


class LotMethod(StrEnum):
    FIFO = "fifo"
    AVERAGE = "average"


class Oversold(BtcbotError):
    """A sale of more than was bought. Nothing was taken."""

    next_step = "find out where these coins come from: they were neither bought by the bot nor assigned to it"

    def __init__(self, wanted: Decimal, held: Decimal) -> None:
        super().__init__(f"{wanted} were sold while {held} were held")


@dataclass(frozen=True, slots=True)
class Consumed:
    """What a sale took out: its cost in quote and in the other asset, and of which trades' lots it was."""

    cost: Decimal
    cost_other: Decimal
    lots: tuple[tuple[int, Decimal], ...] = ()


class Lots(Protocol):
    """What is held of one instrument."""

    quantity: Decimal

    def buy(
        self,
        trade_ids: Iterable[int],
        quantities: Iterable[Decimal],
        prices: Iterable[Decimal],
        costs: Iterable[Decimal],
        costs_other: Iterable[Decimal],
    ) -> None:
        """Add fills, oldest first. A cost is price × quantity with fee and tax."""
        ...

    def sell(self, quantity: Decimal) -> Consumed:
        """Take a quantity out, or raise `Oversold`."""
        ...

    def left(self) -> Consumed:
        """The cost of all that is held, without taking anything out."""
        ...


class FifoLots:
    """The oldest lot goes first. A column for each number of a lot, so that a sale out of many lots is a few slices."""

    def __init__(self) -> None:
        self.quantity = ZERO
        self._trade_ids: list[int] = []
        self._sizes: list[Decimal] = []
        self._prices: list[Decimal] = []
        self._costs: list[Decimal] = []
        self._costs_other: list[Decimal] = []
        self._edges = [ZERO]  # lot n goes from edge n to edge n + 1 of all that was ever bought
        self._oldest = 0  # lots before this one are gone
        self._sold = ZERO  # of all that was ever bought
        self._used = Consumed(ZERO, ZERO)  # of the oldest lot, by the sales so far

    def buy(
        self,
        trade_ids: Iterable[int],
        quantities: Iterable[Decimal],
        prices: Iterable[Decimal],
        costs: Iterable[Decimal],
        costs_other: Iterable[Decimal],
    ) -> None:
        new = len(self._sizes)
        self._trade_ids += trade_ids
        self._sizes += quantities
        self._prices += prices
        self._costs += costs
        self._costs_other += costs_other
        self._edges += accumulate(self._sizes[new:], initial=self._edges.pop())
        self.quantity = self._edges[-1] - self._sold

    def sell(self, quantity: Decimal) -> Consumed:
        if quantity > self.quantity:
            raise Oversold(quantity, self.quantity)
        self.quantity -= quantity
        self._sold += quantity
        already = self._sold - quantity - self._edges[self._oldest]
        first, self._oldest = self._oldest, bisect_right(self._edges, self._sold, self._oldest + 1) - 1
        gone = slice(first, self._oldest)
        taken = list(zip(self._trade_ids[gone], self._sizes[gone], strict=True))
        cost = sum(self._costs[gone], start=-self._used.cost)
        other = sum(self._costs_other[gone], start=-self._used.cost_other)
        if taken and already:
            taken[0] = (taken[0][0], taken[0][1] - already)
            already = ZERO
        # Counted from the start of the oldest lot, as if this sale had taken all that earlier ones took of it.
        wanted = self._sold - self._edges[self._oldest]
        self._used = self._part_of_oldest(wanted) if wanted else Consumed(ZERO, ZERO)
        if wanted > already:
            taken.append((self._trade_ids[self._oldest], wanted - already))
        self._forget()
        return Consumed(cost + self._used.cost, other + self._used.cost_other, tuple(taken))

    def left(self) -> Consumed:
        sizes = self._sizes[self._oldest :]
        if sizes:
            sizes[0] -= self._sold - self._edges[self._oldest]
        return Consumed(
            sum(self._costs[self._oldest :], start=-self._used.cost),
            sum(self._costs_other[self._oldest :], start=-self._used.cost_other),
            tuple(zip(self._trade_ids[self._oldest :], sizes, strict=True)),
        )

    def _part_of_oldest(self, quantity: Decimal) -> Consumed:
        lot = self._oldest
        size, price, cost = self._sizes[lot], self._prices[lot], self._costs[lot]
        return Consumed(
            price * quantity + divide_down((cost - price * size) * quantity, size, COST_STEP),
            divide_down(self._costs_other[lot] * quantity, size, COST_STEP),
        )

    def _forget(self) -> None:
        """Drop the lots that are gone once they are the most, so that memory and time go with what is held."""
        if 2 * self._oldest <= len(self._sizes):
            return
        for column in (self._trade_ids, self._sizes, self._prices, self._costs, self._costs_other, self._edges):
            del column[: self._oldest]
        self._oldest = 0


class AverageCost:
    """Everything held cost the same per unit. What is rounded off stays in the pool, and its last sale takes it."""

    def __init__(self) -> None:
        self.quantity = ZERO
        self._pool = ZERO  # quantity and cost when something was last bought: sales since then take parts of it
        self._cost = ZERO
        self._cost_other = ZERO
        self._used = Consumed(ZERO, ZERO)

    def buy(
        self,
        trade_ids: Iterable[int],
        quantities: Iterable[Decimal],
        prices: Iterable[Decimal],
        costs: Iterable[Decimal],
        costs_other: Iterable[Decimal],
    ) -> None:
        self.quantity += sum(quantities, start=ZERO)
        self._pool = self.quantity
        self._cost = sum(costs, start=self._cost - self._used.cost)
        self._cost_other = sum(costs_other, start=self._cost_other - self._used.cost_other)
        self._used = Consumed(ZERO, ZERO)

    def sell(self, quantity: Decimal) -> Consumed:
        if quantity > self.quantity:
            raise Oversold(quantity, self.quantity)
        self.quantity -= quantity
        before = self._used
        if self.quantity == 0:
            after = Consumed(self._cost, self._cost_other)
            self._pool = self._cost = self._cost_other = ZERO
            self._used = Consumed(ZERO, ZERO)
        else:
            sold = self._pool - self.quantity
            after = self._used = Consumed(
                divide_down(self._cost * sold, self._pool, COST_STEP),
                divide_down(self._cost_other * sold, self._pool, COST_STEP),
            )
        return Consumed(after.cost - before.cost, after.cost_other - before.cost_other)

    def left(self) -> Consumed:
        return Consumed(self._cost - self._used.cost, self._cost_other - self._used.cost_other)


def lots_by(method: LotMethod) -> Lots:
    """Empty lots."""
    return FifoLots() if method is LotMethod.FIFO else AverageCost()
