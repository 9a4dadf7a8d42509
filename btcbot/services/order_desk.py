"""One order from approval to answer: journal it, re-check, send once, keep the outcome (reliability 3.3).

Whatever interrupts a send leaves the order in UNKNOWN: only the exchange's own records resolve it, never a second send.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from btcbot.domain.errors import TradeBlockedError
from btcbot.domain.events import Event
from btcbot.domain.orders.evidence import CancelSent, CancelTurnedDown, CancelWanted, NoByteLeft, Silent
from btcbot.domain.orders.intents import ApprovedOrderIntent, Intent
from btcbot.domain.orders.journaling import ReservationRefused
from btcbot.domain.orders.records import OrderRecord
from btcbot.domain.orders.states import OrderState
from btcbot.domain.ports import Observer
from btcbot.execution.policy import TradingArmedPolicy
from btcbot.execution.ports import Execution
from btcbot.services.deciding.cancels import CANCEL_AGAIN_AFTER
from btcbot.services.trading_book import TradingBook

CANCELS_AT_ONCE = 3  # no more than may be turned away in a row before the key counts as refused (reliability I9)
CANCELS_TOLD_FROM = 3  # a cancel that had to be asked for this often is told, and asked for again


class OrderDesk:
    def __init__(
        self,
        book: TradingBook,
        require_fence: Callable[[], None],
        execution: Execution,
        policy: TradingArmedPolicy,
        recheck: Callable[[Intent, datetime], str | None],
        observer: Observer,
    ) -> None:
        """`recheck(intent, decided_at)` names what changed since the decision (data, clock, grids), or nothing."""
        self._journal = book
        self._require_fence = require_fence
        self._execution = execution
        self._policy = policy
        self._recheck = recheck
        self._observer = observer
        self.is_sending = False  # whether an order's request may be on the wire right now

    async def place(self, approved: ApprovedOrderIntent, decided_at: datetime) -> OrderRecord | None:
        """Send an approved intent at most once. The order as it stands, or nothing where the journal refused it."""
        try:
            order = self._journal.intent(approved)
        except ReservationRefused as refusal:
            self._observer.observed(
                Event.INTENT_REFUSED, decision_id=approved.intent.decision_id, pair=approved.intent.pair,
                reasons=["reservation_refused"], detail=str(refusal),
            )  # fmt: skip
            return None
        self._require_fence()
        stale = self._recheck(approved.intent, decided_at)
        blocks = (*self._policy.blocks(), *((stale,) if stale else ()))
        if blocks:
            reason = "; ".join(blocks)
            self._observer.observed(Event.SUBMIT_BLOCKED, order_id=order.order_id, pair=order.pair, reason=reason)
            return self._journal.not_sent(order, reason)
        sending = self._journal.sending(order)
        self.is_sending = True
        try:
            answer = await self._execution.submit(sending)
        except TradeBlockedError as blocked:
            self._observer.observed(Event.SUBMIT_BLOCKED, order_id=order.order_id, pair=order.pair, reason=str(blocked))
            return self._journal.record(sending.order_id, NoByteLeft(str(blocked)))
        except BaseException as interruption:  # the request may be on the wire: whatever came, the order is unknown
            self._journal.record(sending.order_id, Silent(f"the send was interrupted by {type(interruption).__name__}"))
            raise
        finally:
            self.is_sending = False
        return self._journal.record(sending.order_id, answer)

    async def cancel(self, order: OrderRecord, reason: str) -> OrderRecord:
        """Ask for a cancel, durable before it leaves. Never blocked by halts; what came of it is read, not assumed."""
        if order.exchange_order_id is None or order.is_terminal or order.state is OrderState.CLOSING:
            return order
        if order.cancels_sent >= CANCELS_TOLD_FROM:
            self._observer.observed(
                Event.CANCEL_REPEATED, order_id=order.order_id, exchange_order_id=order.exchange_order_id,
                pair=order.pair, times=order.cancels_sent, reason=reason,
            )  # fmt: skip
        if order.state is not OrderState.CANCEL_INTENT:
            order = self._journal.record(order.order_id, CancelWanted(reason))
        order = self._journal.record(order.order_id, CancelSent())
        assert order.exchange_order_id is not None, "the exchange's number does not vanish"
        receipt = await self._execution.cancel(order.exchange_order_id, order.pair)
        if isinstance(receipt, CancelTurnedDown):
            return self._journal.record(order.order_id, receipt)
        return order

    async def call_back(self, orders: Iterable[OrderRecord], reason: str, now: datetime) -> None:
        """Take orders off the book; a cancel under way is repeated once it had its time."""
        await self.cancel_all([(order, reason) for order in orders if _is_due(order, now)])

    async def cancel_all(self, wanted: Sequence[tuple[OrderRecord, str]]) -> None:
        """The first alone: its answer says whether the key is let in. Then a few at a time."""
        for order, reason in wanted[:1]:
            await self.cancel(order, reason)
        for start in range(1, len(wanted), CANCELS_AT_ONCE):
            some = wanted[start : start + CANCELS_AT_ONCE]
            await asyncio.gather(*(self.cancel(order, reason) for order, reason in some))


def _is_due(order: OrderRecord, now: datetime) -> bool:
    if order.is_terminal or order.exchange_order_id is None or order.state is OrderState.CLOSING:
        return False
    return order.state is not OrderState.CANCELING or now - order.changed_at >= CANCEL_AGAIN_AFTER
