"""One row of what can go wrong."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """`tests` show the outcome; what of it nothing shows yet, or does not hold yet, is said in `missing`."""

    fault: str
    outcome: str
    tests: tuple[str, ...] = ()
    missing: str = ""
