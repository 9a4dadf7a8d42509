"""`btcbot sandbox`: serve the local exchange, make the directory it needs, or say how it can behave."""

import os
import platform
import sys
from pathlib import Path

from btcbot import __version__
from btcbot.cli.endings import Desk
from btcbot.cli.process import prepare_worker
from btcbot.config.settings import REAL_TIME, ConfigurationError, Event, environment, load_sandbox_profile


def serve(desk: Desk, mirror: str | None, mirror_graph: str | None, mirror_ws: str | None) -> int:
    """Be the exchange until SIGTERM."""
    prepare_worker()
    profile = load_sandbox_profile(environment(), mirror=mirror, mirror_graph=mirror_graph, mirror_ws=mirror_ws)
    from btcbot.sandbox import server
    from btcbot.services import runtime

    own, observer = desk.open(profile.clock, config_hash=profile.config_hash, level=profile.log_level)
    observer.observed(
        Event.PROCESS_STARTED,
        build=__version__,
        python=platform.python_version(),
        pid=os.getpid(),
        pairs=list(profile.pairs),
        clock_rate=profile.clock.rate,
        source=profile.mirror.api_url if profile.mirror else str(profile.source or "generator"),
        venue_profile=profile.venue_profile,
    )
    return runtime.run(lambda: server.serve(profile, own.clock, own.sleeper, observer), profile.clock)


def init(_desk: Desk, directory: str) -> int:
    """Make keys and clock anchor; what is there stays."""
    from btcbot.sandbox import keys
    from btcbot.services import runtime

    prepare_worker()
    try:
        keys.init_directory(Path(directory).absolute(), runtime.build_runtime(REAL_TIME).clock.now(), runtime.token)
    except OSError as error:
        raise ConfigurationError(f"the sandbox's directory cannot be made: {error.strerror}") from error
    return 0


def profiles(_desk: Desk) -> int:
    """The venue profiles, with what each one changes, on stdout."""
    from btcbot.sandbox import profile_table

    sys.stdout.write(profile_table.told())
    return 0
