"""The one part of `btcbot probe` that writes: a far limit order and its cancel, by the whole live path.

Lock, ownership, take-over and reconciliation come first; then the gate, the journal, one submit, the exchange's own
listings, one cancel, and a reconciliation that must find nothing open. Nothing is sent twice. Whatever goes wrong on
the way, the journal holds the order as live would, and live's next start follows it up.

The order is a buy at half the market, of little more than the smallest amount. The collar, which bounds what a price
can lose against the market, is turned around for it: a price this far below can lose nothing. Every other rule of the
gate holds.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from decimal import Decimal
from typing import Final, Protocol, TypeVar

from btcbot.domain.balances import Balance
from btcbot.domain.conformance import Finding, Verdict
from btcbot.domain.errors import ExchangeUnreachable, KeyRefused, ReadFailed, UnsafeState
from btcbot.domain.instruments import Instrument
from btcbot.domain.market import MarketView
from btcbot.domain.money import ZERO, Price, Quantity, divide_down, round_ratio
from btcbot.domain.orders.intents import ApprovedOrderIntent, Intent, Purpose, Side
from btcbot.domain.orders.records import OrderRecord
from btcbot.domain.orders.states import OrderState
from btcbot.domain.state import SubmitMade
from btcbot.execution.accounts import AccountReader
from btcbot.persistence.sqlite.unit_of_work import CycleRecord, UnitOfWork
from btcbot.risk import reasons
from btcbot.risk.gate import Refused, assess
from btcbot.risk.reasons import Reason
from btcbot.risk.rules import RULES, Rule, price_is_within_collar
from btcbot.risk.view import RiskView
from btcbot.services.decision import CyclePlan, decide
from btcbot.services.run_loop import LiveParts, RunLoopService

T = TypeVar("T")
FAR_RATIO = Decimal("0.5")  # of the market
CAREFUL_RATIO = Decimal("1.06")  # a little above what the gate wants of an entry (open question A10)
LOOK_SECONDS = 1.0
FOLLOW_SECONDS_MAX = 90.0  # for an order without an answer to turn up, and for a cancel to be done
CANCEL_AGAIN_SECONDS = 15.0
RECONCILIATIONS_MAX = 10
HOLD_STEP = Decimal("0.00000001")


def price_is_far_below_market(intent: Intent, view: RiskView) -> Reason | None:
    """The collar turned around: a buy that nobody in this market would meet."""
    mid = view.mid
    if mid is None:
        return reasons.MidMissing(view.pair)
    is_far = intent.side is Side.BUY and intent.price <= mid * FAR_RATIO
    return None if is_far else reasons.PriceOutsideCollar(intent.price, mid, view.limits.collar_ratio_max)


FAR_RULES: Final = tuple(
    Rule(rule.control, rule.purposes, price_is_far_below_market) if rule.judge is price_is_within_collar else rule
    for rule in RULES
)


class OwnFrames(Protocol):
    """The private frames of one order, as somebody else hears them."""

    def rate_of_hold(self, exchange_order_id: int, notional: Decimal) -> Decimal | None:
        """What frame 451 says is held of the order, as a share above its notional."""
        ...

    def is_gone(self, exchange_order_id: int) -> bool:
        """Whether frame 452 has come for it."""
        ...


class OrderProbe:
    """Places, follows, cancels and proves. `findings` tell of each step, with what it took."""

    def __init__(
        self, parts: LiveParts, service: RunLoopService, reader: AccountReader, heard: OwnFrames, pair: str
    ) -> None:
        self._parts = parts
        self._service = service
        self._reader = reader
        self._heard = heard
        self._pair = pair
        self._clock = parts.runtime.clock
        self._findings: list[Finding] = []
        self.was_sent = False

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(self._findings)

    async def run(self) -> None:
        """Raises what stands in the way before anything was sent; from then on only findings."""
        await self._service.take_over()
        await self._get_market()
        held = _held(await self._reader.balances())
        order = await self._place()
        if order is None or order.state is OrderState.NOT_SENT:
            return
        order = await self._answered(order)
        if not order.is_unresolved and not order.is_terminal:
            await self._judge_resting(order, held)
            await self._cancel(order)
        self._judge_end(self._parts.book.get(order.order_id))
        await self._judge_books()

    # ------------------------------------------------------------------------------------------------ placing

    async def _get_market(self) -> None:
        """A fresh, whole book of the pair, or `ReadFailed`: nothing is priced by less."""
        began = self._clock.monotonic()
        limits = self._parts.profile.limits
        while True:
            view = self._view()
            if view is not None and not view.is_gapped and view.book_age <= limits.market_age_max:
                return
            if self._clock.monotonic() - began > FOLLOW_SECONDS_MAX:
                raise ReadFailed(f"{self._pair} has no fresh order book")
            await self._look()

    def _view(self) -> MarketView | None:
        return self._parts.market.snapshot(self._parts.book.state.candles_seen).views.get(self._pair)

    async def _place(self) -> OrderRecord | None:
        """One cycle of its own: decide, judge, journal, send once, commit."""
        parts = self._parts
        unit = parts.store.unit_of_work(parts.runtime.ids.new(), self._clock.now())
        try:
            snapshot = parts.market.snapshot(parts.book.state.candles_seen)
            plan = decide(parts.book.state, snapshot, parts.params, unit.cycle_id)
            parts.book.state = plan.state
            unit.add_snapshot(snapshot)
            verdict = self._judged(plan, snapshot.views[self._pair], snapshot.taken_at, unit.cycle_id)
            named = () if isinstance(verdict, ApprovedOrderIntent) else verdict.named_reasons()
            unit.add_verdict(verdict.intent.decision_id, self._pair, Side.BUY, not named, named)
            order = None
            if isinstance(verdict, Refused):
                self._note("gate", Verdict.NOT_ASKED, "; ".join(f"{name}: {numbers}" for name, numbers in named))
            else:
                order = await self._send(verdict, snapshot.taken_at)
            self._finish(unit, snapshot.snapshot_id, order)
        except BaseException:
            unit.rollback()
            raise
        return order

    def _judged(
        self, plan: CyclePlan, market: MarketView, now: datetime, cycle_id: str
    ) -> ApprovedOrderIntent | Refused:
        """A far buy of the smallest careful amount, before the gate."""
        parts = self._parts
        halted = plan.halt_reason or parts.halting.reason()
        if halted is not None:
            raise UnsafeState(f"trading is halted: {halted}")
        instrument, mid = market.instrument, market.book.mid
        if mid is None:
            raise ReadFailed(f"{self._pair} has no market: a side of its order book is empty")
        price = instrument.price_down(mid * FAR_RATIO)
        intent = Intent(
            decision_id=f"{cycle_id}/{self._pair}/probe", instrument=instrument, side=Side.BUY, purpose=Purpose.ENTRY,
            quantity=careful_quantity(instrument, price), price=price, reference_price=Price(mid),
        )  # fmt: skip
        view = RiskView(self._pair, market, plan.state.trading, parts.profile.limits, now, parts.params.fee_ratio)
        return assess(intent, view, FAR_RULES)

    async def _send(self, approved: ApprovedOrderIntent, decided_at: datetime) -> OrderRecord | None:
        began = self._clock.monotonic()
        self.was_sent = True
        order = await self._parts.desk.place(approved, decided_at)
        took = f"{(self._clock.monotonic() - began) * 1000:.0f} ms from the journal to the answer"
        if order is None:
            self._note("journal", Verdict.NOT_ASKED, "the transaction that reserves refused the order; see the log")
            return None
        match order.state:
            case OrderState.NOT_SENT:
                self._note("far order", Verdict.NOT_ASKED, order.reason)
            case OrderState.TURNED_DOWN:
                self._note("far order", Verdict.DIFFERS, f"turned down: {order.reason}, {took}")
            case OrderState.UNKNOWN:
                detail = f"unknown: {order.reason}, {took}; the journal keeps it and nothing is sent again"
                self._note("far order", Verdict.DIFFERS, detail, "A2")
            case _:
                self._note("far order", Verdict.AS_KNOWN, f"accepted and echoed field by field, {took}")
        return order

    def _finish(self, unit: UnitOfWork, snapshot_id: str, order: OrderRecord | None) -> None:
        parts = self._parts
        is_sent = order is not None and order.state is not OrderState.NOT_SENT
        if order is not None and is_sent:
            parts.book.take(SubmitMade(order.created_at))
        trading = parts.book.state.trading
        assert trading.day is not None, "deciding turns the day first"
        events = parts.events.kept()
        for event, detail in events:
            unit.add_event(event, detail)
        unit.finish(
            CycleRecord(
                outcome="probe", snapshot_id=snapshot_id, equity=trading.equity, equity_peak=trading.equity_peak,
                day_pnl=trading.day_pnl, day=trading.day, day_opening_pnl=trading.day_opening_pnl,
                orders_sent=int(is_sent), halted=False, paused=trading.is_paused, ended_at=self._clock.now(),
            )
        )  # fmt: skip
        unit.commit()
        parts.events.forget(len(events))

    # ------------------------------------------------------------------------------------------------ following

    async def _answered(self, order: OrderRecord) -> OrderRecord:
        """An order without an answer is looked for, as long as live would look at most of its schedule."""
        if not order.is_unresolved:
            return order
        began = self._clock.monotonic()
        order = await self._follow(order, lambda now: not now.is_unresolved, FOLLOW_SECONDS_MAX)
        took = f"{self._clock.monotonic() - began:.1f} s later"
        match order.state:
            case OrderState.REJECTED:
                self._note("far order, looked up", Verdict.AS_KNOWN, f"was never there, {took}")
            case OrderState.TURNED_DOWN | OrderState.UNKNOWN:
                self._note("far order, looked up", Verdict.NOT_SEEN, f"still {order.state} {took}", "A2")
            case _:
                self._note("far order, looked up", Verdict.DIFFERS, f"it is there after all, {took}", "A2")
        return order

    async def _judge_resting(self, order: OrderRecord, held_before: dict[str, Decimal]) -> None:
        assert order.exchange_order_id is not None, "an order that rests has the exchange's number"
        began = self._clock.monotonic()
        number = order.exchange_order_id
        is_listed = is_over = False
        while not is_listed and not is_over and self._clock.monotonic() - began <= FOLLOW_SECONDS_MAX:
            listed = await self._read(self._reader.open_orders(self._pair))
            is_listed = any(venue.exchange_order_id == number for venue in listed or ())
            if not is_listed:
                await self._look()
                await self._read(self._parts.reconciler.follow())
                is_over = self._parts.book.get(order.order_id).is_terminal
        detail = f"after {self._clock.monotonic() - began:.1f} s" if is_listed else "it is not"
        self._judge("listed in open orders", is_listed, detail, "B1")
        balances = await self._read(self._reader.balances())
        notional = order.price * order.quantity
        if balances is not None:
            asset = order.reservation.asset
            bound = _held(balances).get(asset, ZERO) - held_before.get(asset, ZERO)
            self._judge_rate("held in balances", bound, notional, "7")
        rate = self._heard.rate_of_hold(number, notional)
        if rate is None:
            self._note("frame 451 of the order", Verdict.NOT_SEEN, "it did not come", "10.5")
        else:
            self._judge("rate in frame 451", rate == self._parts.params.fee_ratio, f"{rate} above the notional", "C1")

    def _judge_rate(self, what: str, bound: Decimal, notional: Decimal, question: str) -> None:
        """A hold, told as its share above the notional: the rate, and no amount."""
        expected = notional * (1 + self._parts.params.fee_ratio)
        rate = round_ratio(bound - notional, notional)
        self._judge(what, abs(bound - expected) <= HOLD_STEP, f"{rate:.6f} above the notional", question)

    # ------------------------------------------------------------------------------------------------ canceling

    async def _cancel(self, order: OrderRecord) -> None:
        """Ask, look, and ask again where nothing came of it: a cancel is idempotent."""
        began = self._clock.monotonic()
        order = self._parts.book.get(order.order_id)
        while not order.is_terminal and self._clock.monotonic() - began <= FOLLOW_SECONDS_MAX:
            order = await self._parts.desk.cancel(order, "probe")
            order = await self._follow(order, lambda now: now.is_terminal, CANCEL_AGAIN_SECONDS)
        took = f"{self._clock.monotonic() - began:.1f} s from the cancel to the proof, asked {order.cancels_sent} times"
        self._judge("cancel", order.state is OrderState.CANCELED, f"{order.state}, {took}")
        if self._heard.is_gone(order.exchange_order_id or 0):
            self._note("frame 452 of the order", Verdict.AS_KNOWN, "it came", "10.5")
        else:
            self._note("frame 452 of the order", Verdict.NOT_SEEN, "it did not come", "10.5")

    def _judge_end(self, order: OrderRecord) -> None:
        if order.filled > 0:
            self._note("far order", Verdict.DIFFERS, "it was filled, in part or in all: the position is in our books")
        if not order.is_terminal:
            detail = f"it is {order.state}: start live, which follows it up"
            self._note("end of the far order", Verdict.DIFFERS, detail)

    async def _judge_books(self) -> None:
        """Our records against the exchange's, as before a resume: nothing may be left open."""
        points: tuple[str, ...] = ()
        for _ in range(RECONCILIATIONS_MAX):
            try:
                points = await self._service.reconcile()
            except (ExchangeUnreachable, ReadFailed, KeyRefused) as error:
                points = (str(error.args[0]),)
            if not points:
                break
            await self._look()
        detail = f"{len(points)} points are open; live's next start follows them up" if points else "nothing is open"
        self._judge("our records and the exchange's", not points, detail)

    # ------------------------------------------------------------------------------------------------ looking

    async def _follow(
        self, order: OrderRecord, is_enough: Callable[[OrderRecord], bool], seconds: float
    ) -> OrderRecord:
        """What the exchange has to say of it, again and again, until it is enough or time is over."""
        began = self._clock.monotonic()
        while True:
            await self._read(self._parts.reconciler.follow())
            order = self._parts.book.get(order.order_id)
            if is_enough(order) or self._clock.monotonic() - began > seconds:
                return order
            await self._look()

    async def _read(self, asking: Awaitable[T]) -> T | None:
        """An answer, or nothing: with an order out there, no failed read ends the following."""
        try:
            return await asking
        except (ExchangeUnreachable, ReadFailed, KeyRefused) as error:
            self._note("reading", Verdict.NOT_ASKED, str(error.args[0]))
            return None

    async def _look(self) -> None:
        await self._parts.runtime.sleeper.sleep(LOOK_SECONDS)

    def _note(self, what: str, verdict: Verdict, detail: str = "", question: str = "") -> None:
        finding = Finding(what, verdict, detail, question)
        if finding not in self._findings:
            self._findings.append(finding)

    def _judge(self, what: str, is_known: bool, detail: str = "", question: str = "") -> None:
        self._note(what, Verdict.AS_KNOWN if is_known else Verdict.DIFFERS, detail, question)


def careful_quantity(instrument: Instrument, price: Price) -> Quantity:
    """The smallest that no reading of the exchange's minimum refuses (open question A10)."""
    return Quantity(
        divide_down(CAREFUL_RATIO * instrument.notional_min, price, instrument.lot_step) + instrument.lot_step
    )


def _held(balances: tuple[Balance, ...]) -> dict[str, Decimal]:
    return {balance.asset: balance.held for balance in balances}
