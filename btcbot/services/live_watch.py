"""What the monitor knows of live from its status feed. Ages are measured on our own monotonic clock: live's may lie."""

from collections.abc import Mapping
from dataclasses import dataclass

from btcbot.domain.feed import FeedMessage


@dataclass(frozen=True, slots=True)
class LiveReading:
    """Live as it looked at one moment."""

    watched_seconds: float  # since the watch began
    figures: Mapping[str, object]  # of the last heartbeat; empty before the first
    heartbeat_age: float | None  # seconds; nothing before the first heartbeat
    phase_age: float  # seconds since live began what it is doing
    cycle_age: float  # seconds since its loop last went round
    backlog: int | None  # messages that live has and our copy does not; negative: its numbers begin again


class LiveWatch:
    """Fed with every message and the moment at which it came."""

    def __init__(self, began: float) -> None:
        self._began = began
        self._heartbeat: FeedMessage | None = None
        self._beat_at = began
        self._phase_since = began
        self._turned_at = began

    @property
    def heartbeat(self) -> FeedMessage | None:
        return self._heartbeat

    def took(self, heartbeat: FeedMessage, moment: float) -> None:
        before = {} if self._heartbeat is None else self._heartbeat.body
        if heartbeat.body.get("phase") != before.get("phase"):
            self._phase_since = moment
        if heartbeat.body.get("cycled_at") != before.get("cycled_at"):
            self._turned_at = moment
        self._heartbeat, self._beat_at = heartbeat, moment

    def reading(self, moment: float, copied: int | None) -> LiveReading:
        """`copied` is the last number that we keep; nothing where no copy is kept."""
        heartbeat = self._heartbeat
        return LiveReading(
            watched_seconds=moment - self._began,
            figures={} if heartbeat is None else heartbeat.body,
            heartbeat_age=None if heartbeat is None else moment - self._beat_at,
            phase_age=moment - self._phase_since,
            cycle_age=moment - self._turned_at,
            backlog=None if heartbeat is None or copied is None else heartbeat.number - copied,
        )
