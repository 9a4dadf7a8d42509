"""Live's database as the services see it: journal, unit of work, books, latch, and the feed's outbox."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from btcbot.domain.balances import Balance
from btcbot.domain.events import Event
from btcbot.domain.feed import FeedKind, FeedMessage
from btcbot.domain.ledger import Assignment, EntryKind, LedgerEntry
from btcbot.domain.money import Amount, Asset, plain
from btcbot.domain.orders.evidence import Fill
from btcbot.domain.orders.intents import Purpose
from btcbot.domain.orders.records import OrderRecord
from btcbot.domain.orders.states import OrderState
from btcbot.domain.ports import Clock, Ids, Observer
from btcbot.domain.profiles import Role
from btcbot.domain.state import ENTRY_MEMORY, MARKS_MAX, SUBMIT_MEMORY, CoinsAssigned
from btcbot.persistence.sqlite.archives import Sealed
from btcbot.persistence.sqlite.backups import RunningBackup
from btcbot.persistence.sqlite.books import NO_BOOKS, BookKeeper, Books, assignments_after, fills_after
from btcbot.persistence.sqlite.chain import Bounds, ChainHead, bounds_of, link_at
from btcbot.persistence.sqlite.errors import RecordRefused, TamperedRecords
from btcbot.persistence.sqlite.fields import read_utc, utc_text
from btcbot.persistence.sqlite.housekeeping import Housekeeping
from btcbot.persistence.sqlite.journal import (
    ReservationLimits,
    ReservationRefused,
    SqliteJournal,
    book_entries,
    read_entries,
    read_fills,
)
from btcbot.persistence.sqlite.lock import DatabaseLock
from btcbot.persistence.sqlite.models import Archives, Assignments, Control, Cycles
from btcbot.persistence.sqlite.opening import OpenStore, close_store, open_store, seal_of
from btcbot.persistence.sqlite.pruning import Pruning
from btcbot.persistence.sqlite.recorder import write_cursor
from btcbot.persistence.sqlite.unit_of_work import CycleRecord, UnitOfWork
from btcbot.persistence.sqlite.writer import Writer

__all__ = [
    "CycleRecord", "LiveStore", "ReservationLimits", "ReservationRefused", "TradingHistory", "UnitOfWork", "Writer",
]  # fmt: skip

LEDGER_OPENED = "ledger_opened"
COUNTED = ("cycles", "signals", "verdicts", "orders", "fills", "ledger", "events", "snapshots", "outbox")


@dataclass(frozen=True, slots=True)
class TradingHistory:
    """What a start rebuilds the trading state from."""

    orders: tuple[OrderRecord, ...]  # not over yet, oldest first
    fills: tuple[Fill, ...]  # those that `books` do not hold yet, in booking order
    entries: tuple[tuple[str, datetime], ...]  # pair and time of each entry journaled within the last hour
    opening: dict[Asset, Decimal] | None  # nothing until the ledger was opened
    transfers: tuple[LedgerEntry, ...]  # those that `books` do not hold yet
    last_cycle: CycleRecord | None
    entries_of_day: Mapping[str, int] = field(default_factory=dict)  # in the trading day of the last cycle, by pair
    submits: tuple[datetime, ...] = ()  # within the last minute
    breakers: tuple[Mapping[str, object], ...] = ()  # what each of the last cycles kept of them, oldest first
    unchanged_since: datetime | None = None  # when a process with this build and configuration first opened it
    books: Books = NO_BOOKS  # the last sealed checkpoint
    assigned: tuple[tuple[int, CoinsAssigned], ...] = ()  # not in `books` yet; with how many of `fills` came before


class LiveStore:
    def __init__(
        self, store: OpenStore, lock: DatabaseLock, writer: Writer, limits: ReservationLimits, clock: Clock, ids: Ids,
        observer: Observer,
    ) -> None:  # fmt: skip
        """Use `open`."""
        self._database = store.database
        self._recorder = store.recorder
        self._lock = lock
        self._clock = clock
        self._writer = writer
        self._books = BookKeeper(store.recorder)
        self._pruning = Pruning(store.recorder, store.db_uuid)
        self._housekeeping = Housekeeping(store.database, store.recorder, lock, Role.LIVE, clock, observer)
        self.db_uuid = store.db_uuid
        self.fingerprint = store.fingerprint
        self.epoch = store.recorder.epoch
        self.was_unclean = lock.was_unclean
        self.journal = SqliteJournal(
            store.recorder, self._books, limits, ids, writer.deployment_id, writer.arm_token_hash(store.db_uuid)
        )

    @classmethod
    def open(
        cls, path: Path, lock: DatabaseLock, writer: Writer, limits: ReservationLimits, clock: Clock, ids: Ids,
        observer: Observer,
    ) -> "LiveStore":  # fmt: skip
        """Open live's database under its lock, or make it. Refusals write nothing; see `opening.open_store`."""
        assert writer.role is Role.LIVE, "live's store is written by live"
        store = cls(open_store(path, lock, writer, clock, ids, observer), lock, writer, limits, clock, ids, observer)
        store._books.seal_if_due()  # before anybody asks for a history that is long
        return store

    def unit_of_work(self, cycle_id: str, started_at: datetime) -> UnitOfWork:
        """Begin a cycle's records. Until it ends, journal commits carry its cycle and its snapshot."""
        return UnitOfWork(self._recorder, cycle_id, started_at)

    def history(self) -> TradingHistory:
        sealed = self._books.sealed
        since = utc_text(self._clock.now() - ENTRY_MEMORY)
        entries = self._database.execute(
            "SELECT pair, created_at FROM orders WHERE created_at > ? AND purpose = ? ORDER BY created_at",
            (since, Purpose.ENTRY.value),
        )
        fills = tuple(fills_after(self._database, sealed.last_fill_id))
        assigned = assignments_after(self._database, sealed.last_assignment_id)
        return TradingHistory(
            tuple(self.journal.unfinished()), tuple(fill for _, fill in fills),
            tuple((pair, read_utc(created_at)) for pair, created_at in entries), self._opening(),
            read_entries(self._database, EntryKind.TRANSFER, sealed.last_ledger_id), self._last_cycle(),
            self._entries_of_day(), self._submits(), self._breakers(), self._unchanged_since(), sealed,
            tuple((sum(fill_id <= last for fill_id, _ in fills), event) for _, last, event in assigned),
        )  # fmt: skip

    # ------------------------------------------------------------------------------------------------- the books

    def open_ledger(self, balances: Iterable[Balance]) -> None:
        """Book what the account holds now as the ledger's opening, once; `RecordRefused` where it is open already."""
        if self.cursor(LEDGER_OPENED) is not None:
            raise RecordRefused("the ledger was opened before")
        at = self._recorder.moment().at
        with self._recorder.transaction():
            entries = tuple(
                LedgerEntry(EntryKind.OPENING, Amount(balance.total, balance.asset), f"opening/{balance.asset}", at)
                for balance in balances
                if balance.total != 0
            )
            book_entries(self._recorder, entries, at)
            write_cursor(self._recorder, LEDGER_OPENED, utc_text(at), at)

    def ledger_balances(self) -> dict[Asset, Decimal]:
        """What the ledger adds up to per asset; reads on from the last entry that was added."""
        return dict(self._books.current().sums)

    def assign(self, assignment: Assignment) -> None:
        """Make coins of the account the bot's own; whether they are there and free is for the caller to know."""
        with self._recorder.transaction():
            self._recorder.insert(
                Assignments, epoch=self.epoch, pair=assignment.pair, base=assignment.base, quote=assignment.quote,
                quantity=assignment.quantity, price=assignment.price, reason=assignment.reason, by=assignment.by,
                at=assignment.at,
            )  # fmt: skip
            self._recorder.tell(
                FeedKind.ASSIGNMENT,
                {
                    "pair": assignment.pair, "quantity": plain(assignment.quantity), "price": plain(assignment.price),
                    "reason": assignment.reason, "by": assignment.by,
                },
                assignment.at,
            )  # fmt: skip

    def fills(self) -> tuple[Fill, ...]:
        """All of them, in booking order: for people, and not at a start."""
        return read_fills(self._database)

    def holds_positions(self) -> bool:
        """Whether our fills have left more of anything than dust."""
        instruments = self._books.current().trading.instruments
        return any(state.stay.is_open for state in instruments.values())

    def ledger_opened_at(self) -> datetime | None:
        text = self.cursor(LEDGER_OPENED)
        return None if text is None else read_utc(text)

    def book_transfers(self, entries: Iterable[LedgerEntry]) -> tuple[LedgerEntry, ...]:
        """Book deposits and withdrawals, and return those that are new: one is booked once, by its source."""
        at = self._recorder.moment().at
        with self._recorder.transaction():
            new = tuple(
                entry
                for entry in entries
                if self._database.value(
                    "SELECT 1 FROM ledger WHERE source = ? AND kind = ? AND asset = ?",
                    (entry.source, entry.kind.value, entry.amount.asset),
                )
                is None
            )
            book_entries(self._recorder, new, at)
        return new

    # ------------------------------------------------------------------------------------------------- the latch

    def halt(self) -> str | None:
        """Why trading is halted: the first reason since a person lifted the last one, or nothing.

        News that contradicts what was believed of an order halts by itself: its history row is the latch, so that no
        crash can come between booking it and halting.
        """
        lifted = self._database.value("SELECT coalesce(max(chain_sequence), 0) FROM control WHERE verb = 'lift'")
        row = self._database.execute(
            """
            SELECT reason, chain_sequence FROM control WHERE verb = 'halt' AND chain_sequence > ?1
            UNION ALL
            SELECT 'order ' || order_id || ' took ' || event || ' while ' || before || ': ' || detail, chain_sequence
            FROM order_history WHERE is_alarm = 1 AND chain_sequence > ?1
            ORDER BY chain_sequence LIMIT 1
            """,
            (lifted,),
        ).fetchone()
        return None if row is None else str(row[0])

    def halts(self) -> int:
        """How many halts and alarms have come since the last lift: whoever lifts must have seen them all."""
        lifted = self._database.value("SELECT coalesce(max(chain_sequence), 0) FROM control WHERE verb = 'lift'")
        return int(
            self._database.value(
                "SELECT (SELECT count(*) FROM control WHERE verb = 'halt' AND chain_sequence > ?1) + "
                "(SELECT count(*) FROM order_history WHERE is_alarm = 1 AND chain_sequence > ?1)",
                (lifted,),
            )
        )

    def latch_halt(self, reason: str, by: str) -> None:
        """Make a halt durable and tell the monitor. Each call is kept; the first since the last lift is shown."""
        self._say("halt", reason, by)

    def lift_halt(self, reason: str, by: str) -> None:
        """A person's word, after which the latch is open again."""
        self._say("lift", reason, by)

    def is_paused(self) -> bool:
        last = self._database.value(
            "SELECT verb FROM control WHERE verb IN ('pause', 'resume') ORDER BY chain_sequence DESC LIMIT 1"
        )
        return bool(last == "pause")

    def set_paused(self, paused: bool, by: str, reason: str = "") -> None:
        if paused != self.is_paused():
            self._say("pause" if paused else "resume", reason, by)

    def armed_under(self) -> tuple[str, str]:
        """Two hashes of build, settings, database and key: of those that a person agreed to last, and of ours.

        A person agrees with the first start of a database, and with each resume.
        """
        agreed = self._database.execute(
            "SELECT epochs.build, control.config_hash FROM control JOIN epochs ON epochs.epoch = control.epoch "
            "WHERE control.verb IN ('resume', 'lift') ORDER BY control.chain_sequence DESC LIMIT 1"
        ).fetchone()
        if agreed is None:
            agreed = self._database.execute("SELECT build, config_hash FROM epochs ORDER BY epoch LIMIT 1").fetchone()
        build, config_hash = agreed
        then = replace(self._writer, build=build, config_hash=config_hash)
        return then.arm_token_hash(self.db_uuid), self._writer.arm_token_hash(self.db_uuid)

    # -------------------------------------------------------------------------------------- the feed, and the rest

    def cursor(self, name: str) -> str | None:
        value: str | None = self._database.value("SELECT value FROM cursors WHERE name = ?", (name,))
        return value

    def starts_since(self, moment: datetime) -> int:
        """How often the database was opened since then, this time included: for the crash-loop breaker."""
        return int(self._database.value("SELECT count(*) FROM epochs WHERE opened_at >= ?", (utc_text(moment),)))

    def outbox_after(self, number: int, limit: int) -> tuple[FeedMessage, ...]:
        """The next messages for a reader that has all up to `number`."""
        rows = self._database.execute(
            "SELECT number, kind, at, body FROM outbox WHERE number > ? ORDER BY number LIMIT ?", (number, limit)
        )
        return tuple(FeedMessage(each, FeedKind(kind), read_utc(at), json.loads(body)) for each, kind, at, body in rows)

    def outbox_last(self) -> int:
        return int(self._database.value("SELECT coalesce(max(number), 0) FROM outbox"))

    def chain_head(self) -> tuple[int, str]:
        """Number and hash of the last link: whoever keeps it elsewhere can tell a cut or an older copy."""
        return self._recorder.head.sequence, self._recorder.head.hash

    def require_fence(self) -> None:
        """`FenceLost` unless the lock file is ours and nobody has opened the database since. Two stats and one read."""
        self._lock.require_held()
        self._recorder.require_epoch()

    def checkpoint(self) -> None:
        """Between cycles: seal what was booked when it is time, let go what is archived, move a long log into the file.

        Raises `LogTooLong` and `DamagedDatabase`; see `Housekeeping.tidy`.
        """
        self._books.seal_if_due()
        self._pruning.step()
        self._housekeeping.tidy()

    def begin_backup(self, directory: Path, since: ChainHead | None) -> RunningBackup:
        """A backup that takes steps between our own work; its links are hashed anew after `since`."""
        return RunningBackup(
            self._database, directory, Role.LIVE, self._clock.now(), lambda: self._recorder.head, since
        )

    def bytes_used(self) -> int:
        """What the file holds, without the pages that are free to be used again."""
        pages: int = self._database.value("PRAGMA page_count")
        return (pages - int(self._database.value("PRAGMA freelist_count"))) * int(
            self._database.value("PRAGMA page_size")
        )

    def add_archive(self, sealed: Sealed) -> None:
        """Name an archive that is durable; from then on what it holds goes from this file, bit by bit.

        Raises `TamperedRecords` where it was not made of this very history.
        """
        bounds = sealed.bounds
        base = bounds_of(self._database, self.db_uuid).base
        is_ours = link_at(self._database, bounds.base.sequence) == bounds.base
        if not is_ours or sealed.first_sequence != base.sequence + 1:
            raise TamperedRecords(f"the archive {sealed.name} was made of another history than this one")
        numbers = {name: getattr(bounds, name) for name in Bounds.__dataclass_fields__ if name != "base"}
        with self._recorder.transaction():
            self._recorder.insert(
                Archives, epoch=self.epoch, name=sealed.name, sha256=sealed.sha256, bytes=sealed.bytes,
                first_sequence=sealed.first_sequence, last_sequence=bounds.base.sequence, last_hash=bounds.base.hash,
                kept_rows=sealed.kept_rows, kept_hash=sealed.kept_hash, last_cycle_id=sealed.last_cycle_id,
                sealed_at=self._recorder.moment().at, **numbers,
            )  # fmt: skip
        self._lock.keep(seal_of(self._recorder))  # which must name a link that stays
        self._pruning.begin()

    def counts(self) -> dict[str, int]:
        """Rows per table, for a person."""
        return {name: int(self._database.value(f"SELECT count(*) FROM {name}")) for name in COUNTED}

    def close(self) -> None:
        """Close in order; the lock is released by whoever took it."""
        close_store(self._database, self._recorder, self._lock)

    def _say(self, verb: str, reason: str, by: str) -> None:
        at = self._recorder.moment().at
        with self._recorder.transaction():
            self._recorder.insert(Control, epoch=self.epoch, verb=verb, reason=reason, by=by, at=at)
            self._recorder.tell(FeedKind.HALT, {"verb": verb, "reason": reason, "by": by}, at)

    def _opening(self) -> dict[Asset, Decimal] | None:
        if self.cursor(LEDGER_OPENED) is None:
            return None
        return dict(self._books.current().opening)

    def _entries_of_day(self) -> dict[str, int]:
        """Entries journaled since the last cycle of an earlier trading day."""
        rows = self._database.execute(
            """
            SELECT pair, count(*) FROM orders WHERE purpose = ? AND created_at > coalesce(
                (SELECT ended_at FROM cycles WHERE day < (SELECT day FROM cycles ORDER BY id DESC LIMIT 1)
                 ORDER BY id DESC LIMIT 1), '')
            GROUP BY pair ORDER BY pair
            """,
            (Purpose.ENTRY.value,),
        )
        return {str(pair): int(count) for pair, count in rows}

    def _submits(self) -> tuple[datetime, ...]:
        rows = self._database.execute(
            "SELECT created_at FROM orders JOIN order_heads USING (order_id) "
            "WHERE created_at > ? AND is_adopted = 0 AND state <> ? ORDER BY created_at",
            (utc_text(self._clock.now() - SUBMIT_MEMORY), OrderState.NOT_SENT.value),
        )
        return tuple(read_utc(created_at) for (created_at,) in rows)

    def _breakers(self) -> tuple[Mapping[str, object], ...]:
        rows = self._database.execute(
            "SELECT detail FROM events WHERE event = ? ORDER BY id DESC LIMIT ?",
            (Event.BREAKERS_RECORDED.value, MARKS_MAX + 1),
        )
        return tuple(reversed([json.loads(detail) for (detail,) in rows]))

    def _unchanged_since(self) -> datetime | None:
        now, since = None, None
        for build, config_hash, opened_at in self._database.execute(
            "SELECT build, config_hash, opened_at FROM epochs ORDER BY epoch DESC"
        ):
            now = now or (build, config_hash)
            if (build, config_hash) != now:
                break
            since = read_utc(opened_at)
        return since

    def _last_cycle(self) -> CycleRecord | None:
        rows = self._database.rows(Cycles.select().order_by(Cycles.id.desc()).limit(1))
        if not rows:
            return None
        row = rows[0]
        return CycleRecord(**{name: row[name] for name in CycleRecord.__dataclass_fields__})
