"""Recorded candles: CSV, plain or gzipped, with the columns `time,open,high,low,close,volume` (opening in ms, UTC)."""

import csv
import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from btcbot.domain.errors import BtcbotError
from btcbot.domain.market import Candle
from btcbot.domain.money import MalformedNumber, parse

COLUMNS = ("time", "open", "high", "low", "close", "volume")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class MalformedHistory(BtcbotError):
    """A row of a recording is not a candle."""

    next_step = "mend or replace the recording; nothing was computed from it"


def read_candles(path: Path) -> tuple[Candle, ...]:
    """Every candle of a recording, in its order. Raises `MalformedHistory` with the line that is wrong."""
    return tuple(_candles(path))


def _candles(path: Path) -> Iterator[Candle]:
    with gzip.open(path, "rt", newline="") if path.suffix == ".gz" else path.open(newline="") as lines:
        rows = csv.DictReader(lines)
        if rows.fieldnames is None or not set(COLUMNS) <= set(rows.fieldnames):
            raise MalformedHistory(f"{path.name} lacks one of the columns {', '.join(COLUMNS)}")
        for row in rows:
            try:
                yield _candle(row)
            except (MalformedNumber, ValueError, TypeError, OverflowError) as error:
                raise MalformedHistory(f"line {rows.line_num} of {path.name} is not a candle") from error


def _candle(row: dict[str, str]) -> Candle:
    numbers = [parse(row[name]) for name in COLUMNS[1:]]
    return Candle(_EPOCH + timedelta(milliseconds=int(row["time"])), *numbers)
