"""`btcbot replay`: makes the stored decisions again; exits 0 when all come out as stored, 1 when one does not."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from btcbot.cli.endings import OK, Desk
from btcbot.cli.explain import database
from btcbot.cli.process import prepare_worker
from btcbot.config.settings import BtcbotError, LiveProfile, environment, load_profile

if TYPE_CHECKING:
    from btcbot.services.strategy_loading import Code

DIFFERENT = 1


def replay(_desk: Desk, db: str | None, begin: str | None, end: str | None, *, as_json: bool) -> int:
    """Replay the cycles that were asked for and say how they came out."""
    prepare_worker()
    path = database(db)
    from btcbot.services.replay import replay as replayed
    from btcbot.services.replay_text import as_json_line, as_lines

    report = replayed(path, begin, end, _code())
    lines = (as_json_line(report),) if as_json else as_lines(report)
    for line in lines:
        sys.stdout.write(f"{line}\n")
    return OK if report.is_clean else DIFFERENT


def _code() -> Code | None:
    """The Python of the strategy that the settings name, where they name one: its decisions need it again."""
    from btcbot.services.strategy_loading import load_strategy

    try:
        profile = load_profile(environment())
        if not isinstance(profile, LiveProfile):
            return None
        return load_strategy(profile.strategy, profile.limits.currency).code
    except BtcbotError:
        return None
