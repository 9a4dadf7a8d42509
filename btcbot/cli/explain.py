"""`btcbot explain`: the chain from the market to the money of one order or one cycle, from the database alone."""

import sys
from pathlib import Path

from btcbot.cli.endings import OK, Desk
from btcbot.cli.process import prepare_worker
from btcbot.config.settings import environment, load_profile


def explain(_desk: Desk, word: str, db: str | None, *, as_json: bool) -> int:
    """Print the explanation of what is called by this word."""
    prepare_worker()
    path = database(db)
    from btcbot.services.explain import explain as explained
    from btcbot.services.explain_text import as_json_line, as_lines

    explanation = explained(path, word)
    lines = (as_json_line(explanation),) if as_json else as_lines(explanation)
    for line in lines:
        sys.stdout.write(f"{line}\n")
    return OK


def database(db: str | None) -> Path:
    """The file that was named, or else this role's database."""
    return load_profile(environment()).common.state_db_path if db is None else Path(db).absolute()
