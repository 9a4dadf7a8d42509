"""A market that does what the test says, in the notation of a blotter: `{"bids": "100x5 99x2", "asks": "101x3"}`."""

from collections.abc import Mapping, Sequence

from btcbot.domain.money import Asset, parse
from btcbot.domain.orders.intents import Side
from btcbot.simulation.books import Bar, Depth, Print
from btcbot.simulation.happenings import Method, OrderAccepted
from btcbot.simulation.listings import NOTIONAL_MIN, Listing
from btcbot.simulation.orders import Order, OrderRequest
from btcbot.simulation.venue import Latency, Venue

TRY, BTC = Asset("TRY"), Asset("BTC")
PAIR = "BTCTRY"
BTC_TRY = Listing(PAIR, 1, BTC, TRY, price_decimals=0, lot_decimals=2, notional_min=NOTIONAL_MIN[TRY])
ALICE, BOB = 1, 2


class ScriptedMarket:
    """Levels and prints are written in whole base units; a lot is a hundredth of one."""

    def __init__(self, bids: str = "", asks: str = "") -> None:
        self.listings: Mapping[str, Listing] = {PAIR: BTC_TRY}
        self.is_ended = False
        self._depth = Depth({}, {})
        self._prints: list[Print] = []
        self._last: list[Print] = [Print(PAIR, 0, 1, 1_000, 100, is_buy=True)]
        self.shows(bids, asks)

    def shows(self, bids: str, asks: str) -> None:
        self._depth = Depth(_levels(bids), _levels(asks))

    def prints(self, at_ms: int, ticks: int, quantity: str, taker: str) -> None:
        lots = BTC_TRY.lots(parse(quantity))
        assert lots is not None
        self._prints.append(Print(PAIR, at_ms, len(self._last) + 1, ticks, lots, taker == "buy"))

    def advance(self, now_ms: int) -> Sequence[Print]:
        prints, self._prints = self._prints, []
        return prints

    def depth(self, pair: str) -> Depth:
        return self._depth

    def bars(self, pair: str, from_ms: int, until_ms: int) -> Sequence[Bar]:
        return ()

    def recent(self, pair: str) -> Sequence[Print]:
        return self._last


def _levels(text: str) -> dict[int, int]:
    levels = (level.split("x") for level in text.split())
    return {int(ticks): int(parse(quantity) * 100) for ticks, quantity in levels}


def opened(market: ScriptedMarket, funds: str = "1000000 TRY, 100 BTC", *, accounts: Sequence[int] = (ALICE,)) -> Venue:
    venue = Venue(market, Latency(), 0)
    for account in accounts:
        for fund in funds.split(", "):
            number, asset = fund.split()
            venue.fund(account, Asset(asset), parse(number), 0)
    venue.advance(0)
    return venue


def request(text: str, label: str = "label") -> OrderRequest:
    """`buy 2 @ 1000`, `sell 1 @ market`."""
    side, quantity, _, price = text.split()
    is_market = price == "market"
    return OrderRequest(
        PAIR,
        Side(side),
        Method.MARKET if is_market else Method.LIMIT,
        parse("0" if is_market else price),
        parse(quantity),
        label,
    )


def placed(venue: Venue, text: str, now_ms: int = 0, account: int = ALICE) -> Order:
    accepted = venue.submit(account, request(text), now_ms)
    assert isinstance(accepted, OrderAccepted), accepted
    return venue.orders[accepted.order_id]
