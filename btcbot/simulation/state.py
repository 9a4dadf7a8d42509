"""All that happenings add up to: accounts, orders, matches, transfers, books. Nothing else changes any of it.

Every question that is asked often has an index here, so that an answer takes as long after a million orders as after
ten.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum

from btcbot.domain.money import ZERO, Asset
from btcbot.domain.orders.intents import Side
from btcbot.simulation.accounts import Account, BalanceChange
from btcbot.simulation.fees import TIERS, Rates
from btcbot.simulation.happenings import (
    AccountFunded,
    AccountOpened,
    CancelAccepted,
    Direction,
    FeeTierSet,
    Happening,
    HoldReleased,
    Liquidity,
    OrderAccepted,
    OrderCanceled,
    OrderClosed,
    OrderMatched,
    PairFrozen,
    PairListed,
    PairThawed,
    Transferred,
    WithdrawalRequested,
)
from btcbot.simulation.listings import Listing
from btcbot.simulation.order_book import OrderBook
from btcbot.simulation.orders import Order

ORDER_ID_FIRST = 27_000_000_001  # past 2^31, as at the exchange
TRADE_ID_FIRST = 1_181_163_798_924_649_598  # past 2^53
TRANSFER_ID_FIRST = 51_000_001

NO_CHANGE: tuple[BalanceChange, ...] = ()


@dataclass(frozen=True, slots=True)
class News:
    """A happening with what it did to balances."""

    happening: Happening
    changes: tuple[BalanceChange, ...]


class DueKind(IntEnum):
    """What comes by itself; at the same moment in this order."""

    CANCEL = 1
    RELEASE = 2
    WITHDRAWAL = 3


Due = tuple[int, DueKind, int]  # when, what, and the id of the order or transfer: something to look at


class State:
    def __init__(self, past: Iterable[Happening]) -> None:
        self.accounts: dict[int, Account] = {}
        self.books: dict[str, OrderBook] = {}
        self.orders: dict[int, Order] = {}
        self.orders_by_account: defaultdict[int, list[Order]] = defaultdict(list)
        self.orders_by_pair: defaultdict[tuple[int, str], list[Order]] = defaultdict(list)
        self.open_orders: defaultdict[int, dict[int, Order]] = defaultdict(dict)  # by account and id, oldest first
        self.labels: defaultdict[int, set[str]] = defaultdict(set)  # by account, all that were ever used
        self.matches: list[OrderMatched] = []
        self.matches_by_account: defaultdict[int, list[OrderMatched]] = defaultdict(list)
        self.withdrawals: dict[int, WithdrawalRequested] = {}  # under way
        self.transfers: defaultdict[int, list[Transferred]] = defaultdict(list)
        self.due: list[Due] = []
        self.next_order_id = ORDER_ID_FIRST
        self.next_trade_id = TRADE_ID_FIRST
        self.next_transfer_id = TRANSFER_ID_FIRST
        self._news: list[News] = []
        for happening in past:
            self._apply(happening)

    def happen(self, happening: Happening) -> None:
        """The one way to change."""
        self._news.append(News(happening, self._apply(happening)))

    def news(self) -> list[News]:
        """What happened since the last call, oldest first."""
        news, self._news = self._news, []
        return news

    def rates(self, account_id: int, quote: Asset) -> Rates:
        """What an order of the account pays that is asked for now."""
        return TIERS[self.accounts[account_id].fee_tier].rates[quote]

    # ------------------------------------------------------------------------------------------- applying

    def _apply(self, happening: Happening) -> tuple[BalanceChange, ...]:
        match happening:
            case OrderAccepted():
                return self._accepted(happening)
            case OrderMatched():
                return self._matched(happening)
            case CancelAccepted():
                order = self.orders[happening.order_id]
                order.cancel_due_ms, order.release_ms = happening.due_ms, happening.release_ms
                self._await(happening.due_ms, DueKind.CANCEL, happening.order_id)
            case OrderCanceled():
                order = self.orders[happening.order_id]
                order.is_canceled, order.updated_ms = True, happening.at_ms
                self._leave(order)
                if order.held:
                    self._await(happening.release_due_ms, DueKind.RELEASE, happening.order_id)
            case OrderClosed():
                order = self.orders[happening.order_id]
                order.is_closed, order.updated_ms = True, happening.at_ms
                self._leave(order)
            case HoldReleased():
                order = self.orders[happening.order_id]
                order.held = (order.held - happening.number) or ZERO
                return (self._account_of(order).change(self._held_asset(order), held=-happening.number),)
            case AccountOpened():
                self._open(happening.account_id)
            case AccountFunded():
                return (self._open(happening.account_id).change(happening.asset, total=happening.number),)
            case FeeTierSet():
                self.accounts[happening.account_id].fee_tier = happening.tier
            case WithdrawalRequested():
                return self._withdrawal_requested(happening)
            case Transferred():
                return self._transferred(happening)
            case PairListed(pair=pair):
                listing = Listing(
                    pair, happening.pair_id, happening.base, happening.quote, happening.price_decimals,
                    happening.lot_decimals, happening.notional_min,
                )  # fmt: skip
                self.books[pair] = OrderBook(listing)
            case PairFrozen():
                self.books[happening.pair].is_frozen = True
            case PairThawed():
                self.books[happening.pair].is_frozen = False
        return NO_CHANGE

    def _accepted(self, accepted: OrderAccepted) -> tuple[BalanceChange, ...]:
        book = self.books[accepted.pair]
        listing, method = book.listing, accepted.method
        stop = self.orders[accepted.stop_order_id] if accepted.stop_order_id else None
        order = Order(
            accepted,
            rates=self.rates(accepted.account_id, listing.quote) if stop is None else stop.rates,
            ticks=(listing.ticks(accepted.price) or 0) if method.has_limit else 0,
            stop_ticks=(listing.ticks(accepted.stop_price) or 0) if method.is_stop else 0,
            left_grains=0,
            held=accepted.held,
            updated_ms=accepted.at_ms,
        )
        if not order.is_in_quote:
            order.left_grains = listing.grains(accepted.quantity)
        inherited = ZERO if stop is None else self._fired(stop, accepted.at_ms)
        self.next_order_id = accepted.order_id + 1
        self.orders[accepted.order_id] = order
        self.orders_by_account[accepted.account_id].append(order)
        self.orders_by_pair[accepted.account_id, accepted.pair].append(order)
        self.open_orders[accepted.account_id][accepted.order_id] = order
        self.labels[accepted.account_id].add(accepted.client_order_id)
        if method.is_stop:
            book.stops[accepted.side].add(order)
        elif method.has_limit:
            book.resting[accepted.side].add(order)
            book.changed()
        held = accepted.held - inherited
        return (self._account_of(order).change(self._held_asset(order), held=held),) if held else NO_CHANGE

    def _fired(self, stop: Order, at_ms: int) -> Decimal:
        """The stop is canceled, and gives its hold away: so much."""
        inherited, stop.held = stop.held, ZERO
        stop.is_canceled, stop.updated_ms = True, at_ms
        self._leave(stop)
        return inherited

    def _matched(self, match: OrderMatched) -> tuple[BalanceChange, ...]:
        order = self.orders[match.order_id]
        book = self.books[match.pair]
        listing = book.listing
        book.changed()
        account = self._account_of(order)
        notional = match.price * match.quantity
        if match.side is Side.BUY:
            cost = notional + match.fee + match.tax
            changes = (
                account.change(listing.quote, total=-cost, held=-match.released),
                account.change(listing.base, total=match.quantity),
            )
        else:
            cost = match.fee + match.tax - notional
            changes = (
                account.change(listing.base, total=-match.quantity, held=-match.released),
                account.change(listing.quote, total=-cost),
            )
        order.held = (order.held - match.released) or ZERO
        order.filled += match.quantity
        order.spent += notional + match.fee + match.tax
        order.first_price = order.first_price or match.price
        order.updated_ms = match.at_ms
        order.has_taken = order.has_taken or match.liquidity is Liquidity.TAKER
        order.matches = (*order.matches, match)
        self.matches.append(match)
        self.matches_by_account[match.account_id].append(match)
        self.next_trade_id = match.trade_id + 1
        if not order.is_in_quote:
            order.left_grains -= listing.grains(match.quantity)
            if order.left_grains == 0:
                order.is_closed = True
                self._leave(order)
        return changes

    def _withdrawal_requested(self, request: WithdrawalRequested) -> tuple[BalanceChange, ...]:
        self.next_transfer_id = request.transfer_id + 1
        self.withdrawals[request.transfer_id] = request
        self._await(request.due_ms, DueKind.WITHDRAWAL, request.transfer_id)
        leaves = request.number + request.fee + request.tax
        return (self.accounts[request.account_id].change(request.asset, withdrawn=leaves),)

    def _transferred(self, transfer: Transferred) -> tuple[BalanceChange, ...]:
        self.next_transfer_id = max(self.next_transfer_id, transfer.transfer_id + 1)
        self.transfers[transfer.account_id].append(transfer)
        account, taken = self.accounts[transfer.account_id], transfer.fee + transfer.tax
        if transfer.direction is Direction.DEPOSIT:
            return (account.change(transfer.asset, total=transfer.number - taken),)
        leaves = transfer.number + taken
        is_held = self.withdrawals.pop(transfer.transfer_id, None) is not None
        return (account.change(transfer.asset, total=-leaves, withdrawn=-leaves if is_held else ZERO),)

    def _open(self, account_id: int) -> Account:
        return self.accounts.setdefault(account_id, Account(account_id))

    def _await(self, due_ms: int, kind: DueKind, subject: int) -> None:
        heapq.heappush(self.due, (due_ms, kind, subject))

    def _leave(self, order: Order) -> None:
        """The order is not open any more."""
        accepted = order.accepted
        book = self.books[accepted.pair]
        del self.open_orders[accepted.account_id][accepted.order_id]
        if accepted.method.is_stop:
            book.stops[accepted.side].remove(order)
        elif accepted.method.has_limit:
            book.resting[accepted.side].remove(order)
            book.changed()

    def _account_of(self, order: Order) -> Account:
        return self.accounts[order.accepted.account_id]

    def _held_asset(self, order: Order) -> Asset:
        listing = self.books[order.accepted.pair].listing
        return listing.quote if order.accepted.side is Side.BUY else listing.base
