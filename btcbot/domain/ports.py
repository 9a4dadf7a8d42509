"""The ports that cross packages: time, ids, the journal, and who is told of what happened.

Other ports sit beside their consumer. Wall time is for records, monotonic time for ages and timeouts.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from btcbot.domain.events import Event
from btcbot.domain.orders.evidence import Evidence
from btcbot.domain.orders.intents import ApprovedOrderIntent
from btcbot.domain.orders.records import JournaledOrder, OrderRecord


class Clock(Protocol):
    """Both kinds of time, at the process's clock rate."""

    def now(self) -> datetime:
        """Wall time, timezone-aware UTC. May step; never used for ages."""
        ...

    def monotonic(self) -> float:
        """Seconds that only rise, from an arbitrary start."""
        ...


class Sleeper(Protocol):
    async def sleep(self, seconds: float) -> None: ...


class Ids(Protocol):
    def new(self) -> str:
        """A fresh identifier: 32 lower-case hexadecimal characters, rising with time within a process."""
        ...


class Observer(Protocol):
    """Told of what happened; decides nothing and never raises."""

    def observed(self, event: Event, **fields: object) -> None: ...


class Journal(Protocol):
    """The durable life of our orders (reliability 3.3). Every method that returns has committed, `synchronous=FULL`.

    A transition that the table does not allow raises `IllegalTransition`; a conditional update that finds another state
    than expected raises `FenceLost` or `IllegalTransition`, and nothing was changed.
    """

    def intent(self, approved: ApprovedOrderIntent) -> JournaledOrder:
        """Insert the row: state INTENT, the reservation held, limits re-read in the same transaction."""
        ...

    def not_sent(self, order: JournaledOrder, reason: str) -> OrderRecord:
        """INTENT → NOT_SENT: a re-check failed; no byte left."""
        ...

    def sending(self, order: JournaledOrder) -> JournaledOrder:
        """INTENT → SENDING, durable before the first byte leaves. Succeeds once per order."""
        ...

    def record(self, order_id: str, evidence: Evidence) -> OrderRecord:
        """Apply what was learnt of an order: an answer, a sighting, trades, an absence, a restart."""
        ...

    def adopt(self, evidence: Evidence) -> OrderRecord:
        """A venue order that bears our label but has no row: ORPHAN, then OPEN."""
        ...

    def get(self, order_id: str) -> OrderRecord: ...

    def by_label(self, client_order_id: str) -> OrderRecord | None: ...

    def by_exchange_id(self, exchange_order_id: int) -> OrderRecord | None: ...

    def unfinished(self) -> Sequence[OrderRecord]:
        """Every order that is not in a terminal state, oldest first."""
        ...

    def counters(self) -> Mapping[str, int]:
        """How many orders are in each state."""
        ...
