"""A feed of 379 pairs, made up in the sizes and proportions of the real one, from a process of its own.

Books of 100 levels a side move; their differences and tickers come in batches as on the wire, 370 bytes in the mean.
Who joins gets an acknowledgement and the whole book. Joining `play`, or the last pair's ticker, starts the batches.
"""

import asyncio
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from figures import pin
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

PAIRS = tuple(
    f"{chr(65 + number // 26)}{chr(65 + number % 26)}X{'TRY' if number % 2 else 'USDT'}" for number in range(379)
)
PEAK = 350  # frames a second
BATCH = 267  # frames in 764 ms at that rate
BATCH_SECONDS = 0.764
TICKER_SHARE = 0.45
LEVELS = 100
WRITE_LIMIT = 1024 * 1024
SETTLING_SECONDS = 0.3  # between the last book and the first batch
CHANGES_MEAN = 9


@dataclass
class Side:
    """Ticks with amounts, on one side of a middle that stays."""

    chance: random.Random
    best: int
    step: int  # away from the middle
    amounts: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.amounts = {self.best + self.step * place: self._amount() for place in range(LEVELS)}

    def moved(self, count: int) -> list[tuple[int, int, str]]:
        """Kind, tick and amount of so many changes; the side never has more than its levels."""
        changes = []
        for place in {int(self.chance.expovariate(0.05)) for _ in range(count)}:
            tick = self.best + self.step * place
            if tick not in self.amounts:
                kind = 1
                if len(self.amounts) == LEVELS:
                    gone = max(self.amounts, key=lambda each: each * self.step)
                    changes.append((3, gone, self.amounts.pop(gone)))
            else:
                kind = 3 if self.chance.random() < 0.25 and len(self.amounts) > LEVELS // 2 else 0
            amount = self.amounts.pop(tick) if kind == 3 else self._amount()
            if kind != 3:
                self.amounts[tick] = amount
            changes.append((kind, tick, amount))
        return changes

    def _amount(self) -> str:
        return f"{self.chance.expovariate(2):.8f}".rstrip("0") + "1"


class Source:
    """Frames as bytes, the same ones for the same seed."""

    def __init__(self, seed: int = 1) -> None:
        self._chance = random.Random(seed)
        self._decimals = {pair: self._chance.choice((0, 0, 1, 2, 4)) for pair in PAIRS}
        self._sides: dict[str, tuple[Side, Side]] = {}
        self._numbers = dict.fromkeys(PAIRS, 4_000_000)
        for pair in PAIRS:
            middle = self._chance.randint(10_000, 4_000_000)
            self._sides[pair] = (Side(self._chance, middle - 1, -1), Side(self._chance, middle + 1, 1))

    def full(self, pair: str) -> bytes:
        bids, asks = (
            [{"A": amount, "P": self._price(pair, tick)} for tick, amount in side.amounts.items()]
            for side in self._sides[pair]
        )
        body = {"CS": self._numbers[pair], "PS": pair, "AO": asks, "BO": bids}
        return _encoded(431, body | {"channel": "obdiff", "event": pair, "type": 431})

    def frames(self, count: int) -> list[bytes]:
        return [self._ticker() if self._chance.random() < TICKER_SHARE else self._update() for _ in range(count)]

    def _update(self) -> bytes:
        pair = self._chance.choice(PAIRS)
        self._numbers[pair] += 1
        count = 1 + min(int(self._chance.expovariate(1 / CHANGES_MEAN)), 4 * CHANGES_MEAN)
        bids, asks = (
            [{"CP": kind, "P": self._price(pair, tick), "A": amount} for kind, tick, amount in side.moved(part)]
            for side, part in zip(self._sides[pair], (count // 2, count - count // 2), strict=True)
        )
        body = {"CS": self._numbers[pair], "PS": pair, "AO": asks, "BO": bids}
        return _encoded(432, body | {"channel": "obdiff", "event": pair, "type": 432})

    def _ticker(self) -> bytes:
        pair = self._chance.choice(PAIRS)
        bids, asks = self._sides[pair]
        bid, ask = max(bids.amounts), min(asks.amounts)
        body = {
            "B": self._price(pair, bid), "A": self._price(pair, ask), "BA": bids.amounts[bid], "AA": asks.amounts[ask],
            "PS": pair, "H": self._price(pair, ask + 900), "L": self._price(pair, bid - 900), "DP": "-0.43",
            "LA": self._price(pair, bid), "O": self._price(pair, bid - 70), "V": "473088.27239993",
            "AV": self._price(pair, bid) + ("0" if self._decimals[pair] else ".0") + "0125401200", "D": "-0.173",
            "DS": pair[3:], "NS": pair[:3], "PId": PAIRS.index(pair) + 1,
        }  # fmt: skip
        return _encoded(402, body | {"channel": "ticker", "event": pair, "type": 402})

    def _price(self, pair: str, tick: int) -> str:
        decimals = self._decimals[pair]
        digits = str(tick).zfill(decimals + 1)
        return f"{digits[:-decimals]}.{digits[-decimals:]}" if decimals else digits


def _encoded(kind: int, body: dict[str, object]) -> bytes:
    return json.dumps([kind, body], separators=(",", ":")).encode()


@contextmanager
def feed_source(seconds: int, batch_every: float, core: int = 1) -> Iterator[str]:
    """The address of a source that plays so many seconds of the feed, a batch every so often."""
    command = (sys.executable, __file__, str(core), str(seconds), str(batch_every))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None, "opened with a pipe"
            yield f"ws://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


async def _serve(seconds: int, batch_every: float) -> None:
    source = Source()
    books = {pair: source.full(pair) for pair in PAIRS}
    frames = source.frames(seconds * PEAK)
    framed = [Frame(Opcode.TEXT, frame).serialize(mask=False) for frame in frames]
    batches = [b"".join(framed[place : place + BATCH]) for place in range(0, len(framed), BATCH)]

    async def stream(socket: ServerConnection) -> None:
        await socket.send('[991,{"type":991,"current":"6.0.0","min":"2.3.0"}]')
        with suppress(ConnectionClosed):
            async for text in socket:
                _, body = json.loads(text)
                await joined(socket, body["channel"], body["event"])

    async def joined(socket: ServerConnection, channel: str, event: str) -> None:
        if channel != "play":
            await socket.send(json.dumps([100, {"type": 100, "ok": True, "message": f"join|{channel}:{event}"}]))
        if channel == "obdiff":
            await socket.send(books[event].decode())
        if channel == "play" or (channel, event) == ("ticker", PAIRS[-1]):
            await asyncio.sleep(SETTLING_SECONDS)
            for batch in batches:
                socket.transport.write(batch)
                await asyncio.sleep(batch_every)
                await socket.drain()

    async with serve(stream, "127.0.0.1", 0, compression=None, ping_interval=None, write_limit=WRITE_LIMIT) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    pin(int(sys.argv[1]))
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(int(sys.argv[2]), float(sys.argv[3])))
