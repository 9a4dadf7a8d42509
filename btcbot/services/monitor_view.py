"""What the monitor shows: its latest report and live's latest figures, as the page and the health socket read them."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime

from btcbot.domain.health import HealthReport


@dataclass(frozen=True, slots=True)
class MonitorView:
    """One moment of the watcher."""

    build: str
    report: HealthReport
    heartbeat_at: datetime | None  # live's time of it
    figures: Mapping[str, object]  # of live's last heartbeat
    feed_number: int  # the last message that we keep a copy of


ServePage = Callable[[int, Callable[[], MonitorView]], Coroutine[None, None, None]]
"""Serves the web page on a loopback port until cancelled: `btcbot.dashboard` has one, and `cli` passes it in."""
