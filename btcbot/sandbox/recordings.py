"""What `btcbot record` wrote, as messages of a market: gzip JSON lines, a file an hour that stands for itself.

The first line of a file tells the pairs and their rules. Then come frames of the feed with the moment at which each was
heard, answers of REST to hold them against, and `gap` lines where something may be missing.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path

from btcbot.domain.money import MalformedNumber
from btcbot.sandbox.floor import milliseconds
from btcbot.sandbox.frame_reader import Document, FrameReader, listing_of, text_of, whole_of
from btcbot.sandbox.recorded_text import opened_text
from btcbot.simulation.listings import Listing
from btcbot.simulation.replay import UnusableRecord
from btcbot.simulation.replay_pair import Message

SUFFIX = ".jsonl.gz"
VERSION = 1
UPDATES_LOOKED_AT, LINES_LOOKED_AT = 200, 20_000  # to learn how numbers go on


def is_recording(path: Path) -> bool:
    return path.is_dir() or path.name.endswith(SUFFIX)


def open_recording(path: Path, pairs: Collection[str]) -> tuple[Mapping[str, Listing], Iterator[Message]]:
    """The pairs as they were listed, and all that was recorded of them. `UnusableRecord` for anything else."""
    files = sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else [path]
    if not files:
        raise UnusableRecord(f"the directory {path} holds no *{SUFFIX}")
    header = next(_lines(files[0]), (1, {}))[1]
    listings = _listings(files[0], header)
    missing = [pair for pair in pairs if pair not in listings]
    if missing:
        raise UnusableRecord(f"{files[0].name} was recorded without {', '.join(missing)}")
    reader = FrameReader(pairs, is_by_one=_goes_by_one(files[0]))
    return {pair: listings[pair] for pair in pairs}, _messages(files, reader)


def _messages(files: Collection[Path], reader: FrameReader) -> Iterator[Message]:
    for file in files:
        for number, line in _lines(file):
            try:
                yield from _read(line, reader)
            except (KeyError, TypeError, ValueError) as error:
                raise UnusableRecord(f"line {number} of {file} is not of a recording ({error})") from error


def _read(line: Document, reader: FrameReader) -> Iterator[Message]:
    match line["kind"]:
        case "header":  # each file has a connection of its own
            yield reader.broken(milliseconds(datetime.fromisoformat(text_of(line["started_at"]))))
        case "gap":
            yield reader.broken(whole_of(line["at"]))
        case "trades":
            reader.learn(text_of(line["pair"]), line["data"])
        case "frame":
            frame = line["frame"]
            if isinstance(frame, list) and len(frame) == 2 and isinstance(frame[1], dict):
                yield from reader.frame(whole_of(line["at"]), frame[0], frame[1])
        case _:
            return  # books over REST, and what later recorders add


def _goes_by_one(file: Path) -> bool:
    """Whether the numbers of a record's books rise by one, as they do at the exchange nowadays."""
    last: dict[str, int] = {}
    jumps = steps = 0
    for _, line in islice(_lines(file), LINES_LOOKED_AT):
        frame = line.get("frame")
        if not isinstance(frame, list) or len(frame) != 2 or frame[0] not in (431, 432) or steps >= UPDATES_LOOKED_AT:
            continue
        body = frame[1] if isinstance(frame[1], dict) else {}
        pair, number = body.get("PS"), body.get("CS")
        if not isinstance(pair, str) or not isinstance(number, int):
            continue  # told with its line when it is played
        if frame[0] == 432 and pair in last:
            steps += 1
            jumps += number != last[pair] + 1
        last[pair] = number
    return jumps * 2 <= steps


def _listings(file: Path, header: Document) -> Mapping[str, Listing]:
    try:
        if header["kind"] != "header" or header["v"] != VERSION:
            raise ValueError(f"version {VERSION} is what can be read")
        info = header["exchange_info"]
        rows = info["symbols"] if isinstance(info, dict) else info
        if not isinstance(rows, list):
            raise TypeError("symbols are a list")
        return {text_of(row["name"]): listing_of(row) for row in rows}
    except (KeyError, TypeError, ValueError, MalformedNumber) as error:
        raise UnusableRecord(f"{file} does not begin with the header of a recording ({error})") from error


def _lines(file: Path) -> Iterator[tuple[int, dict[str, object]]]:
    with opened_text(file) as lines:
        for number, text in enumerate(lines, start=1):
            try:
                line = json.loads(text)
            except (ValueError, RecursionError) as error:
                raise UnusableRecord(f"line {number} of {file} is not JSON") from error
            if not isinstance(line, dict):
                raise UnusableRecord(f"line {number} of {file} is not of a recording")
            yield number, line
