"""`btcbot risk`: every limit and its use, and what the gate would say of an order; from the database alone."""

import sys
from collections.abc import Sequence

from btcbot.cli.endings import OK, Desk
from btcbot.cli.explain import database
from btcbot.cli.process import prepare_worker

REFUSED = 1


def risk(_desk: Desk, db: str | None, *, as_json: bool) -> int:
    """Print every limit with its use and headroom, and what would be refused now."""
    prepare_worker()
    path = database(db)
    from btcbot.services.risk_report import risk_report
    from btcbot.services.risk_text import report_json, report_lines

    report = risk_report(path)
    _say((report_json(report),) if as_json else tuple(report_lines(report)))
    return OK


def what_if(_desk: Desk, words: Sequence[str], db: str | None, *, as_json: bool) -> int:
    """Print every rule's verdict on an order that nobody made; exits 1 when it would be refused."""
    prepare_worker()
    path = database(db)
    from btcbot.services.risk_report import what_if as judged
    from btcbot.services.risk_text import what_if_json, what_if_lines

    verdict = judged(path, words)
    _say((what_if_json(verdict),) if as_json else tuple(what_if_lines(verdict)))
    return REFUSED if verdict.refusals else OK


def _say(lines: Sequence[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
