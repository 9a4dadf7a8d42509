"""The candles of `indicators.py` and its peers, the same in every process: a market that wanders, in two decimals."""

import random

Row = tuple[float, float, float, float, float]  # open, high, low, close, volume
PERIODS = tuple(range(10, 30, 2))  # of each operator: ten of a kind, as in a sweep or a crossing of averages


def rows(count: int, seed: int = 1) -> list[Row]:
    chance, price, made = random.Random(seed), 3_000_000.0, []
    for _ in range(count):
        opened, price = price, round(price * (1 + chance.gauss(0, 0.001)), 2)
        high = round(max(opened, price) * (1 + abs(chance.gauss(0, 0.0005))), 2)
        low = round(min(opened, price) * (1 - abs(chance.gauss(0, 0.0005))), 2)
        made.append((opened, high, low, price, round(chance.random() * 5, 8)))
    return made
