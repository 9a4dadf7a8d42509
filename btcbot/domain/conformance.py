"""What a look at the exchange found, held against what is known of it: facts for a report, without values."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    AS_KNOWN = "as known"
    DIFFERS = "differs"
    NOT_SEEN = "not seen"  # asked, and nothing came that would show it
    NOT_ASKED = "not asked"  # it could not be asked


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `question` is the open question or the section of the protocol that it settles."""

    what: str
    verdict: Verdict
    detail: str = ""
    question: str = ""
