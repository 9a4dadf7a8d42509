"""A look at the public side of the WebSocket feed (protocol, section 10), on one connection of our own.

Every frame is kept with the moment at which it came; what is known of joining, leaving, numbering and pace is then read
off that list. Nothing is asked that a careful client would not do: six channels joined, one of them twice, one left and
joined again.
"""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import pairwise
from statistics import median

from btcbot.domain.conformance import Verdict
from btcbot.domain.ports import Clock, Observer, Sleeper
from btcbot.exchange.conformance import Notebook
from btcbot.exchange.frame_log import ANSWER_SECONDS_MAX, FrameLog, Heard
from btcbot.exchange.stream import Channel, Stream
from btcbot.exchange.wire import (
    ACK,
    BOOK_FULL,
    BOOK_UPDATE,
    KLINE,
    TICKER_ALL,
    TICKER_PAIR,
    TRADE_LIST,
    TRADE_SINGLE,
    WELCOME,
)

PACE_SECONDS = (0.5, 1.2)  # of tickers; about 0.76 was measured
NOBODY = "NOPEUSDT"
NAMES = {
    WELCOME: "welcome", ACK: "acknowledgement", TICKER_ALL: "ticker of all pairs", TICKER_PAIR: "ticker of one pair",
    TRADE_LIST: "list of trades", TRADE_SINGLE: "single trade", KLINE: "candle", BOOK_FULL: "whole book",
    BOOK_UPDATE: "difference of a book",
}  # fmt: skip


class FeedConformance:
    def __init__(
        self, ws_url: str, pair: str, notebook: Notebook, clock: Clock, sleeper: Sleeper, observer: Observer
    ) -> None:
        self._pair = pair
        self._notebook = notebook
        self._clock = clock
        self._log = FrameLog(clock, sleeper)
        self._sleeper = sleeper
        self._stream = Stream(ws_url, (), self._log, clock, sleeper, observer, name="probe")

    async def look(self, listen_seconds: float) -> None:
        """Everything public; takes `listen_seconds` and some more."""
        running = asyncio.ensure_future(self._stream.run())
        try:
            if await self._welcome():
                await self._joins()
                await self._pace(listen_seconds)
                await self._rejoin()
                self._log.judge_shapes(self._notebook, NAMES)
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

    def compare_sides(self, sides: Mapping[str, str]) -> None:
        """Question E3: what S says, told by trades that REST lists with their side under the same number."""
        numbers = dict(self._prints())
        buys = [numbers[number] for number, side in sides.items() if side == "buy" and number in numbers]
        sells = [numbers[number] for number, side in sides.items() if side == "sell" and number in numbers]
        what = "S of a trade: 0 sell, 1 buy"
        if not buys and not sells:
            self._notebook.unseen(what, "no trade was both heard and listed", "E3")
            return
        agree = buys.count(1) + sells.count(0)
        self._notebook.judge(
            what, agree == len(buys) + len(sells), f"{agree} of {len(buys) + len(sells)} trades agree", "E3"
        )

    # ------------------------------------------------------------------------------------------------ joining

    async def _welcome(self) -> bool:
        began = self._clock.monotonic()
        log, notebook = self._log, self._notebook
        if not await log.until(lambda: log.connections):
            notebook.unasked("WebSocket", "no connection was made")
            return False
        await log.until(lambda: log.frames)
        if not log.frames:
            notebook.note("welcome", Verdict.DIFFERS, f"no frame within {ANSWER_SECONDS_MAX:.0f} s")
            return True
        first = log.frames[0]
        versions = f"current {_shown(first.body.get('current'))}, min {_shown(first.body.get('min'))}"
        notebook.judge(
            "the first frame is the welcome", first.kind == WELCOME, f"{versions}, after {first.at - began:.2f} s"
        )
        return True

    async def _joins(self) -> None:
        pair, log, notebook = self._pair, self._log, self._notebook
        began = self._clock.monotonic()
        ok = await self._joined(("obdiff", pair))
        notebook.judge("a join is acknowledged", ok is True, _acknowledged(ok), "10.2")
        came = await log.until(lambda: log.of(BOOK_FULL, PS=pair, channel="obdiff"))
        detail = f"after {log.of(BOOK_FULL, PS=pair)[0].at - began:.2f} s" if came else "it did not come"
        notebook.judge("a whole book follows", came, detail, "10.4")
        ok = await self._joined(("obdiff", pair))
        notebook.judge("a second join is refused", ok is False, _acknowledged(ok), "10.2")
        ok = await self._joined(("obdiff", NOBODY))
        notebook.judge("a join of an unknown pair is acknowledged", ok is True, _acknowledged(ok), "10.2")
        for channel in (
            ("ticker", pair),
            ("ticker", "all"),
            ("trade", pair),
            ("orderbook", pair),
            ("tradeview", f"{pair}_1"),
        ):
            ok = await self._joined(channel)
            if ok is not True:
                notebook.note(f"join of {channel[0]}", Verdict.DIFFERS, _acknowledged(ok), "10.2")

    async def _joined(self, channel: Channel, *, join: bool = True) -> bool | None:
        """What the acknowledgement says, if one comes."""
        since = len(self._log.frames)
        message = f"{'join' if join else 'leave'}|{channel[0]}:{channel[1]}"
        await self._stream.join(channel, join=join)
        await self._log.until(lambda: self._log.of(ACK, since, message=message))
        acks = self._log.of(ACK, since, message=message)
        return acks[0].body.get("ok") is True if acks else None

    # ------------------------------------------------------------------------------------------------ listening

    async def _pace(self, listen_seconds: float) -> None:
        log, notebook, pair = self._log, self._notebook, self._pair
        since = len(log.frames)
        await self._sleeper.sleep(listen_seconds)
        for kind, channel in ((TICKER_PAIR, pair), (TICKER_ALL, "all")):
            gaps = [later.at - sooner.at for sooner, later in pairwise(log.of(kind, since, event=channel))]
            what = f"pace of {NAMES[kind]}"
            if gaps:
                middle = median(gaps)
                notebook.judge(
                    what, PACE_SECONDS[0] <= middle <= PACE_SECONDS[1],
                    f"every {middle:.2f} s, {max(gaps):.2f} s at most", "10.2",
                )  # fmt: skip
            else:
                notebook.unseen(what, "fewer than two came", "10.2")
        self._judge_numbers()
        strangers = log.of(BOOK_FULL, event=NOBODY) + log.of(BOOK_UPDATE, event=NOBODY)
        notebook.judge("an unknown pair stays silent", not strangers, f"{len(strangers)} frames", "10.2")
        if log.connections > 1:
            notebook.note("connection", Verdict.DIFFERS, f"it was lost {log.connections - 1} times", "E5")

    def _judge_numbers(self) -> None:
        """Question E1: whether every difference has the number after the one before it."""
        books = [
            heard
            for heard in self._log.frames
            if heard.kind in (BOOK_FULL, BOOK_UPDATE) and heard.body.get("channel") == "obdiff"
            and heard.body.get("PS") == self._pair
        ]  # fmt: skip
        steps = [_number(later) - _number(sooner) for sooner, later in pairwise(books) if later.kind == BOOK_UPDATE]
        what = "numbers of differences go up by one"
        if not steps:
            self._notebook.unseen(what, "the book did not change while we listened", "E1")
            return
        jumps = sum(step != 1 for step in steps)
        widest = max(steps)
        self._notebook.judge(what, jumps == 0, f"{jumps} jumps in {len(steps)} steps, the widest is {widest}", "E1")

    async def _rejoin(self) -> None:
        """Question E2: whether leaving and joining on one connection brings a whole book again."""
        log, notebook, channel = self._log, self._notebook, ("obdiff", self._pair)
        left = await self._joined(channel, join=False)
        notebook.judge("a leave is acknowledged", left is True, _acknowledged(left), "10.2")
        since = len(log.frames)
        began = self._clock.monotonic()
        ok = await self._joined(channel)
        notebook.judge("a join after a leave is acknowledged", ok is True, _acknowledged(ok), "10.2")
        came = await log.until(lambda: log.of(BOOK_FULL, since, PS=self._pair, channel="obdiff"))
        detail = "it did not come"
        if came:
            detail = f"after {log.of(BOOK_FULL, since, PS=self._pair, channel='obdiff')[0].at - began:.2f} s"
        notebook.judge("leave and join bring a whole book", came, detail, "E2")

    def _prints(self) -> Iterable[tuple[str, object]]:
        for heard in self._log.of(TRADE_LIST, event=self._pair):
            items = heard.body.get("items")
            for item in items if isinstance(items, list) else ():
                if isinstance(item, dict):
                    yield str(item.get("I")), item.get("S")
        for heard in self._log.of(TRADE_SINGLE, PS=self._pair):
            yield str(heard.body.get("I")), heard.body.get("S")


def _number(heard: Heard) -> int:
    number = heard.body.get("CS")
    return number if isinstance(number, int) else 0


def _acknowledged(ok: bool | None) -> str:
    return "no answer" if ok is None else f"ok is {'true' if ok else 'false'}"


def _shown(value: object) -> str:
    text = str(value)[:20]
    return text if text.isprintable() else "?"
