"""What live tells the monitor: the outbox of its database, and a heartbeat of where it stands."""

from collections.abc import Mapping, Sequence

from btcbot.domain.feed import FeedKind, FeedMessage
from btcbot.domain.ports import Clock
from btcbot.persistence.sqlite.live_store import LiveStore


class Vitals:
    """The latest figures of the run loop, for heartbeats. Written by the loop, read by the feed."""

    def __init__(self) -> None:
        self.figures: Mapping[str, object] = {"phase": "starting"}


class LiveFeed:
    """A `FeedSource` over the store's outbox."""

    def __init__(self, store: LiveStore, vitals: Vitals, clock: Clock) -> None:
        self._store = store
        self._vitals = vitals
        self._clock = clock

    def last_number(self) -> int:
        return self._store.outbox_last()

    def after(self, number: int, limit: int) -> Sequence[FeedMessage]:
        return self._store.outbox_after(number, limit)

    def heartbeat(self) -> FeedMessage:
        return FeedMessage(self.last_number(), FeedKind.HEARTBEAT, self._clock.now(), self._vitals.figures)
