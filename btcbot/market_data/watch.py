"""Watches best bids for levels that must not wait for the next cycle (design, section 4: a protective level)."""

from collections.abc import Callable, Mapping
from decimal import Decimal


class LevelWatch:
    """Each level speaks once; the next `watch` replaces them all."""

    def __init__(self) -> None:
        self._levels: dict[str, Decimal] = {}
        self._crossed: Callable[[], None] = lambda: None

    def watch(self, levels: Mapping[str, Decimal], crossed: Callable[[], None]) -> None:
        """Call `crossed` as soon as a pair's best bid is not above its level."""
        self._levels = dict(levels)
        self._crossed = crossed

    def see(self, pair: str, bid: Decimal | None) -> None:
        """A book has this best bid now; nothing stands for an empty side, which is no price."""
        level = self._levels.get(pair)
        if level is not None and bid is not None and bid <= level:
            del self._levels[pair]
            self._crossed()
