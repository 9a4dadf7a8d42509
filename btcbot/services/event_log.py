"""What happened around the decisions, for the record: these events become rows with the next cycle's commit."""

import math
from collections.abc import Mapping

from btcbot.domain.events import Event
from btcbot.domain.ports import Observer

KEPT_MAX = 1_000  # between two commits; what comes beyond is in the log only

RECORDED = frozenset(
    {
        Event.PROCESS_STARTED,
        Event.UNCLEAN_STOP_DETECTED,
        Event.BACKUP_COMPLETED,
        Event.ARCHIVE_SEALED,
        Event.BACKUP_FAILED,
        Event.WARM_UP_COMPLETED,
        Event.STRATEGY_FAILED,
        Event.STRATEGY_MISSING,
        Event.SUBMIT_BLOCKED,
        Event.CANCEL_REPEATED,
        Event.CANCEL_LEFT_UNRECORDED,
        Event.RECORDS_UNBLOCKED,
        Event.DATABASE_LOG_LONG,
        Event.FOREIGN_ORDER_SEEN,
        Event.ORDER_ADOPTED,
        Event.TRANSFERS_BOOKED,
        Event.RECONCILED,
        Event.RECONCILIATION_FAILED,
        Event.LEDGER_MISMATCHED,
        Event.HALTED,
        Event.CONTROL_COMMAND_RECEIVED,
        Event.ACCOUNT_OPENED,
        Event.EXIT_REFUSED,
        Event.FEE_DIFFERED,
        Event.PAUSED,
        Event.COINS_ASSIGNED,
        Event.FLATTEN_BEGUN,
        Event.FLATTEN_ENDED,
        Event.CANCELS_PROVEN,
        Event.CLOCK_OFFSET_MEASURED,
        Event.CLOCK_OFFSET_EXCEEDED,
        Event.EXCHANGE_UNREACHABLE,
        Event.EXCHANGE_REACHED,
        Event.PRIVATE_CALLS_STOPPED,
        Event.STREAM_LOST,
    }
)


class EventLog:
    """An observer that tells the one behind it, and keeps what belongs on record until it is drained."""

    def __init__(self, behind: Observer) -> None:
        self._behind = behind
        self._kept: list[tuple[Event, Mapping[str, object]]] = []

    def observed(self, event: Event, **fields: object) -> None:
        self._behind.observed(event, **fields)
        if event in RECORDED and len(self._kept) < KEPT_MAX:
            self._kept.append((event, {name: _plain(value) for name, value in fields.items()}))

    def kept(self) -> tuple[tuple[Event, Mapping[str, object]], ...]:
        return tuple(self._kept)

    def forget(self, count: int) -> None:
        """Once they are committed."""
        del self._kept[:count]


def _plain(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return value if isinstance(value, str | int | list | dict | None) else str(value)
