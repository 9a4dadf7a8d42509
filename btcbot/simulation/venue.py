"""The matching venue: our accounts' orders against the market's depth and against each other.

Several accounts, several pairs. What each part promises is written there: `judging` (who is refused and why),
`matching` (price, then time), `triggers` (stops), `state` (what happened adds up), `rules` (what no source settles).

- A cancel is a receipt; it takes effect later, if anything is left then. The hold is released later still (protocol
  5.3, 7).
- State changes only by happenings, which are kept in the order in which they were applied: see `happenings`. Built
  from all of them, a venue goes on where the last one ended. It does not remember what belongs to the market: the place
  of resting orders in its queues, at the end of which they now are, and what was taken of levels that it still shows;
  nor requests that were on their way (`submit_later`).
- What our accounts trade is not on the market's tape, and makes no last price.

No clock: each call says what time it is, and time never runs backwards. Whoever asks or orders has advanced before.
"""

import heapq
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import count

from btcbot.domain.errors import ConfigurationError
from btcbot.domain.money import ZERO, Asset
from btcbot.simulation.accounts import Account
from btcbot.simulation.books import Depth, Print, Source
from btcbot.simulation.happenings import (
    AccountFunded,
    AccountOpened,
    CancelAccepted,
    Direction,
    FeeTierSet,
    Happening,
    HoldReleased,
    Means,
    OrderAccepted,
    OrderCanceled,
    OrderMatched,
    PairFrozen,
    PairListed,
    PairThawed,
    Transferred,
    WithdrawalRequested,
)
from btcbot.simulation.judging import Judge
from btcbot.simulation.listings import Listing
from btcbot.simulation.matching import Matching
from btcbot.simulation.orders import Order, OrderRequest, Refusal
from btcbot.simulation.rules import VenueRules
from btcbot.simulation.state import DueKind, News, State
from btcbot.simulation.triggers import Triggers

__all__ = ["GridsChanged", "News", "Venue"]

PRINTS_WAITING_MAX = 10_000  # what nobody asks for is lost, the oldest first


class GridsChanged(ConfigurationError):
    """The record holds orders on other grids than the source has now."""

    next_step = "use the source that the record was made with, or another BTCBOT_SANDBOX_DIR for this one"


class Venue:
    """Pairs that the source no longer has stay known, so that old orders keep their meaning; nothing trades on them."""

    def __init__(self, source: Source, rules: VenueRules, now_ms: int, past: Iterable[Happening] = ()) -> None:
        self.source = source
        self.rules = rules
        self._state = State(past)
        self._judge = Judge(self._state, source, rules)
        self._matching = Matching(self._state, rules)
        self._triggers = Triggers(self._state, self._judge, self._matching, rules)
        self._late: list[tuple[int, int, int, OrderRequest]] = []  # when, which, whose, what
        self._late_count = count()
        self._prints: deque[Print] = deque(maxlen=PRINTS_WAITING_MAX)
        for listing in source.listings.values():
            self._list(listing, now_ms)

    # ------------------------------------------------------------------------------------------- accounts and money

    def open_account(self, account_id: int, now_ms: int) -> None:
        """An account without money; nothing happens to one that is open."""
        if account_id not in self.accounts:
            self._state.happen(AccountOpened(account_id, now_ms))

    def fund(self, account_id: int, asset: Asset, number: Decimal, now_ms: int) -> None:
        self._state.happen(AccountFunded(account_id, asset, number, now_ms))

    def set_fee_tier(self, account_id: int, tier: int, now_ms: int) -> None:
        """The place in `fees.TIERS` of what the account's next orders pay."""
        self._state.happen(FeeTierSet(account_id, tier, now_ms))

    def deposit(
        self, account_id: int, means: Means, asset: Asset, number: Decimal, now_ms: int,
        *, fee: Decimal = ZERO, tax: Decimal = ZERO,
    ) -> Transferred:  # fmt: skip
        transfer = Transferred(
            self._state.next_transfer_id, account_id, Direction.DEPOSIT, means, asset, number, fee, tax, now_ms
        )
        self._state.happen(transfer)
        return transfer

    def withdraw(
        self, account_id: int, means: Means, asset: Asset, number: Decimal, now_ms: int,
        *, fee: Decimal = ZERO, tax: Decimal = ZERO, lasts_ms: int = 0,
    ) -> WithdrawalRequested | Refusal:  # fmt: skip
        """Held at once (`requestFund`), and gone `lasts_ms` later."""
        account, leaves = self.accounts[account_id], number + fee + tax
        if leaves > account.available(asset):
            return Refusal.BALANCE if leaves > account.total(asset) else Refusal.BALANCE_HELD
        request = WithdrawalRequested(
            self._state.next_transfer_id, account_id, means, asset, number, fee, tax, now_ms + lasts_ms, now_ms
        )
        self._state.happen(request)
        self._settle_due(now_ms)
        return request

    # ------------------------------------------------------------------------------------------- the market

    def advance(self, now_ms: int) -> None:
        """Let the market move on and what is due happen."""
        prints = self.source.advance(now_ms)
        for print_ in prints:
            self._settle_due(print_.at_ms)
            if not self._state.books[print_.pair].is_frozen:
                self._matching.trade_through(print_)
        self._settle_due(now_ms)
        self._prints.extend(prints)
        for pair in self.source.listings:
            self._show(pair, prints, now_ms)
        while self._late and self._late[0][0] <= now_ms:
            _, _, account_id, request = heapq.heappop(self._late)
            self.submit(account_id, request, now_ms)

    def freeze(self, pair: str, now_ms: int) -> None:
        """Halt trading in a pair. Nothing happens to one that is halted."""
        if not self._state.books[pair].is_frozen:
            self._state.happen(PairFrozen(pair, now_ms))

    def thaw(self, pair: str, now_ms: int) -> None:
        book = self._state.books[pair]
        if book.is_frozen:
            self._state.happen(PairThawed(pair, now_ms))
            self._matching.meet(book, now_ms)

    # ------------------------------------------------------------------------------------------- orders

    def submit(self, account_id: int, request: OrderRequest, now_ms: int) -> OrderAccepted | Refusal:
        """Accept and match at once, or refuse with the first reason."""
        verdict = self._judge.judge(account_id, request)
        if isinstance(verdict, Refusal):
            return verdict
        method = request.method
        accepted = OrderAccepted(
            self._state.next_order_id, account_id, request.pair, request.side, method,
            request.price if method.has_limit else ZERO, request.quantity, verdict, request.client_order_id, now_ms,
            request.stop_price if method.is_stop else ZERO, self._judge.is_in_base(request),
        )  # fmt: skip
        self._state.happen(accepted)
        if not method.is_stop:
            self._matching.enter(self.orders[accepted.order_id], now_ms)
        self._triggers.look(self._state.books[request.pair], now_ms)
        return accepted

    def submit_later(self, account_id: int, request: OrderRequest, due_ms: int) -> None:
        """A request that is stuck on its way: judged, and accepted or refused, at the first advance that is not before
        `due_ms`. Nobody hears of a refusal.
        """
        heapq.heappush(self._late, (due_ms, next(self._late_count), account_id, request))

    def cancel(
        self, account_id: int, order_id: int, now_ms: int, *,
        cancel_ms: int | None = None, release_ms: int | None = None,
    ) -> CancelAccepted | Refusal:  # fmt: skip
        """A receipt, also for an order that is canceled already (protocol 5.3).

        This one cancel, or the release of what it frees, may take longer than the rules say.
        """
        order = self.orders.get(order_id)
        if order is None or order.accepted.account_id != account_id:
            return Refusal.CANCEL_UNKNOWN
        if order.is_closed:
            return Refusal.CANCEL_TOO_LATE
        receipt = CancelAccepted(
            order_id,
            now_ms + (self.rules.cancel_ms if cancel_ms is None else cancel_ms),
            now_ms,
            self.rules.release_ms if release_ms is None else release_ms,
        )
        if not order.is_canceled and order.cancel_due_ms is None:
            self._state.happen(receipt)
        return receipt

    def force_fill(self, order_id: int, now_ms: int, quantity: Decimal | None = None) -> bool:
        """Let the market come to a resting order, whatever it shows: it fills at its price, wholly or as far as asked,
        and so does every order that is before it. False when there is no such order in a book.

        Between the receipt of a cancel and its effect this is the fill that wins over it.
        """
        order = self.orders.get(order_id)
        if order is None or not order.is_open or order.accepted.method.is_stop:
            return False
        grains = order.left_grains
        if quantity is not None:
            grains = min(grains, self.listing(order.accepted.pair).grains(quantity))
        if grains > 0:
            self._matching.force(order, grains, now_ms)
        return grains > 0

    # ------------------------------------------------------------------------------------------- what it tells

    @property
    def accounts(self) -> Mapping[int, Account]:
        return self._state.accounts

    @property
    def orders(self) -> Mapping[int, Order]:
        """All that ever were, by id."""
        return self._state.orders

    @property
    def matches(self) -> Sequence[OrderMatched]:
        """Of all accounts, oldest first."""
        return self._state.matches

    def news(self) -> list[News]:
        """What happened since the last call, oldest first."""
        return self._state.news()

    def prints(self) -> list[Print]:
        """What the tape printed since the last call, oldest first."""
        prints = list(self._prints)
        self._prints.clear()
        return prints

    @property
    def due_ms(self) -> int | None:
        """When something is to happen that no market movement brings about."""
        return min((queue[0][0] for queue in (self._state.due, self._late) if queue), default=None)

    def shown(self, pair: str) -> Depth:
        """What everybody sees: the market without what was taken, and all resting orders."""
        return self._state.books[pair].shown()

    def listing(self, pair: str) -> Listing:
        return self._state.books[pair].listing

    def is_trading(self, pair: str) -> bool:
        return self._judge.is_trading(pair)

    def last_ticks(self, pair: str) -> int | None:
        return self._judge.last_ticks(pair)

    def price_band(self, pair: str) -> tuple[Decimal, Decimal] | None:
        """Lowest and highest limit price, from the last price; nothing as long as nothing was printed."""
        return self._judge.price_band(pair)

    def orders_of(self, account_id: int, pair: str | None = None) -> Iterator[Order]:
        """Newest first."""
        if pair is None:
            return reversed(self._state.orders_by_account.get(account_id, []))
        return reversed(self._state.orders_by_pair.get((account_id, pair), []))

    def open_orders_of(self, account_id: int, pair: str | None = None) -> Sequence[Order]:
        """Oldest first, waiting stops among them."""
        orders = self._state.open_orders.get(account_id, {}).values()
        return [order for order in orders if pair is None or order.accepted.pair == pair]

    def matches_of(self, account_id: int) -> Sequence[OrderMatched]:
        """Oldest first. Those of one order are in `Order.matches`."""
        return self._state.matches_by_account.get(account_id, [])

    def transfers_of(self, account_id: int) -> Sequence[Transferred]:
        """Oldest first."""
        return self._state.transfers.get(account_id, [])

    # ------------------------------------------------------------------------------------------- by the way

    def _list(self, listing: Listing, now_ms: int) -> None:
        known = self._state.books.get(listing.pair)
        if known is None:
            self._state.happen(
                PairListed(
                    listing.pair, listing.pair_id, listing.base, listing.quote, listing.price_decimals,
                    listing.lot_decimals, listing.notional_min, now_ms,
                )
            )  # fmt: skip
        elif known.listing.grids != listing.grids:
            raise GridsChanged(f"{listing.pair} was recorded with other grids than its source has now")
        self._state.books[listing.pair].listing = listing

    def _show(self, pair: str, prints: Sequence[Print], now_ms: int) -> None:
        book, depth = self._state.books[pair], self.source.depth(pair)
        is_news = depth is not book.depth
        if not is_news and not book.has_stops:
            return
        if is_news:
            book.show(depth)
        if self.is_trading(pair):
            if is_news:
                self._matching.meet(book, now_ms)
            self._triggers.look(book, now_ms, prints)

    def _settle_due(self, now_ms: int) -> None:
        """Cancels that take effect, holds that are released, withdrawals that leave; what was settled otherwise is
        passed over.
        """
        state = self._state
        while state.due and state.due[0][0] <= now_ms:
            due_ms, kind, subject = heapq.heappop(state.due)
            if kind is DueKind.WITHDRAWAL:
                request = state.withdrawals[subject]
                state.happen(
                    Transferred(
                        subject, request.account_id, Direction.WITHDRAWAL, request.means, request.asset, request.number,
                        request.fee, request.tax, due_ms,
                    )
                )  # fmt: skip
                continue
            order = state.orders[subject]
            if kind is DueKind.CANCEL and order.is_open:
                state.happen(OrderCanceled(subject, due_ms, due_ms + order.release_ms))
            elif kind is DueKind.RELEASE and order.is_canceled and order.held:
                state.happen(HoldReleased(subject, order.held, max(due_ms, order.updated_ms)))
