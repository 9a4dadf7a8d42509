"""A replay's outcome as a person reads it."""

import dataclasses

from btcbot.persistence.sqlite.recorder import json_text
from btcbot.services.replay import ReplayReport, Stretch

SHOWN_MAX = 20  # stretches of each kind; the counts cover all


def as_json_line(report: ReplayReport) -> str:
    """The report as one line of JSON; its keys are the fields' names."""
    return json_text({"is_clean": report.is_clean, **dataclasses.asdict(report)})


def as_lines(report: ReplayReport) -> tuple[str, ...]:
    """What came out as stored, then what did not, then what could not be decided again."""
    lines = [f"cycles {report.first} to {report.last}: {report.equal} decided again, equal bit for bit"]
    for stretch in report.different[:SHOWN_MAX]:
        lines.append(f"DIFFERENT  {_cycles(stretch)}")
        lines.extend(f"  {line}" for line in stretch.what)
    lines.extend(_more(report.different))
    lines.extend(f"not decided again  {_cycles(stretch)}: {stretch.what[0]}" for stretch in report.untold[:SHOWN_MAX])
    lines.extend(_more(report.untold))
    return tuple(lines)


def _cycles(stretch: Stretch) -> str:
    if stretch.first == stretch.last:
        return f"cycle {stretch.first} ({stretch.cycle_id})"
    return f"cycle {stretch.first} ({stretch.cycle_id}) and on to {stretch.last}"


def _more(stretches: tuple[Stretch, ...]) -> tuple[str, ...]:
    hidden = len(stretches) - SHOWN_MAX
    return (f"and {hidden} stretches more",) if hidden > 0 else ()
