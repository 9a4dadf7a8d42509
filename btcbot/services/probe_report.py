"""What a conformance check reports: sections of findings, and what they come to."""

from dataclasses import dataclass
from datetime import datetime

from btcbot.domain.conformance import Finding, Verdict


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """Everything that a person needs to compare with the protocol, and nothing that they must not show."""

    api_url: str
    role: str
    pair: str
    build: str
    started_at: datetime
    ended_at: datetime
    sections: tuple[Section, ...]

    def count(self, verdict: Verdict) -> int:
        return sum(finding.verdict is verdict for section in self.sections for finding in section.findings)

    @property
    def is_as_known(self) -> bool:
        """Whether everything could be asked, and nothing differed."""
        return self.count(Verdict.DIFFERS) == self.count(Verdict.NOT_ASKED) == 0
