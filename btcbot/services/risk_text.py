"""A risk report as lines for a person, or as one line of JSON."""

import dataclasses
import json
from collections.abc import Iterator
from datetime import datetime

from btcbot.services.risk_report import RiskReport, WhatIf

_WIDTHS = (24, 10, 18, 22)


def report_lines(report: RiskReport) -> Iterator[str]:
    yield f"After cycle {report.cycle_id}, at {report.taken_at.isoformat()}"
    yield f"halted: {report.halt_reason}" if report.halt_reason is not None else "not halted"
    yield "entries are paused; `btcbot resume` lifts it" if report.is_paused else "not paused"
    if report.ramp_up_until is not None:
        yield f"ramp-up: the caps below are a part of themselves until {report.ramp_up_until.isoformat()}"
    yield ""
    yield _row("limit", "pair", "used", "most", "left")
    for use in report.uses:
        mark = "  <- at its limit" if use.is_at_limit else ""
        yield _row(use.limit, use.pair or "all", use.used, use.most, use.left) + mark
    yield ""
    yield "Of an order right now"
    for outlook in report.outlooks:
        yield f"  {outlook.pair}: {outlook.order}: {'refused' if outlook.reasons else 'nothing against it'}"
        for name, numbers in outlook.reasons:
            yield f"    {name.replace('_', ' ')} ({numbers})"


def what_if_lines(verdict: WhatIf) -> Iterator[str]:
    yield f"{verdict.order}, at {verdict.taken_at.isoformat()}; it would reserve {verdict.reservation}"
    for rule in verdict.rules:
        said = "ok" if rule.refusal is None else f"REFUSED, {rule.refusal.replace('_', ' ')}"
        yield f"  {rule.control:<4} {rule.rule}: {said} ({rule.numbers})"
    yield f"refused by {len(verdict.refusals)} rules" if verdict.refusals else "approved by every rule"


def report_json(report: RiskReport) -> str:
    return _json(dataclasses.asdict(report))


def what_if_json(verdict: WhatIf) -> str:
    return _json({**dataclasses.asdict(verdict), "approved": not verdict.refusals})


def _json(document: object) -> str:
    return json.dumps(document, default=_plain, ensure_ascii=False)


def _plain(value: object) -> str:
    assert isinstance(value, datetime), "nothing else in a report has no form in JSON"
    return value.isoformat()


def _row(*cells: str) -> str:
    *first, last = cells
    padded = (cell.ljust(width) for cell, width in zip(first, _WIDTHS, strict=True))
    return f"  {' '.join(padded)} {last}".rstrip()
