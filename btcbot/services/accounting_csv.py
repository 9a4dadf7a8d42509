"""The accounting CSV: one line a fill, in the order in which they happened, every number exact.

A file appears whole or not at all: it is written under another name beside it, synced and renamed. What is there is
kept, unless a person says otherwise. No cell begins with a sign that a spreadsheet would take for a formula: labels are
ours, and a text from outside that begins like one gets an apostrophe before it.
"""

import csv
import os
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from btcbot.domain.errors import UnsafeState, UsageError
from btcbot.domain.money import ZERO, plain
from btcbot.domain.orders.intents import Side
from btcbot.domain.periods import istanbul
from btcbot.persistence.sqlite.reading import AssignedLot, FillColumns, open_records
from btcbot.services.accounting import TRY, Accountant, PairBook, Run, Sale
from btcbot.services.report import ReportWish
from btcbot.services.report_rates import rates_of

HEAD = (
    "trade_id", "order_id", "time_utc", "time_istanbul", "pair", "side", "quantity", "price", "gross", "fee",
    "fee_currency", "fee_try", "transaction_tax", "lots_consumed", "cost", "proceeds", "realised", "position",
    "usdt_try", "chain_hash",
)  # fmt: skip
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
EXCEL_DIGITS = 15  # of a number; it would show zeros for the rest of a trade id
ASSIGNED = "ASSIGNED"  # with its number, in place of a trade's
_END_OF_TIME = "~"  # after every time as it is stored
BYTE_ORDER_MARK = "\ufeff"


def write_accounting(wish: ReportWish, target: Path, *, for_turkish_excel: bool, overwrite: bool) -> int:
    """Write the file and return its number of fills. Refuses an existing one with `UsageError`."""
    target = target.absolute()
    if target.exists() and not overwrite:
        raise UsageError(f"{target} is there already; --force writes over it")
    unfinished = target.with_name(f".{target.name}.writing")
    written = 0
    try:
        with unfinished.open("w", encoding="utf-8", newline="") as file:
            if for_turkish_excel:
                file.write(BYTE_ORDER_MARK)
            lines = csv.writer(file, delimiter=";" if for_turkish_excel else ",", lineterminator="\r\n")
            lines.writerow(HEAD)
            for row in accounting_rows(wish):
                lines.writerow([_cell(cell, for_turkish_excel) for cell in row])
                written += 1
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(target)
    except OSError as error:
        raise UnsafeState(f"{target} cannot be written ({error})") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return written


def accounting_rows(wish: ReportWish) -> Iterator[tuple[Decimal | str | None, ...]]:
    """A row for each fill that was asked for; those before it are worked through as well, for their lots."""
    records = open_records(wish.database)
    rates = rates_of(records, wish.rates_file)
    until = wish.calendar.ends_at
    accountant = Accountant(
        wish.calendar, wish.method, wish.tax_rate, rates, records.assets, records.assigned(until)
    )  # fmt: skip
    starts_at = wish.calendar.starts_at
    for fills in records.fills(until, whole=True):
        for place, rate in enumerate(rates.column(fills.times)):
            book = accountant.book(fills.pairs[place], fills.trade_ids[place])
            at = datetime.fromisoformat(fills.times[place])
            for lot in accountant.due_before(fills.times[place]):
                yield from _assigned_row(accountant, lot, starts_at)
            row = _row(book, fills, place, rate, at)
            if starts_at is None or at >= starts_at:
                yield row
    for lot in accountant.due_before(_END_OF_TIME):
        yield from _assigned_row(accountant, lot, starts_at)


def _assigned_row(
    accountant: Accountant, lot: AssignedLot, starts_at: datetime | None
) -> Iterator[tuple[Decimal | str | None, ...]]:
    """Coins that an operator made the bot's own: no trade, no fee, and a lot that later sales consume."""
    book, (cost,) = accountant.assign(lot)
    at = datetime.fromisoformat(lot.at)
    if starts_at is None or at >= starts_at:
        yield (
            f"{ASSIGNED}{lot.number}", "", lot.at, istanbul(at), book.pair, "assigned", lot.quantity, lot.price,
            lot.price * lot.quantity, ZERO, book.quote, ZERO, ZERO, "", cost, None, None, book.lots.quantity,
            accountant.rate_at(lot.at), lot.chain_hash,
        )  # fmt: skip


def _row(
    book: PairBook, fills: FillColumns, place: int, rate: Decimal, at: datetime
) -> tuple[Decimal | str | None, ...]:
    quantity, price = Decimal(fills.quantities[place]), Decimal(fills.prices[place])
    fee, tax = Decimal(fills.fees[place]), Decimal(fills.taxes[place])
    gross = price * quantity
    run = Run((fills.trade_ids[place],), (quantity,), (price,), (gross,), (fee + tax,), (rate,))
    side = Side(fills.sides[place])
    sale: Sale | None = None
    if side is Side.BUY:
        (cost,) = book.buy(run)
    else:
        sale = book.sell(run)
        cost, tax = sale.consumed.cost, tax + sale.tax_due
    return (
        str(fills.trade_ids[place]), fills.order_ids[place], fills.times[place], istanbul(at), book.pair, str(side),
        quantity, price, gross, fee, book.quote, fee if book.quote == TRY else book.in_other(fee, rate), tax,
        "" if sale is None else _lots(sale), cost, None if sale is None else sale.proceeds,
        None if sale is None else sale.realised, book.lots.quantity, rate, fills.chain_hashes[place],
    )  # fmt: skip


def _lots(sale: Sale) -> str:
    """`trade × quantity` of each lot that went, oldest first; what nothing covered is named."""
    known = [
        f"{trade_id if trade_id > 0 else f'{ASSIGNED}{-trade_id}'}x{plain(quantity)}"
        for trade_id, quantity in sale.consumed.lots
    ]
    return " ".join([*known, f"OVERSOLDx{plain(sale.oversold)}"] if sale.oversold else known)


def _cell(cell: Decimal | str | None, for_turkish_excel: bool) -> str:
    """Numbers plain, with a decimal comma where one is wanted; an unknown one is an empty cell."""
    if cell is None:
        return ""
    if isinstance(cell, Decimal):
        text = "" if cell.is_nan() else plain(cell + ZERO)
        return text.replace(".", ",") if for_turkish_excel else text
    is_long_number = for_turkish_excel and cell.isdigit() and len(cell) > EXCEL_DIGITS
    return f"'{cell}" if is_long_number or cell.startswith(FORMULA_SIGNS) else cell
