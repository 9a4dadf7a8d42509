"""A report as aligned text for a terminal of a hundred columns, and as JSON for machines."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from btcbot.domain.ledger import EntryKind
from btcbot.domain.lots import LotMethod
from btcbot.domain.money import ZERO, plain, round_half_even
from btcbot.domain.periods import istanbul
from btcbot.domain.times import iso_utc
from btcbot.services.report import Line, Money, Position, Report

CENT = Decimal("0.01")
NO_RATE = "no rate"
METHODS = {LotMethod.FIFO: "FIFO lots", LotMethod.AVERAGE: "average cost"}
KINDS = (EntryKind.OPENING, EntryKind.TRANSFER, EntryKind.TRADE, EntryKind.FEE, EntryKind.TAX)


def report_text(report: Report) -> str:
    return "".join(f"{line}".rstrip() + "\n" for line in _lines(report))


def report_document(report: Report) -> dict[str, object]:
    """The same for machines, every number exact and as text; an amount without a rate is null."""
    wish = report.wish
    return {
        "database": str(wish.database), "db_uuid": report.db_uuid, "made_at": iso_utc(report.made_at),
        "by": str(wish.calendar.grouping), "method": str(wish.method), "tax_rate": plain(wish.tax_rate),
        "from": None if wish.calendar.first is None else wish.calendar.first.isoformat(),
        "to": None if wish.calendar.last is None else wish.calendar.last.isoformat(),
        "rates": report.rates, "fills": report.fills,
        "lines": [_line_document(line) for line in report.lines], "total": _line_document(report.total),
        "positions": [
            {
                "pair": each.pair, "quantity": plain(each.quantity), "cost": _money_document(each.cost),
                "mark": plain(each.mark), "mark_from": each.mark_from, "mark_at": iso_utc(each.mark_at),
                "unrealised": _money_document(each.unrealised),
            }
            for each in report.positions
        ],
        "oversold": [
            {"pair": each.pair, "quantity": plain(each.quantity), "proceeds": f"{plain(each.proceeds)} {each.quote}"}
            for each in report.oversold
        ],
        "ledger": {
            asset: {str(kind): plain(number) for kind, number in kinds.items()}
            for asset, kinds in report.ledger.items()
        },
        "books": "agree" if report.are_books_compared and not report.differences
        else "differ" if report.differences else "not compared",
        "differences": [str(each) for each in report.differences],
    }  # fmt: skip


def _lines(report: Report) -> Iterator[str]:
    calendar = report.wish.calendar
    span = " ".join(
        f"{word} {day}" for word, day in (("from", calendar.first), ("to", calendar.last)) if day is not None
    )
    yield f"btcbot report by {calendar.grouping} {span}".rstrip() + f" - Istanbul time, {METHODS[report.wish.method]}"
    yield f"{report.fills} fills, {_shown(report.first_at)} to {_shown(report.last_at)}" if report.fills else "no fills"
    yield (
        f"Tax {plain(report.wish.tax_rate * 100)} % of sales, beside what the exchange took; "
        "the law is unsettled, rate and method are yours"
    )
    yield f"USDT/TRY {report.rates}"
    yield ""
    yield from _table(
        (calendar.grouping, "fills", "bought TRY", "sold TRY", "fees+tax", "realised TRY", "USDT", "open TRY", "USDT"),
        [_cells(line) for line in (*report.lines, report.total)],
    )
    if report.positions:
        yield ""
        yield from _table(
            ("held", "quantity", "cost TRY", "mark", "value+- TRY", "USDT", "marked"),
            [_position_cells(position, report.made_at) for position in report.positions],
        )
    for each in report.oversold:
        yield ""
        yield (
            f"OVERSOLD {each.pair}: {plain(each.quantity)} {each.base} were sold that no fill had bought; the "
            f"{_amount(each.proceeds)} {each.quote} they brought are in no result"
        )
    yield ""
    yield from _books(report)


def _books(report: Report) -> Iterator[str]:
    if not report.are_books_compared:
        yield "Books: not compared with the ledger, which is long; --books does it"
        return
    if report.ledger:
        rows = [
            (asset, *(_exact(kinds.get(kind, ZERO)) for kind in KINDS), _exact(sum(kinds.values(), start=ZERO)))
            for asset, kinds in report.ledger.items()
        ]
        yield from _table(("ledger", "opening", "transfers", "trades", "fees", "tax", "balance"), rows)
        yield ""
    if not report.differences:
        yield "Books agree: opening + transfers + trades - fees - tax, fill by fill, as the ledger has it"
        return
    yield "BOOKS DIFFER: the fills and the ledger were booked together, so one of them was changed"
    yield from (f"  {difference}" for difference in report.differences)
    yield "Next: run btcbot verify on this database, and compare with a verified backup."


def _cells(line: Line) -> tuple[str, ...]:
    return (
        line.name, str(line.fills), _amount(line.bought), _amount(line.sold), _amount(line.fees + line.taxes),
        _amount(line.realised.in_try), _amount(line.realised.in_usdt), _amount(line.unrealised.in_try),
        _amount(line.unrealised.in_usdt),
    )  # fmt: skip


def _position_cells(position: Position, now: datetime) -> tuple[str, ...]:
    age = now - position.mark_at
    marked = f"{position.mark_from}, {_age(age)} ago" if age >= timedelta() else f"{position.mark_from}, just now"
    return (
        position.pair, plain(position.quantity), _amount(position.cost.in_try), plain(position.mark),
        _amount(position.unrealised.in_try), _amount(position.unrealised.in_usdt), marked,
    )  # fmt: skip


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns as wide as they need: names to the left, numbers to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(heads, *rows, strict=True)]
    for row in (heads, *rows):
        first, *rest = row
        numbers = (f"{cell:>{width}}" for cell, width in zip(rest, widths[1:], strict=True))
        yield "  ".join((f"{first:<{widths[0]}}", *numbers))


def _amount(number: Decimal) -> str:
    """To the cent, thousands apart; shown amounts are rounded, and nothing is ever summed from them."""
    return NO_RATE if number.is_nan() else f"{round_half_even(number, CENT) + ZERO:,.2f}"


def _exact(number: Decimal) -> str:
    return plain(number + ZERO) if number else "0"


def _age(age: timedelta) -> str:
    minutes = int(age.total_seconds()) // 60
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // (24 * 60)} days"


def _shown(time: str) -> str:
    return istanbul(datetime.fromisoformat(time))[:16].replace("T", " ")


def _money_document(money: Money) -> Mapping[str, str | None]:
    return {
        name: None if number.is_nan() else plain(number)
        for name, number in (("try", money.in_try), ("usdt", money.in_usdt))
    }


def _line_document(line: Line) -> dict[str, object]:
    numbers = {"bought": line.bought, "sold": line.sold, "fees": line.fees, "taxes": line.taxes}
    return {
        "name": line.name, "fills": line.fills,
        **{name: None if number.is_nan() else plain(number) for name, number in numbers.items()},
        "realised": _money_document(line.realised), "unrealised": _money_document(line.unrealised),
    }  # fmt: skip
