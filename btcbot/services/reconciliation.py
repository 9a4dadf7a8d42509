"""Our records against the exchange's: one idempotent pass for the start, the timer and before a resume.

Three views of the exchange are read (open orders, orders since a moment, trades since a moment), and the balances last.
Each order of ours learns what they show; an order that none shows gains evidence of absence, and only from a reading
that was complete and begun after its send. A second pass over an unchanged exchange changes nothing.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from btcbot.domain.balances import Balance
from btcbot.domain.errors import ExchangeUnreachable, ReadFailed
from btcbot.domain.events import Event
from btcbot.domain.ledger import LedgerEntry, Mismatch, mismatches
from btcbot.domain.money import ZERO, Asset
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
from btcbot.domain.orders.intents import Side
from btcbot.domain.orders.labels import Label, read_label
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
WATCHES = 2  # after so many, every pair has been watched
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
    is_mismatched: bool  # ledger against balances, by more than orders at work explain
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
        self._surveyed: set[str] = set()  # pairs whose orders have been read in full by this process
        self._turn = 0
        self._alarms: list[str] = []
        self._last_mismatch: tuple[Mismatch, ...] = ()
        self._mismatch_readings = 0
        self._mismatched_since: datetime | None = None

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
        await self._each_pair(lambda pair: self._follow_pair(pair, is_watched=False))

    async def watch(self) -> bool:
        """`follow`, and whether somebody else is at work; every pair has been looked at after two of them.

        True where the account does not hold what our books say: then the whole comparison is due now.
        """
        self._turn += 1
        watched = set(self._pairs[self._turn % WATCHES :: WATCHES])
        await self._each_pair(lambda pair: self._follow_pair(pair, is_watched=pair in watched))
        return bool(mismatches(self._ledger(), await self._reader.balances()))

    async def _follow_pair(self, pair: str, *, is_watched: bool) -> None:
        orders = [order for order in self._journal.unfinished() if order.pair == pair]
        resting = [order for order in orders if not order.is_unresolved]
        if resting or is_watched:
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
        self._forget_all_but(unfinished)
        now = self._clock.now()
        settling = [order for order in unfinished if _awaits_trades(order) and now - order.changed_at < SETTLING_MAX]
        if not settling and mismatches(self._ledger(), balances):
            self._book_transfers(await self._reader.transfers(self._transfers_since))
        # Trades are listed seconds after they moved the balances: while some are due, a difference says nothing.
        differences = () if settling else self._compare(balances, unfinished)
        unresolved = [order for order in unfinished if order.is_unresolved]
        open_points = (
            *(f"order {order.client_order_id} is {order.state}" for order in unresolved),
            *(f"order {order.client_order_id} waits for its trades to be listed" for order in settling),
            *(str(difference) for difference in differences),
        )
        self._observer.observed(
            Event.RECONCILED, unresolved=len(unresolved), mismatches=len(differences), open_points=list(open_points)
        )
        # What an order of ours may have done is covered by what is reserved for it: it stands in nobody's way.
        is_mismatched = bool(differences) and not _may_explain(unfinished, differences)
        return Findings(balances, open_points, is_mismatched, self._halt_reason(differences, unfinished))

    def _forget_all_but(self, orders: Sequence[OrderRecord]) -> None:
        """Of orders that are over nothing is remembered here, or a long life would remember them all."""
        working = {order.order_id for order in orders}
        self._looked_up = {each: at for each, at in self._looked_up.items() if each in working}
        self._unlisted_since = {each: at for each, at in self._unlisted_since.items() if each in working}

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
        failure: ReadFailed | ExchangeUnreachable | None = None
        unlisted: list[OrderRecord] = []
        for order in orders:
            assert order.exchange_order_id is not None, "an order that rests has the exchange's number"
            venue = listed.get(order.exchange_order_id)
            if venue is not None:
                self._unlisted_since.pop(order.order_id, None)
                await self._learn(order, venue)
                continue
            try:
                asked = await self._reader.order(order.exchange_order_id, pair)
            except (ReadFailed, ExchangeUnreachable) as error:
                failure = error
                unlisted.append(order)
                continue
            if asked is not None:  # listings lag: not found is not gone
                await self._learn(order, self._judged_unlisted(order, asked))
        if failure is not None:
            await self._conclude_from_history(pair, unlisted, failure)

    async def _conclude_from_history(
        self, pair: str, orders: list[OrderRecord], failure: ReadFailed | ExchangeUnreachable
    ) -> None:
        """Where single orders cannot be asked for, the list of all orders says as much of those that it holds."""
        since = min(order.created_at for order in orders) - WINDOW_MARGIN
        history = {venue.exchange_order_id: venue for venue in await self._reader.orders_since(pair, since)}
        for order in orders:
            venue = history.get(order.exchange_order_id or 0)
            if venue is None:
                raise failure
            await self._learn(order, self._judged_unlisted(order, venue))

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
        self._surveyed.add(pair)
        by_label = self._by_label((*listed.values(), *history))  # whether it rests, the open orders say
        for order in orders:
            self._looked_up[order.order_id] = begun
            venue = by_label.get(order.client_order_id)
            if venue is not None:
                await self._learn(order, venue)
            elif traded := self._own_trades(order, fills):
                self._journal.record(order.order_id, Traded(traded))
            else:
                self._absent(order, begun, balances)

    def _own_trades(self, order: OrderRecord, fills: tuple[Fill, ...]) -> tuple[Fill, ...]:
        """Trades that bear the label of an order without a number: of one order there, whoever else bears it."""
        bearing = [fill for fill in fills if fill.client_order_id == order.client_order_id]
        numbers = {fill.exchange_order_id for fill in bearing}
        free = [number for number in sorted(numbers) if self._journal.by_exchange_id(number) is None]
        return tuple(fill for fill in bearing if free and fill.exchange_order_id == free[0])

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
                self._see_foreign(pair, venue, label)
                continue
            known = self._journal.by_label(str(label))
            if known is None or known.exchange_order_id is not None:
                adopted = self._journal.adopt(Seen(venue))  # which halts: the order table calls it an alarm
                self._observer.observed(
                    Event.ORDER_ADOPTED, order_id=adopted.order_id, client_order_id=adopted.client_order_id,
                    exchange_order_id=venue.exchange_order_id,
                )  # fmt: skip
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

    def _see_foreign(self, pair: str, venue: VenueOrder, label: Label | None) -> None:
        """Told once. One that another btcbot made while this one runs is a second bot with the same account."""
        if venue.exchange_order_id in self._foreign:
            return
        self._foreign.add(venue.exchange_order_id)
        self._observer.observed(
            Event.FOREIGN_ORDER_SEEN, pair=pair, exchange_order_id=venue.exchange_order_id,
            is_open=venue.is_listed_open,
        )  # fmt: skip
        if label is not None and pair in self._surveyed:
            self._alarms.append(
                f"another btcbot trades on this account: exchange order {venue.exchange_order_id} on {pair} is of "
                f"deployment {label.deployment_id}; stop one of the two"
            )

    def _compare(self, balances: tuple[Balance, ...], unfinished: Sequence[OrderRecord]) -> tuple[Mismatch, ...]:
        differences = mismatches(self._ledger(), balances)
        self._mismatched_since = (self._mismatched_since or self._clock.now()) if differences else None
        is_repeated = differences == self._last_mismatch
        self._mismatch_readings = self._mismatch_readings + 1 if differences and is_repeated else int(bool(differences))
        self._last_mismatch = differences
        if self._mismatch_readings > 1:  # a fill between two reads makes one; only what stays is news
            self._observer.observed(
                Event.LEDGER_MISMATCHED, differences=[str(d) for d in differences], readings=self._mismatch_readings,
                may_be_on_its_way=_may_explain(unfinished, differences),
            )  # fmt: skip
        return differences

    def _halt_reason(self, differences: tuple[Mismatch, ...], unfinished: Sequence[OrderRecord]) -> str | None:
        """Slow listings are waited for, as long as orders of ours explain the difference; and not for ever."""
        if not differences or self._mismatch_readings < MISMATCH_READINGS_MAX:
            return None
        assert self._mismatched_since is not None, "differences have a beginning"
        is_fresh = self._clock.now() - self._mismatched_since < SETTLING_MAX
        if is_fresh and _may_explain(unfinished, differences):
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


def _may_explain(orders: Sequence[OrderRecord], differences: tuple[Mismatch, ...]) -> bool:
    """Whether trades of these orders that no listing shows yet may be all that the account has more or less."""
    least: dict[Asset, Decimal] = {}
    most: dict[Asset, Decimal] = {}
    for order in (order for order in orders if not _awaits_trades(order)):  # those had their time
        bound = order.reservation.asset  # what it gives, no more than its reservation
        base = Asset(order.pair.removesuffix(bound)) if order.side is Side.BUY else bound
        quote = bound if order.side is Side.BUY else Asset(order.pair.removeprefix(bound))
        if order.side is Side.BUY:
            most[base] = most.get(base, ZERO) + order.left
            least[quote] = least.get(quote, ZERO) - order.reservation.number
        else:
            least[base] = least.get(base, ZERO) - order.left
            most[quote] = Decimal("Infinity")  # a sell may bring more than it asked for
    off = {difference.asset: difference.theirs - difference.ours for difference in differences}
    return all(least.get(asset, ZERO) <= number <= most.get(asset, ZERO) for asset, number in off.items())


def _not_judged_yet(venue: VenueOrder, listed: Mapping[int, VenueOrder]) -> VenueOrder:
    """A `Partial` in the history may rest still, or be the end after a cancel: that is judged when it is followed."""
    if venue.exchange_order_id in listed or venue.status is not VenueStatus.PARTIAL:
        return venue
    return replace(venue, is_listed_open=True)
