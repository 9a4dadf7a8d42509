"""A market out of nothing but a seed.

The logarithm of a price is a sum of smooth noises of rising period and amplitude: it wanders like a market, turns often
enough for a strategy on minutes to have something to do, and cannot run away, since every noise is bounded.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from btcbot.domain.errors import ConfigurationError
from btcbot.domain.money import Asset
from btcbot.simulation.books import MINUTE_MS
from btcbot.simulation.chance import chance, key_of
from btcbot.simulation.happenings import Method
from btcbot.simulation.listings import NOTIONAL_MIN, ORDER_METHODS, Listing
from btcbot.simulation.paths import SLOT_MS, PathMarket, PathStream

# Period in minutes and amplitude as a fraction of the price, for a volatility of 1.
NOISES = ((2.3, 0.0030), (5.3, 0.0065), (12.7, 0.0095), (31.0, 0.013), (97.0, 0.014), (411.0, 0.016), (2903.0, 0.03))
WITHOUT_MARKET = (Method.LIMIT, Method.STOP_LIMIT)  # as 25 of the 379 pairs (protocol 4.1)
LEVEL_NOTIONAL = {"TRY": 2_600.0, "USDT": 180.0}  # the usual quantity of a level, in quote


class PairNotGenerated(ConfigurationError):
    """The generator has no such pair."""

    next_step = "choose BTCBOT_PAIRS from the pairs that the message names, or give a recorded source"


@dataclass(frozen=True, slots=True)
class Character:
    """What makes one pair different: where its price is at home and how lively it is."""

    listing: Listing
    home: float  # quote per base
    volatility: float


def _character(
    pair_id: int, base: str, quote: str, home: float, price_decimals: int, lot_decimals: int, volatility: float,
    order_methods: tuple[Method, ...] = ORDER_METHODS,
) -> Character:  # fmt: skip
    asset = Asset(quote)
    listing = Listing(
        base + quote, pair_id, Asset(base), asset, price_decimals, lot_decimals, NOTIONAL_MIN[asset], order_methods
    )  # fmt: skip
    return Character(listing, home, volatility)


CHARACTERS = {
    character.listing.pair: character
    for character in (
        _character(1, "BTC", "TRY", 3_712_000.0, 0, 8, 1.0),
        _character(2, "ETH", "TRY", 118_500.0, 0, 8, 1.1),
        _character(3, "XRP", "TRY", 96.4, 3, 4, 1.2),
        _character(18, "USDT", "TRY", 43.55, 3, 2, 0.4),
        _character(34, "AVAX", "TRY", 672.0, 2, 6, 1.3),
        _character(40, "SOL", "TRY", 5_790.0, 1, 8, 1.2),
        _character(51, "DOGE", "TRY", 7.42, 4, 2, 1.4),
        _character(62, "DOT", "TRY", 131.0, 2, 6, 1.3, WITHOUT_MARKET),
        _character(19, "BTC", "USDT", 85_240.0, 0, 8, 1.0),
        _character(20, "ETH", "USDT", 2_721.0, 1, 8, 1.1),
        _character(21, "XRP", "USDT", 2.2135, 4, 4, 1.2),
        _character(41, "SOL", "USDT", 132.95, 2, 8, 1.2),
        _character(35, "AVAX", "USDT", 15.43, 3, 6, 1.3),
    )
}


class NoisePath:
    """The price as a sum of noises; straight between two points of time."""

    def __init__(self, key: int, home_ticks: float, volatility: float) -> None:
        self._key = key
        self._home_ticks = home_ticks
        self._volatility = volatility
        self._heights: dict[int, tuple[int, float, float]] = {}  # by noise: where, and the heights on both sides

    def at(self, at_ms: int) -> float:
        slot, part = divmod(at_ms, SLOT_MS)
        here = self._point(slot)
        return here if part == 0 else here + (self._point(slot + 1) - here) * (part / SLOT_MS)

    def traded(self, slot: int) -> None:
        """Chance says how much is printed."""

    def has_begun(self, slot: int) -> bool:
        return slot >= 0

    def _point(self, slot: int) -> float:
        minutes = slot * SLOT_MS / MINUTE_MS
        height = 0.0
        for index, (period, amplitude) in enumerate(NOISES):
            at = minutes / period
            whole = math.floor(at)
            part = at - whole
            known = self._heights.get(index)
            if known is None or known[0] != whole:
                known = (whole, self._height(index, whole), self._height(index, whole + 1))
                self._heights[index] = known
            weight = part * part * (3.0 - 2.0 * part)
            height += amplitude * (known[1] + (known[2] - known[1]) * weight)
        return self._home_ticks * math.exp(height * self._volatility)

    def _height(self, noise: int, place: int) -> float:
        """Between -1 and 1."""
        return chance(self._key, noise, place) / (1 << 63) - 1.0


def generated_market(pairs: Sequence[str], seed: int) -> PathMarket:
    """The source of `make run`: some of the pairs above, from a seed. It never ends."""
    return PathMarket([_stream(pair, seed) for pair in pairs], ends_ms=None)


def _stream(pair: str, seed: int) -> PathStream:
    character = CHARACTERS.get(pair)
    if character is None:
        raise PairNotGenerated(f"the generator has no pair {pair[:20]!r}, only {', '.join(sorted(CHARACTERS))}")
    listing = character.listing
    home_ticks = character.home * 10.0**listing.price_decimals
    key = key_of(seed, pair)
    lots_typical = LEVEL_NOTIONAL[listing.quote] / character.home * 10.0**listing.lot_decimals
    return PathStream(listing, NoisePath(key, home_ticks, character.volatility), key, home_ticks, lots_typical)
