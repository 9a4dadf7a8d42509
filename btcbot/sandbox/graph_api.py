"""The graph host: candles (protocol 4.5, 4.6). Times are seconds, values are JSON numbers, no envelope."""

import re
from collections.abc import Mapping, Sequence

from starlette.responses import Response
from starlette.routing import Route

from btcbot.domain.money import round_half_even, round_ratio
from btcbot.sandbox.answers import json_answer
from btcbot.sandbox.candles import DAY_MINUTES, candles, minutes_of
from btcbot.sandbox.desk import Desk
from btcbot.sandbox.floor import Floor
from btcbot.sandbox.profiles import VenueProfile
from btcbot.sandbox.public_api import PERCENT_STEP
from btcbot.simulation.books import Bar

_SECONDS = re.compile(r"-?[0-9]{1,11}", re.ASCII)


class GraphApi:
    def __init__(self, floor: Floor, profile: VenueProfile) -> None:
        self._floor = floor
        self._profile = profile

    def routes(self, desk: Desk) -> list[Route]:
        return [
            desk.public("/v1/klines/history", "graph", self.klines),
            desk.public("/v1/ohlcs", "ohlcs", self.ohlcs),
        ]

    def klines(self, query: Mapping[str, str]) -> Response:
        """Columns. Whatever is unknown or malformed has no candles, and still HTTP 200."""
        pair = self._floor.pair(query.get("symbol", ""))
        minutes, span = minutes_of(query.get("resolution", "")), _span(query)
        if pair is None or minutes is None or span is None:
            return self._columns(())
        return self._columns(self._bars(pair, minutes, span), pair)

    def _columns(self, bars: Sequence[Bar], pair: str = "") -> Response:
        """A range without candles says so, or is a range of none."""
        if not bars:
            is_said = not self._profile.has_quiet_klines
            return json_answer(
                {"s": "no_data" if is_said else "ok", "t": [], "h": [], "o": [], "l": [], "c": [], "v": []}
            )
        listing = self._floor.listings[pair]
        return json_answer(
            {
                "s": "ok",
                "t": [bar.opened_ms // 1000 for bar in bars],
                "h": [listing.price(bar.high) for bar in bars],
                "o": [listing.price(bar.open) for bar in bars],
                "l": [listing.price(bar.low) for bar in bars],
                "c": [listing.price(bar.close) for bar in bars],
                "v": [listing.quantity(bar.volume) for bar in bars],
            }
        )

    def ohlcs(self, query: Mapping[str, str]) -> Response:
        """Days, as rows."""
        pair, span = self._floor.pair(query.get("pair", "")), _span(query)
        if pair is None or span is None:
            return json_answer([])
        return json_answer([self._day(pair, bar) for bar in self._bars(pair, DAY_MINUTES, span)])

    def _day(self, pair: str, bar: Bar) -> Mapping[str, object]:
        listing = self._floor.listings[pair]
        daily = listing.price(bar.close - bar.open)
        volume, close = listing.quantity(bar.volume), listing.price(bar.close)
        return {
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
            "dailyChangePercentage": round_half_even(round_ratio(daily * 100, listing.price(bar.open)), PERCENT_STEP),
        }

    def _bars(self, pair: str, minutes: int, span: tuple[int, int]) -> Sequence[Bar]:
        """Candles that open within the span, oldest first; the running one is among them."""
        now_ms = self._floor.advance()
        return tuple(candles(self._floor, pair, minutes, span[0] * 1000, min(span[1] * 1000, now_ms)))


def _span(query: Mapping[str, str]) -> tuple[int, int] | None:
    """First and last second; a beginning before 1970 is taken, as some clients ask for (ccxt)."""
    texts = (query.get("from", ""), query.get("to", ""))
    if not all(_SECONDS.fullmatch(text) for text in texts):
        return None
    return max(int(texts[0]), 0), int(texts[1])
