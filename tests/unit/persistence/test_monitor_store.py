import sqlite3
from contextlib import closing
from pathlib import Path

from btcbot.domain.feed import FeedKind, FeedMessage
from btcbot.domain.health import Check, HealthReport, Reason, Status
from tests.unit.persistence.world import START, monitor_store


def message(number: int) -> FeedMessage:
    return FeedMessage(number, FeedKind.ORDER, START, {"order_id": f"order-{number}"})


def test_a_report_is_kept_with_its_checks(tmp_path: Path) -> None:
    path = tmp_path / "monitor.db"
    with monitor_store(path) as store:
        for status in (Status.OK, Status.FAIL):
            checks = (
                Check("feed", status, Reason.FEED_SILENT, "12 s", "look at live"),
                Check("exchange", Status.OK, Reason.FINE, "", ""),
            )
            store.add_report(HealthReport(START, checks))
        store.require_fence()
        store.checkpoint()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT id, status FROM reports").fetchall() == [(1, "OK"), (2, "FAIL")]
        assert connection.execute("SELECT report_id, name, status, reason FROM checks ORDER BY id").fetchall() == [
            (1, "feed", "OK", "feed_silent"), (1, "exchange", "OK", "fine"), (2, "feed", "FAIL", "feed_silent"),
            (2, "exchange", "OK", "fine"),
        ]  # fmt: skip


def test_the_feed_is_kept_once_and_goes_on_where_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "monitor.db"
    with monitor_store(path) as store:
        assert store.last_feed_number() == 0
        store.add_feed((message(1), message(2)))
        store.add_feed((message(2), message(3), message(3)))
        assert store.last_feed_number() == 3
    with monitor_store(path) as store:
        assert store.epoch == 2
        assert store.last_feed_number() == 3
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT number, body FROM feed_copy").fetchall() == [
            (number, f'{{"order_id":"order-{number}"}}') for number in (1, 2, 3)
        ]
