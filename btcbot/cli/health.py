"""`btcbot health`, once: the report as a table for people or as JSON for machines. The exit code is the status."""

import enum
import json
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from btcbot import __version__
from btcbot.cli.endings import Desk
from btcbot.cli.process import prepare_worker
from btcbot.cli.workers import load_monitor_profile


class Check(Protocol):
    """One line of the report."""

    @property
    def name(self) -> str: ...
    @property
    def status(self) -> enum.IntEnum: ...
    @property
    def reason(self) -> str: ...
    @property
    def detail(self) -> str: ...
    @property
    def remedy(self) -> str: ...


class Report(Protocol):
    """What a health check found."""

    @property
    def checked_at(self) -> datetime: ...
    @property
    def status(self) -> enum.IntEnum: ...
    @property
    def checks(self) -> Sequence[Check]: ...


def health_once(desk: Desk, *, as_json: bool) -> int:
    """Ask the running watcher, or check by ourselves when there is none."""
    prepare_worker()
    profile = load_monitor_profile("btcbot health")
    from btcbot.services import monitor, runtime

    common = profile.common
    # The report says it all; what the services tell their log meanwhile goes nowhere.
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        own, observer = desk.open(
            common.clock,
            config_hash=common.config_hash,
            level="ERROR",
            secrets=(common.credentials.key, common.credentials.secret),
            stream=nowhere,
        )
        try:
            report = runtime.run(lambda: monitor.health_once(profile, own, observer, __version__), common.clock)
        finally:
            desk.close()
    sys.stdout.write(as_json_line(report) if as_json else as_table(report))
    return int(report.status)


def as_json_line(report: Report) -> str:
    """The report as one line of JSON; its keys are stable."""
    document = {
        "status": report.status.name,
        "checked_at": report.checked_at.isoformat(),
        "checks": [
            {
                "name": check.name, "status": check.status.name, "reason": str(check.reason), "detail": check.detail,
                "remedy": check.remedy,
            }
            for check in report.checks
        ],
    }  # fmt: skip
    return json.dumps(document) + "\n"


def as_table(report: Report) -> str:
    """The report as aligned text without colours or control characters, remedies below what they mend."""
    rows = [(check.status.name, check.name, str(check.reason), check.detail) for check in report.checks]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    lines = [f"{report.status.name}  {len(rows)} checks at {report.checked_at.isoformat(timespec='seconds')}"]
    for row, check in zip(rows, report.checks, strict=True):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        lines.append("  ".join((*cells, row[3])).rstrip())
        if check.remedy:
            lines.append(f"{' ' * (widths[0] + 2)}do: {check.remedy}")
    return "".join(f"{' '.join(line.splitlines())}\n" for line in lines)
