"""`btcbot record`: what the public feed says, to files; what the command line says goes before the environment."""

import os
import platform
from pathlib import Path

from btcbot import __version__
from btcbot.cli.endings import Desk
from btcbot.cli.process import prepare_worker
from btcbot.config.settings import Event, environment, load_record_profile


def record(desk: Desk, directory: str | None, pairs: str | None, bytes_max: str | None, hours: str | None) -> int:
    """Record until SIGTERM, or as long and as much as was asked for."""
    prepare_worker()
    said = {
        "BTCBOT_RECORD_DIR": None if directory is None else str(Path(directory).absolute()),
        "BTCBOT_PAIRS": pairs,
        "BTCBOT_RECORD_BYTES_MAX": bytes_max,
    }
    environ = {**environment(), **{name: text for name, text in said.items() if text is not None}}
    profile = load_record_profile(environ, hours=hours)
    from btcbot.services import recording, runtime

    own, observer = desk.open(profile.clock, config_hash=profile.config_hash, level=profile.log_level)
    observer.observed(
        Event.PROCESS_STARTED,
        build=__version__,
        python=platform.python_version(),
        pid=os.getpid(),
        api_url=profile.endpoints.api_url,
        pairs=list(profile.pairs),
        clock_rate=profile.clock.rate,
        directory=str(profile.directory),
    )
    return runtime.run(lambda: recording.run_record(profile, own, observer, __version__), profile.clock)
