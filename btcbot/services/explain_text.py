"""An explanation as a person reads it: the chain from the market to the money, in its order, 100 columns wide.

Times are UTC, with the time of day in Istanbul behind them.
"""

import dataclasses
import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from zoneinfo import ZoneInfo

from btcbot.domain.money import plain
from btcbot.domain.orders.states import OrderEvent
from btcbot.persistence.sqlite.recorder import json_text
from btcbot.persistence.sqlite.stored import StoredCycle, StoredEvent, StoredStep
from btcbot.services.explain import Explanation, Judged, MarketSeen, Moved, OrderTold, Said

WIDTH = 100
ISTANBUL = ZoneInfo("Europe/Istanbul")
E = OrderEvent

# What each step means on the wire; the others are not about it.
ON_THE_WIRE: Mapping[str, str] = MappingProxyType(
    {
        E.RECHECK_PASSED: "submit: sent, once",
        E.NO_BYTE_LEFT: "submit: failed before its first byte",
        E.ACCEPTED: "submit: accepted",
        E.ACCEPTED_OTHERWISE: "submit: accepted, as another order than was sent",
        E.ANSWERED_FOR_ANOTHER: "submit: answered for another order",
        E.TURNED_DOWN: "submit: turned down",
        E.SILENT: "submit: no answer, or one that proves nothing",
        E.RESTARTED: "the process ended with the request perhaps on the wire",
        E.CANCEL_SENT: "cancel: sent",
        E.CANCEL_TURNED_DOWN: "cancel: turned down",
    }
)


def as_json_line(explanation: Explanation) -> str:
    """The explanation as one line of JSON, numbers and times as text; its keys are the fields' names."""
    return json_text(dataclasses.asdict(explanation))


def as_lines(explanation: Explanation) -> tuple[str, ...]:
    """The explanation as lines without colours or control characters."""
    return tuple(line for line in _lines(explanation))


def moment(at: datetime) -> str:
    """`2026-03-01 12:00:00.000 UTC (15:00:00 Istanbul)`."""
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d} UTC ({at.astimezone(ISTANBUL):%H:%M:%S} Istanbul)"


def _lines(told: Explanation) -> Iterator[str]:
    yield from _heading(told)
    yield from _section("Snapshot", _snapshot(told))
    yield from _section("Signal", (line for said in told.signals for line in _signal(said)))
    yield from _section("Risk", _risk(told))
    for order in told.orders:
        yield from _order(order)
    if told.subject == "cycle":
        yield from _section("Recorded beside it", (line for event in told.events for line in _event(event)))
    yield from _section("Decided again", (line for remark in told.remarks for line in _wrapped(remark)))


def _heading(told: Explanation) -> Iterator[str]:
    cycle = told.cycle
    if told.subject == "order":
        order = told.orders[0]
        yield f"Order {order.order.client_order_id} ({order.order.order_id})"
        number = order.head.exchange_order_id
        yield f"  {order.head.state}{'' if number is None else f', exchange order {number}'}"
    if cycle is None:
        return
    yield f"Cycle {cycle.id} ({cycle.cycle_id})"
    yield from _cycle(cycle)


def _cycle(cycle: StoredCycle) -> Iterator[str]:
    yield f"  began  {moment(cycle.started_at)}"
    yield f"  ended  {moment(cycle.ended_at)}, {cycle.outcome}"
    yield from _wrapped(
        f"epoch {cycle.epoch}, process {cycle.process_instance_id}, configuration {cycle.config_hash[:12]}"
    )
    yield from _wrapped(
        f"after it: equity {plain(cycle.equity)}, its peak {plain(cycle.equity_peak)}, PnL of {cycle.day} "
        f"{plain(cycle.day_pnl)}, orders sent {cycle.orders_sent}, {'halted' if cycle.halted else 'not halted'}, "
        f"{'paused' if cycle.paused else 'not paused'}"
    )


def _section(title: str, lines: Iterator[str]) -> Iterator[str]:
    """A title and what belongs to it; said to be nothing where there is nothing."""
    yield ""
    yield title
    yield from list(lines) or ["  nothing"]


# ---------------------------------------------------------------------------------------------- what was decided on


def _snapshot(told: Explanation) -> Iterator[str]:
    if told.taken_at is None or told.snapshot_id is None:
        return
    yield from _wrapped(f"taken {moment(told.taken_at)}, kept as {told.snapshot_id[:16]}")
    for market in told.markets:
        yield from _wrapped(_market(market))


def _market(market: MarketSeen) -> str:
    sides = (("bid", market.bid, market.bid_quantity), ("ask", market.ask, market.ask_quantity))
    parts = [
        f"no {side}" if price is None else f"{side} {plain(price)} × {_number(quantity)}"
        for side, price, quantity in sides
    ]
    if market.spread_ratio is not None:
        parts.append(f"spread {float(market.spread_ratio):.4%}")
    parts.append(f"{market.levels[0]} and {market.levels[1]} levels")
    parts.append(f"proven current {market.book_age_seconds:.3f} s before")
    if market.is_gapped:
        parts.append("GAPPED")
    if market.last_candle_opened_at is None:
        parts.append("no new candle")
    else:
        opened_at = market.last_candle_opened_at
        parts.append(f"{market.new_candles} new, last candle of {opened_at:%H:%M} UTC at {_number(market.last_close)}")
    return f"{market.pair}  {', '.join(parts)}"


def _signal(said: Said) -> Iterator[str]:
    notional = "" if said.notional is None else f", spends {said.notional}"
    since = "" if said.is_stored else " (no new candle: as the last one left it)"
    yield from _wrapped(
        f"{said.pair}  {said.direction.upper()}, confidence {said.confidence}{notional}{since}: {said.reason}"
    )


# ------------------------------------------------------------------------------------------------------------- risk


def _risk(told: Explanation) -> Iterator[str]:
    for verdict in told.verdicts:
        yield from _verdict(verdict)
    for order_id, reason in told.cancels:
        yield from _wrapped(f"cancel of order {order_id}: {reason}")
    for note in told.notes:
        yield from _wrapped(f"note: {note}")


def _verdict(verdict: Judged) -> Iterator[str]:
    wanted = ""
    if verdict.quantity is not None and verdict.price is not None:
        wanted = (
            f" {plain(verdict.quantity)} at {plain(verdict.price)}, reference price {_number(verdict.reference_price)}"
        )
    outcome = "APPROVED" if verdict.is_approved else "REFUSED"
    reserved = "" if verdict.reservation is None else f", reserves {verdict.reservation}"
    purpose = "" if verdict.purpose is None else f" ({verdict.purpose})"
    yield from _wrapped(f"{verdict.pair}  {verdict.side}{purpose}{wanted}: {outcome}{reserved}")
    yield from _wrapped(f"decision {verdict.decision_id}", 4)
    for look in verdict.rules:
        answer = "passed " if look.refusal is None else "REFUSED"
        yield from _wrapped(f"{answer}  {look.control:<4}  {look.rule}: {look.numbers}", 4, 21)
    if not verdict.rules:
        for name, numbers in verdict.reasons:
            yield from _wrapped(f"REFUSED  {name}: {numbers}", 4, 13)


# ------------------------------------------------------------------------------------------------------- the order


def _order(told: OrderTold) -> Iterator[str]:
    yield from _section("Journal", _journal(told))
    wire = [step for step in told.steps if step.event in ON_THE_WIRE]
    yield from _section("Wire", (line for step in wire for line in _on_the_wire(step)))
    yield from _section("Fills", _fills(told))


def _journal(told: OrderTold) -> Iterator[str]:
    order, head = told.order, told.head
    yield from _wrapped(
        f"{order.client_order_id}: {order.side} {plain(order.quantity)} {order.base} at {plain(order.price)} "
        f"{order.quote} ({order.purpose}, {order.method}), reserving {plain(order.reservation_number)} "
        f"{order.reservation_asset}"
    )
    first = "adopted" if order.is_adopted else "intent"
    yield from _wrapped(f"{moment(order.created_at)}  → {first}, durable, in cycle {order.cycle_id}", 4, 6)
    for step in told.steps:
        alarm = "ALARM: " if step.is_alarm else ""
        detail = f": {step.detail}" if step.detail else ""
        yield from _wrapped(
            f"{moment(step.at)}  {step.before} → {step.after}, {alarm}{step.event.replace('_', ' ')}{detail}", 4, 6
        )
    left = "" if head.left_seen is None else f", the exchange last said {plain(head.left_seen)} is left"
    reason = f", {head.reason}" if head.reason else ""
    yield from _wrapped(
        f"it stands at {head.state}, filled {plain(head.filled)} of {plain(order.quantity)}{left}{reason}"
    )


def _on_the_wire(step: StoredStep) -> Iterator[str]:
    detail = f": {step.detail}" if step.detail else ""
    yield from _wrapped(f"{moment(step.at)}  {ON_THE_WIRE[step.event]}{detail}", 4, 6)


def _fills(told: OrderTold) -> Iterator[str]:
    for moved in told.fills:
        yield from _fill(moved, told.order.quote)


def _fill(moved: Moved, quote: str) -> Iterator[str]:
    fill = moved.fill
    yield from _wrapped(
        f"{moment(fill.time_exchange)}  trade {fill.trade_id}: {fill.side} {plain(fill.quantity)} at "
        f"{plain(fill.price)}, fee {plain(fill.fee)} {quote}, tax {plain(fill.tax)} {quote}", 4, 6
    )  # fmt: skip
    for entry in moved.entries:
        sign = "+" if entry.number > 0 else ""
        yield f"      ledger: {entry.kind} {sign}{plain(entry.number)} {entry.asset}"


def _event(event: StoredEvent) -> Iterator[str]:
    facts = ", ".join(f"{name}={value}" for name, value in json.loads(event.detail).items())
    yield from _wrapped(f"{moment(event.at)}  {event.event.replace('_', ' ')}{': ' if facts else ''}{facts}", 4, 6)


def _number(number: Decimal | None) -> str:
    return "unknown" if number is None else plain(number)


def _wrapped(text: str, indent: int = 2, hanging: int | None = None) -> Sequence[str]:
    """Lines of at most `WIDTH` columns; a word that is longer than a line is broken."""
    inner = indent + 2 if hanging is None else hanging
    return textwrap.wrap(
        " ".join(text.split(" ")), WIDTH, initial_indent=" " * indent, subsequent_indent=" " * inner
    )  # fmt: skip
