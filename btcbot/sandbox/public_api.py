"""The public endpoints of the api host (protocol 4)."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal

from starlette.responses import Response
from starlette.routing import Route

from btcbot.domain.money import Asset, plain, round_half_even, round_ratio
from btcbot.sandbox.answers import failure, json_answer, success
from btcbot.sandbox.desk import Desk
from btcbot.sandbox.floor import EPOCH, Floor, Ticker
from btcbot.simulation.books import LEVELS_MAX, PRINTS_KEPT
from btcbot.simulation.listings import Listing

NAMES = {
    "TRY": "Türk Lirası", "BTC": "Bitcoin", "ETH": "Ethereum", "USDT": "Tether", "XRP": "Ripple", "SOL": "Solana",
    "AVAX": "Avalanche", "DOGE": "Dogecoin", "DOT": "Polkadot",
}  # fmt: skip
PERCENT_STEP = Decimal("0.01")


class PublicApi:
    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    def routes(self, desk: Desk) -> list[Route]:
        return [
            desk.public("/api/v2/server/exchangeinfo", "exchange_info", self.exchange_info),
            desk.public("/api/v2/server/exchangeInfo", "exchange_info", self.exchange_info),
            desk.public("/api/v2/server/time", "server_time", self.server_time),
            desk.public("/api/v2/server/ping", "server_ping", self.server_ping),
            desk.public("/api/v2/ticker", "ticker", self.ticker),
            desk.public("/api/v2/ticker/currency", "ticker", self.ticker_currency),
            desk.public("/api/v2/orderbook", "orderbook", self.orderbook),
            desk.public("/api/v2/orderBook", "orderbook", self.orderbook),
            desk.public("/api/v2/trades", "trades", self.trades),
        ]

    def exchange_info(self, query: Mapping[str, str]) -> Response:
        listings = list(self._floor.listings.values())
        return json_answer(
            {
                "data": {
                    "timeZone": "UTC",
                    "serverTime": self._floor.now_ms(),
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
                "extensions": None,
            }
        )

    def _symbol(self, place: int, listing: Listing) -> dict[str, object]:
        band = self._floor.venue.price_band(listing.pair)
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
                    "filterType": "PRICE_FILTER", "minPrice": "0.0000000000001", "maxPrice": "10000000",
                    "tickSize": plain(listing.price(1)) if listing.has_fraction else "10",
                    "minExchangeValue": plain(listing.notional_min), "minAmount": None, "maxAmount": None,
                }
            ],
            "orderMethods": ["MARKET", "LIMIT"],
            "displayFormat": f"#,##0.{zeros}" if zeros else "#,###",
            "commissionFromNumerator": False,
            "order": 1000 + place,
            "priceRounding": False,
            "isNew": False,
            "marketPriceWarningThresholdPercentage": Decimal("0.25"),
            "maximumOrderAmount": None,
            "maximumLimitOrderPrice": band[1] if band else Decimal(0),
            "minimumLimitOrderPrice": band[0] if band else Decimal(0),
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
        return [_row(ticker, 1000 + places[pair]) for pair, ticker in tickers if ticker is not None]

    def orderbook(self, query: Mapping[str, str]) -> Response:
        wanted = query.get("pairSymbol")
        if not wanted:
            return failure("INVALID_REQUEST_ERROR", 1037)
        pair = self._floor.pair(wanted)
        if pair is None:
            return failure(f"Pair {wanted[:20]} does not exists.", 1037)
        now_ms = self._floor.advance()
        listing, depth = self._floor.listings[pair], self._floor.depth(pair)
        limit = _count(query.get("limit"), LEVELS_MAX)
        sides = {
            name: [
                [listing.price_text(ticks), listing.quantity_text(lots)] for ticks, lots in list(levels.items())[:limit]
            ]
            for name, levels in (("bids", depth.bids), ("asks", depth.asks))
        }
        return success({"timestamp": now_ms, **sides}, code="SUCCESS")

    def trades(self, query: Mapping[str, str]) -> Response:
        wanted = query.get("pairSymbol")
        if not wanted:
            return failure("INVALID_REQUEST_ERROR", 1037)
        pair = self._floor.pair(wanted)
        if pair is None:
            return failure(f"Pair {wanted[:20]} does not exists.", 1037)
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
