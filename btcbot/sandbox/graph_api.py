"""The graph host: candles (protocol 4.5, 4.6). Times are seconds, values are JSON numbers, no envelope."""

from collections.abc import Mapping, Sequence

from starlette.responses import Response
from starlette.routing import Route

from btcbot.domain.money import round_half_even, round_ratio
from btcbot.sandbox.answers import json_answer
from btcbot.sandbox.desk import Desk
from btcbot.sandbox.floor import Floor
from btcbot.sandbox.public_api import PERCENT_STEP
from btcbot.simulation.books import MINUTE_MS, Bar

MINUTES_PER_ANSWER_MAX = 5_000  # older ones are left out, so that one question cannot hold up the market
DAY_MINUTES = 1_440
DAY_NAMES = ("1D", "1 day", "1440")


class GraphApi:
    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    def routes(self, desk: Desk) -> list[Route]:
        return [
            desk.public("/v1/klines/history", "graph", self.klines),
            desk.public("/v1/ohlcs", "ohlcs", self.ohlcs),
        ]

    def klines(self, query: Mapping[str, str]) -> Response:
        pair = self._floor.pair(query.get("symbol", ""))
        minutes = _minutes(query.get("resolution", ""))
        span = _span(query)
        if pair is None or minutes is None or span is None:
            return json_answer({"s": "no_data", "t": [], "h": [], "o": [], "l": [], "c": [], "v": []})
        bars = self._bars(pair, minutes, span)
        listing = self._floor.listings[pair]
        return json_answer(
            {
                "s": "ok" if bars else "no_data",
                "t": [bar.opened_ms // 1000 for bar in bars],
                "h": [listing.price(bar.high) for bar in bars],
                "o": [listing.price(bar.open) for bar in bars],
                "l": [listing.price(bar.low) for bar in bars],
                "c": [listing.price(bar.close) for bar in bars],
                "v": [listing.quantity(bar.volume) for bar in bars],
            }
        )

    def ohlcs(self, query: Mapping[str, str]) -> Response:
        pair = self._floor.pair(query.get("pair", ""))
        span = _span(query)
        if pair is None or span is None:
            return json_answer([])
        listing = self._floor.listings[pair]
        rows = []
        for bar in self._bars(pair, DAY_MINUTES, span):
            daily = listing.price(bar.close - bar.open)
            volume, close = listing.quantity(bar.volume), listing.price(bar.close)
            rows.append(
                {
                    "pair": pair,
                    "time": bar.opened_ms // 1000,
                    "open": listing.price(bar.open),
                    "high": listing.price(bar.high),
                    "low": listing.price(bar.low),
                    "close": close,
                    "volume": volume,
                    "total": volume * close,
                    "average": listing.price((bar.high + bar.low) // 2),
                    "dailyChangeAmount": daily,
                    "dailyChangePercentage": round_half_even(
                        round_ratio(daily * 100, listing.price(bar.open)), PERCENT_STEP
                    ),
                }
            )
        return json_answer(rows)

    def _bars(self, pair: str, minutes: int, span: tuple[int, int]) -> Sequence[Bar]:
        """Bars of so many minutes that open within the span, oldest first."""
        now_ms = self._floor.advance()
        step = minutes * MINUTE_MS
        first = -(-span[0] * 1000 // step) * step
        last = min(span[1] * 1000, now_ms) // step * step
        first = max(first, last - (MINUTES_PER_ANSWER_MAX // minutes) * step)
        if last < first:
            return ()
        bars: dict[int, Bar] = {}
        for bar in self._floor.bars(pair, first, last + step - 1):
            opened_ms = bar.opened_ms // step * step
            known = bars.get(opened_ms)
            bars[opened_ms] = bar if known is None else _joined(known, bar, opened_ms)
        return tuple(bars.values())


def _joined(earlier: Bar, later: Bar, opened_ms: int) -> Bar:
    return Bar(
        opened_ms,
        earlier.open,
        max(earlier.high, later.high),
        min(earlier.low, later.low),
        later.close,
        earlier.volume + later.volume,
    )


def _minutes(resolution: str) -> int | None:
    if resolution in DAY_NAMES:
        return DAY_MINUTES
    minutes = int(resolution) if resolution.isascii() and resolution.isdigit() and len(resolution) <= 4 else 0
    return minutes if 1 <= minutes <= DAY_MINUTES else None


def _span(query: Mapping[str, str]) -> tuple[int, int] | None:
    texts = (query.get("from", ""), query.get("to", ""))
    if not all(text.isascii() and text.isdigit() and len(text) <= 11 for text in texts):
        return None
    return int(texts[0]), int(texts[1])
