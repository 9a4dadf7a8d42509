"""What was joined on a connection, and what came of it (protocol 10.2). Pure: times are given, nothing is sent.

An acknowledgement proves nothing, so each subscription is AWAITED until its first data frame, which is due in seconds.
A subscription that has to begin anew is left first, and joined when the leave was heard: who joins twice is refused and
gets nothing. What cannot be repaired like that needs a new connection.

    join ──▶ AWAITED ──data──▶ SERVED
                ▲                 │ again
                └──leave heard── LEAVING
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from btcbot.exchange.stream import Channel

ANSWER_SECONDS_MAX = 5.0  # from a join to the first data, from a leave to its acknowledgement
AGAIN_MAX, AGAIN_PERIOD_SECONDS = 12, 60.0  # of one subscription


class Stage(StrEnum):
    AWAITED = "awaited"
    SERVED = "served"
    LEAVING = "leaving"


@dataclass(slots=True)
class _Subscription:
    stage: Stage
    since: float
    heard_at: float
    is_repeated: bool = False  # joined again since the last data
    repeats: deque[float] = field(default_factory=lambda: deque(maxlen=AGAIN_MAX))


class Subscriptions:
    def __init__(self, channels: Iterable[Channel]) -> None:
        self._channels = tuple(channels)
        self._known: dict[Channel, _Subscription] = {}

    def joined_all(self, now: float) -> None:
        """A new connection: nothing is remembered there, and nothing here."""
        self._known = {channel: _Subscription(Stage.AWAITED, now, now) for channel in self._channels}

    def lost(self) -> None:
        self._known.clear()

    def served(self, channel: Channel, now: float) -> bool:
        """Data came. True when they are the first after a repeated join."""
        one = self._known.get(channel)
        if one is None:
            return False
        one.heard_at = now
        if one.stage is not Stage.AWAITED:  # what comes while leaving was sent before the leave was heard
            return False
        is_answer = one.is_repeated
        one.stage, one.since, one.is_repeated = Stage.SERVED, now, False
        return is_answer

    def is_served(self, channel: Channel) -> bool:
        """Data came, and nothing is under way."""
        one = self._known.get(channel)
        return one is not None and one.stage is Stage.SERVED

    def again(self, channel: Channel, now: float) -> bool:
        """Begin anew: true when a leave is to be sent. Not while one is under way, nor more often than the limit."""
        one = self._known.get(channel)
        if one is None or one.stage is Stage.LEAVING or (one.stage is Stage.AWAITED and one.is_repeated):
            return False
        if len(one.repeats) == AGAIN_MAX and now - one.repeats[0] <= AGAIN_PERIOD_SECONDS:
            return False
        one.repeats.append(now)
        one.stage, one.since = Stage.LEAVING, now
        return True

    def left(self, channel: Channel, now: float) -> bool:
        """A leave was acknowledged: true when a join is to be sent."""
        one = self._known.get(channel)
        if one is None or one.stage is not Stage.LEAVING:
            return False
        one.stage, one.since, one.is_repeated = Stage.AWAITED, now, True
        return True

    def overdue(self, now: float) -> list[Channel]:
        """Joined for the first time, and nothing came: worth another join."""
        return [channel for channel, one in self._late(now) if one.stage is Stage.AWAITED and not one.is_repeated]

    def hopeless(self, now: float) -> list[Channel]:
        """Joined again, or left, and nothing came of that either."""
        return [channel for channel, one in self._late(now) if one.stage is Stage.LEAVING or one.is_repeated]

    def silent(self, now: float, seconds_max: float) -> list[Channel]:
        """Served once, and nothing since."""
        return [
            channel
            for channel, one in self._known.items()
            if one.stage is Stage.SERVED and now - one.heard_at > seconds_max
        ]

    def silent_seconds(self, now: float) -> float:
        """Since anything at all came."""
        return min((now - one.heard_at for one in self._known.values()), default=0.0)

    def _late(self, now: float) -> Iterable[tuple[Channel, _Subscription]]:
        return (
            (channel, one)
            for channel, one in self._known.items()
            if one.stage is not Stage.SERVED and now - one.since > ANSWER_SECONDS_MAX
        )
