"""What trading earned, for a person: by pair or by day, month or year in Istanbul, in TRY with USDT beside it.

A report is computed from the fills alone, from the first one on, and then held against the ledger of the database: the
two were booked together, so a difference means that one of them was changed.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from btcbot.domain.errors import UsageError
from btcbot.domain.ledger import EntryKind
from btcbot.domain.lots import LotMethod
from btcbot.domain.money import ZERO, Asset, MalformedNumber, parse
from btcbot.domain.periods import Calendar, Grouping
from btcbot.domain.times import iso_utc
from btcbot.persistence.sqlite.reading import Records, StoredPrice, open_records
from btcbot.services.accounting import TRY, Accountant, Holding, PairBook, Totals
from btcbot.services.report_rates import Rates, rates_of

BOOKS_ROWS_MAX = 1_000_000  # of the ledger, compared without being asked to: about two seconds
FROM_FILLS = frozenset({EntryKind.TRADE, EntryKind.FEE, EntryKind.TAX})


@dataclass(frozen=True, slots=True)
class ReportWish:
    """What a person asked for."""

    database: Path
    calendar: Calendar
    method: LotMethod = LotMethod.FIFO
    tax_rate: Decimal = ZERO
    rates_file: Path | None = None
    compare_books: bool = False  # even a ledger of more than `BOOKS_ROWS_MAX` rows


def read_wish(
    database: Path, *, by: str, first: date | None, last: date | None, method: str, tax_rate: str,
    rates_file: Path | None, compare_books: bool,
) -> ReportWish:  # fmt: skip
    """What was typed, in our own words. Raises `UsageError` for what is none of them."""
    if by not in set(Grouping):
        raise UsageError(f"--by is one of {', '.join(Grouping)}")
    if method not in set(LotMethod):
        raise UsageError(f"--method is one of {', '.join(LotMethod)}")
    if first is not None and last is not None and last < first:
        raise UsageError("--to lies before --from")
    try:
        rate = parse(tax_rate)
    except MalformedNumber as error:
        raise UsageError(f"--tax-rate {tax_rate[:40]!r} is not a fraction as in 0.0003") from error
    if not 0 <= rate < 1:
        raise UsageError("--tax-rate is a fraction from 0 to below 1: 0.0003 is 0.03 percent of a sale")
    return ReportWish(database, Calendar(Grouping(by), first, last), LotMethod(method), rate, rates_file, compare_books)


@dataclass(frozen=True, slots=True)
class Money:
    """One amount in both views. A NaN is an amount without a rate."""

    in_try: Decimal
    in_usdt: Decimal

    def __add__(self, other: "Money") -> "Money":
        return Money(self.in_try + other.in_try, self.in_usdt + other.in_usdt)


NO_MONEY = Money(ZERO, ZERO)


@dataclass(frozen=True, slots=True)
class Line:
    """One pair, one period, or all of them together."""

    name: str
    fills: int
    bought: Decimal  # price × quantity, in TRY
    sold: Decimal
    fees: Decimal
    taxes: Decimal  # taken by the exchange, and due at the rate that was asked for
    realised: Money
    unrealised: Money  # at the end of the period


@dataclass(frozen=True, slots=True)
class Position:
    """What is held of one pair at the end, and what it would bring."""

    pair: str
    quantity: Decimal
    cost: Money
    mark: Decimal
    mark_from: str  # a snapshot or the last fill
    mark_at: datetime
    unrealised: Money


@dataclass(frozen=True, slots=True)
class Oversold:
    """Sales without a known cost: in no result."""

    pair: str
    base: Asset
    quote: Asset
    quantity: Decimal
    proceeds: Decimal


@dataclass(frozen=True, slots=True)
class BooksDiffer:
    """One kind of entry of one asset: what the fills say and what the ledger says."""

    kind: EntryKind
    asset: Asset
    fills: Decimal
    ledger: Decimal

    def __str__(self) -> str:
        off = self.ledger - self.fills
        return f"{self.kind} {self.asset}: {self.fills:f} from fills, {self.ledger:f} in the ledger, off by {off:f}"


@dataclass(frozen=True, slots=True)
class Report:
    wish: ReportWish
    made_at: datetime
    db_uuid: str
    fills: int
    first_at: str
    last_at: str
    rates: str  # where they come from
    lines: tuple[Line, ...]
    total: Line
    positions: tuple[Position, ...]
    oversold: tuple[Oversold, ...]
    ledger: Mapping[Asset, Mapping[EntryKind, Decimal]]
    differences: tuple[BooksDiffer, ...]
    are_books_compared: bool

    @property
    def is_in_order(self) -> bool:
        """Whether the books agree as far as they were compared, and nothing was sold that was not there."""
        return not self.differences and not self.oversold


def make_report(wish: ReportWish, now: datetime) -> Report:
    """Read the database and work out what was asked for. Raises what `open_records` raises; writes nothing."""
    records = open_records(wish.database)
    rates = rates_of(records, wish.rates_file)
    until = wish.calendar.ends_at
    accountant = Accountant(
        wish.calendar, wish.method, wish.tax_rate, rates, records.assets, records.assigned(until)
    )  # fmt: skip
    seen, first_at, last_at = 0, "", ""
    for fills in records.fills(until):
        accountant.take(fills)
        seen, first_at, last_at = seen + len(fills.times), first_at or fills.times[0], fills.times[-1]
    accountant.close()
    books = sorted(accountant.books.values(), key=lambda book: book.pair)
    valuer = _Valuer(records, rates)
    positions = valuer.positions(books, until)
    if wish.calendar.grouping is Grouping.PAIR:
        lines = [
            _line(book.pair, [(book, totals)], position.unrealised, wish.tax_rate)
            for book, position in zip(books, positions, strict=True)
            for totals in book.totals.values()
        ]
    else:
        lines = [
            _line(
                name,
                [(book, book.totals[name]) for book in books if name in book.totals],
                valuer.unrealised(books, name, accountant.ends[name]),
                wish.tax_rate,
            )
            for name in sorted(accountant.ends)
        ]
    everything = [(book, totals) for book in books for totals in book.totals.values()]
    unrealised = sum((position.unrealised for position in positions), start=NO_MONEY)
    is_compared = wish.compare_books or records.ledger_rows <= BOOKS_ROWS_MAX
    sums = records.ledger_sums(until) if is_compared else {}
    return Report(
        wish, now, records.db_uuid, seen, first_at, last_at, rates.source, tuple(lines),
        _line("total", everything, unrealised, wish.tax_rate),
        tuple(position for position in positions if position.quantity), tuple(_oversold(books)), _by_asset(sums),
        tuple(_differences(books, sums)) if is_compared else (), is_compared,
    )  # fmt: skip


class _Valuer:
    """What holdings would bring at a moment: at the last stored mid by then, or at a newer fill's price.

    In the other one of TRY and USDT, the mark counts at the rate of its own time.
    """

    def __init__(self, records: Records, rates: Rates) -> None:
        self._records = records
        self._rates = rates

    def positions(self, books: Sequence[PairBook], at: datetime | None) -> list[Position]:
        return self._values([(book, book.holding) for book in books], at)

    def unrealised(self, books: Sequence[PairBook], period: str, at: datetime) -> Money:
        """The result that was open at the end of a period."""
        held = [(book, holding) for book in books if (holding := book.held_at_end_of(period)) is not None]
        return sum((position.unrealised for position in self._values(held, at)), start=NO_MONEY)

    def _values(self, held: Sequence[tuple[PairBook, Holding]], at: datetime | None) -> list[Position]:
        marks = self._records.marks([book.pair for book, holding in held if holding.quantity], at)
        return [self._value(book, holding, marks.get(book.pair)) for book, holding in held]

    def _value(self, book: PairBook, holding: Holding, mark: StoredPrice | None) -> Position:
        last_fill_at = datetime.fromisoformat(holding.last_time)
        source = "snapshot"
        if mark is None or mark.at < last_fill_at:
            mark, source = StoredPrice(holding.last_price, last_fill_at), "last fill"
        value = holding.quantity * mark.price
        unrealised = NO_MONEY
        if holding.quantity:
            other = book.in_other(value, self._rates.at(iso_utc(mark.at))) - holding.cost_other
            unrealised = _money(book, value - holding.cost, other)
        cost = _money(book, holding.cost, holding.cost_other)
        return Position(book.pair, holding.quantity, cost, mark.price, source, mark.at, unrealised)


def _line(name: str, parts: Sequence[tuple[PairBook, Totals]], unrealised: Money, tax_rate: Decimal) -> Line:
    totals = [each for _, each in parts]
    sold = sum((each.sold for each in totals), start=ZERO)
    return Line(
        name, sum(each.fills for each in totals), sum((each.bought for each in totals), start=ZERO), sold,
        sum((each.fees for each in totals), start=ZERO),
        sum((each.taxes for each in totals), start=sold * tax_rate),
        sum((_money(book, each.realised, each.realised_other) for book, each in parts), start=NO_MONEY), unrealised,
    )  # fmt: skip


def _money(book: PairBook, in_quote: Decimal, in_other: Decimal) -> Money:
    return Money(in_quote, in_other) if book.quote == TRY else Money(in_other, in_quote)


def _oversold(books: Sequence[PairBook]) -> Iterator[Oversold]:
    for book in books:
        quantity = sum((totals.oversold for totals in book.totals.values()), start=ZERO)
        proceeds = sum((totals.oversold_proceeds for totals in book.totals.values()), start=ZERO)
        if quantity:
            yield Oversold(book.pair, book.base, book.quote, quantity, proceeds)


def _differences(books: Sequence[PairBook], sums: Mapping[tuple[EntryKind, Asset], Decimal]) -> Iterator[BooksDiffer]:
    """Trades, fees and tax as the fills have them against the ledger's own."""
    ours: dict[tuple[EntryKind, Asset], Decimal] = defaultdict(lambda: ZERO)
    for book in books:
        ours[EntryKind.TRADE, book.base] += book.moved
        ours[EntryKind.TRADE, book.quote] += book.flow
        ours[EntryKind.FEE, book.quote] -= book.fees
        ours[EntryKind.TAX, book.quote] -= book.taxes
    theirs = {key: number for key, number in sums.items() if key[0] in FROM_FILLS}
    for kind, asset in sorted({*ours, *theirs}):
        number, entered = ours.get((kind, asset), ZERO), theirs.get((kind, asset), ZERO)
        if number != entered:
            yield BooksDiffer(kind, asset, number, entered)


def _by_asset(sums: Mapping[tuple[EntryKind, Asset], Decimal]) -> dict[Asset, dict[EntryKind, Decimal]]:
    found: dict[Asset, dict[EntryKind, Decimal]] = defaultdict(dict)
    for (kind, asset), number in sorted(sums.items()):
        found[asset][kind] = number
    return dict(found)
