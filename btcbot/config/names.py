"""Which variables there are, and what a variable that there is not was probably meant to be.

A misspelt limit must not be a missing limit, so whatever looks like one of ours and is not is an error.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping

PREFIXES = ("BTCBOT_", "BTCTURK_")

# How alike two names must be (0 to 1): one slip of the fingers in the shortest of ours, APP_ROLE, is 0.87.
_LIKENESS = 0.8
_SHOWN_MAX = 60
_HARMLESS = re.compile(r"[A-Za-z0-9_]+", re.ASCII)


def name_problems(environ: Iterable[str], known: Iterable[str], of_others: Mapping[str, str]) -> Iterator[str]:
    """One problem for each name that is not `known` here but looks like a setting.

    `of_others` tells whose setting a name is that has no meaning here: a setting that does nothing is a trap.
    """
    known = sorted(known)
    for name in sorted(set(environ) - set(known)):
        if name in of_others:
            yield f"{name} is a setting of {of_others[name]} and has no meaning here: remove it"
        elif name.startswith(PREFIXES):
            yield f"{_shown(name)} is not a setting{_did_you_mean(name, known)}"
        elif guess := _did_you_mean(name, known):
            yield f"{_shown(name)} looks like a setting and is none{guess}"


def _did_you_mean(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name.upper()[:200], known, n=1, cutoff=_LIKENESS)
    return f": did you mean {near[0]}?" if near else ""


def _shown(name: str) -> str:
    return name if _HARMLESS.fullmatch(name) and len(name) <= _SHOWN_MAX else repr(name[:_SHOWN_MAX])
