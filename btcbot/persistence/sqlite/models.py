"""The tables as peewee sees them: typed columns for reading, and one prepared INSERT each for writing.

The schema itself is in `migrations`; a test compares the two. Models are bound to no database: each query is executed
against the one connection of its store.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from peewee import AutoField, Field, IntegerField, Model, TextField

from btcbot.persistence.sqlite.fields import Bytes, DayText, DecimalText, Flag, UtcText


class Row(Model):
    """What every row says of its origin."""

    process_role = TextField()
    process_instance_id = TextField()
    cycle_id = TextField()
    config_hash = TextField()

    class Meta:
        legacy_table_names = False


class Link(Row):
    """A row that is a link of the hash chain."""

    chain_sequence = IntegerField()
    chain_hash = TextField()


class Epochs(Link):
    epoch = IntegerField(primary_key=True)
    opened_at = UtcText()
    monotonic_us = IntegerField()
    boot_id = TextField()
    build = TextField()
    deployment_id = TextField()
    was_unclean = Flag()


class Snapshots(Row):
    snapshot_id = TextField(primary_key=True)
    taken_at = UtcText()
    content = Bytes()


class Orders(Link):
    order_id = TextField(primary_key=True)
    decision_id = TextField()
    client_order_id = TextField()
    epoch = IntegerField()
    label_sequence = IntegerField()
    pair = TextField()
    base = TextField()
    quote = TextField()
    side = TextField()
    purpose = TextField()
    method = TextField()
    quantity = DecimalText()
    price = DecimalText()
    reference_price = DecimalText(null=True)
    reservation_number = DecimalText()
    reservation_asset = TextField()
    highest_exchange_order_id = IntegerField(null=True)
    snapshot_id = TextField(null=True)
    arm_token_hash = TextField()
    attempt = IntegerField()
    is_adopted = Flag()
    created_at = UtcText()
    monotonic_us = IntegerField()
    boot_id = TextField()


class OrderHeads(Row):
    order_id = TextField(primary_key=True)
    pair = TextField()
    state = TextField()
    exchange_order_id = IntegerField(null=True)
    left_seen = DecimalText(null=True)
    is_seen_closed = Flag()
    filled = DecimalText()
    absent_evidence = IntegerField()
    cancels_sent = IntegerField()
    reason = TextField()
    changed_at = UtcText()


class OrderHistory(Link):
    id = AutoField()
    order_id = TextField()
    epoch = IntegerField()
    before = TextField()
    event = TextField()
    after = TextField()
    is_alarm = Flag()
    detail = TextField()
    exchange_order_id = IntegerField(null=True)
    at = UtcText()
    monotonic_us = IntegerField()
    boot_id = TextField()


class Fills(Link):
    id = AutoField()
    trade_id = IntegerField()
    order_id = TextField()
    exchange_order_id = IntegerField()
    client_order_id = TextField(null=True)
    pair = TextField()
    side = TextField()
    price = DecimalText()
    quantity = DecimalText()
    fee = DecimalText()
    tax = DecimalText()
    time_exchange = UtcText()
    booked_at = UtcText()


class Ledger(Link):
    id = AutoField()
    kind = TextField()
    asset = TextField()
    number = DecimalText()
    source = TextField()
    at = UtcText()
    booked_at = UtcText()


class Cycles(Link):
    id = AutoField()
    epoch = IntegerField()
    started_at = UtcText()
    ended_at = UtcText()
    outcome = TextField()
    snapshot_id = TextField(null=True)
    equity = DecimalText()
    equity_peak = DecimalText()
    day_pnl = DecimalText()
    day = DayText()
    day_opening_pnl = DecimalText()
    orders_sent = IntegerField()
    halted = Flag()
    paused = Flag()
    content_hash = TextField()


class Signals(Row):
    id = AutoField()
    pair = TextField()
    direction = TextField()
    confidence = TextField()
    notional_number = DecimalText(null=True)
    notional_asset = TextField(null=True)
    reason = TextField()


class Verdicts(Row):
    id = AutoField()
    decision_id = TextField()
    pair = TextField()
    side = TextField()
    is_approved = Flag()
    reasons = TextField()


class Events(Row):
    id = AutoField()
    at = UtcText()
    event = TextField()
    detail = TextField()


class Balances(Row):
    id = AutoField()
    at = UtcText()
    asset = TextField()
    total = DecimalText()
    available = DecimalText()
    held = DecimalText()


class Control(Link):
    id = AutoField()
    epoch = IntegerField()
    verb = TextField()
    reason = TextField()
    by = TextField()
    at = UtcText()


class Checkpoints(Link):
    id = AutoField()
    epoch = IntegerField()
    last_fill_id = IntegerField()
    last_ledger_id = IntegerField()
    books = TextField()
    sealed_at = UtcText()


class Assignments(Link):
    id = AutoField()
    epoch = IntegerField()
    pair = TextField()
    base = TextField()
    quote = TextField()
    quantity = DecimalText()
    price = DecimalText()
    reason = TextField()
    by = TextField()
    at = UtcText()


class Archives(Link):
    id = AutoField()
    epoch = IntegerField()
    name = TextField()
    sha256 = TextField()
    bytes = IntegerField()
    first_sequence = IntegerField()
    last_sequence = IntegerField()
    last_hash = TextField()
    kept_rows = IntegerField()
    kept_hash = TextField()
    last_cycle_id = TextField()
    last_cycle = IntegerField()
    last_signal = IntegerField()
    last_verdict = IntegerField()
    last_event = IntegerField()
    last_balance = IntegerField()
    last_message = IntegerField()
    last_snapshot = IntegerField()
    sealed_at = UtcText()


class Cursors(Row):
    name = TextField(primary_key=True)
    value = TextField()
    changed_at = UtcText()


class Outbox(Row):
    number = AutoField()
    kind = TextField()
    at = UtcText()
    body = TextField()


class Reports(Row):
    id = AutoField()
    checked_at = UtcText()
    status = TextField()


class Checks(Row):
    id = AutoField()
    report_id = IntegerField()
    name = TextField()
    status = TextField()
    reason = TextField()
    detail = TextField()
    remedy = TextField()


class FeedCopy(Row):
    number = IntegerField(primary_key=True)
    kind = TextField()
    at = UtcText()
    body = TextField()
    received_at = UtcText()


LIVE_MODELS: tuple[type[Row], ...] = (
    Epochs, Snapshots, Orders, OrderHeads, OrderHistory, Fills, Ledger, Cycles, Signals, Verdicts, Events, Balances,
    Control, Checkpoints, Assignments, Archives, Cursors, Outbox,
)  # fmt: skip
MONITOR_MODELS: tuple[type[Row], ...] = (Epochs, Reports, Checks, FeedCopy)
CHAINED: tuple[type[Link], ...] = (
    Epochs, Orders, OrderHistory, Fills, Ledger, Cycles, Control, Checkpoints, Assignments, Archives,
)  # fmt: skip
CONTENT_OF_CYCLE: tuple[type[Row], ...] = (Signals, Verdicts, Events, Balances)


_READ_AS_THEY_ARE = (TextField, IntegerField, AutoField)


class Columns:
    """Columns to select and how to read them, their text made once: building a query takes peewee 0.4 ms."""

    def __init__(self, *fields: Any) -> None:
        self._fields = fields
        self.sql = ", ".join(f"{_table(field)}.{field.column_name}" for field in self._fields)
        self._names = tuple(field.column_name for field in self._fields)
        self._conversions = tuple(
            (field.column_name, field.python_value) for field in self._fields if type(field) not in _READ_AS_THEY_ARE
        )

    def read(self, values: Sequence[object]) -> dict[str, Any]:
        """One row with our types."""
        row: dict[str, Any] = dict(zip(self._names, values, strict=True))
        for name, convert in self._conversions:
            row[name] = convert(row[name])
        return row


class Insert:
    """The INSERT of one table, its text made once as well."""

    def __init__(self, model: type[Row]) -> None:
        meta = model._meta  # noqa: SLF001 - peewee's documented way to a model's columns
        self.table: str = meta.table_name
        self._fields: tuple[Field[Any], ...] = tuple(
            field for field in meta.sorted_fields if not isinstance(field, AutoField)
        )
        self.columns: tuple[str, ...] = tuple(field.column_name for field in self._fields)
        self._texts = tuple(field.column_name for field in self._fields if type(field) is TextField)
        self._conversions: tuple[tuple[str, Callable[[Any], object]], ...] = tuple(
            (field.column_name, field.db_value) for field in self._fields if type(field) not in _READ_AS_THEY_ARE
        )
        marks = ", ".join("?" * len(self.columns))
        self.sql = f"INSERT INTO {self.table} ({', '.join(self.columns)}) VALUES ({marks})"

    def stored(self, row: Mapping[str, Any]) -> dict[str, object]:
        """The row as it will be stored. A missing column is a KeyError, never a silent NULL."""
        stored: dict[str, Any] = {name: row[name] for name in self.columns}
        for name in self._texts:  # plain text, whatever enumeration it comes from; no call for what is plain already
            value = stored[name]
            if type(value) is not str and value is not None:
                stored[name] = str(value)
        for name, convert in self._conversions:
            stored[name] = convert(stored[name])
        return stored


INSERTS: Mapping[type[Row], Insert] = {model: Insert(model) for model in {*LIVE_MODELS, *MONITOR_MODELS}}


def _table(field: "Field[Any]") -> str:
    return str(field.model._meta.table_name)  # noqa: SLF001 - as above
