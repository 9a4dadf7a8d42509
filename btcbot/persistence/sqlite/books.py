"""What fills and ledger entries add up to, kept as it grows and sealed now and then.

A sealed checkpoint is a link of the hash chain that holds these sums, so that a start adds up what came after it and
not a year of trading. It is written by nobody but the process that did the adding; `verify_checkpoints` adds everything
up again.

Checkpoints of the first form know nothing of stays: a start adds up anew what such a one holds, and seals the second
form when the next is due.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from btcbot.domain.fees import FeesPaid
from btcbot.domain.ledger import EntryKind
from btcbot.domain.money import ZERO, Asset, Ratio, parse, plain
from btcbot.domain.orders.evidence import Fill
from btcbot.domain.orders.intents import Side
from btcbot.domain.orders.journaling import Holdings
from btcbot.domain.position import Stay
from btcbot.domain.state import BooksRestored, CoinsAssigned, FillBooked, InstrumentState, TradingState, apply
from btcbot.persistence.sqlite.chain import Readable
from btcbot.persistence.sqlite.errors import TamperedRecords
from btcbot.persistence.sqlite.fields import read_utc, utc_text
from btcbot.persistence.sqlite.models import Checkpoints, Columns, Fills
from btcbot.persistence.sqlite.recorder import Recorder, json_text

FORM = 2
LINKS_PER_CHECKPOINT = 5_000  # half of what a start hashes anew, so that all it reads beyond a checkpoint is hashed
_FILL_COLUMNS = Columns(
    Fills.id, Fills.trade_id, Fills.exchange_order_id, Fills.client_order_id, Fills.pair, Fills.side, Fills.price,
    Fills.quantity, Fills.fee, Fills.tax, Fills.time_exchange,
)  # fmt: skip
_NOTHING_TRADED = TradingState(Asset(""))  # instruments are added up here, capital is not: no currency is needed


@dataclass(frozen=True, slots=True)
class Books:
    """The sums up to one fill and one ledger entry."""

    last_fill_id: int = 0
    last_ledger_id: int = 0
    trading: TradingState = _NOTHING_TRADED  # what fills and assignments made of the instruments, and what fills paid
    sums: Mapping[Asset, Decimal] = field(default_factory=dict)  # of all ledger entries
    opening: Mapping[Asset, Decimal] = field(default_factory=dict)
    transfers: Mapping[Asset, Decimal] = field(default_factory=dict)
    last_assignment_id: int = 0
    assigned: Decimal = ZERO  # what all assignments counted as, in quote

    @property
    def holdings(self) -> Holdings:
        states = self.trading.instruments.items()
        return Holdings(
            {pair: state.position for pair, state in states},
            {pair: state.mark for pair, state in states if state.mark is not None},
        )

    def text(self) -> str:
        """As it is sealed: the same sums are the same text."""
        held: dict[str, object] = {
            "form": FORM, "instruments": {pair: _told(state) for pair, state in self.trading.instruments.items()},
            "fees": [str(ratio) for ratio in self.trading.fees.ratios],
            "sums": _plain(self.sums), "opening": _plain(self.opening), "transfers": _plain(self.transfers),
        }  # fmt: skip
        if self.last_assignment_id:  # without one the text is what it was before there were any
            held["assigned"] = {"last_id": self.last_assignment_id, "value": plain(self.assigned)}
        return json_text(held)


NO_BOOKS = Books()
_STAY_NUMBERS = (
    "bought", "paid", "cash_before", "last_price", "last_bought_price", "left_price", "left_result",
)  # fmt: skip
_STAY_MOMENTS = ("opened_at", "last_bought_at", "last_sold_at", "left_at")


def read_books(last_fill_id: int, last_ledger_id: int, text: str) -> Books:
    """The reverse of `Books.text`."""
    held = json.loads(text)
    ratios = tuple(Ratio(Decimal(ratio)) for ratio in held["fees"])
    instruments = {pair: _read(state) for pair, state in held["instruments"].items()}
    sums, opening, transfers = (
        {Asset(asset): parse(number) for asset, number in held[name].items()}
        for name in ("sums", "opening", "transfers")
    )
    trading = apply(_NOTHING_TRADED, BooksRestored(instruments, FeesPaid.of(ratios)))
    assigned = held.get("assigned", {"last_id": 0, "value": "0"})
    return Books(
        last_fill_id, last_ledger_id, trading, sums, opening, transfers, assigned["last_id"], parse(assigned["value"])
    )


def extended(
    connection: Readable, books: Books, fills_up_to: int | None = None, ledger_up_to: int | None = None,
    assigned_up_to: int | None = None,
) -> Books:  # fmt: skip
    """The books with what was booked since: up to and with the rows that are named, or up to now."""
    trading, last_fill_id, last_ledger_id = books.trading, books.last_fill_id, books.last_ledger_id
    last_assignment_id, assigned = books.last_assignment_id, books.assigned
    for row_id, after_fill, event in assignments_after(connection, last_assignment_id, assigned_up_to):
        for fill_id, fill in fills_after(connection, last_fill_id, after_fill):
            trading, last_fill_id = apply(trading, FillBooked(fill)), fill_id
        trading, last_assignment_id = apply(trading, event), row_id
        assigned += event.quantity * event.price
    for row_id, fill in fills_after(connection, last_fill_id, fills_up_to):
        trading, last_fill_id = apply(trading, FillBooked(fill)), row_id
    sums, opening, transfers = dict(books.sums), dict(books.opening), dict(books.transfers)
    parts = {EntryKind.OPENING: opening, EntryKind.TRANSFER: transfers}
    for row_id, kind, asset, text in connection.execute(
        "SELECT id, kind, asset, number FROM ledger WHERE id > ? AND id <= coalesce(?, id) ORDER BY id",
        (last_ledger_id, ledger_up_to),
    ):
        number, last_ledger_id = parse(text), row_id
        for numbers in (sums, parts.get(kind)):
            if numbers is not None:
                numbers[asset] = numbers.get(asset, ZERO) + number
    trading = replace(trading, capital=ZERO, equity_peak=ZERO)  # instruments are added up here, capital is not
    return Books(last_fill_id, last_ledger_id, trading, sums, opening, transfers, last_assignment_id, assigned)


def assignments_after(
    connection: Readable, assignment_id: int, up_to: int | None = None
) -> Iterator[tuple[int, int, CoinsAssigned]]:
    """Assignments in their order, each with its row's number and that of the last fill that was booked before it."""
    if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'assignments'").fetchone() is None:
        return  # a database of a schema before them
    for row_id, sequence, pair, quantity, price, at in connection.execute(
        "SELECT id, chain_sequence, pair, quantity, price, at FROM assignments "
        "WHERE id > ? AND id <= coalesce(?, id) ORDER BY id",
        (assignment_id, up_to),
    ):
        (after_fill,) = connection.execute(
            "SELECT coalesce(max(id), 0) FROM fills WHERE chain_sequence < ?", (sequence,)
        ).fetchone()
        yield row_id, after_fill, CoinsAssigned(pair, parse(quantity), parse(price), read_utc(at))


def fills_after(connection: Readable, fill_id: int, up_to: int | None = None) -> Iterator[tuple[int, Fill]]:
    """Fills in booking order, each with its row's number."""
    cursor = connection.execute(
        f"SELECT {_FILL_COLUMNS.sql} FROM fills WHERE id > ? AND id <= coalesce(?, id) ORDER BY id", (fill_id, up_to)
    )
    for row in map(_FILL_COLUMNS.read, cursor):
        yield row["id"], Fill(
            row["trade_id"], row["exchange_order_id"], row["client_order_id"], row["pair"], Side(row["side"]),
            row["price"], row["quantity"], row["fee"], row["tax"], row["time_exchange"],
        )  # fmt: skip


class BookKeeper:
    """The books of an open store. What is in a transaction that may still roll back is not to be asked for."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._database = recorder.database
        row = self._database.execute(
            "SELECT chain_sequence, last_fill_id, last_ledger_id, books FROM checkpoints ORDER BY id DESC LIMIT 1"
        ).fetchone()
        self._sealed_at_link = 0 if row is None else int(row[0])
        self.sealed = NO_BOOKS if row is None or not _is_of_this_form(row[3]) else read_books(row[1], row[2], row[3])
        self._books = self.sealed
        self._bookings = -1  # nothing was added up yet

    def current(self) -> Books:
        """Everything that was booked, added up."""
        if self._bookings != self._recorder.bookings:
            self._books, self._bookings = extended(self._database, self._books), self._recorder.bookings
        return self._books

    def seal_if_due(self) -> bool:
        """Between cycles: a checkpoint once the chain has grown by enough links since the last."""
        if self._recorder.head.sequence - self._sealed_at_link < LINKS_PER_CHECKPOINT:
            return False
        books = self.current()
        with self._recorder.transaction():
            self._recorder.insert(
                Checkpoints, epoch=self._recorder.epoch, last_fill_id=books.last_fill_id,
                last_ledger_id=books.last_ledger_id, books=books.text(), sealed_at=self._recorder.moment().at,
            )  # fmt: skip
        self.sealed, self._sealed_at_link = books, self._recorder.head.sequence
        return True


def verify_checkpoints(connection: Readable) -> None:
    """Add everything up again and compare with each checkpoint; `TamperedRecords` where one says otherwise."""
    books = NO_BOOKS
    for number, fill_id, ledger_id, text in connection.execute(
        "SELECT id, last_fill_id, last_ledger_id, books FROM checkpoints ORDER BY id"
    ):
        assigned_up_to = json.loads(text).get("assigned", {}).get("last_id", 0)
        books = extended(connection, books, fill_id, ledger_id, assigned_up_to)
        told = books.text()
        if told != text and (_is_of_this_form(text) or _without_stays(told) != _without_stays(text)):
            raise TamperedRecords(f"checkpoint {number} does not hold what the fills and the ledger add up to")


def _is_of_this_form(text: str) -> bool:
    return bool(json.loads(text).get("form", 1) == FORM)


def _without_stays(text: str) -> Mapping[str, object]:
    """What both forms say alike: all but what belongs to a stay."""
    held = json.loads(text)
    shared = ("position", "cash_flow", "mark")
    instruments = {pair: [numbers[name] for name in shared] for pair, numbers in held["instruments"].items()}
    return {**{name: part for name, part in held.items() if name != "form"}, "instruments": instruments}


def _read(numbers: Mapping[str, Any]) -> InstrumentState:
    position, cash_flow, mark = (parse(numbers[name]) for name in ("position", "cash_flow", "mark"))
    return InstrumentState(position, cash_flow, mark, stay=_read_stay(numbers["stay"]))


def _told(state: InstrumentState) -> dict[str, object]:
    assert state.mark is not None, "the first fill of an instrument leaves a mark"
    return {
        "position": plain(state.position), "cash_flow": plain(state.cash_flow), "mark": plain(state.mark),
        "stay": _stay_told(state.stay),
    }  # fmt: skip


def _read_stay(held: Mapping[str, Any]) -> Stay:
    numbers: dict[str, Any] = {name: parse(held[name]) for name in _STAY_NUMBERS if name in held}
    moments: dict[str, Any] = {name: read_utc(held[name]) for name in _STAY_MOMENTS if name in held}
    return Stay(entry_orders=tuple(held["entry_orders"]), **numbers, **moments)


def _stay_told(stay: Stay) -> dict[str, object]:
    """Without what is not known; a floor comes from readings and not from the books."""
    numbers = {name: plain(number) for name in _STAY_NUMBERS if (number := getattr(stay, name)) is not None}
    moments = {name: utc_text(moment) for name in _STAY_MOMENTS if (moment := getattr(stay, name)) is not None}
    return {"entry_orders": list(stay.entry_orders), **numbers, **moments}


def _plain(numbers: Mapping[Asset, Decimal]) -> dict[str, str]:
    return {str(asset): plain(number) for asset, number in numbers.items()}
