"""The floors of open stays, kept with each cycle's commit: a restart takes up a stop where the last cycle left it.

Everything else of a stay comes from the fills. A floor comes from readings of the book, which a start does not have;
so it is durable with the cycle that raised it, under the stay it belongs to. What a cycle saw that was never committed,
for a kill in its middle, is lost, and the floor is then that of the cycle before it.
"""

from datetime import datetime

from btcbot.domain.money import parse, plain
from btcbot.domain.position import Stay
from btcbot.domain.state import FloorRaised, TradingState, apply
from btcbot.persistence.sqlite.live_store import LiveStore
from btcbot.persistence.sqlite.unit_of_work import UnitOfWork

FLOOR = "floor"  # the cursors' name


def keep_floors(store: LiveStore, unit: UnitOfWork, trading: TradingState) -> None:
    """Write down the floors that are not kept yet."""
    for pair, instrument in trading.instruments.items():
        text = _text(instrument.stay)
        if text is not None and text != store.cursor(f"{FLOOR}/{pair}"):
            unit.set_cursor(f"{FLOOR}/{pair}", text)


def with_kept_floors(store: LiveStore, trading: TradingState) -> TradingState:
    """The state with the floors that were kept for the stays that are still open."""
    for pair, instrument in trading.instruments.items():
        kept = store.cursor(f"{FLOOR}/{pair}")
        if kept is None or instrument.stay.opened_at is None:
            continue
        began, number = kept.split(" ")
        if began == _moment(instrument.stay.opened_at):
            trading = apply(trading, FloorRaised(pair, parse(number)))
    return trading


def _text(stay: Stay) -> str | None:
    if stay.opened_at is None or stay.floor is None:
        return None
    return f"{_moment(stay.opened_at)} {plain(stay.floor)}"


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")
