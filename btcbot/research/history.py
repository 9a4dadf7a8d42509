"""Recorded candles: CSV, plain or gzipped, with the columns `time,open,high,low,close,volume` (opening in ms, UTC).

A file of several pairs has a column `symbol` before them. A recording is read whole and judged before anything is
computed from it: what is malformed, out of order or off the grid of its interval is an error with its line, and what is
missing is counted and told, never filled.
"""

import csv
import gzip
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TextIO

from btcbot.domain.errors import BtcbotError, ExitCode
from btcbot.domain.market import Candle
from btcbot.domain.money import MalformedNumber, parse

COLUMNS = ("time", "open", "high", "low", "close", "volume")
SYMBOL = "symbol"
CANDLES_MIN = 3  # fewer show no interval
INTERVAL_MAX = timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class MalformedHistory(BtcbotError):
    """A row of a recording is not a candle."""

    exit_code = ExitCode.USAGE
    next_step = "mend or replace the recording; nothing was computed from it"


@dataclass(frozen=True, slots=True)
class Gap:
    """Candles that the recording lacks between two that it has."""

    opened_at: datetime  # of the first one that is missing
    candles: int


@dataclass(frozen=True, slots=True)
class History:
    """One pair's closed candles, oldest first, on one grid of time."""

    pair: str
    interval: timedelta
    candles: tuple[Candle, ...]

    @property
    def gaps(self) -> tuple[Gap, ...]:
        return tuple(
            Gap(before.opened_at + self.interval, (after.opened_at - before.opened_at) // self.interval - 1)
            for before, after in pairwise(self.candles)
            if after.opened_at - before.opened_at != self.interval
        )


def read_candles(path: Path, pair: str | None = None) -> tuple[Candle, ...]:
    """Every candle of a recording, or those of one pair of it, in its order.

    Raises `MalformedHistory` with the line that is wrong.
    """
    try:
        return tuple(_candles(path, pair))
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise MalformedHistory(f"{path} cannot be read ({error})") from error


def read_history(path: Path, pair: str) -> History:
    """One pair's recording, judged. Raises `MalformedHistory`."""
    return judged(pair, read_candles(path, pair), path.name)


def judged(pair: str, candles: Sequence[Candle], source: str) -> History:
    """Candles as a history: enough of them, in order, on the grid of the interval that most of them keep."""
    if len(candles) < CANDLES_MIN:
        raise MalformedHistory(f"{source} holds {len(candles)} candles of {pair}, and {CANDLES_MIN} are the least")
    steps = Counter(after.opened_at - before.opened_at for before, after in pairwise(candles))
    interval = max(steps, key=lambda step: (steps[step], -step))
    if not timedelta() < interval <= INTERVAL_MAX:
        raise MalformedHistory(f"the candles of {pair} in {source} are {interval} apart, not between 0 and a day")
    for before, after in pairwise(candles):
        step = after.opened_at - before.opened_at
        if step <= timedelta():
            raise MalformedHistory(f"{source}: {pair} at {after.opened_at.isoformat()} is out of order or repeated")
        if step % interval:
            raise MalformedHistory(
                f"{source}: {pair} at {after.opened_at.isoformat()} is off the grid of {interval} that most keep"
            )
    return History(pair, interval, tuple(candles))


def pairs_of(path: Path) -> tuple[str, ...] | None:
    """The pairs that a file names in its column `symbol`; nothing for a file without one."""
    try:
        with opened_text(path) as lines:
            rows = csv.DictReader(lines)
            if rows.fieldnames is None or SYMBOL not in rows.fieldnames:
                return None
            return tuple(dict.fromkeys(row[SYMBOL] for row in rows))
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise MalformedHistory(f"{path} cannot be read ({error})") from error


def _candles(path: Path, pair: str | None) -> Iterator[Candle]:
    with opened_text(path) as lines:
        rows = csv.DictReader(lines)
        if rows.fieldnames is None or not set(COLUMNS) <= set(rows.fieldnames):
            raise MalformedHistory(f"{path.name} lacks one of the columns {', '.join(COLUMNS)}")
        has_symbols = SYMBOL in rows.fieldnames
        for row in rows:
            if has_symbols and pair is not None and row[SYMBOL] != pair:
                continue
            try:
                candle = _candle(row)
            except (MalformedNumber, ValueError, TypeError, OverflowError) as error:
                raise MalformedHistory(f"line {rows.line_num} of {path.name} is not a candle") from error
            if (defect := _defect(candle)) is not None:
                raise MalformedHistory(f"line {rows.line_num} of {path.name} is not a candle: {defect}")
            yield candle


def opened_text(path: Path) -> TextIO:
    return gzip.open(path, "rt", newline="") if path.suffix == ".gz" else path.open(newline="")


def _candle(row: Mapping[str, str]) -> Candle:
    numbers = [parse(row[name]) for name in COLUMNS[1:]]
    return Candle(EPOCH + timedelta(milliseconds=int(row["time"])), *numbers)


def _defect(candle: Candle) -> str | None:
    body = (candle.open, candle.close)
    if candle.low <= 0:
        return "a price is not above zero"
    if candle.volume < 0:
        return "its volume is below zero"
    return None if candle.low <= min(body) and candle.high >= max(body) else "its high or low is inside its body"
