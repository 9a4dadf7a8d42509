"""The two workers and their start-up checks: which service a role starts, and with what.

Settings come first, services are imported after them: what is refused is refused at once.
"""

from __future__ import annotations

import os
import platform
import sys
from typing import TYPE_CHECKING

from btcbot import __version__
from btcbot.cli.endings import Desk, wrong_role
from btcbot.cli.process import prepare_worker
from btcbot.config.settings import CommonProfile, Event, LiveProfile, MonitorProfile, environment, load_profile

if TYPE_CHECKING:
    from btcbot.observability.logs import LogObserver
    from btcbot.services.monitor_view import ServePage
    from btcbot.services.runtime import Runtime

RUN, WATCH = "btcbot run", "btcbot health --watch"


def run_live(desk: Desk, cycle_seconds: str | None) -> int:
    """Trade until SIGTERM."""
    prepare_worker()
    profile = load_profile(environment(), cycle_seconds=cycle_seconds)
    if not isinstance(profile, LiveProfile):
        raise wrong_role(RUN, "monitor", WATCH)
    from btcbot.services import live, runtime

    own, observer = _open(desk, profile.common)
    _tell_start(observer, profile.common, armed_by_settings=profile.is_armed_by_settings)
    return runtime.run(lambda: live.run_live(profile, own, observer, __version__), profile.common.clock)


def watch(desk: Desk) -> int:
    """Watch until SIGTERM."""
    prepare_worker()
    profile = load_monitor_profile(WATCH)
    from btcbot.services import monitor, runtime

    own, observer = _open(desk, profile.common)
    _tell_start(observer, profile.common, armed_by_settings=False)
    page = _page_of(profile)
    return runtime.run(lambda: monitor.watch(profile, own, observer, __version__, page), profile.common.clock)


def check(desk: Desk) -> int:
    """Every start-up check of the role in the environment; what passed, a line each."""
    prepare_worker()
    profile = load_profile(environment())
    from btcbot.services import runtime

    # Only what stops a start is logged: the results are for reading.
    own, observer = _open(desk, profile.common, level="ERROR")
    if isinstance(profile, LiveProfile):
        from btcbot.services import live

        passed = runtime.run(lambda: live.check_live(profile, own, observer, __version__), profile.common.clock)
    else:
        from btcbot.services import monitor

        passed = runtime.run(lambda: monitor.check_monitor(profile, own, observer, __version__), profile.common.clock)
    for line in passed:
        sys.stdout.write(f"ok  {line}\n")
    return 0


def _page_of(profile: MonitorProfile) -> ServePage | None:
    """The web page is imported only by the monitor that shows it."""
    if profile.dashboard_port is None:
        return None
    from btcbot.dashboard.server import serve_page

    return serve_page


def load_monitor_profile(command: str) -> MonitorProfile:
    profile = load_profile(environment())
    if not isinstance(profile, MonitorProfile):
        raise wrong_role(command, "live", RUN)
    return profile


def _open(desk: Desk, common: CommonProfile, level: str | None = None) -> tuple[Runtime, LogObserver]:
    credentials = common.credentials
    desk.role = common.role
    return desk.open(
        common.clock,
        config_hash=common.config_hash,
        level=level or common.log_level,
        secrets=(credentials.key, credentials.secret),
    )


def _tell_start(observer: LogObserver, common: CommonProfile, *, armed_by_settings: bool) -> None:
    """What was started, for whoever reads the log from its first line."""
    observer.observed(
        Event.PROCESS_STARTED,
        build=__version__,
        python=platform.python_version(),
        pid=os.getpid(),
        deployment_id=common.deployment_id,
        api_url=common.endpoints.api_url,
        pairs=list(common.pairs),
        clock_rate=common.clock.rate,
        armed_by_settings=armed_by_settings,
    )
