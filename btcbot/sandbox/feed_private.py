"""Frames for the owner of an order: 451, 452, 441 and 423 (protocol 10.5).

Whoever reads them gets hints: a match has no number of its own, a deletion may be older than the last match, and a
triggered stop is the deletion of one order and the insertion of another under the same label.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from btcbot.domain.money import ZERO, plain
from btcbot.domain.orders.intents import Side
from btcbot.sandbox.floor import Floor
from btcbot.sandbox.profiles import VenueProfile
from btcbot.sandbox.wire import encode, padded
from btcbot.simulation.happenings import Happening, Method, OrderAccepted, OrderCanceled, OrderMatched
from btcbot.simulation.orders import Order

METHODS: Final = {Method.LIMIT: 0, Method.MARKET: 1, Method.STOP_LIMIT: 2, Method.STOP_MARKET: 3}
INSERTED_DECIMALS, DELETED_DECIMALS, MATCHED_DECIMALS = 0, 16, 10
HALF: Final = Decimal("0.5")

Told = OrderAccepted | OrderMatched | OrderCanceled
"""What an owner hears of."""


class PrivateFrames:
    def __init__(self, floor: Floor, profile: VenueProfile) -> None:
        self._floor = floor
        self._profile = profile

    def of(self, happening: Happening, *, is_amount_wrong: bool = False, is_left_stale: bool = False) -> list[str]:
        """All frames about one happening, oldest first; each order is told as it is by now."""
        if not isinstance(happening, Told):
            return []
        order = self._floor.venue.orders[happening.order_id]
        match happening:
            case OrderAccepted():
                return list(self._accepted(happening, order))
            case OrderCanceled() if order.accepted.method is not Method.MARKET:
                return [self._deleted(order, order.accepted.quantity if is_left_stale else order.left)]
            case OrderMatched():
                return list(self._matched(happening, order, is_amount_wrong=is_amount_wrong))
            case _:
                return []

    def _accepted(self, accepted: OrderAccepted, order: Order) -> Iterator[str]:
        """An order that rests is inserted, as it was before its first match; one that does not has its matches only."""
        if accepted.stop_order_id:
            stop = self._floor.venue.orders[accepted.stop_order_id]
            yield self._deleted(stop, stop.left)
        if order.is_open and accepted.method is not Method.MARKET:
            yield encode([451, self._order(451, order, accepted.quantity, INSERTED_DECIMALS)])

    def _deleted(self, order: Order, left: Decimal) -> str:
        return encode([452, self._order(452, order, left, DELETED_DECIMALS)])

    def _matched(self, match: OrderMatched, order: Order, *, is_amount_wrong: bool) -> Iterator[str]:
        listing = self._floor.venue.listing(match.pair)
        amount = match.quantity * HALF if is_amount_wrong else match.quantity
        yield encode(
            [
                441,
                {
                    "type": 441, "id": match.order_id, "user": match.account_id, "isBid": match.side is Side.BUY,
                    "method": METHODS[order.accepted.method], "pair": listing.pair_id, "symbol": match.pair,
                    "amount": padded(amount, MATCHED_DECIMALS), "price": padded(match.price, MATCHED_DECIMALS),
                    "clientId": order.accepted.client_order_id,
                },
            ]
        )  # fmt: skip
        yield encode([423, self._trade(match, order)])
        if self._profile.is_delete_sent_after_fill and order.is_closed and self._is_last(match):
            yield self._deleted(order, ZERO)

    def _is_last(self, match: OrderMatched) -> bool:
        latest = next(later for later in reversed(self._floor.venue.matches) if later.order_id == match.order_id)
        return latest.trade_id == match.trade_id

    def _trade(self, match: OrderMatched, order: Order) -> dict[str, object]:
        """The amount is signed, fee and tax are negative on both sides; the body has no type (protocol 10.3)."""
        listing = self._floor.venue.listing(match.pair)
        signed = match.quantity if match.side is Side.BUY else -match.quantity
        return {
            "id": match.trade_id, "orderId": match.order_id, "timestamp": match.at_ms,
            "numeratorSymbol": listing.base, "denominatorSymbol": listing.quote, "amount": plain(signed),
            "fee": _negative(match.fee), "tax": _negative(match.tax), "price": plain(match.price),
            "orderType": match.side, "orderClientId": order.accepted.client_order_id, "preciseAmount": signed,
        }  # fmt: skip

    def _order(self, kind: int, order: Order, left: Decimal, decimals: int) -> dict[str, object]:
        """`denomLeft` is the worth of the rest with the taker's fee: clients read their rate off it (protocol 7)."""
        accepted = order.accepted
        listing = self._floor.venue.listing(accepted.pair)
        rate = order.rates.taker
        worth = accepted.price * left * (1 + rate if accepted.side is Side.BUY else 1 - rate)
        numbers = {"price": accepted.price, "amount": accepted.quantity, "numLeft": left, "denomLeft": worth}
        texts = {name: padded(value, decimals) if decimals else plain(value) for name, value in numbers.items()}
        return {
            "type": kind, "pairId": listing.pair_id, "symbol": accepted.pair, "id": accepted.order_id,
            "method": METHODS[accepted.method], "userId": accepted.account_id,
            "orderType": 0 if accepted.side is Side.BUY else 1, **texts,
            "newOrderClientId": accepted.client_order_id,
        }  # fmt: skip


def _negative(number: Decimal) -> str:
    return format(-number, "f") if number else "0"
