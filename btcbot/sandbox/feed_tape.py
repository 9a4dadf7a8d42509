"""The channels `ticker`, `trade` and `tradeview` (protocol 10.3)."""

from collections.abc import Collection, Iterable

from btcbot.domain.money import plain
from btcbot.sandbox.candles import minutes_of, running
from btcbot.sandbox.faults import FaultName
from btcbot.sandbox.feed_connection import Topic, topic_facts
from btcbot.sandbox.feed_faults import FeedFaults
from btcbot.sandbox.floor import Floor, Ticker
from btcbot.sandbox.profiles import VenueProfile
from btcbot.sandbox.public_api import change
from btcbot.sandbox.wire import encode, padded
from btcbot.simulation.books import Bar, Print

TAPE_DECIMALS = 10
RESOLUTIONS = ("1", "5", "15", "30", "60", "240", "1D", "1W", "1M")


class TickerFrames:
    """Every batch, changed or not."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    def frames(self, events: Collection[str], now_ms: int) -> dict[Topic, str]:
        wants_all = "all" in events
        tickers: dict[str, dict[str, object]] = {}
        for pair in self._floor.listings:
            if (wants_all or pair in events) and (ticker := self._floor.ticker(pair, now_ms)) is not None:
                tickers[pair] = _ticker(ticker)
        frames = {
            ("ticker", pair): encode([402, body | {"channel": "ticker", "event": pair, "type": 402}])
            for pair, body in tickers.items()
            if pair in events
        }
        if wants_all:
            items = [body | {"Ord": place} for place, body in enumerate(tickers.values())]
            frames["ticker", "all"] = encode([401, {"items": items, "channel": "ticker", "event": "all", "type": 401}])
        return frames


class TradeFrames:
    """The last prints after the join, then each print as it comes."""

    def __init__(self, floor: Floor, faults: FeedFaults, profile: VenueProfile) -> None:
        self._floor = floor
        self._faults = faults
        self._profile = profile

    def first(self, pair: str) -> str:
        items = [self._body(print_) for print_ in self._floor.recent(pair)]
        return encode([421, {"symbol": pair, "items": items, "channel": "trade", "event": pair, "type": 421}])

    def frames(self, pairs: Collection[str], prints: Iterable[Print]) -> dict[Topic, list[str]]:
        frames: dict[Topic, list[str]] = {}
        for print_ in prints:
            if print_.pair in pairs:
                pair = print_.pair
                body = self._body(print_)
                side = body.pop("S")
                body |= {"PS": pair, "S": side, "channel": "trade", "event": pair, "type": 422}
                frames.setdefault(("trade", pair), []).append(encode([422, body]))
        return frames

    def _body(self, print_: Print) -> dict[str, object]:
        listing = self._floor.listings[print_.pair]
        is_one = print_.is_buy == self._profile.is_taker_buy_one
        if self._faults and self._faults.strike(FaultName.SIDE_FLIPPED, topic_facts(("trade", print_.pair))):
            is_one = not is_one
        return {
            "D": str(print_.at_ms), "I": str(print_.number),
            "A": padded(listing.quantity(print_.lots), TAPE_DECIMALS),
            "P": padded(listing.price(print_.ticks), TAPE_DECIMALS), "S": int(is_one),
        }  # fmt: skip


class CandleFrames:
    """The running candle after the join, then whenever it changed."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._sent: dict[str, Bar] = {}

    def first(self, event: str, now_ms: int) -> str | None:
        pair, _, resolution = event.rpartition("_")
        if pair not in self._floor.listings or resolution not in RESOLUTIONS:
            return None
        bar = running(self._floor, pair, minutes_of(resolution) or 0, now_ms)
        return None if bar is None else self._text(pair, resolution, bar)

    def frames(self, events: Collection[str], now_ms: int) -> dict[Topic, str]:
        before, self._sent = self._sent, {}
        frames: dict[Topic, str] = {}
        for event in events:
            pair, _, resolution = event.rpartition("_")
            if pair not in self._floor.listings or resolution not in RESOLUTIONS:
                continue
            bar = running(self._floor, pair, minutes_of(resolution) or 0, now_ms)
            if bar is None:
                continue
            self._sent[event] = bar
            if before.get(event, bar) != bar:
                frames["tradeview", event] = self._text(pair, resolution, bar)
        return frames

    def _text(self, pair: str, resolution: str, bar: Bar) -> str:
        listing = self._floor.listings[pair]
        body: dict[str, object] = {
            "D": bar.opened_ms // 1000, "P": pair, "R": int(resolution) if resolution.isdigit() else resolution,
            "O": listing.price_text(bar.open), "H": listing.price_text(bar.high), "L": listing.price_text(bar.low),
            "C": listing.price_text(bar.close), "V": listing.quantity_text(bar.volume), "channel": "tradeview",
            "event": f"{pair}_{resolution}", "type": 428,
        }  # fmt: skip
        return encode([428, body])


def _ticker(ticker: Ticker) -> dict[str, object]:
    listing = ticker.listing
    daily, percent = change(ticker)
    bid, ask = ticker.bid or (0, 0), ticker.ask or (0, 0)
    return {
        "B": listing.price_text(bid[0]), "A": listing.price_text(ask[0]), "BA": listing.quantity_text(bid[1]),
        "AA": listing.quantity_text(ask[1]), "PS": listing.pair, "H": listing.price_text(ticker.high),
        "L": listing.price_text(ticker.low), "DP": plain(percent), "LA": listing.price_text(ticker.last),
        "O": listing.price_text(ticker.open), "V": listing.quantity_text(ticker.volume), "AV": plain(ticker.average),
        "D": plain(daily), "DS": listing.quote, "NS": listing.base, "PId": listing.pair_id,
    }  # fmt: skip
