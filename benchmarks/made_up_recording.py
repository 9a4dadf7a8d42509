"""A recording as `btcbot record` writes it, of a market that never was: for replays that need no data of anybody."""

import gzip
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

from far_end import PAIRS, symbol_row

STARTED = datetime(2026, 1, 1, tzinfo=UTC)
BATCH_MS = 765  # as often as the exchange tells what changed
STEP, LEVELS = 10, 100
HOME = 3_000_000
CHANGES = 5  # amounts that change in a batch, beside what a move of the touch brings
MOVES, PRINTS = 0.3, 0.3  # in how many batches the touch moves, and something is traded
SEED = 11

Side = dict[int, str]


class PairTape:
    """One pair's books and trades, batch after batch."""

    def __init__(self, pair: str, dice: random.Random) -> None:
        self._pair = pair
        self._dice = dice
        self._middle = HOME
        self._number = 1
        self._trades = 0
        self._bids, self._asks = self._window({}, {})

    def full(self) -> list[object]:
        sides = {
            name: [{"A": amount, "P": str(price)} for price, amount in side.items()]
            for name, side in (("AO", self._asks), ("BO", self._bids))
        }
        return [431, {"type": 431, "channel": "obdiff", "event": self._pair, "CS": 1, "PS": self._pair, **sides}]

    def batch(self, at_ms: int) -> list[list[object]]:
        frames: list[list[object]] = []
        if self._dice.random() < MOVES:
            self._middle += self._dice.choice((-STEP, STEP))
        bids, asks = self._window(self._bids, self._asks)
        changes = {"AO": _changes(self._asks, asks), "BO": _changes(self._bids, bids)}
        self._bids, self._asks = bids, asks
        self._number += 1
        names = {"channel": "obdiff", "event": self._pair, "CS": self._number, "PS": self._pair}
        frames.append([432, {"type": 432, **names, **changes}])
        if self._dice.random() < PRINTS:
            self._trades += 1
            side = self._dice.randint(0, 1)
            price = next(iter(asks if side else bids))
            trade = {"D": str(at_ms), "I": str(10**18 + self._trades), "A": _amount(self._dice), "P": str(price)}
            frames.append([422, {"type": 422, **trade, "PS": self._pair, "S": side}])
        return frames

    def _window(self, bids: Side, asks: Side) -> tuple[Side, Side]:
        """The levels around the middle: those that stay keep their amounts, but for a few."""
        sides = []
        for known, prices in (
            (bids, range(self._middle - STEP, self._middle - STEP * (LEVELS + 1), -STEP)),
            (asks, range(self._middle + STEP, self._middle + STEP * (LEVELS + 1), STEP)),
        ):
            changing = set(self._dice.sample(prices, CHANGES // 2))
            sides.append(
                {
                    price: known[price] if price in known and price not in changing else _amount(self._dice)
                    for price in prices
                }
            )
        return sides[0], sides[1]


def make_recording(path: Path, lasts: timedelta) -> Path:
    """Write it, and return where it is."""
    dice = random.Random(SEED)
    tapes = [PairTape(pair, dice) for pair in PAIRS]
    symbols = [symbol_row(place, pair) for place, pair in enumerate(PAIRS)]
    header = {
        "v": 1, "kind": "header", "started_at": STARTED.isoformat(), "pairs": list(PAIRS), "exchange_info": symbols,
        "build": "benchmark",
    }  # fmt: skip
    at_ms = int(STARTED.timestamp() * 1000)
    end_ms = at_ms + int(lasts.total_seconds() * 1000)
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=1) as lines:
        lines.write(f"{json.dumps(header)}\n")
        frames = [tape.full() for tape in tapes]
        while at_ms < end_ms:
            for frame in frames:
                lines.write(f"{json.dumps({'at': at_ms, 'kind': 'frame', 'frame': frame})}\n")
            at_ms += BATCH_MS
            frames = [frame for tape in tapes for frame in tape.batch(at_ms)]
    return path


def _changes(before: Side, after: Side) -> list[dict[str, object]]:
    gone: list[dict[str, object]] = [
        {"CP": 3, "P": str(price), "A": amount} for price, amount in before.items() if price not in after
    ]
    come: list[dict[str, object]] = [
        {"CP": 0 if price in before else 1, "P": str(price), "A": amount}
        for price, amount in after.items()
        if before.get(price) != amount
    ]
    return [*gone, *come]


def _amount(dice: random.Random) -> str:
    return f"{dice.randint(1, 5_000)}.{dice.randint(10**7, 10**8 - 1)}"
