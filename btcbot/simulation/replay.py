"""What all recorded markets have in common: how their time runs, and the grids that their numbers lie on.

A record begins to run at the sandbox's start, at a chosen speed, and ends.
"""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from btcbot.domain.errors import ConfigurationError
from btcbot.domain.money import Asset
from btcbot.simulation.chance import key_of
from btcbot.simulation.generator import CHARACTERS
from btcbot.simulation.listings import NOTIONAL_MIN, Listing

PRICE_PLACES = 10  # decimals that are read; a pair's grid has as many as its prices use
QUANTITY_PLACES = 8
DIGITS_MAX = 40  # of a number as text: more are no price and no quantity
PAIR_ID_UNLISTED, PAIR_IDS_UNLISTED = 1_000, 1_000_000


class UnusableRecord(ConfigurationError):
    """The recorded file is not what it should be, or lacks what was asked for."""

    next_step = "give a file of 1-minute candles, of book messages or of `btcbot record` that holds all of BTCBOT_PAIRS"


@dataclass(frozen=True, slots=True)
class Rerun:
    """How recorded time runs: from which sandbox time on, and how fast."""

    started_ms: int
    speed: Decimal

    def recorded(self, at_ms: int, cursor_ms: int) -> int:
        """The recorded time at a moment, when `cursor_ms` was played at the start."""
        if self.speed % 1 == 0:
            return cursor_ms + (at_ms - self.started_ms) * int(self.speed)
        return cursor_ms + int((at_ms - self.started_ms) * Fraction(self.speed))

    def redated(self, recorded_ms: int, cursor_ms: int) -> int:
        """The moment at which a recorded time is played."""
        return self.started_ms + int((recorded_ms - cursor_ms) / Fraction(self.speed))


def recorded_listing(pair: str, price_decimals: int, lot_decimals: int) -> Listing:
    """A pair that a record names: its quote is the one of ours that its name ends with."""
    quote = next((quote for quote in NOTIONAL_MIN if pair.endswith(quote) and pair != quote), None)
    if quote is None:
        raise UnusableRecord(f"{pair[:20]!r} is quoted neither in {' nor in '.join(NOTIONAL_MIN)}")
    known = CHARACTERS.get(pair)
    pair_id = known.listing.pair_id if known else PAIR_ID_UNLISTED + key_of(0, pair) % PAIR_IDS_UNLISTED
    base = Asset(pair.removesuffix(quote))
    return Listing(pair, pair_id, base, quote, price_decimals, lot_decimals, NOTIONAL_MIN[quote])


def decimals_of(common: int, places: int) -> int:
    """How many decimals numbers use that are all multiples of `common` units."""
    decimals = places
    while decimals > 0 and common % 10 == 0:
        common, decimals = common // 10, decimals - 1
    return decimals


def steps_of(text: str, places: int) -> int:
    """A recorded number in units of its last decimal place; what lies beyond is not of this exchange and is cut."""
    if len(text) > DIGITS_MAX:
        raise UnusableRecord(f"{text[:40]!r} in the record goes on and on")
    whole, _, part = text.partition(".")
    if len(part) <= places and whole.isdecimal() and (not part or part.isdecimal()):
        return int(whole + part.ljust(places, "0"))
    try:
        number = Decimal(text)
        if not number.is_finite() or number.adjusted() > DIGITS_MAX:
            raise ValueError("it is beyond all numbers")
        return int(number.scaleb(places))
    except (InvalidOperation, ValueError) as error:
        raise UnusableRecord(f"{text[:40]!r} in the record is not a number") from error
