"""Our records against the exchange's: one idempotent pass for the start, the timer and before a resume.

Three views of the exchange are read (open orders, orders since a moment, trades since a moment), and the balances last.
Each order of ours learns what they show; an order that none shows gains evidence of absence, and only from a reading
that was complete and begun after its send. A second pass over an unchanged exchange changes nothing.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from btcbot.domain.balances import Balance
from btcbot.domain.errors import ExchangeUnreachable, ReadFailed
from btcbot.domain.events import Event
from btcbot.domain.ledger import LedgerEntry, Mismatch, mismatches
from btcbot.domain.money import Asset
from btcbot.domain.orders.evidence import (
    AbsenceProven,
    AbsentOnce,
    Fill,
    Reappeared,
    Restarted,
    Seen,
    Traded,
    VenueOrder,
    VenueStatus,
)
from btcbot.domain.orders.labels import read_label
from btcbot.domain.orders.records import OrderRecord
from btcbot.domain.orders.states import OrderState
from btcbot.domain.ports import Clock, Observer
from btcbot.domain.profiles import Sealing
from btcbot.execution.accounts import AccountReader
from btcbot.services.trading_book import TradingBook

LOOKUP_AGES = tuple(timedelta(seconds=seconds) for seconds in (0, 1, 2, 4, 8, 15, 30, 60))
LOOKUP_EVERY = timedelta(seconds=60)
WINDOW_MARGIN = timedelta(seconds=180)  # windows overlap: clocks differ, and orders may be visible late (question A2)
UNLISTED_AFTER_CANCEL = timedelta(seconds=5)  # a partly filled order is over when it stays out of the listing this long
UNLISTED_UNASKED = timedelta(seconds=30)  # and longer where no cancel of ours explains it
LISTED_AFTER_END = timedelta(seconds=30)  # an order that is still listed open this long after its end is not over
SETTLING_MAX = timedelta(minutes=5)  # how long trades may be due before a difference counts all the same
ABSENT_READINGS_MIN = 5
MISMATCH_READINGS_MAX = 5  # balances may lag behind trades; the same difference this often in a row is real
FIRST_LOOK_BACK = timedelta(days=1)  # how far a worker without a past reads


@dataclass(frozen=True, slots=True)
class SealingRule:
    sealing: Sealing
    quiet: timedelta


@dataclass(frozen=True, slots=True)
class Findings:
    """What one pass found. `open_points` is empty when our records and the exchange agree."""

    balances: tuple[Balance, ...]
    open_points: tuple[str, ...]
    is_mismatched: bool  # ledger against balances
    halt_reason: str | None


class Reconciler:
    def __init__(
        self,
        book: TradingBook,
        ledger: Callable[[], Mapping[Asset, Decimal]],
        reader: AccountReader,
        pairs: Iterable[str],
        deployment_id: str,
        rule: SealingRule,
        read_since: Mapping[str, datetime],
        book_transfers: Callable[[tuple[LedgerEntry, ...]], None],
        clock: Clock,
        observer: Observer,
    ) -> None:
        """`read_since`: up to when each pair was swept before; `book_transfers` takes each of them once."""
        self._journal = book
        self._ledger = ledger
        self._reader = reader
        self._pairs = tuple(pairs)
        self._deployment_id = deployment_id
        self._rule = rule
        self._clock = clock
        self._observer = observer
        self._book_transfers = book_transfers
        self._began = clock.now()
        self._transfers_since = min(read_since.values(), default=self._began) - FIRST_LOOK_BACK
        self._swept_until = dict(read_since)
        self._looked_up: dict[str, datetime] = {}
        self._unlisted_since: dict[str, datetime] = {}
        self._foreign: set[int] = set()
        self._alarms: list[str] = []
        self._last_mismatch: tuple[Mismatch, ...] = ()
        self._mismatch_readings = 0

    def take_over(self) -> None:
        """At start: tell every order of the process before that its process is gone. Nothing is read or sent."""
        for order in self._journal.unfinished():
            if order.state in (OrderState.INTENT, OrderState.SENDING, OrderState.CANCEL_INTENT):
                self._journal.record(order.order_id, Restarted())

    def swept_until(self) -> Mapping[str, datetime]:
        """Up to when each pair's orders and trades have been read in full."""
        return dict(self._swept_until)

    def alarms(self) -> tuple[str, ...]:
        """What was found since the last call that no row of the journal can hold; each is a reason to halt."""
        alarms, self._alarms = tuple(self._alarms), []
        return alarms

    async def follow(self) -> None:
        """Ask after every order that is not over: resting ones each time, unresolved ones on their schedule."""
        await self._each_pair(self._follow_pair)

    async def _follow_pair(self, pair: str) -> None:
        orders = [order for order in self._journal.unfinished() if order.pair == pair]
        resting = [order for order in orders if not order.is_unresolved]
        if resting:
            await self._follow_resting(pair, resting)
        due = [order for order in orders if order.is_unresolved and self._is_due(order)]
        if due:
            await self._look_up(pair, due)

    async def _each_pair(self, work: Callable[[str], Awaitable[None]]) -> None:
        """All pairs that are traded or have unfinished orders; one that cannot be read does not hide the others."""
        failure: ReadFailed | ExchangeUnreachable | None = None
        for pair in dict.fromkeys((*self._pairs, *(order.pair for order in self._journal.unfinished()))):
            try:
                await work(pair)
            except (ReadFailed, ExchangeUnreachable) as error:
                failure = failure or error
        if failure is not None:
            raise failure

    async def reconcile(self) -> Findings:
        """The whole comparison. Raises what the reader raises: no answer is not an empty answer."""
        await self._each_pair(self._reconcile_pair)
        balances = await self._reader.balances()
        unfinished = self._journal.unfinished()
        now = self._clock.now()
        settling = [order for order in unfinished if _awaits_trades(order) and now - order.changed_at < SETTLING_MAX]
        if not settling and mismatches(self._ledger(), balances):
            self._book_transfers(await self._reader.transfers(self._transfers_since))
        # Trades are listed seconds after they moved the balances: while some are due, a difference says nothing.
        differences = () if settling else self._compare(balances)
        unresolved = [order for order in unfinished if order.is_unresolved]
        open_points = (
            *(f"order {order.client_order_id} is {order.state}" for order in unresolved),
            *(f"order {order.client_order_id} waits for its trades to be listed" for order in settling),
            *(str(difference) for difference in differences),
        )
        self._observer.observed(
            Event.RECONCILED, unresolved=len(unresolved), mismatches=len(differences), open_points=list(open_points)
        )
        return Findings(balances, open_points, bool(differences), self._halt_reason(differences))

    async def _reconcile_pair(self, pair: str) -> None:
        orders = [order for order in self._journal.unfinished() if order.pair == pair]
        await self._look_up(pair, [order for order in orders if order.is_unresolved])
        await self._follow_resting(pair, [order for order in orders if not order.is_unresolved])

    async def balances(self) -> tuple[Balance, ...]:
        """What the account holds now, uncompared: the opening of the books."""
        return await self._reader.balances()

    async def _follow_resting(self, pair: str, orders: list[OrderRecord]) -> None:
        listed = {venue.exchange_order_id: venue for venue in await self._reader.open_orders(pair)}
        self._sweep_open(pair, listed)
        for order in orders:
            assert order.exchange_order_id is not None, "an order that rests has the exchange's number"
            venue = listed.get(order.exchange_order_id)
            if venue is None:
                asked = await self._reader.order(order.exchange_order_id, pair)
                if asked is None:
                    continue  # listings lag: not found is not gone
                venue = self._judged_unlisted(order, asked)
            else:
                self._unlisted_since.pop(order.order_id, None)
            await self._learn(order, venue)

    def _judged_unlisted(self, order: OrderRecord, venue: VenueOrder) -> VenueOrder:
        """`Partial` outside the listing is either lag or the end after a cancel: it must stay out for a while."""
        if venue.status is not VenueStatus.PARTIAL:
            return replace(venue, is_listed_open=False)
        since = self._unlisted_since.setdefault(order.order_id, self._clock.now())
        patience = UNLISTED_AFTER_CANCEL if order.cancels_sent else UNLISTED_UNASKED
        return replace(venue, is_listed_open=self._clock.now() - since < patience)

    async def _learn(self, order: OrderRecord, venue: VenueOrder) -> None:
        order = self._journal.record(order.order_id, Seen(venue))
        if order.filled < venue.executed or (order.state is OrderState.CLOSING and order.exchange_order_id is not None):
            fills = await self._reader.fills_of(venue.exchange_order_id)
            if fills:
                self._journal.record(order.order_id, Traded(fills))

    async def _look_up(self, pair: str, orders: list[OrderRecord]) -> None:
        """Search all three sources by label. Complete and empty is evidence of absence; a failed read raises first."""
        begun = self._clock.now()
        swept = self._swept_until.get(pair, self._began - FIRST_LOOK_BACK)
        since = min((*(order.created_at for order in orders), swept)) - WINDOW_MARGIN
        listed = {venue.exchange_order_id: venue for venue in await self._reader.open_orders(pair)}
        history = tuple(_not_judged_yet(venue, listed) for venue in await self._reader.orders_since(pair, since))
        fills = await self._reader.fills(pair, since, begun + WINDOW_MARGIN)
        # A reading is complete only when the balances answered too.
        balances = await self._reader.balances() if orders else ()
        self._sweep_open(pair, listed)
        self._sweep(
            pair, {venue.exchange_order_id: venue for venue in history if venue.exchange_order_id not in listed}
        )
        self._book_late(fills)
        self._swept_until[pair] = begun
        by_label = self._by_label((*listed.values(), *history))  # whether it rests, the open orders say
        traded = {fill.client_order_id for fill in fills}
        for order in orders:
            self._looked_up[order.order_id] = begun
            venue = by_label.get(order.client_order_id)
            if venue is not None:
                await self._learn(order, venue)
            elif order.client_order_id in traded:
                self._journal.record(
                    order.order_id, Traded(tuple(f for f in fills if f.client_order_id == order.client_order_id))
                )
            else:
                self._absent(order, begun, balances)

    def _book_late(self, fills: tuple[Fill, ...]) -> None:
        """Trades of orders that are known by the exchange's number, whatever was believed of them."""
        for fill in fills:
            order = self._journal.by_exchange_id(fill.exchange_order_id)
            if order is not None and fill.trade_id not in order.trade_ids:
                self._journal.record(order.order_id, Traded((fill,)))

    def _by_label(self, venues: Iterable[VenueOrder]) -> Mapping[str | None, VenueOrder]:
        """The first order of each label; a second one under it is somebody's mistake, and told."""
        first: dict[str | None, VenueOrder] = {}
        for venue in sorted(venues, key=lambda venue: venue.exchange_order_id):
            first.setdefault(venue.client_order_id, venue)
        return first

    def _absent(self, order: OrderRecord, begun: datetime, balances: tuple[Balance, ...]) -> None:
        order = self._journal.get(order.order_id)  # not as it was when the reading began
        if begun <= order.changed_at and order.absent_evidence == 0:
            return  # the reading began before the last word on this order
        order = self._journal.record(order.order_id, AbsentOnce(begun))
        is_quiet = begun - order.created_at >= self._rule.quiet
        if (
            order.state is OrderState.UNKNOWN
            and self._rule.sealing is Sealing.AUTOMATIC
            and order.absent_evidence >= ABSENT_READINGS_MIN
            and is_quiet
            and not mismatches(self._ledger(), balances)
            and self._holds_nothing(order, balances)
        ):
            self._journal.record(
                order.order_id, AbsenceProven(f"{order.absent_evidence} complete readings over {self._rule.quiet}")
            )

    def _holds_nothing(self, order: OrderRecord, balances: tuple[Balance, ...]) -> bool:
        """Whether the exchange binds none of the asset that the order would bind, so that it cannot be hiding there."""
        asset = order.reservation.asset
        return all(balance.held == 0 for balance in balances if balance.asset == asset)

    def _sweep(self, pair: str, listed: Mapping[int, VenueOrder]) -> None:
        """Ours by label without a row: adopt and halt. Somebody else's: seen, never touched."""
        for venue in listed.values():
            if self._journal.by_exchange_id(venue.exchange_order_id) is not None:
                continue
            label = read_label(venue.client_order_id)
            if label is None or label.deployment_id != self._deployment_id:
                self._see_foreign(pair, venue)
                continue
            known = self._journal.by_label(str(label))
            if known is None:
                adopted = self._journal.adopt(Seen(venue))
                self._observer.observed(Event.ORDER_ADOPTED, order_id=adopted.order_id, client_order_id=str(label))
            elif known.exchange_order_id is not None:
                self._alarms.append(
                    f"two orders bear the label {label}: {known.exchange_order_id} and {venue.exchange_order_id}; "
                    "cancel the second at the exchange"
                )
            elif known.is_terminal:
                self._journal.record(known.order_id, Seen(venue))

    def _sweep_open(self, pair: str, listed: Mapping[int, VenueOrder]) -> None:
        """The open orders: one that we hold for over and that goes on being listed here is not over (S4).

        Only here: the history may call an order partial for ever after its cancel (protocol 6.5).
        """
        self._sweep(pair, listed)
        for venue in listed.values():
            ours = self._journal.by_exchange_id(venue.exchange_order_id)
            if ours is not None and ours.is_terminal and self._clock.now() - ours.changed_at > LISTED_AFTER_END:
                self._journal.record(ours.order_id, Reappeared(venue))

    def _see_foreign(self, pair: str, venue: VenueOrder) -> None:
        if venue.exchange_order_id not in self._foreign:
            self._foreign.add(venue.exchange_order_id)
            self._observer.observed(
                Event.FOREIGN_ORDER_SEEN, pair=pair, exchange_order_id=venue.exchange_order_id,
                is_open=venue.is_listed_open,
            )  # fmt: skip

    def _compare(self, balances: tuple[Balance, ...]) -> tuple[Mismatch, ...]:
        differences = mismatches(self._ledger(), balances)
        is_repeated = differences == self._last_mismatch
        self._mismatch_readings = self._mismatch_readings + 1 if differences and is_repeated else int(bool(differences))
        self._last_mismatch = differences
        if self._mismatch_readings > 1:  # a fill between two reads makes one; only what stays is news
            self._observer.observed(
                Event.LEDGER_MISMATCHED, differences=[str(d) for d in differences], readings=self._mismatch_readings
            )
        return differences

    def _halt_reason(self, differences: tuple[Mismatch, ...]) -> str | None:
        if not differences or self._mismatch_readings < MISMATCH_READINGS_MAX:
            return None
        return "ledger and balances differ: " + "; ".join(str(difference) for difference in differences)

    def _is_due(self, order: OrderRecord) -> bool:
        last = self._looked_up.get(order.order_id)
        if last is None:
            return True
        age = self._clock.now() - order.created_at
        due = [order.created_at + wait for wait in LOOKUP_AGES if wait <= age]
        return self._clock.now() - last >= LOOKUP_EVERY or (bool(due) and last < due[-1])


def _awaits_trades(order: OrderRecord) -> bool:
    """The exchange says more was executed than trades have been listed for."""
    return order.left_seen is not None and order.filled < order.quantity - order.left_seen


def _not_judged_yet(venue: VenueOrder, listed: Mapping[int, VenueOrder]) -> VenueOrder:
    """A `Partial` in the history may rest still, or be the end after a cancel: that is judged when it is followed."""
    if venue.exchange_order_id in listed or venue.status is not VenueStatus.PARTIAL:
        return venue
    return replace(venue, is_listed_open=True)
