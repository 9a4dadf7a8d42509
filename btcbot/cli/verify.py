"""`btcbot verify`: what is wrong with a database file, in plain words; nothing is written."""

import sys
from pathlib import Path

from btcbot.cli.endings import Desk
from btcbot.cli.process import prepare_worker
from btcbot.config.settings import environment, load_profile


def verify(_desk: Desk, path: str | None) -> int:
    """Examine the file that was named, or else this role's database."""
    prepare_worker()
    file = load_profile(environment()).common.state_db_path if path is None else Path(path)
    from btcbot.services.verify import exit_code_of
    from btcbot.services.verify import verify as examine

    examination, lines = examine(file)
    for line in lines:
        sys.stdout.write(f"{line}\n")
    return int(exit_code_of(examination))
