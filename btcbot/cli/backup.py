"""`btcbot backup` and `btcbot restore`: copies of a role's own database, and the way back."""

import sys
from collections.abc import Iterable
from pathlib import Path

from btcbot import __version__
from btcbot.cli.endings import Desk
from btcbot.cli.process import prepare_worker
from btcbot.config.settings import REAL_TIME, UsageError, environment, load_profile


def backup(_desk: Desk) -> int:
    """Of a database that nobody has open; a running worker takes its own."""
    prepare_worker()
    common = load_profile(environment()).common
    from btcbot.services.backup import back_up_at_rest
    from btcbot.services.runtime import build_runtime

    return _tell(back_up_at_rest(common, build_runtime(common.clock), __version__))


def restore(_desk: Desk, source: str, target: str | None, *, is_drill: bool) -> int:
    """A drill needs no settings. The real thing needs this role's own, and puts the backup where they say."""
    prepare_worker()
    from btcbot.services.runtime import build_runtime

    if is_drill:
        from btcbot.services.backup_restore import drill

        return _tell(drill(Path(source), build_runtime(REAL_TIME)))
    common = load_profile(environment()).common
    if target is not None and Path(target).absolute() != common.state_db_path:
        raise UsageError(f"--to is not this role's STATE_DB_PATH, which is {common.state_db_path}")
    from btcbot.services.backup_restore import restore_backup

    return _tell(restore_backup(Path(source), common, build_runtime(common.clock), __version__))


def _tell(lines: Iterable[str]) -> int:
    for line in lines:
        sys.stdout.write(f"{line}\n")
    return 0
