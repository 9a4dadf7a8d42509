"""Why an order is what it is, or what a cycle came to, from the database alone: nothing is asked, nothing is written.

What is stored is what was decided. The numbers of the rules that passed are not stored; they come from deciding again
over the stored inputs, and the explanation says whether that gave the stored decision.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from btcbot.domain.errors import UsageError
from btcbot.domain.market import MarketSnapshot, MarketView, read_snapshot
from btcbot.domain.money import round_ratio
from btcbot.domain.orders.intents import ApprovedOrderIntent
from btcbot.persistence.sqlite.stored import (
    StoredCycle,
    StoredEntry,
    StoredEvent,
    StoredFill,
    StoredHead,
    StoredOrder,
    StoredSignal,
    StoredStep,
    StoredVerdict,
)
from btcbot.persistence.sqlite.story import NotOnRecord, Story, story_of
from btcbot.risk.gate import Refused
from btcbot.risk.view import RiskView
from btcbot.services.decision import judged
from btcbot.services.explain_rules import RuleLook, looks
from btcbot.services.replay import Replayed, replayed

ORDER, CYCLE = "order", "cycle"
UNCOMMITTED = "the cycle was never committed: the process ended, or the cycle failed, after this was written"
ADOPTED = "the order was adopted: it bears our label, and no decision of it is on record"


@dataclass(frozen=True, slots=True)
class MarketSeen:
    """What the snapshot showed of one pair."""

    pair: str
    bid: Decimal | None
    bid_quantity: Decimal | None
    ask: Decimal | None
    ask_quantity: Decimal | None
    mid: Decimal | None
    spread_ratio: Decimal | None
    levels: tuple[int, int]
    book_age_seconds: float
    is_gapped: bool
    new_candles: int
    last_candle_opened_at: datetime | None
    last_close: Decimal | None


@dataclass(frozen=True, slots=True)
class Said:
    """A signal. One without a new candle is not stored; it is what the candle before still says."""

    pair: str
    direction: str
    confidence: str
    notional: str | None
    reason: str
    is_stored: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """One intent before the gate. Without a replay its numbers and the rules that passed are not known."""

    decision_id: str
    pair: str
    side: str
    purpose: str | None
    quantity: Decimal | None
    price: Decimal | None
    reference_price: Decimal | None
    reservation: str | None
    is_approved: bool
    reasons: tuple[tuple[str, str], ...]  # as they were stored
    rules: tuple[RuleLook, ...]


@dataclass(frozen=True, slots=True)
class Moved:
    """One fill and what it moved in the ledger."""

    fill: StoredFill
    entries: tuple[StoredEntry, ...]


@dataclass(frozen=True, slots=True)
class OrderTold:
    order: StoredOrder
    head: StoredHead
    steps: tuple[StoredStep, ...]
    fills: tuple[Moved, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The whole chain, of one order or of one cycle."""

    subject: str  # ORDER or CYCLE
    name: str
    cycle: StoredCycle | None
    snapshot_id: str | None
    taken_at: datetime | None
    markets: tuple[MarketSeen, ...]
    signals: tuple[Said, ...]
    verdicts: tuple[Judged, ...]
    cancels: tuple[tuple[str, str], ...]  # order id and reason
    notes: tuple[str, ...]
    orders: tuple[OrderTold, ...]
    events: tuple[StoredEvent, ...]
    remarks: tuple[str, ...]  # what is missing, and whether deciding again gave the same
    is_same_again: bool | None  # nothing where it could not be decided again


def explain(path: Path, word: str) -> Explanation:
    """Explain an order (id, label or the exchange's number) or a cycle (id or number) of live's database.

    A number is an order's before it is a cycle's; `order:` or `cycle:` before the word settles it. Raises `NotOnRecord`
    where nothing is known by that name, and `OwnershipError` for what is not live's database.
    """
    kind, _, name = word.strip().rpartition(":")
    if kind not in ("", ORDER, CYCLE):
        raise UsageError(f"{kind[:40]!r} is neither order nor cycle")
    with story_of(path) as story:
        order = story.order(name) if kind != CYCLE else None
        if order is not None:
            return _of_order(story, order)
        cycle = story.cycle(name) if kind != ORDER else None
        if cycle is not None:
            return _of_cycle(story, cycle)
    raise NotOnRecord(f"neither an order nor a committed cycle is called {name[:60]!r}")


def _of_order(story: Story, order: StoredOrder) -> Explanation:
    decided_in = order.decision_id.split("/", 1)[0]
    cycle = None if order.is_adopted else story.cycle(decided_in)
    told = (_order_told(story, order),)
    if cycle is None:
        content = None if order.snapshot_id is None else read_snapshot(story.snapshot(order.snapshot_id))
        return Explanation(
            ORDER, order.client_order_id, None, order.snapshot_id, None if content is None else content.taken_at,
            _markets(content, order.pair), (), (), (), (), told, (),
            (ADOPTED if order.is_adopted else UNCOMMITTED,), None,
        )  # fmt: skip
    whole = _of_cycle(story, cycle)
    return Explanation(
        ORDER, order.client_order_id, cycle, whole.snapshot_id, whole.taken_at,
        tuple(market for market in whole.markets if market.pair == order.pair),
        tuple(signal for signal in whole.signals if signal.pair == order.pair),
        tuple(verdict for verdict in whole.verdicts if verdict.decision_id == order.decision_id),
        (), tuple(note for note in whole.notes if note.startswith(f"{order.pair}: ")), told, (), whole.remarks,
        whole.is_same_again,
    )  # fmt: skip


def _of_cycle(story: Story, cycle: StoredCycle) -> Explanation:
    (records,) = story.cycles(cycle.id, cycle.id)
    (again,) = replayed(story, cycle.id, cycle.id)
    plan = None if again.decided is None else again.decided.plan
    snapshot = again.decided.snapshot if again.decided is not None else _snapshot(story, cycle.snapshot_id)
    return Explanation(
        CYCLE, cycle.cycle_id, cycle, cycle.snapshot_id, None if snapshot is None else snapshot.taken_at,
        _markets(snapshot), _signals(records.signals, again), _verdicts(records.verdicts, again),
        () if plan is None else tuple((wish.order_id, wish.reason) for wish in plan.cancels),
        () if plan is None else plan.notes,
        tuple(_order_told(story, order) for order in story.orders_of(cycle.cycle_id)), records.events,
        _remarks(again), None if again.decided is None else not again.differences,
    )  # fmt: skip


def _snapshot(story: Story, snapshot_id: str | None) -> MarketSnapshot | None:
    return None if snapshot_id is None else read_snapshot(story.snapshot(snapshot_id))


def _remarks(again: Replayed) -> tuple[str, ...]:
    if again.differences:
        return ("decided again over the stored inputs, it comes out otherwise", *again.differences)
    if again.untold is not None:
        return (f"it could not be decided again ({again.untold}): the numbers of rules that passed are not known",)
    return ("decided again over the stored inputs, it is the stored decision, bit for bit",)


def _order_told(story: Story, order: StoredOrder) -> OrderTold:
    fills = tuple(Moved(fill, story.entries(fill.trade_id)) for fill in story.fills(order.order_id))
    return OrderTold(order, story.head(order.order_id), story.steps(order.order_id), fills)


def _markets(snapshot: MarketSnapshot | None, pair: str | None = None) -> tuple[MarketSeen, ...]:
    if snapshot is None:
        return ()
    return tuple(_market(each, view) for each, view in sorted(snapshot.views.items()) if pair in (None, each))


def _market(pair: str, view: MarketView) -> MarketSeen:
    book = view.book
    bid, ask = book.bids[0] if book.bids else None, book.asks[0] if book.asks else None
    candle = view.new_candles[-1] if view.new_candles else None
    spread = None
    if bid is not None and ask is not None and book.mid:
        spread = round_ratio(ask.price - bid.price, book.mid)
    return MarketSeen(
        pair, None if bid is None else bid.price, None if bid is None else bid.quantity,
        None if ask is None else ask.price, None if ask is None else ask.quantity, book.mid, spread,
        (len(book.bids), len(book.asks)), view.book_age.total_seconds(), view.is_gapped, len(view.new_candles),
        None if candle is None else candle.opened_at, None if candle is None else candle.close,
    )  # fmt: skip


def _signals(stored: Iterable[StoredSignal], again: Replayed) -> tuple[Said, ...]:
    said = {}
    for each in stored:
        notional = None if each.notional_number is None else f"{each.notional_number} {each.notional_asset}"
        said[each.pair] = Said(each.pair, each.direction, each.confidence, notional, each.reason, is_stored=True)
    if again.decided is not None:
        params, state = again.decided.params, again.decided.plan.state
        for pair in params.pairs:
            if pair not in said:
                signal = params.strategy.signal(pair, state.indicators.get(pair, params.strategy.initial()))
                notional = None if signal.notional is None else str(signal.notional)
                confidence = repr(signal.confidence)
                said[pair] = Said(pair, str(signal.direction), confidence, notional, signal.reason, is_stored=False)
    return tuple(said[pair] for pair in sorted(said))


def _verdicts(stored: tuple[StoredVerdict, ...], again: Replayed) -> tuple[Judged, ...]:
    """The stored verdicts, each with the numbers that deciding again gives for it."""
    made_again: dict[str, tuple[ApprovedOrderIntent | Refused, RiskView]] = {}
    if again.decided is not None:
        decided = again.decided
        pairs = judged(decided.plan, decided.snapshot, decided.params, again.cycle_id)
        made_again = {verdict.intent.decision_id: (verdict, view) for verdict, view in pairs}
    return tuple(_judged(each, *made_again.get(each.decision_id, (None, None))) for each in stored)


def _judged(stored: StoredVerdict, again: ApprovedOrderIntent | Refused | None, view: RiskView | None) -> Judged:
    reasons = tuple((str(name), str(numbers)) for name, numbers in json.loads(stored.reasons))
    told = Judged(
        stored.decision_id, stored.pair, stored.side, None, None, None, None, None, stored.is_approved, reasons, ()
    )
    if again is None or view is None:
        return told
    intent = again.intent
    return replace(
        told, purpose=str(intent.purpose), quantity=intent.quantity, price=intent.price,
        reference_price=intent.reference_price, rules=looks(intent, view),
        reservation=str(again.reservation) if isinstance(again, ApprovedOrderIntent) else None,
    )  # fmt: skip
