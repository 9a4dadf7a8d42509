"""A market that does what the test says, in the notation of a blotter: `{"bids": "100x5 99x2", "asks": "101x3"}`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from btcbot.domain.money import Asset, parse
from btcbot.domain.orders.intents import Side
from btcbot.simulation.books import Bar, Depth, Print
from btcbot.simulation.happenings import Happening, Method, OrderAccepted
from btcbot.simulation.listings import NOTIONAL_MIN, Listing
from btcbot.simulation.orders import Order, OrderRequest
from btcbot.simulation.rules import VenueRules
from btcbot.simulation.venue import Venue

TRY, BTC, ETH = Asset("TRY"), Asset("BTC"), Asset("ETH")
PAIR, OTHER_PAIR = "BTCTRY", "ETHTRY"
BTC_TRY = Listing(PAIR, 1, BTC, TRY, price_decimals=0, lot_decimals=2, notional_min=NOTIONAL_MIN[TRY])
ETH_TRY = Listing(OTHER_PAIR, 2, ETH, TRY, price_decimals=2, lot_decimals=2, notional_min=NOTIONAL_MIN[TRY])
ALICE, BOB, CAROL = 1, 2, 3
RULES = VenueRules()


class ScriptedMarket:
    """Levels and prints are written in whole base units and in ticks; a lot is a hundredth of a unit."""

    def __init__(self, bids: str = "", asks: str = "", *, listings: Sequence[Listing] = (BTC_TRY,)) -> None:
        self.listings: Mapping[str, Listing] = {listing.pair: listing for listing in listings}
        self.is_ended = False
        self._depths = {pair: Depth({}, {}) for pair in self.listings}
        self._prints: list[Print] = []
        self._tapes = {pair: [Print(pair, 0, 1, 1_000, 100, is_buy=True)] for pair in self.listings}
        self.shows(bids, asks)

    def shows(self, bids: str, asks: str, pair: str = PAIR) -> None:
        self._depths[pair] = Depth(_levels(bids), _levels(asks))

    def prints(self, at_ms: int, ticks: int, quantity: str, taker: str, pair: str = PAIR) -> None:
        lots = self.listings[pair].lots(parse(quantity))
        assert lots is not None
        self._prints.append(Print(pair, at_ms, len(self._tapes[pair]) + 1, ticks, lots, taker == "buy"))

    def forgets_the_tape(self, pair: str = PAIR) -> None:
        self._tapes[pair].clear()

    def advance(self, now_ms: int) -> Sequence[Print]:
        prints, self._prints = self._prints, []
        for print_ in prints:
            self._tapes[print_.pair].append(print_)
        return prints

    def depth(self, pair: str) -> Depth:
        return self._depths[pair]

    def bars(self, pair: str, from_ms: int, until_ms: int) -> Sequence[Bar]:
        return ()

    def recent(self, pair: str) -> Sequence[Print]:
        return self._tapes[pair]


def _levels(text: str) -> dict[int, int]:
    levels = (level.split("x") for level in text.split())
    return {int(ticks): int(parse(quantity) * 100) for ticks, quantity in levels}


def opened(
    market: ScriptedMarket,
    funds: str = "1000000 TRY, 100 BTC",
    *,
    accounts: Sequence[int] = (ALICE,),
    rules: VenueRules = RULES,
) -> Venue:
    venue = Venue(market, rules, 0)
    for account in accounts:
        for fund in funds.split(", "):
            number, asset = fund.split()
            venue.fund(account, Asset(asset), parse(number), 0)
    venue.advance(0)
    return venue


def again(venue: Venue, past: Iterable[Happening]) -> Venue:
    """The venue after a restart. Its source is the same one."""
    return Venue(venue.source, venue.rules, 0, past)


def request(text: str, label: str = "label", pair: str = PAIR) -> OrderRequest:
    """`buy 2 @ 1000`, `sell 1 @ market`, `buy 1 @ 1010 from 1005`, `sell 1 @ market from 950`: `from` is a stop."""
    side, quantity, _, price, *stop = text.split()
    is_market = price == "market"
    if stop:
        method = Method.STOP_MARKET if is_market else Method.STOP_LIMIT
    else:
        method = Method.MARKET if is_market else Method.LIMIT
    wanted = OrderRequest(pair, Side(side), method, parse("0" if is_market else price), parse(quantity), label)
    return replace(wanted, stop_price=parse(stop[1])) if stop else wanted


def placed(
    venue: Venue, text: str, now_ms: int = 0, account: int = ALICE, *, label: str = "label", pair: str = PAIR
) -> Order:
    accepted = venue.submit(account, request(text, label, pair), now_ms)
    assert isinstance(accepted, OrderAccepted), accepted
    return venue.orders[accepted.order_id]
