"""Prometheus metrics: one enumeration of names, base units in the name, labels bounded. Floats are fine here: the
truth about money is in the database.

Times are told as the moment they happened (`…_timestamp_seconds`), never as ages: an age that nobody updates lies.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from btcbot.domain.errors import ConfigurationError
from btcbot.domain.events import Event
from btcbot.domain.ports import Observer

LOOPBACK = "127.0.0.1"


class Metric(StrEnum):
    """Gauges; the one counter, of events, belongs to `CountingObserver`."""

    BUILD_INFO = "btcbot_build_info"
    HEALTH_STATUS = "btcbot_health_status"
    HEALTH_CHECKED = "btcbot_health_checked_timestamp_seconds"
    FEED_BACKLOG = "btcbot_feed_backlog_messages"
    LIVE_HEARTBEAT = "btcbot_live_heartbeat_timestamp_seconds"
    LIVE_HALTED = "btcbot_live_halted"
    LIVE_PAUSED = "btcbot_live_paused"
    LIVE_ARMED = "btcbot_live_armed"
    LIVE_ORDERS_UNRESOLVED = "btcbot_live_orders_unresolved"
    LIVE_EQUITY = "btcbot_live_equity_try"
    LIVE_DAY_PNL = "btcbot_live_day_pnl_try"


EVENTS = "btcbot_events_total"


@dataclass(frozen=True, slots=True)
class Definition:
    help: str
    labels: tuple[str, ...] = ()


DEFINITIONS: Mapping[Metric, Definition] = {
    Metric.BUILD_INFO: Definition("Always 1; the labels say what runs.", ("role", "build")),
    Metric.HEALTH_STATUS: Definition("0 OK, 1 WARN, 2 FAIL, 3 UNKNOWN.", ("check",)),
    Metric.HEALTH_CHECKED: Definition("When the checks last ran."),
    Metric.FEED_BACKLOG: Definition("Messages that live has and our copy does not."),
    Metric.LIVE_HEARTBEAT: Definition("When live's last heartbeat was sent."),
    Metric.LIVE_HALTED: Definition("1 while a halt is latched."),
    Metric.LIVE_PAUSED: Definition("1 while new entries are paused."),
    Metric.LIVE_ARMED: Definition("1 while live may submit."),
    Metric.LIVE_ORDERS_UNRESOLVED: Definition("Orders whose fate is not known."),
    Metric.LIVE_EQUITY: Definition("Balances valued at mark."),
    Metric.LIVE_DAY_PNL: Definition("Profit and loss of the trading day."),
}


class Metrics:
    """The metrics of one process, in a registry of their own. A gauge appears when it is first set: zero is a claim."""

    def __init__(self, role: str, build: str) -> None:
        self.registry = CollectorRegistry()
        self._events = Counter(EVENTS, "Events observed, by name.", ("event",), registry=self.registry)
        self._gauges: dict[Metric, Gauge] = {}
        self.set(Metric.BUILD_INFO, 1, role=role, build=build)

    def set(self, metric: Metric, value: float, **labels: str) -> None:
        if metric not in self._gauges:
            definition = DEFINITIONS[metric]
            self._gauges[metric] = Gauge(metric, definition.help, definition.labels, registry=self.registry)
        gauge = self._gauges[metric]
        (gauge.labels(**labels) if labels else gauge).set(value)

    def count(self, event: Event) -> None:
        self._events.labels(event=str(event)).inc()


class CountingObserver:
    """Counts every event on its way to the observer behind it."""

    def __init__(self, behind: Observer, metrics: Metrics) -> None:
        self._behind = behind
        self._metrics = metrics

    def observed(self, event: Event, **fields: object) -> None:
        self._metrics.count(event)
        self._behind.observed(event, **fields)


def serve_metrics(metrics: Metrics, port: int) -> None:
    """Serve `/metrics` on loopback for as long as the process lives; a port that is taken is a configuration error."""
    try:
        start_http_server(port, addr=LOOPBACK, registry=metrics.registry)
    except OSError as error:
        raise ConfigurationError(f"BTCBOT_METRICS_PORT={port} cannot be opened ({error.strerror})") from error
