"""Who hears all that happens at a venue and keeps books of his own, in plain lists, to see whether it was right."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from btcbot.domain.money import ZERO, Asset
from btcbot.domain.orders.intents import Side
from btcbot.simulation.happenings import (
    AccountFunded,
    Direction,
    Happening,
    Liquidity,
    Method,
    OrderAccepted,
    OrderCanceled,
    OrderMatched,
    Transferred,
)
from btcbot.simulation.rules import SelfTrade
from btcbot.simulation.venue import Venue


@dataclass
class Waiting:
    """A limit order in a book."""

    accepted: OrderAccepted
    left: Decimal

    def is_before(self, other: "Waiting") -> bool:
        """By price, then by time."""
        mine, theirs = self.accepted, other.accepted
        if (mine.pair, mine.side) != (theirs.pair, theirs.side):
            return False
        if mine.price == theirs.price:
            return mine.order_id < theirs.order_id
        return (mine.price > theirs.price) is (mine.side is Side.BUY)


class Witness:
    def __init__(self, venue: Venue) -> None:
        self.past: list[Happening] = []
        self.accepted: dict[int, OrderAccepted] = {}
        self.gone: defaultdict[Asset, Decimal] = defaultdict(lambda: ZERO)  # to the market, as fees, with withdrawals
        self._venue = venue
        self._waiting: dict[int, Waiting] = {}
        self._half: OrderMatched | None = None  # a trade between two accounts, of which only one half was heard of

    def hears(self) -> None:
        for news in self._venue.news():
            self.past.append(news.happening)
            match news.happening:
                case AccountFunded(asset=asset, number=number):
                    self.gone[asset] -= number
                case OrderAccepted() as accepted:
                    self.accepted[accepted.order_id] = accepted
                    if accepted.method is Method.LIMIT:
                        self._waiting[accepted.order_id] = Waiting(accepted, accepted.quantity)
                case OrderMatched() as match:
                    self._trade(match)
                case OrderCanceled(order_id=order_id):
                    self._waiting.pop(order_id, None)
                case Transferred() as transfer:
                    sign = -1 if transfer.direction is Direction.DEPOSIT else 1
                    self.gone[transfer.asset] += sign * transfer.number + transfer.fee + transfer.tax
                case _:
                    pass
        assert self._half is None, "one side of a trade is missing"

    def _trade(self, match: OrderMatched) -> None:
        if match.liquidity is Liquidity.MAKER:
            self._is_first(match)
        if match.order_id in self._waiting:
            waiting = self._waiting[match.order_id]
            waiting.left -= match.quantity
            assert waiting.left >= ZERO, "an order was overfilled"
            if waiting.left == ZERO:
                del self._waiting[match.order_id]
        listing, notional = self._venue.listing(match.pair), match.price * match.quantity
        self.gone[listing.quote] += match.fee + match.tax
        if match.counter_order_id == 0:
            sign = 1 if match.side is Side.BUY else -1
            self.gone[listing.quote] += sign * notional
            self.gone[listing.base] -= sign * match.quantity
        elif self._half is None:
            self._half = match
        else:
            half, self._half = self._half, None
            assert (half.counter_order_id, match.counter_order_id) == (match.order_id, half.order_id)
            assert (half.price, half.quantity, half.pair) == (match.price, match.quantity, match.pair)
            assert {half.side, match.side} == set(Side)
            assert (half.liquidity, match.liquidity) == (Liquidity.MAKER, Liquidity.TAKER)

    def _is_first(self, match: OrderMatched) -> None:
        """Nobody who might have traded waited at a better price, or longer at the same one."""
        filled = self._waiting[match.order_id]
        taker = self.accepted.get(match.counter_order_id)
        for waiting in self._waiting.values():
            is_passed_over = (
                taker is not None
                and waiting.accepted.account_id == taker.account_id
                and self._venue.rules.self_trade is not SelfTrade.TRADED
            )
            assert is_passed_over or not waiting.is_before(filled), f"{waiting.accepted} was before {filled.accepted}"


def check(venue: Venue, witness: Witness) -> None:
    """After any step: money is conserved, holds are what open orders need, orders add up."""
    assets: Iterable[Asset] = {asset for account in venue.accounts.values() for asset in account.totals}
    for asset in assets:
        assert sum((account.total(asset) for account in venue.accounts.values()), ZERO) == -witness.gone[asset]
    held: defaultdict[tuple[int, Asset], Decimal] = defaultdict(lambda: ZERO)
    for order in venue.orders.values():
        accepted, listing = order.accepted, venue.listing(order.accepted.pair)
        held[accepted.account_id, listing.quote if accepted.side is Side.BUY else listing.base] += order.held
        assert order.filled == sum((match.quantity for match in order.matches), ZERO)
        assert (order in venue.open_orders_of(accepted.account_id, accepted.pair)) is order.is_open
        if order.is_in_quote:
            assert order.spent <= accepted.quantity
        else:
            assert order.filled + order.left == accepted.quantity
            assert listing.quantity_of_grains(order.left_grains) == order.left >= ZERO
        if order.is_open and accepted.method.has_limit and accepted.side is Side.BUY:
            assert order.held == accepted.price * order.left * (1 + order.rates.taker)
        elif order.is_open and accepted.side is Side.SELL:
            assert order.held == order.left
        if accepted.method.has_limit:
            is_buy = accepted.side is Side.BUY
            assert all(
                match.price <= accepted.price if is_buy else match.price >= accepted.price for match in order.matches
            )
    for account_id, account in venue.accounts.items():
        for asset in account.totals:
            assert account.held(asset) == held[account_id, asset] + account.withdrawn(asset)
            assert account.available(asset) >= ZERO


def standing(venue: Venue) -> list[object]:
    """All of a venue's state that must come back from its past."""
    return [
        venue.accounts,
        [
            (
                order_id, order.accepted, order.rates, order.status, order.held, order.filled, order.spent, order.left,
                order.left_grains, order.updated_ms, order.cancel_due_ms, order.has_taken, order.matches,
            )
            for order_id, order in venue.orders.items()
        ],
        list(venue.matches),
        [[order.accepted for order in venue.open_orders_of(account_id)] for account_id in venue.accounts],
        [list(venue.matches_of(account_id)) for account_id in venue.accounts],
        [list(venue.transfers_of(account_id)) for account_id in venue.accounts],
        [venue.is_trading(pair) for pair in venue.source.listings],
    ]  # fmt: skip
