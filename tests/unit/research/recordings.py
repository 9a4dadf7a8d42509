"""Made-up recordings for tests of research: hours in the notation `open high low close [volume]`, or a seeded walk."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

from btcbot.domain.market import Candle
from btcbot.domain.money import parse
from btcbot.research.history import EPOCH, History
from btcbot.simulation.generator import CHARACTERS
from btcbot.simulation.listings import Listing

START = datetime(2024, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
LISTING: Listing = CHARACTERS["BTCTRY"].listing


def hours(*texts: str, pair: str = "BTCTRY", start: datetime = START) -> History:
    return History(pair, HOUR, tuple(_candle(start + number * HOUR, text) for number, text in enumerate(texts)))


def flat(count: int, price: int = 1_000_000) -> list[str]:
    return [f"{price} {price} {price} {price}"] * count


def _candle(opened_at: datetime, text: str) -> Candle:
    numbers = [parse(number) for number in text.split()]
    return Candle(opened_at, *(numbers if len(numbers) == 5 else (*numbers, Decimal(100))))


def walk(seed: int, length: int = 180, pair: str = "BTCTRY") -> History:
    """Prices that wander by a percent an hour, each candle with shadows."""
    chance, price, candles = Random(seed), 1_000_000.0, []
    for number in range(length):
        opened, price = price, price * (1 + chance.gauss(0, 0.01))
        high, low = max(opened, price) * (1 + chance.random() / 200), min(opened, price) * (1 - chance.random() / 200)
        numbers = [Decimal(round(each)) for each in (opened, high, low, price)]
        candles.append(Candle(START + number * HOUR, *numbers, Decimal(chance.randint(5, 50))))
    return History(pair, HOUR, tuple(candles))


def minutes(seed: int, count: int) -> list[Candle]:
    """A seeded walk of BTC/USDT, minute by minute."""
    chance, price, candles = Random(seed), 60_000.0, []
    for number in range(count):
        opened, price = price, price * (1 + chance.gauss(0, 0.001))
        high, low = max(opened, price) * 1.0005, min(opened, price) * 0.9995
        numbers = [Decimal(round(each * 100)) / 100 for each in (opened, high, low, price)]
        candles.append(
            Candle(
                START + number * timedelta(minutes=1), *numbers, Decimal(chance.randint(500_000, 5_000_000)) / 100_000
            )
        )
    return candles


def without(history: History, first: int, last: int) -> History:
    """A hole in the recording."""
    return replace(history, candles=(*history.candles[:first], *history.candles[last:]))


def written(path: Path, candles: Sequence[Candle]) -> Path:
    lines = ["time,open,high,low,close,volume"]
    for each in candles:
        opened_ms = (each.opened_at - EPOCH) // timedelta(milliseconds=1)
        lines.append(f"{opened_ms},{each.open},{each.high},{each.low},{each.close},{each.volume}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
