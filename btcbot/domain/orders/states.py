"""The life of an order is this table (reliability 3.3). A trader can check it with a pencil.

The rules behind it:

1. Silence is not an answer. Only evidence leads out of UNKNOWN: a sighting, or an absence that was proven.
2. Nothing leads back to INTENT, and nothing but INTENT leads to SENDING: an order is sent at most once.
3. The exchange's yes to a cancel is a receipt. An order is over when the exchange lists it as closed and its trades
   add up to what was executed.
4. News may come late, twice or out of order, in any state. It makes the record truer and, where it contradicts what
   was believed, rings an alarm (`ALARMS`).

The table is total: a cell that holds no state is the named defect of its row.
"""

from collections.abc import Mapping
from enum import StrEnum

from btcbot.domain.errors import BtcbotError


class OrderState(StrEnum):
    INTENT = "intent"  # durable, nothing sent
    NOT_SENT = "not_sent"  # terminal: no byte left
    SENDING = "sending"  # durable, the one request may be on the wire
    TURNED_DOWN = "turned_down"  # the exchange said no; not yet proven
    REJECTED = "rejected"  # terminal: no, and proven absent
    UNKNOWN = "unknown"  # the answer is overdue or unclear
    ABSENT_SEALED = "absent_sealed"  # terminal: proven never to have arrived; a tombstone for ever
    ORPHAN = "orphan"  # ours by its label, without a row until now
    OPEN = "open"  # rests at the exchange, nothing filled
    PARTIAL = "partial"  # partly filled
    CANCEL_INTENT = "cancel_intent"  # a cancel is wanted, durable, not yet sent
    CANCELING = "canceling"  # a cancel may be on the wire
    CLOSING = "closing"  # no longer rests; its trades do not add up yet
    FILLED = "filled"  # terminal
    CANCELED = "canceled"  # terminal; what was filled before is booked


class OrderEvent(StrEnum):
    RECHECK_FAILED = "recheck_failed"
    RECHECK_PASSED = "recheck_passed"
    RESTARTED = "restarted"
    NO_BYTE_LEFT = "no_byte_left"
    ACCEPTED = "accepted"
    ACCEPTED_OTHERWISE = "accepted_otherwise"
    ANSWERED_FOR_ANOTHER = "answered_for_another"
    TURNED_DOWN = "turned_down"
    SILENT = "silent"
    SEEN_OPEN = "seen_open"
    SEEN_PARTIAL = "seen_partial"
    SEEN_CLOSED = "seen_closed"
    REAPPEARED = "reappeared"
    ABSENT_ONCE = "absent_once"
    ABSENCE_PROVEN = "absence_proven"
    TRADED = "traded"
    CANCEL_WANTED = "cancel_wanted"
    CANCEL_SENT = "cancel_sent"
    CANCEL_TURNED_DOWN = "cancel_turned_down"
    FILLED_AND_ADDED_UP = "filled_and_added_up"
    GONE_AND_ADDED_UP = "gone_and_added_up"
    ADOPTED = "adopted"


class Defect(StrEnum):
    """Why a cell of the table is empty. Meeting one is a defect of ours, never news from the exchange."""

    NOT_YET_SENT = "nothing was sent, so nothing can have answered"
    STILL_SENDING = "the request is on the wire; its answer, a sighting or silence comes next"
    ALREADY_ANSWERED = "the submit was settled before"
    NOT_RESTING = "the order is not known to rest at the exchange"
    NOT_ADOPTED = "an orphan is adopted before anything else"
    ALREADY_OVER = "the order is over"


S, E, D = OrderState, OrderEvent, Defect

_RESTING: dict[OrderEvent, OrderState] = {
    E.SEEN_CLOSED: S.CLOSING, E.CANCEL_WANTED: S.CANCEL_INTENT,
}  # fmt: skip

MOVES: Mapping[OrderState, Mapping[OrderEvent, OrderState]] = {
    S.INTENT: {
        E.RECHECK_FAILED: S.NOT_SENT, E.RECHECK_PASSED: S.SENDING, E.RESTARTED: S.NOT_SENT,
        E.SEEN_OPEN: S.OPEN, E.SEEN_PARTIAL: S.PARTIAL, E.SEEN_CLOSED: S.CLOSING, E.TRADED: S.PARTIAL,
    },
    S.SENDING: {
        E.NO_BYTE_LEFT: S.NOT_SENT, E.ACCEPTED: S.OPEN, E.ACCEPTED_OTHERWISE: S.OPEN, E.TURNED_DOWN: S.TURNED_DOWN,
        E.SILENT: S.UNKNOWN, E.ANSWERED_FOR_ANOTHER: S.UNKNOWN, E.RESTARTED: S.UNKNOWN,
        E.SEEN_OPEN: S.OPEN, E.SEEN_PARTIAL: S.PARTIAL, E.SEEN_CLOSED: S.CLOSING, E.TRADED: S.PARTIAL,
    },
    S.UNKNOWN: {
        E.ACCEPTED: S.OPEN, E.ACCEPTED_OTHERWISE: S.OPEN, E.TURNED_DOWN: S.UNKNOWN, E.SILENT: S.UNKNOWN,
        E.ANSWERED_FOR_ANOTHER: S.UNKNOWN, E.RESTARTED: S.UNKNOWN,
        E.ABSENT_ONCE: S.UNKNOWN, E.ABSENCE_PROVEN: S.ABSENT_SEALED,
        E.SEEN_OPEN: S.OPEN, E.SEEN_PARTIAL: S.PARTIAL, E.SEEN_CLOSED: S.CLOSING, E.TRADED: S.PARTIAL,
    },
    S.TURNED_DOWN: {
        E.ABSENT_ONCE: S.REJECTED, E.RESTARTED: S.TURNED_DOWN, E.TURNED_DOWN: S.TURNED_DOWN, E.ACCEPTED: S.OPEN,
        E.SEEN_OPEN: S.OPEN, E.SEEN_PARTIAL: S.PARTIAL, E.SEEN_CLOSED: S.CLOSING, E.TRADED: S.PARTIAL,
    },
    S.ORPHAN: {E.ADOPTED: S.OPEN},
    S.OPEN: _RESTING | {
        E.SEEN_OPEN: S.OPEN, E.SEEN_PARTIAL: S.PARTIAL, E.TRADED: S.PARTIAL,
        E.ACCEPTED: S.OPEN, E.TURNED_DOWN: S.OPEN, E.SILENT: S.OPEN, E.RESTARTED: S.OPEN, E.ABSENT_ONCE: S.OPEN,
    },
    S.PARTIAL: _RESTING | {
        E.SEEN_OPEN: S.PARTIAL, E.SEEN_PARTIAL: S.PARTIAL, E.TRADED: S.PARTIAL,
        E.ACCEPTED: S.PARTIAL, E.TURNED_DOWN: S.PARTIAL, E.SILENT: S.PARTIAL, E.RESTARTED: S.PARTIAL,
        E.ABSENT_ONCE: S.PARTIAL,
    },
    S.CANCEL_INTENT: _RESTING | {
        E.CANCEL_SENT: S.CANCELING, E.RESTARTED: S.CANCELING,
        E.SEEN_OPEN: S.CANCEL_INTENT, E.SEEN_PARTIAL: S.CANCEL_INTENT, E.TRADED: S.CANCEL_INTENT,
        E.ACCEPTED: S.CANCEL_INTENT, E.TURNED_DOWN: S.CANCEL_INTENT, E.SILENT: S.CANCEL_INTENT,
        E.ABSENT_ONCE: S.CANCEL_INTENT,
    },
    S.CANCELING: _RESTING | {  # a cancel may be repeated: it is idempotent
        E.CANCEL_TURNED_DOWN: S.CANCELING, E.RESTARTED: S.CANCELING,
        E.SEEN_OPEN: S.CANCELING, E.SEEN_PARTIAL: S.CANCELING, E.TRADED: S.CANCELING,
        E.ACCEPTED: S.CANCELING, E.TURNED_DOWN: S.CANCELING, E.SILENT: S.CANCELING, E.ABSENT_ONCE: S.CANCELING,
    },
    S.CLOSING: {
        E.FILLED_AND_ADDED_UP: S.FILLED, E.GONE_AND_ADDED_UP: S.CANCELED,
        E.SEEN_OPEN: S.CLOSING, E.SEEN_PARTIAL: S.CLOSING, E.SEEN_CLOSED: S.CLOSING, E.TRADED: S.CLOSING,
        E.ACCEPTED: S.CLOSING, E.TURNED_DOWN: S.CLOSING, E.SILENT: S.CLOSING, E.RESTARTED: S.CLOSING,
        E.ABSENT_ONCE: S.CLOSING, E.CANCEL_WANTED: S.CLOSING, E.CANCEL_SENT: S.CLOSING,
        E.CANCEL_TURNED_DOWN: S.CLOSING,
    },
    # Terminal, yet not deaf: what was believed absent may turn up, and a trade may come after the end.
    S.NOT_SENT: {
        E.RESTARTED: S.NOT_SENT, E.ABSENT_ONCE: S.NOT_SENT, E.ACCEPTED: S.OPEN,
        E.SEEN_OPEN: S.OPEN, E.SEEN_PARTIAL: S.PARTIAL, E.SEEN_CLOSED: S.CLOSING, E.TRADED: S.PARTIAL,
    },
    S.REJECTED: {
        E.RESTARTED: S.REJECTED, E.ABSENT_ONCE: S.REJECTED, E.TURNED_DOWN: S.REJECTED, E.ACCEPTED: S.OPEN,
        E.SEEN_OPEN: S.OPEN, E.SEEN_PARTIAL: S.PARTIAL, E.SEEN_CLOSED: S.CLOSING, E.TRADED: S.PARTIAL,
    },
    S.ABSENT_SEALED: {
        E.RESTARTED: S.ABSENT_SEALED, E.ABSENT_ONCE: S.ABSENT_SEALED, E.TURNED_DOWN: S.ABSENT_SEALED,
        E.SILENT: S.ABSENT_SEALED, E.ACCEPTED: S.OPEN,
        E.SEEN_OPEN: S.OPEN, E.SEEN_PARTIAL: S.PARTIAL, E.SEEN_CLOSED: S.CLOSING, E.TRADED: S.PARTIAL,
    },
    S.CANCELED: {
        E.TRADED: S.CLOSING, E.SEEN_CLOSED: S.CANCELED, E.RESTARTED: S.CANCELED, E.ABSENT_ONCE: S.CANCELED,
        # Listings lag: a view older than the end does not undo it; one that is clearly newer does.
        E.REAPPEARED: S.OPEN, E.SEEN_OPEN: S.CANCELED, E.SEEN_PARTIAL: S.CANCELED,
        E.ACCEPTED: S.CANCELED, E.TURNED_DOWN: S.CANCELED, E.SILENT: S.CANCELED, E.CANCEL_WANTED: S.CANCELED,
        E.CANCEL_SENT: S.CANCELED, E.CANCEL_TURNED_DOWN: S.CANCELED,
    },
    S.FILLED: {
        E.TRADED: S.CLOSING, E.SEEN_CLOSED: S.FILLED, E.RESTARTED: S.FILLED, E.ABSENT_ONCE: S.FILLED,
        E.REAPPEARED: S.OPEN, E.SEEN_OPEN: S.FILLED, E.SEEN_PARTIAL: S.FILLED,
        E.ACCEPTED: S.FILLED, E.TURNED_DOWN: S.FILLED, E.SILENT: S.FILLED, E.CANCEL_WANTED: S.FILLED,
        E.CANCEL_SENT: S.FILLED, E.CANCEL_TURNED_DOWN: S.FILLED,
    },
}  # fmt: skip

_DEFECT_OF_ROW: Mapping[OrderState, Defect] = {
    S.INTENT: D.NOT_YET_SENT, S.NOT_SENT: D.ALREADY_OVER, S.SENDING: D.STILL_SENDING,
    S.TURNED_DOWN: D.ALREADY_ANSWERED, S.REJECTED: D.ALREADY_OVER, S.UNKNOWN: D.NOT_RESTING,
    S.ABSENT_SEALED: D.ALREADY_OVER, S.ORPHAN: D.NOT_ADOPTED, S.OPEN: D.ALREADY_ANSWERED,
    S.PARTIAL: D.ALREADY_ANSWERED, S.CANCEL_INTENT: D.ALREADY_ANSWERED, S.CANCELING: D.ALREADY_ANSWERED,
    S.CLOSING: D.NOT_RESTING, S.FILLED: D.ALREADY_OVER, S.CANCELED: D.ALREADY_OVER,
}  # fmt: skip

TRANSITIONS: Mapping[OrderState, Mapping[OrderEvent, OrderState | Defect]] = {
    state: {event: MOVES[state].get(event, _DEFECT_OF_ROW[state]) for event in OrderEvent} for state in OrderState
}

TERMINAL = frozenset({S.NOT_SENT, S.REJECTED, S.ABSENT_SEALED, S.FILLED, S.CANCELED})
UNRESOLVED = frozenset({S.INTENT, S.SENDING, S.TURNED_DOWN, S.UNKNOWN})  # may exist at the exchange, or not
WORKING = frozenset({S.ORPHAN, S.OPEN, S.PARTIAL, S.CANCEL_INTENT, S.CANCELING, S.CLOSING})

_SEEN = (E.ACCEPTED, E.SEEN_OPEN, E.SEEN_PARTIAL, E.SEEN_CLOSED, E.TRADED)
ALARMS: frozenset[tuple[OrderState, OrderEvent]] = frozenset(
    {(state, event) for state in (S.INTENT, S.NOT_SENT, S.REJECTED, S.ABSENT_SEALED) for event in _SEEN
     if event in MOVES[state]}
    | {(state, event) for state in (S.CANCELED, S.FILLED) for event in (E.TRADED, E.REAPPEARED)}
    | {(state, event) for state in (S.SENDING, S.UNKNOWN) for event in (E.ACCEPTED_OTHERWISE, E.ANSWERED_FOR_ANOTHER)}
    | {(S.ORPHAN, E.ADOPTED)}
)  # fmt: skip
"""News that contradicts what was believed: it is booked, trading halts, and a person looks."""


class IllegalTransition(BtcbotError):
    """Code asked for a step that the table does not have."""

    def __init__(self, state: OrderState, event: OrderEvent, defect: Defect) -> None:
        super().__init__(f"an order in state {state} cannot take {event}: {defect}")
        self.state, self.event, self.defect = state, event, defect


def next_state(state: OrderState, event: OrderEvent) -> OrderState:
    """One step of the table; a defect's cell raises `IllegalTransition`."""
    cell = TRANSITIONS[state][event]
    if isinstance(cell, Defect):
        raise IllegalTransition(state, event, cell)
    return cell
