"""Opens the market that a profile names: the generator, recorded candles, recorded books, or another exchange's.

The moment at which a record began to run is kept in the sandbox's directory, so that a restart goes on where it was.
"""

import csv
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

from btcbot.domain.ports import Clock, Observer, Sleeper
from btcbot.domain.profiles import SandboxProfile
from btcbot.sandbox.floor import milliseconds
from btcbot.sandbox.mirror import mirrored
from btcbot.sandbox.recorded_text import opened_text, unreadable
from btcbot.sandbox.recordings import is_recording, open_recording
from btcbot.simulation.books import Source
from btcbot.simulation.generator import generated_market
from btcbot.simulation.replay import Rerun, UnusableRecord
from btcbot.simulation.replay_books import RecordedBooks, books_of_one_pair
from btcbot.simulation.replay_candles import CandleRow, recorded_candles
from btcbot.simulation.replay_pair import BookSnapshot, BookUpdate, Message, TapeTrade

STARTED = "source.json"
NS_PER_MS = 1_000_000
_CANDLES = ("time", "open", "high", "low", "close", "volume")
_DATE_AT_END = re.compile(r"_[0-9]{8}$", re.ASCII)


@asynccontextmanager
async def opened_market(
    profile: SandboxProfile, clock: Clock, sleeper: Sleeper, observer: Observer
) -> AsyncIterator[Source]:
    """The market of a profile. A mirrored one is followed as long as this is open."""
    if profile.mirror is None:
        yield open_source(profile, clock.now())
    else:
        async with mirrored(profile.mirror, profile.pairs, clock, sleeper, observer) as mirror:
            yield mirror


def open_source(profile: SandboxProfile, now: datetime) -> Source:
    """The source, ready to be advanced. What is wrong with a recorded file is an `UnusableRecord`."""
    path = profile.source
    if path is None:
        return generated_market(profile.pairs, profile.seed)
    try:
        rerun = Rerun(_started_ms(profile.directory, path, now), profile.speed)
        if is_recording(path):
            return RecordedBooks(*open_recording(path, profile.pairs), rerun)
        if path.name.endswith((".txt", ".txt.gz")):
            return _books(path, profile.pairs, rerun)
        return recorded_candles(_candles(path, profile.pairs), profile.pairs, rerun)
    except OSError as error:
        raise unreadable(path, error) from error


def _started_ms(directory: Path, source: Path, now: datetime) -> int:
    """When this source began to run in this directory; now, if it begins."""
    kept = directory / STARTED
    if kept.exists():
        try:
            document = json.loads(kept.read_text(encoding="utf-8"))
            if document["source"] == str(source):
                return milliseconds(datetime.fromisoformat(document["started_at"]))
        except (ValueError, KeyError, TypeError) as error:
            raise UnusableRecord(f"{kept} does not say when the source began ({type(error).__name__})") from error
    if not source.exists():
        raise FileNotFoundError(2, "no such file", str(source))
    temporary = kept.with_suffix(".new")
    temporary.write_text(json.dumps({"source": str(source), "started_at": now.isoformat()}), encoding="utf-8")
    temporary.rename(kept)
    return milliseconds(now)


def _candles(path: Path, pairs: tuple[str, ...]) -> Iterator[CandleRow]:
    """Rows of a file with the header `time,open,…` (one pair) or `symbol,time,open,…` (many)."""
    with opened_text(path) as lines:
        rows = csv.reader(lines)
        header = tuple(next(rows, ()))
        if header == ("symbol", *_CANDLES):
            single = None
        elif header == _CANDLES:
            single = _only_pair(path, pairs)
        else:
            raise UnusableRecord(f"the recorded file {path} does not begin with the columns {', '.join(_CANDLES)}")
        for number, row in enumerate(rows, start=2):
            cells = row if single is None else [single, *row]
            if len(cells) != len(_CANDLES) + 1 or not cells[1].isdecimal():
                raise UnusableRecord(f"line {number} of {path} is not a candle")
            yield CandleRow(cells[0], int(cells[1]), *cells[2:])


def _only_pair(path: Path, pairs: tuple[str, ...]) -> str:
    """Which pair a file without a symbol column holds: the one that was asked for, or the one in its name."""
    if len(pairs) == 1:
        return pairs[0]
    named = [pair for pair in pairs if pair.lower() in path.name.lower()]
    if len(named) != 1:
        raise UnusableRecord(f"{path.name} holds one pair, and neither BTCBOT_PAIRS nor its name says which")
    return named[0]


def _books(path: Path, pairs: tuple[str, ...], rerun: Rerun) -> Source:
    if len(pairs) != 1:
        raise UnusableRecord(f"{path.name} holds the messages of one pair, BTCBOT_PAIRS has {len(pairs)}")
    return books_of_one_pair(pairs[0], _messages(path, pairs[0]), rerun)


def _messages(path: Path, pair: str) -> Iterator[Message]:
    """The messages of a file and of those of the following days beside it."""
    for part in _days(path):
        with opened_text(part) as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    at_ns, _, text = line.partition(" ")
                    message = _message(int(at_ns) // NS_PER_MS, json.loads(text), pair)
                except (ValueError, KeyError, TypeError, RecursionError) as error:
                    raise UnusableRecord(f"line {number} of {part} is not a book message") from error
                if message is not None:
                    yield message


def _days(path: Path) -> list[Path]:
    suffix = ".txt.gz" if path.name.endswith(".gz") else ".txt"
    stem = path.name.removesuffix(suffix)
    if _DATE_AT_END.search(stem) is None:
        return [path]
    beside = path.parent.glob(f"{_DATE_AT_END.sub('', stem)}_????????{suffix}")
    return sorted(day for day in beside if day.name >= path.name)


def _message(at_ms: int, document: Mapping[str, object], pair: str) -> Message | None:
    """One recorded message; nothing for kinds that say nothing new."""
    if "lastUpdateId" in document:
        bids, asks = _levels(document["bids"]), _levels(document["asks"])
        return BookSnapshot(pair, at_ms, _whole(document["lastUpdateId"]), bids, asks)
    data = document["data"]
    if not isinstance(data, dict) or data.get("s") != pair:
        raise ValueError("a message of another pair")
    match data.get("e"):
        case "depthUpdate":
            return BookUpdate(pair, at_ms, _whole(data["u"]), _levels(data["b"]), _levels(data["a"]))
        case "trade":
            return TapeTrade(pair, at_ms, _whole(data["t"]), str(data["p"]), str(data["q"]), is_buy=data["m"] is False)
        case _:
            return None


def _levels(value: object) -> list[tuple[str, str]]:
    if not isinstance(value, list):
        raise TypeError("levels are a list")
    return [(str(price), str(quantity)) for price, quantity in value]


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError("a number is missing")
    return value
