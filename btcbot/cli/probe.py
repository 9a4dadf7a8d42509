"""`btcbot probe`: the report of a conformance check, as text for people or as JSON for machines."""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from btcbot import __version__
from btcbot.cli.endings import Desk
from btcbot.cli.process import prepare_worker
from btcbot.config.settings import ConfigurationError, LiveProfile, UsageError, environment, load_profile

if TYPE_CHECKING:
    from btcbot.services.probe_report import ProbeReport

DIFFERS = 1
SECONDS_MAX = 3600
COUNTED = ("as known", "differs", "not seen", "not asked")


def probe(
    desk: Desk, pair: str | None, seconds: str, place: str | None, *, is_public: bool, with_amounts: bool, as_json: bool
) -> int:
    """Look, print the report, and say with the exit code whether everything was as known."""
    prepare_worker()
    listen_seconds = _seconds(seconds)
    if place is not None and (is_public or pair not in (None, place)):
        raise UsageError("--place-and-cancel PAIR goes neither with --public nor with another --pair")
    profile = load_profile(environment())
    from btcbot.observability.masking import Mask
    from btcbot.services import runtime
    from btcbot.services.probe import ProbeWish
    from btcbot.services.probe import probe as look

    common = profile.common
    wish = ProbeWish(place or pair or common.pairs[0], listen_seconds, is_public, with_amounts)
    secrets = (common.credentials.key, common.credentials.secret)
    # The report says it all; what the services tell their log meanwhile goes nowhere.
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        desk.role = common.role
        own, observer = desk.open(
            common.clock, config_hash=common.config_hash, level="ERROR", secrets=secrets, stream=nowhere
        )
        try:
            if place is None:
                report = runtime.run(lambda: look(common, wish, own, observer, __version__), common.clock)
            elif isinstance(profile, LiveProfile):
                from btcbot.services.probe_live import probe_and_place

                live = profile
                report = runtime.run(lambda: probe_and_place(live, wish, own, observer, __version__), common.clock)
            else:
                raise ConfigurationError("--place-and-cancel needs the environment of live: the monitor cannot trade")
        finally:
            desk.close()
    text = as_document(report) if as_json else as_text(report)
    sys.stdout.write(Mask(secrets)(text))  # no finding holds a secret; this holds even where that is wrong
    return 0 if report.is_as_known else DIFFERS


def as_document(report: "ProbeReport") -> str:
    """The report as one line of JSON; its keys are stable."""
    document = asdict(report)
    document["as_known"] = report.is_as_known
    return json.dumps(document, default=str) + "\n"


def as_text(report: "ProbeReport") -> str:
    """The report as aligned text without colours or control characters, for a terminal and for a bug report alike."""
    return "".join(f"{' '.join(line.splitlines())}\n".replace("\t", " ") for line in _lines(report))


def _lines(report: "ProbeReport") -> Iterator[str]:
    yield f"btcbot {report.build} probe of {report.api_url} as {report.role}, with {report.pair}"
    took = (report.ended_at - report.started_at).total_seconds()
    yield f"{report.started_at.isoformat(timespec='seconds')}, {took:.0f} s"
    findings = [finding for section in report.sections for finding in section.findings]
    width = max((len(finding.what) for finding in findings), default=0)
    for section in report.sections:
        yield ""
        yield section.title
        for finding in section.findings:
            question = f"  [{finding.question}]" if finding.question else ""
            yield f"  {finding.verdict:<9} {finding.what:<{width}}  {finding.detail}{question}".rstrip()
    yield ""
    totals = {verdict: sum(finding.verdict == verdict for finding in findings) for verdict in COUNTED}
    yield ", ".join(f"{count} {verdict}" for verdict, count in totals.items())


def _seconds(text: str) -> float:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= SECONDS_MAX):
        raise UsageError(f"--seconds must be a whole number from 1 to {SECONDS_MAX}")
    return float(text)
