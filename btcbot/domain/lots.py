"""What a sold quantity had cost: by lots, first in first out, or by average cost. Exact to the last digit.

Whatever is bought enters with its whole cost (price × quantity, fee and tax), and whatever is sold takes a part of it
out, so that the cost of all sales and the cost of what is left always add up to all that was paid.

A part may have no exact decimal (a third of a fee). It is then rounded down to `COST_STEP`, and always the part that
was taken out of the whole *so far*, never the single sale: how a quantity was split over sales cannot change their sum,
and the last sale out of a whole takes all that is left of it. Beside the cost in quote runs the same cost in another
asset, valued when it was bought; a quiet NaN there means that no rate was known, and stays one in every sum.

Quantities never become negative: who sells more than there is gets `Oversold`, and nothing has changed.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
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
    """The oldest lot goes first."""

    def __init__(self) -> None:
        self.quantity = ZERO
        self._lots: deque[tuple[int, Decimal, Decimal, Decimal, Decimal]] = deque()
        self._used = Consumed(ZERO, ZERO)  # of the oldest lot, by the sales so far
        self._used_quantity = ZERO

    def buy(
        self,
        trade_ids: Iterable[int],
        quantities: Iterable[Decimal],
        prices: Iterable[Decimal],
        costs: Iterable[Decimal],
        costs_other: Iterable[Decimal],
    ) -> None:
        quantities = tuple(quantities)
        self._lots.extend(zip(trade_ids, quantities, prices, costs, costs_other, strict=False))
        self.quantity += sum(quantities, start=ZERO)

    def sell(self, quantity: Decimal) -> Consumed:
        if quantity > self.quantity:
            raise Oversold(quantity, self.quantity)
        self.quantity -= quantity
        lots = self._lots
        # Counted from the start of the oldest lot, as if this sale had taken all that earlier ones took of it.
        wanted = quantity + self._used_quantity
        cost, other = -self._used.cost, -self._used.cost_other
        already, taken = self._used_quantity, []
        while lots and lots[0][1] <= wanted:
            trade_id, size, _, lot_cost, lot_other = lots.popleft()
            cost += lot_cost
            other += lot_other
            wanted -= size
            if already:
                size, already = size - already, ZERO
            taken.append((trade_id, size))
        self._used, self._used_quantity = Consumed(ZERO, ZERO), wanted
        if wanted:
            trade_id, size, price, lot_cost, lot_other = lots[0]
            charges = lot_cost - price * size
            self._used = Consumed(
                price * wanted + divide_down(charges * wanted, size, COST_STEP),
                divide_down(lot_other * wanted, size, COST_STEP),
            )
            cost += self._used.cost
            other += self._used.cost_other
            if wanted > already:
                taken.append((trade_id, wanted - already))
        return Consumed(cost, other, tuple(taken))

    def left(self) -> Consumed:
        lots = self._lots
        return Consumed(
            sum((lot[3] for lot in lots), start=-self._used.cost),
            sum((lot[4] for lot in lots), start=-self._used.cost_other),
            tuple(
                (lot[0], lot[1] - (ZERO if number else self._used_quantity)) for number, lot in enumerate(lots)
            ),
        )  # fmt: skip


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
