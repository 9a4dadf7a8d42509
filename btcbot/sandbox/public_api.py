"""The public endpoints of the api host (protocol 4). Paths are taken in any case."""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal

from starlette.responses import Response
from starlette.routing import Route

from btcbot.domain.money import Asset, plain, round_half_even, round_ratio
from btcbot.sandbox.answers import failure, json_answer, pair_unknown, success
from btcbot.sandbox.candles import DAY_MINUTES, DAY_MS, candles
from btcbot.sandbox.desk import Desk
from btcbot.sandbox.faults import Faults
from btcbot.sandbox.feed_faults import FeedFaults
from btcbot.sandbox.floor import EPOCH, Floor, Ticker
from btcbot.sandbox.profiles import Shapes, VenueProfile
from btcbot.sandbox.shown_books import BookTexts, ShownBooks
from btcbot.sandbox.wire import Literal
from btcbot.simulation.books import LEVELS_MAX, PRINTS_KEPT
from btcbot.simulation.happenings import Method
from btcbot.simulation.listings import Listing

NAMES = {
    "TRY": "Türk Lirası", "BTC": "Bitcoin", "ETH": "Ethereum", "USDT": "Tether", "XRP": "Ripple", "SOL": "Solana",
    "AVAX": "Avalanche", "DOGE": "Dogecoin", "DOT": "Polkadot",
}  # fmt: skip
PERCENT_STEP = Decimal("0.01")
INFO_AGE_SECONDS = 30
DAYS_MAX = 30
METHOD_NAMES = {
    Method.MARKET: "MARKET", Method.LIMIT: "LIMIT", Method.STOP_MARKET: "STOP_MARKET", Method.STOP_LIMIT: "STOP_LIMIT",
}  # fmt: skip


class PublicApi:
    def __init__(self, floor: Floor, faults: Faults, profile: VenueProfile) -> None:
        self._floor = floor
        self._profile = profile
        self._books = ShownBooks(floor, FeedFaults(faults, floor), "orderbook")
        self._texts = BookTexts()

    def routes(self, desk: Desk) -> list[Route]:
        routes = [
            desk.public("/api/v2/server/exchangeinfo", "exchange_info", self.exchange_info),
            desk.public("/api/v2/server/time", "server_time", self.server_time),
            desk.public("/api/v2/server/ping", "server_ping", self.server_ping),
            desk.public("/api/v2/ticker", "ticker", self.ticker),
            desk.public("/api/v2/ticker/currency", "ticker", self.ticker_currency),
            desk.public("/api/v2/orderbook", "orderbook", self.orderbook),
            desk.public("/api/v2/trades", "trades", self.trades),
            desk.public("/api/v2/ohlc", "trades", self.ohlc),
        ]
        for route in routes:
            route.path_regex = re.compile(route.path_regex.pattern, re.IGNORECASE)
        return routes

    def exchange_info(self, query: Mapping[str, str]) -> Response:
        """Its time is that of the answer that the edge keeps: no clock to go by (protocol 4.7)."""
        listings, now_ms = list(self._floor.listings.values()), self._floor.now_ms()
        document: dict[str, object] = {
            "data": {
                "timeZone": "UTC",
                "serverTime": now_ms - now_ms % (INFO_AGE_SECONDS * 1000),
                "symbols": [self._symbol(place, listing) for place, listing in enumerate(listings)],
                "currencies": [_currency(place, asset) for place, asset in enumerate(_assets(listings))],
                "currencyOperationBlocks": [
                    {"currencySymbol": asset.capitalize(), "withdrawalDisabled": False, "depositDisabled": False}
                    for asset in _assets(listings)
                ],
            },
            "success": True,
            "message": "",
            "code": 0,
        }
        if self._profile.has_extensions:
            document["extensions"] = None
        return json_answer(document, headers={"Cache-Control": f"public, max-age={INFO_AGE_SECONDS}"})

    def _symbol(self, place: int, listing: Listing) -> dict[str, object]:
        low, high = self._floor.venue.price_band(listing.pair) or (Decimal(0), listing.price_max)
        zeros = "0" * listing.price_decimals
        return {
            "id": listing.pair_id,
            "name": listing.pair,
            "nameNormalized": f"{listing.base}_{listing.quote}",
            "status": "TRADING" if self._floor.venue.is_trading(listing.pair) else "BREAK",
            "numerator": listing.base,
            "denominator": listing.quote,
            "numeratorScale": listing.lot_decimals,
            "denominatorScale": listing.price_decimals,
            "hasFraction": listing.has_fraction,
            "filters": [
                {
                    "filterType": "PRICE_FILTER", "minPrice": "0.0000000000001", "maxPrice": plain(listing.price_max),
                    "tickSize": plain(listing.price(listing.tick_ticks)),
                    "minExchangeValue": plain(listing.notional_min), "minAmount": None, "maxAmount": None,
                }
            ],
            "orderMethods": [METHOD_NAMES[method] for method in listing.order_methods],
            "displayFormat": f"#,##0.{zeros}" if zeros else "#,###",
            "commissionFromNumerator": False,
            "order": 1000 + place,
            "priceRounding": False,
            "isNew": False,
            "marketPriceWarningThresholdPercentage": Decimal("0.25"),
            "maximumOrderAmount": None,
            "maximumLimitOrderPrice": high,
            "minimumLimitOrderPrice": low,
        }  # fmt: skip

    def server_time(self, query: Mapping[str, str]) -> Response:
        now = self._floor.clock.now()
        text = now.strftime("%Y-%m-%dT%H:%M:%S") + f".{now.microsecond:06d}0+00:00"
        return json_answer({"serverTime": (now - EPOCH) // timedelta(milliseconds=1), "serverTime2": text})

    def server_ping(self, query: Mapping[str, str]) -> Response:
        return json_answer({"pong": True})

    def ticker(self, query: Mapping[str, str]) -> Response:
        """Always a list; an unknown pair gives an empty one (protocol 4.2)."""
        wanted = query.get("pairSymbol")
        if wanted is None:
            return success(self._rows(list(self._floor.listings)))
        pair = self._floor.pair(wanted)
        return success(self._rows([] if pair is None else [pair]))

    def ticker_currency(self, query: Mapping[str, str]) -> Response:
        currency = query.get("symbol", "").upper()
        return success(
            self._rows([pair for pair, listing in self._floor.listings.items() if listing.quote == currency])
        )

    def _rows(self, pairs: Sequence[str]) -> list[dict[str, object]]:
        now_ms = self._floor.now_ms()
        places = {pair: place for place, pair in enumerate(self._floor.listings)}
        tickers = ((pair, self._floor.ticker(pair, now_ms)) for pair in pairs)
        rows = [_row(ticker, 1000 + places[pair]) for pair, ticker in tickers if ticker is not None]
        if self._profile.shapes is not Shapes.NOW:  # some captures lack it (protocol 4.2)
            for row in rows:
                del row["order"]
        return rows

    def orderbook(self, query: Mapping[str, str]) -> Response:
        pair = required_pair(self._floor, query.get("pairSymbol"))
        if isinstance(pair, Response):
            return pair
        now_ms = self._floor.advance()
        listing, depth = self._floor.listings[pair], self._books.depth(pair)
        sides = self._texts.of(listing, depth, _count(query.get("limit"), LEVELS_MAX))
        if self._profile.is_book_time_fractional:  # as it was in 2022: the code was a number, too
            answer = success({"timestamp": Literal(f"{now_ms}.0"), **sides})
        else:
            answer = success({"timestamp": now_ms, **sides}, code="SUCCESS")
        answer.headers["Cache-Control"] = "no-store"
        return answer

    def trades(self, query: Mapping[str, str]) -> Response:
        pair = required_pair(self._floor, query.get("pairSymbol"))
        if isinstance(pair, Response):
            return pair
        self._floor.advance()
        listing = self._floor.listings[pair]
        newest_first = reversed(self._floor.recent(pair))
        return success(
            [
                {
                    "pair": pair,
                    "pairNormalized": f"{listing.base}_{listing.quote}",
                    "numerator": listing.base,
                    "denominator": listing.quote,
                    "date": print_.at_ms,
                    "tid": str(print_.number),
                    "price": listing.price_text(print_.ticks),
                    "amount": listing.quantity_text(print_.lots),
                    "side": "buy" if print_.is_buy else "sell",
                }
                for print_ in list(newest_first)[: _count(query.get("last"), PRINTS_KEPT)]
            ]
        )

    def ohlc(self, query: Mapping[str, str]) -> Response:
        """The old daily candles: values are text, time is in milliseconds (protocol 4.6)."""
        pair = required_pair(self._floor, query.get("pairSymbol"))
        if isinstance(pair, Response):
            return pair
        now_ms, listing = self._floor.advance(), self._floor.listings[pair]
        days = list(candles(self._floor, pair, DAY_MINUTES, now_ms - DAYS_MAX * DAY_MS, now_ms))
        return success(
            [
                {
                    "pairSymbol": pair, "pairSymbolNormalized": f"{listing.base}_{listing.quote}",
                    "time": bar.opened_ms, "open": listing.price_text(bar.open), "high": listing.price_text(bar.high),
                    "low": listing.price_text(bar.low), "close": listing.price_text(bar.close),
                    "volume": listing.quantity_text(bar.volume),
                }
                for bar in days[-_count(query.get("last"), DAYS_MAX) :]
            ]
        )  # fmt: skip


def required_pair(floor: Floor, wanted: str | None) -> str | Response:
    """The pair that a request must name, or what is said where it does not."""
    if not wanted:
        return failure("INVALID_REQUEST_ERROR", 1037)
    return floor.pair(wanted) or pair_unknown(wanted)


def change(ticker: Ticker) -> tuple[Decimal, Decimal]:
    """Since the day's open: absolute, and in percent."""
    listing = ticker.listing
    daily = listing.price(ticker.last - ticker.open)
    return daily, round_half_even(round_ratio(daily * 100, listing.price(ticker.open)), PERCENT_STEP)


def _row(ticker: Ticker, order: int) -> dict[str, object]:
    listing = ticker.listing
    daily, percent = change(ticker)
    return {
        "pair": listing.pair,
        "pairNormalized": f"{listing.base}_{listing.quote}",
        "timestamp": ticker.at_ms,
        "last": listing.price(ticker.last),
        "high": listing.price(ticker.high),
        "low": listing.price(ticker.low),
        "bid": listing.price(ticker.bid[0]) if ticker.bid else Decimal(0),
        "ask": listing.price(ticker.ask[0]) if ticker.ask else Decimal(0),
        "open": listing.price(ticker.open),
        "volume": listing.quantity(ticker.volume),
        "average": ticker.average,
        "daily": daily,
        "dailyPercent": percent,
        "denominatorSymbol": listing.quote,
        "numeratorSymbol": listing.base,
        "order": order,
    }


def _assets(listings: Sequence[Listing]) -> list[Asset]:
    """Quotes first."""
    return list(dict.fromkeys([*(listing.quote for listing in listings), *(listing.base for listing in listings)]))


def _currency(place: int, asset: Asset) -> dict[str, object]:
    is_fiat = asset == "TRY"
    length = (None, None) if is_fiat else (25, 96)
    return {
        "id": place + 1,
        "symbol": asset,
        "minWithdrawal": 10,
        "minDeposit": 0,
        "precision": 2 if is_fiat else 8,
        "address": {"minLen": length[0], "maxLen": length[1]},
        "currencyType": "FIAT" if is_fiat else "CRYPTO",
        "tag": {"enable": False, "name": None, "minLen": None, "maxLen": None},
        "color": "#04964e",
        "name": NAMES.get(asset, asset),
        "isAddressRenewable": not is_fiat,
        "getAutoAddressDisabled": True,
        "isPartialWithdrawalEnabled": True,
        "isNew": False,
    }


def _count(text: str | None, most: int) -> int:
    """What was asked for, up to the cap; the cap for anything else."""
    if text is None or not text.isascii() or not text.isdigit():
        return most
    return min(max(int(text[:9]), 1), most)
