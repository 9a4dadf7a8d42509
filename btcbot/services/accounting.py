"""From fills to books: what each pair earned, in which period, and what it still holds. Recomputed from the first fill.

Fills come in columns and are worked on in runs of one pair, side and period: the sums are the same as fill by fill,
and a long history takes seconds. Each amount is kept in the pair's quote and, valued at the moment
of its fill, in the other one of TRY and USDT.
"""

from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import accumulate, compress, groupby, repeat
from operator import add, itemgetter, mul, not_, sub
from typing import Any, NamedTuple

from btcbot.domain.lots import COST_STEP, NO_RATE, Consumed, LotMethod, Lots, lots_by
from btcbot.domain.money import ZERO, Asset, divide_down, divide_each_half_even, divide_half_even
from btcbot.domain.orders.intents import Side
from btcbot.domain.periods import Calendar
from btcbot.domain.times import iso_utc
from btcbot.persistence.sqlite.reading import AssignedLot, FillColumns
from btcbot.services.report_rates import Rates

TRY, USDT = Asset("TRY"), Asset("USDT")
ONE = Decimal(1)


class Run(NamedTuple):
    """Fills of one pair and one side, a column each, oldest first."""

    trade_ids: Sequence[int]
    quantities: Sequence[Decimal]
    prices: Sequence[Decimal]
    gross: Sequence[Decimal]  # price × quantity
    charges: Sequence[Decimal]  # fee and tax, as the exchange took them
    rates: Sequence[Decimal]  # TRY per USDT

    def part(self, start: int, end: int) -> "Run":
        return Run(
            self.trade_ids[start:end],
            self.quantities[start:end],
            self.prices[start:end],
            self.gross[start:end],
            self.charges[start:end],
            self.rates[start:end],
        )

    def only(self, chosen: Sequence[bool]) -> "Run":
        return Run(
            list(compress(self.trade_ids, chosen)),
            list(compress(self.quantities, chosen)),
            list(compress(self.prices, chosen)),
            list(compress(self.gross, chosen)),
            list(compress(self.charges, chosen)),
            list(compress(self.rates, chosen)),
        )


@dataclass(slots=True)
class Totals:
    """What one pair did in one period. Turnover, fees and taxes in TRY, results in its quote."""

    fills: int = 0
    bought: Decimal = ZERO  # price × quantity
    sold: Decimal = ZERO
    fees: Decimal = ZERO
    taxes: Decimal = ZERO  # taken by the exchange with each fill
    realised: Decimal = ZERO
    realised_other: Decimal = ZERO
    oversold: Decimal = ZERO  # base that was sold without having been bought
    oversold_proceeds: Decimal = ZERO  # what that brought; in no result, for nobody knows what it had cost


class Holding(NamedTuple):
    """What a pair held at the end of a period, and what that had cost."""

    quantity: Decimal
    cost: Decimal
    cost_other: Decimal
    last_price: Decimal  # of its last fill
    last_time: str


class Sale(NamedTuple):
    """What sales came to: of what was held, the result; of the rest, what it brought."""

    quantity: Decimal  # all of it
    consumed: Consumed
    proceeds: Decimal  # after fee, tax and tax due
    proceeds_other: Decimal
    tax_due: Decimal
    oversold: Decimal = ZERO
    oversold_proceeds: Decimal = ZERO

    @property
    def realised(self) -> Decimal:
        return self.proceeds - self.consumed.cost

    @property
    def realised_other(self) -> Decimal:
        return self.proceeds_other - self.consumed.cost_other


@dataclass(slots=True)
class PairBook:
    """One pair: its lots, its totals by period, and what it held at the end of each period in which it traded."""

    pair: str
    base: Asset
    quote: Asset
    lots: Lots
    tax_rate: Decimal
    totals: dict[str, Totals] = field(default_factory=dict)
    holdings: dict[str | None, Holding] = field(default_factory=dict)
    moved: Decimal = ZERO  # base: all that was bought less all that was sold
    flow: Decimal = ZERO  # quote: all that sales brought less all that buys took, without fees and taxes
    fees: Decimal = ZERO  # quote, all of them
    taxes: Decimal = ZERO
    last_price: Decimal = ZERO
    last_time: str = ""
    _period: str | None = None

    def buy(self, run: Run) -> Sequence[Decimal]:
        """Add lots; returns what each of them cost."""
        costs = list(map(add, run.gross, run.charges))
        self.lots.buy(run.trade_ids, run.quantities, run.prices, costs, self._in_other(costs, run.rates))
        return costs

    def sell(self, run: Run) -> Sale:
        """Sell what is held; where that is less than the run, the first fills are covered and the last are not."""
        quantity = sum(run.quantities, start=ZERO)
        if quantity > self.lots.quantity:
            return self._sell_uncovered(run, quantity)
        due, proceeds, other = self._proceeds(run)
        return Sale(quantity, self.lots.sell(quantity), proceeds, other, due)

    def turn(self, period: str | None) -> Totals:
        """The totals of the period that begins or goes on. Of what lies before all periods, nobody asks."""
        if period != self._period:
            if self.last_time:
                self.close()
            self._period = period
        return Totals() if period is None else self.totals.setdefault(period, Totals())

    def close(self) -> None:
        """Note what is held at the end of the period."""
        left = self.lots.left()
        self.holdings[self._period] = Holding(
            self.lots.quantity, left.cost, left.cost_other, self.last_price, self.last_time
        )

    def charge(
        self, totals: Totals, fees: Sequence[Decimal], taxes: Sequence[Decimal], rates: Sequence[Decimal]
    ) -> None:
        """Add up what the exchange took."""
        fee, tax = sum(fees, start=ZERO), sum(taxes, start=ZERO)
        self.fees += fee
        self.taxes += tax
        totals.fees += self.in_try(fee, fees, rates)
        totals.taxes += self.in_try(tax, taxes, rates)

    def in_try(self, total: Decimal, amounts: Sequence[Decimal], rates: Sequence[Decimal]) -> Decimal:
        """Amounts of the quote, and their total, in TRY."""
        return total if self.quote == TRY else sum(self._in_other(amounts, rates), start=ZERO)

    @property
    def holding(self) -> Holding:
        """What is held after the last fill."""
        return self.holdings[self._period]

    def held_at_end_of(self, period: str) -> Holding | None:
        """The holding at the end of the last period by then that saw a fill; nothing before the first one."""
        known = [name for name in self.holdings if name is None or name <= period]
        return self.holdings[max(known, key=lambda name: name or "")] if known else None

    def _proceeds(self, run: Run) -> tuple[Decimal, Decimal, Decimal]:
        gross = sum(run.gross, start=ZERO)
        due = gross * self.tax_rate
        proceeds = gross - sum(run.charges, start=ZERO) - due
        if not _is_any_known(run.rates):
            return due, proceeds, NO_RATE
        kept = map(mul, run.gross, repeat(ONE - self.tax_rate)) if self.tax_rate else run.gross
        net = list(map(sub, kept, run.charges))
        return due, proceeds, sum(self._in_other(net, run.rates), start=ZERO)

    def _sell_uncovered(self, run: Run, quantity: Decimal) -> Sale:
        held = self.lots.quantity
        covered = list(_covered(run.quantities, held))
        charges = [
            divide_down(charge * part, size, COST_STEP) if part < size else charge
            for charge, part, size in zip(run.charges, covered, run.quantities, strict=True)
        ]
        part_due, proceeds, other = self._proceeds(
            run._replace(quantities=covered, gross=list(map(mul, run.prices, covered)), charges=charges)
        )
        due, everything, _ = self._proceeds(run)
        uncovered = everything - proceeds - (due - part_due)
        return Sale(quantity, self.lots.sell(held), proceeds, other, due, quantity - held, uncovered + (due - part_due))

    def _in_other(self, amounts: Sequence[Decimal], rates: Sequence[Decimal]) -> list[Decimal]:
        """Amounts of the quote, each at its rate, in the other one of TRY and USDT."""
        if not _is_any_known(rates):
            return [NO_RATE] * len(amounts)
        if self.quote == TRY:
            return divide_each_half_even(amounts, rates, COST_STEP)
        return [self.in_other(amount, rate) for amount, rate in zip(amounts, rates, strict=True)]

    def in_other(self, amount: Decimal, rate: Decimal) -> Decimal:
        """One amount of the quote in the other one of TRY and USDT; no number where there is no rate."""
        if self.quote == TRY:
            return divide_half_even(amount, rate, COST_STEP)
        return divide_half_even(amount * rate, ONE, COST_STEP) if self.quote == USDT else NO_RATE


class Accountant:
    """Takes all fills in their order and keeps a book of each pair."""

    def __init__(
        self,
        calendar: Calendar,
        method: LotMethod,
        tax_rate: Decimal,
        rates: Rates,
        assets_of: Callable[[int], tuple[Asset, Asset]],
        assigned: Iterable[AssignedLot] = (),
    ) -> None:
        """`assigned` are taken in between the fills, at their times."""
        self.books: dict[str, PairBook] = {}
        self.ends: dict[str, datetime] = {}  # of the periods that were traded in
        self._calendar = calendar
        self._method = method
        self._tax_rate = tax_rate
        self._rates = rates
        self._assets_of = assets_of
        self._assigned = deque(assigned)

    def take(self, fills: FillColumns) -> None:
        start, rates = 0, self._rates.column(fills.times)
        while start < len(fills.times):
            end = len(fills.times)
            if self._assigned:
                end = bisect_left(fills.times, self._assigned[0].at, start)
            self._take_part(fills, rates, start, end)
            if end < len(fills.times):
                self.assign(self._assigned.popleft())
            start = end

    def due_before(self, time: str) -> Iterator[AssignedLot]:
        """The assignments up to a moment that were not taken yet; each has to be given to `assign`."""
        while self._assigned and self._assigned[0].at <= time:
            yield self._assigned.popleft()

    def assign(self, lot: AssignedLot) -> tuple[PairBook, Sequence[Decimal]]:
        """Coins that came without a fill: a lot at the price that they were counted as, and no turnover."""
        if lot.pair not in self.books:
            self.books[lot.pair] = PairBook(lot.pair, lot.base, lot.quote, lots_by(self._method), self._tax_rate)
        book = self.books[lot.pair]
        period = self._calendar.period(datetime.fromisoformat(lot.at))
        if period.name is not None:
            self.ends[period.name] = period.ends_at
        book.turn(period.name)
        gross = lot.price * lot.quantity
        run = Run((-lot.number,), (lot.quantity,), (lot.price,), (gross,), (ZERO,), self._rates.column((lot.at,)))
        costs = book.buy(run)
        book.last_price, book.last_time = lot.price, lot.at
        return book, costs

    def rate_at(self, time: str) -> Decimal:
        """TRY per USDT."""
        return self._rates.at(time)

    def _take_part(self, fills: FillColumns, rates: Sequence[Decimal], start: int, end: int) -> None:
        places: dict[str, list[int]] = defaultdict(list)
        for place, pair in enumerate(fills.pairs[start:end], start=start):
            places[pair].append(place)
        for pair, own in places.items():
            self._take_pair(self.book(pair, fills.trade_ids[own[0]]), fills, rates, own)

    def book(self, pair: str, trade_id: int) -> PairBook:
        """The pair's book; a new one learns from the fill which assets it is of."""
        if pair not in self.books:
            self.books[pair] = PairBook(pair, *self._assets_of(trade_id), lots_by(self._method), self._tax_rate)
        return self.books[pair]

    def close(self) -> None:
        """After the last fill."""
        while self._assigned:
            self.assign(self._assigned.popleft())
        for book in self.books.values():
            book.close()

    def _take_pair(self, book: PairBook, fills: FillColumns, rates: Sequence[Decimal], places: Sequence[int]) -> None:
        pick: Callable[[Sequence[Any]], Sequence[Any]] = (
            itemgetter(*places) if len(places) > 1 else lambda column: (column[places[0]],)
        )
        times, sides = pick(fills.times), pick(fills.sides)
        quantities, prices = list(map(Decimal, pick(fills.quantities))), list(map(Decimal, pick(fills.prices)))
        fees, taxes = list(map(Decimal, pick(fills.fees))), list(map(Decimal, pick(fills.taxes)))
        columns = Run(
            pick(fills.trade_ids), quantities, prices, list(map(mul, prices, quantities)), list(map(add, fees, taxes)),
            pick(rates),
        )  # fmt: skip
        for period, start, end in self._periods(times):
            totals = book.turn(period)
            totals.fills += end - start
            own = columns.part(start, end)
            book.charge(totals, fees[start:end], taxes[start:end], own.rates)
            for is_buy, run in self._runs(book, own, sides[start:end]):
                _book_run(book, totals, run, is_buy=is_buy)
            book.last_price, book.last_time = prices[end - 1], times[end - 1]

    def _runs(self, book: PairBook, fills: Run, sides: Sequence[str]) -> Iterator[tuple[bool, Run]]:
        """Runs of one side. First in, first out, it makes no difference when a lot was sold, only that it was there."""
        is_buy = list(map(Side.BUY.value.__eq__, sides))
        if self._method is LotMethod.FIFO and _never_oversold(book.lots.quantity, fills.quantities, is_buy):
            for side, chosen in ((True, is_buy), (False, list(map(not_, is_buy)))):
                if any(chosen):
                    yield side, fills.only(chosen)
            return
        start = 0
        for side, group in groupby(is_buy):
            end = start + sum(1 for _ in group)
            yield side, fills.part(start, end)
            start = end

    def _periods(self, times: Sequence[str]) -> Iterator[tuple[str | None, int, int]]:
        start = 0
        while start < len(times):
            period = self._calendar.period(datetime.fromisoformat(times[start]))
            end = bisect_left(times, iso_utc(period.ends_at), start)
            if period.name is not None:
                self.ends[period.name] = period.ends_at
            yield period.name, start, end
            start = end


def _book_run(book: PairBook, totals: Totals, run: Run, *, is_buy: bool) -> None:
    gross = sum(run.gross, start=ZERO)
    if is_buy:
        held = book.lots.quantity
        book.buy(run)
        book.moved += book.lots.quantity - held
        book.flow -= gross
        totals.bought += book.in_try(gross, run.gross, run.rates)
        return
    sale = book.sell(run)
    book.moved -= sale.quantity
    book.flow += gross
    totals.sold += book.in_try(gross, run.gross, run.rates)
    totals.realised += sale.realised
    totals.realised_other += sale.realised_other
    totals.oversold += sale.oversold
    totals.oversold_proceeds += sale.oversold_proceeds


def _never_oversold(held: Decimal, quantities: Sequence[Decimal], is_buy: Sequence[bool]) -> bool:
    """Whether no sale finds less than it sells, at its moment."""
    if sum(compress(quantities, map(not_, is_buy)), start=ZERO) <= held:
        return True
    changes = [quantity if bought else -quantity for quantity, bought in zip(quantities, is_buy, strict=True)]
    return min(accumulate(changes, initial=held)) >= 0


def _is_any_known(rates: Sequence[Decimal]) -> bool:
    return rates.count(NO_RATE) < len(rates)


def _covered(quantities: Sequence[Decimal], held: Decimal) -> Iterator[Decimal]:
    """How much of each is covered by what is held, first come first served."""
    for quantity in quantities:
        covered = min(quantity, held)
        held -= covered
        yield covered
