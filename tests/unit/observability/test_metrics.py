"""Names, units and labels of the metrics, and that they are served on loopback only."""

import re
import socket
from contextlib import closing
from urllib.request import urlopen

import pytest
from prometheus_client import generate_latest

from btcbot.domain.errors import ConfigurationError
from btcbot.domain.events import Event
from btcbot.observability.metrics import DEFINITIONS, EVENTS, CountingObserver, Metric, Metrics, serve_metrics
from tests.unit.observability.remembering import Remembering


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_every_metric_is_defined_and_named_by_the_house_rules() -> None:
    assert set(DEFINITIONS) == set(Metric)
    for name in (*Metric, EVENTS):
        assert re.fullmatch(r"btcbot_[a-z]+(_[a-z]+)*", name)


def test_events_are_counted_on_their_way(observer: Remembering) -> None:
    metrics = Metrics("live", "1.0")
    counting = CountingObserver(observer, metrics)
    counting.observed(Event.FILL_BOOKED, pair="BTCTRY")
    counting.observed(Event.FILL_BOOKED, pair="BTCTRY")
    assert len(observer.told) == 2
    text = generate_latest(metrics.registry).decode()
    assert 'btcbot_events_total{event="fill_booked"} 2.0' in text
    assert 'btcbot_build_info{build="1.0",role="live"} 1.0' in text


def test_metrics_are_served_on_loopback_and_a_taken_port_is_named() -> None:
    port = free_port()
    serve_metrics(Metrics("monitor", "1.0"), port)
    with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        assert b"btcbot_build_info" in answer.read()
    with pytest.raises(ConfigurationError, match=f"BTCBOT_METRICS_PORT={port}"):
        serve_metrics(Metrics("monitor", "1.0"), port)
