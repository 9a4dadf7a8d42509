"""A recording of a busy book, made up: one whole book, then differences and trades ten times a second."""

import gzip
import json
import random
from pathlib import Path

PAIR = "BTCUSDT"
FIRST_NS = 1_723_161_600_000_000_000
STEP_NS = 100_000_000
LEVELS = 300  # more than the exchange shows: levels come into its window and leave it


def write_recording(path: Path, seconds: int, seed: int = 1) -> None:
    chance = random.Random(seed)
    middle = 6_100_000
    sides: list[dict[int, int]] = [
        {middle - 1 - place * chance.randint(1, 3): chance.randint(1, 10**8) for place in range(LEVELS)},
        {middle + 1 + place * chance.randint(1, 3): chance.randint(1, 10**8) for place in range(LEVELS)},
    ]
    whole = {"lastUpdateId": 1, "bids": _levels(sides[0]), "asks": _levels(sides[1])}
    with gzip.open(path, "wt", encoding="utf-8") as lines:
        lines.write(f"{FIRST_NS} {json.dumps(whole)}\n")
        for number in range(2, 2 + seconds * 10):
            middle += chance.choice((-7, -2, -1, 0, 0, 0, 1, 2, 7))
            changes = [_moved(chance, sides[0], middle, -1), _moved(chance, sides[1], middle, 1)]
            at_ns = FIRST_NS + number * STEP_NS
            data = {"e": "depthUpdate", "s": PAIR, "u": number, "b": _levels(changes[0]), "a": _levels(changes[1])}
            lines.write(f"{at_ns} {json.dumps({'stream': 'btcusdt@depth@100ms', 'data': data})}\n")
            trade = {"e": "trade", "s": PAIR, "t": number, "p": _price(middle), "q": "0.001", "m": bool(number % 2)}
            lines.write(f"{at_ns} {json.dumps({'stream': 'btcusdt@trade', 'data': trade})}\n")


def _moved(chance: random.Random, side: dict[int, int], middle: int, step: int) -> dict[int, int]:
    """What changed on one side; nothing of it stays beyond the middle."""
    changes = {price: 0 for price in side if (price - middle) * step <= 0}
    for _ in range(chance.randint(0, 12)):
        price = middle + step * (1 + int(chance.expovariate(0.01)))
        changes[price] = 0 if price in side and chance.random() < 0.4 else chance.randint(1, 10**8)
    for price, amount in changes.items():
        side.pop(price, None)
        if amount:
            side[price] = amount
    return changes


def _levels(side: dict[int, int]) -> list[list[str]]:
    return [[_price(price), f"{amount / 10**8:.8f}"] for price, amount in sorted(side.items())]


def _price(ticks: int) -> str:
    return f"{ticks // 100}.{ticks % 100:02d}"
