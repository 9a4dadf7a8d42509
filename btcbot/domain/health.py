"""What the monitor says: checks with a status, a typed reason and a remedy, and the worst of them."""

import json
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum

from btcbot.domain.errors import BtcbotError


class Status(IntEnum):
    """Doubles as the exit code of `btcbot health`."""

    OK = 0
    WARN = 1
    FAIL = 2
    UNKNOWN = 3


_GRAVITY = (Status.OK, Status.WARN, Status.UNKNOWN, Status.FAIL)


class Reason(StrEnum):
    FINE = "fine"
    CONFIGURATION_REFUSED = "configuration_refused"
    DATABASE_UNUSABLE = "database_unusable"
    SCHEMA_OUTDATED = "schema_outdated"
    EXCHANGE_UNREACHABLE = "exchange_unreachable"
    EXCHANGE_SLOW = "exchange_slow"
    KEY_REFUSED = "key_refused"
    CLOCK_OFFSET_HIGH = "clock_offset_high"
    CLOCK_OFFSET_EXCEEDED = "clock_offset_exceeded"
    MARKET_DATA_STALE = "market_data_stale"
    MARKET_DATA_SUSPICIOUS = "market_data_suspicious"
    FEED_SILENT = "feed_silent"
    HEARTBEAT_OLD = "heartbeat_old"
    CYCLES_STALLED = "cycles_stalled"
    LIVE_CANNOT_BEGIN = "live_cannot_begin"
    FEED_BACKLOG = "feed_backlog"
    LIVE_HALTED = "live_halted"
    LIVE_PAUSED = "live_paused"
    LIVE_DISARMED = "live_disarmed"
    ORDERS_UNRESOLVED = "orders_unresolved"
    EXIT_REFUSED = "exit_refused"
    STARTING_UP = "starting_up"
    NOT_CHECKED = "not_checked"


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    status: Status
    reason: Reason
    detail: str  # with the numbers
    remedy: str  # empty when there is nothing to do


@dataclass(frozen=True, slots=True)
class HealthReport:
    checked_at: datetime
    checks: tuple[Check, ...]

    def document(self) -> dict[str, object]:
        """The report as JSON holds it; `read_report` is the way back."""
        return {
            "status": self.status.name,
            "checked_at": self.checked_at.isoformat(),
            "checks": [
                {
                    "name": check.name, "status": check.status.name, "reason": str(check.reason),
                    "detail": check.detail, "remedy": check.remedy,
                }
                for check in self.checks
            ],
        }  # fmt: skip

    @property
    def status(self) -> Status:
        """The gravest check: FAIL outweighs UNKNOWN, UNKNOWN outweighs WARN. No checks at all is UNKNOWN."""
        return max((check.status for check in self.checks), key=_GRAVITY.index, default=Status.UNKNOWN)


class MalformedReport(BtcbotError):
    next_step = "watcher and command must be of one version of btcbot; restart the watcher"


def read_report(text: str) -> HealthReport:
    """Parse a document of `HealthReport`; anything else is `MalformedReport`."""
    try:
        document = json.loads(text)
        checks = tuple(
            Check(row["name"], Status[row["status"]], Reason(row["reason"]), row["detail"], row["remedy"])
            for row in document["checks"]
        )
        return HealthReport(datetime.fromisoformat(document["checked_at"]), checks)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise MalformedReport(f"a health report cannot be read ({type(error).__name__})") from error
