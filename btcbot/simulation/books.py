"""What the market shows: depth, prints and minute bars, and the port through which a source supplies them.

A source is asked to advance to a moment; everything else it says is as of that moment. It does no I/O.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from btcbot.simulation.listings import Listing

LEVELS_MAX = 100  # what the exchange shows of each side (protocol 4.3 and 10.4)
PRINTS_KEPT = 50  # what it shows of the tape (protocol 4.4)
MINUTE_MS = 60_000

Levels = Mapping[int, int]  # lots by ticks, best first


@dataclass(frozen=True, slots=True)
class Depth:
    """Both sides of a book, in steps, best levels first."""

    bids: Levels
    asks: Levels


EMPTY = Depth({}, {})


@dataclass(frozen=True, slots=True)
class Print:
    """One trade on the public tape. `is_buy` is the taker's side."""

    pair: str
    at_ms: int
    number: int
    ticks: int
    lots: int
    is_buy: bool


@dataclass(frozen=True, slots=True)
class Bar:
    """One minute, in steps. The last one of a pair may still be running."""

    opened_ms: int
    open: int
    high: int
    low: int
    close: int
    volume: int


class Source(Protocol):
    """Where the market comes from: generated, recorded, later followed from elsewhere."""

    @property
    def listings(self) -> Mapping[str, Listing]: ...

    @property
    def is_ended(self) -> bool:
        """The record is over: no pair trades any more."""
        ...

    def advance(self, now_ms: int) -> Sequence[Print]:
        """Move to a moment that is not earlier than the last one; the trades printed since then, oldest first."""
        ...

    def depth(self, pair: str) -> Depth:
        """The same object as long as nothing has changed, and never changed itself: that is how changes are found."""
        ...

    def bars(self, pair: str, from_ms: int, until_ms: int) -> Sequence[Bar]:
        """Minutes opened in [from, until], oldest first, the running one last; none of the future."""
        ...

    def recent(self, pair: str) -> Sequence[Print]:
        """The last prints, oldest first, at most `PRINTS_KEPT`."""
        ...
