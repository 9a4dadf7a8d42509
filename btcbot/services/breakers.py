"""What breakers have to know after a restart and no order tells: kept with each cycle, applied again at the start.

Marks are kept one by one, with the cycle that took them, so that a window of any length costs nothing to keep. Written
in the cycle's own commit: a process that dies in between has lost the marks of one reading, not a breaker.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from btcbot.domain.money import parse, plain
from btcbot.domain.state import BreakersRestored, StateEvent, TicksLearnt, TradingState


def breakers_of(trading: TradingState, at: datetime) -> Mapping[str, object]:
    """What a cycle that took the market in at this moment leaves to the next process."""
    instruments = sorted(trading.instruments.items())
    parts: Mapping[str, object] = {
        "marks": {
            pair: plain(each.marks[-1][1]) for pair, each in instruments if each.marks and each.marks[-1][0] == at
        },
        "paused_until": {pair: each.paused_until.isoformat() for pair, each in instruments if each.paused_until},
        "ticked": sorted(trading.ticked),
    }
    return {
        "at": at.isoformat(), "capital": plain(trading.capital),
        **{name: part for name, part in parts.items() if part},
    }  # fmt: skip


def restored_breakers(records: Sequence[Mapping[str, Any]], window: timedelta) -> Iterator[StateEvent]:
    """The events that bring them back. `window` is how long marks are remembered for the volatility pause."""
    marks: dict[str, list[tuple[datetime, Decimal]]] = {}
    for record in records:
        at = datetime.fromisoformat(record["at"])
        for pair, mark in record.get("marks", {}).items():
            marks.setdefault(pair, []).append((at, parse(mark)))
    last = records[-1] if records else {}
    paused = {pair: datetime.fromisoformat(until) for pair, until in last.get("paused_until", {}).items()}
    for pair in sorted({*marks, *paused}):
        seen = marks.get(pair, [])
        kept = tuple(mark for mark in seen if mark[0] > seen[-1][0] - window)
        yield BreakersRestored(pair, kept, paused.get(pair))
    if last.get("ticked"):
        yield TicksLearnt(frozenset(last["ticked"]))


def capital_at_last(records: Sequence[Mapping[str, Any]]) -> Decimal | None:
    """What the capital was when the last cycle was kept: deposits and withdrawals since have moved the peak as well."""
    return parse(records[-1]["capital"]) if records else None
