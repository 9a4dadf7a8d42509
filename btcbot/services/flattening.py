"""Out of everything, on an operator's word: cancel, prove it, close our own positions under the collar, then halt.

Each sale goes the way of every order: sized and priced within the collar, judged by the gate, journaled, sent once.
Coins that are not the bot's are not touched. Whatever goes wrong on the way, it ends halted.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import count

from btcbot.domain.errors import BtcbotError, ExchangeUnreachable, ReadFailed
from btcbot.domain.events import Event
from btcbot.domain.market import MarketSnapshot, MarketView
from btcbot.domain.money import Price, plain
from btcbot.domain.orders.intents import ApprovedOrderIntent, Intent, Purpose, Side
from btcbot.domain.orders.records import OrderRecord
from btcbot.domain.state import SubmitMade
from btcbot.risk.gate import assess
from btcbot.risk.sizing import exit_quote, is_dust
from btcbot.risk.view import RiskView
from btcbot.services.run_loop import LiveParts, RunLoopService

SECONDS_MAX = 45.0  # below the patience of whoever asked over the control socket
LOOK_SECONDS = 1.0
CANCEL_LOOKS = 15
SALES_MAX = 5  # per pair: at prices of their moment, for what the one before has left
SALE_LOOKS = 5


class NotFlattened(BtcbotError):
    """Nothing was changed."""

    next_step = "settle what the message names, then flatten again; `btcbot halt` only stops and cancels"


@dataclass
class Course:
    """How far it came."""

    sold: list[OrderRecord] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


class Flattening:
    def __init__(self, parts: LiveParts, service: RunLoopService) -> None:
        self._parts = parts
        self._service = service

    async def flatten(self, reason: str, by: str) -> tuple[bool, str]:
        """Whether nothing of ours is left, and what was done. Ends halted; `NotFlattened` where it did not begin."""
        self._require_possible()
        self._parts.store.set_paused(True, by, f"flatten: {reason}")  # durable: no entry follows, wherever this ends
        self._parts.events.observed(Event.FLATTEN_BEGUN, reason=reason, by=by)
        course = Course()
        try:
            async with asyncio.timeout(SECONDS_MAX), self._service.exclusively():
                await self._flatten(course)
        except TimeoutError:
            course.troubles.append(f"not done within {SECONDS_MAX:g} s")
        except BtcbotError as error:
            course.troubles.append(str(error.args[0]) if error.args else type(error).__name__)
        finally:
            self._parts.halting.latch(f"flattened: {reason}", by)
        left = tuple(self._left())
        is_flat = not left
        self._parts.events.observed(
            Event.FLATTEN_ENDED, is_flat=is_flat, orders=len(course.sold), left=list(left), troubles=course.troubles
        )
        return is_flat, self._told(course, left)

    def _require_possible(self) -> None:
        halted = self._parts.halting.reason()
        if halted is not None:
            raise NotFlattened(f"trading is halted, no order may leave: {halted}")
        blocks = self._parts.policy.blocks()
        if blocks:
            raise NotFlattened(f"no order may leave: {'; '.join(blocks)}")

    async def _flatten(self, course: Course) -> None:
        if not await self._cleared():
            course.troubles.append("orders are still at work after their cancels")
            return
        parts, ordinals = self._parts, count()
        cycle_id = parts.runtime.ids.new()
        for _ in range(SALES_MAX):
            await self._service.compared()
            snapshot = parts.market.snapshot({})
            with self._service.journaling(cycle_id, snapshot):
                sent = [
                    order
                    for approved in self._approved(snapshot, cycle_id, ordinals, course)
                    if (order := await self._place(approved, snapshot)) is not None
                ]
            course.sold += sent
            if not sent or parts.halting.reason() is not None:
                return
            for _ in range(SALE_LOOKS):
                if await self._looked():
                    break
            if not await self._cleared():
                course.troubles.append("a sale is still at work after its cancel")
                return

    def _approved(
        self, snapshot: MarketSnapshot, cycle_id: str, ordinals: "count[int]", course: Course
    ) -> Iterator[ApprovedOrderIntent]:
        for pair in sorted(self._parts.market.instruments):
            view = self._view(pair, snapshot)
            market = view.market
            if view.instrument_state.position <= 0 or market is None:
                continue
            quote, mid = exit_quote(view, market), market.book.mid
            if quote is None or mid is None:
                course.troubles.append(f"{pair}: no bid within the collar")
                continue
            if is_dust(market.instrument, quote.quantity, quote.price):
                continue
            decision_id = f"{cycle_id}/{pair}/{next(ordinals)}"
            intent = Intent(
                decision_id, market.instrument, Side.SELL, Purpose.EXIT, quote.quantity, quote.price, Price(mid)
            )
            verdict = assess(intent, view)
            if isinstance(verdict, ApprovedOrderIntent):
                yield verdict
            else:
                course.troubles.append(f"{pair}: {'; '.join(map(str, verdict.reasons))}")

    async def _place(self, approved: ApprovedOrderIntent, snapshot: MarketSnapshot) -> OrderRecord | None:
        order = await self._parts.desk.place(approved, snapshot.taken_at)
        if order is not None and not order.is_terminal:
            self._parts.book.take(SubmitMade(order.created_at))
            return order
        return None

    async def _cleared(self) -> bool:
        """Cancel everything and prove it gone."""
        for _ in range(CANCEL_LOOKS):
            if await self._service.took_off_the_book("flatten"):
                return True
            await self._parts.runtime.sleeper.sleep(LOOK_SECONDS)
        return False

    async def _looked(self) -> bool:
        """Give a sale a moment; whether nothing is at work any more."""
        await self._parts.runtime.sleeper.sleep(LOOK_SECONDS)
        try:
            await self._parts.reconciler.follow()
        except (ExchangeUnreachable, ReadFailed) as error:
            self._parts.events.observed(Event.RECONCILIATION_FAILED, detail=str(error))
        return not self._parts.book.state.trading.orders

    def _view(self, pair: str, snapshot: MarketSnapshot) -> RiskView:
        parts, trading = self._parts, self._parts.book.state.trading
        market = snapshot.views.get(pair)
        if market is not None and pair in trading.ticked:
            market = replace(market, instrument=market.instrument.on_ticks())
        fee_ratio = trading.fees.planning_ratio(parts.params.fee_ratio)
        return RiskView(pair, market, trading, parts.profile.limits, snapshot.taken_at, fee_ratio)

    def _left(self) -> Iterator[str]:
        """What of ours is still there: positions that could be sold, and orders."""
        trading = self._parts.book.state.trading
        views = self._parts.market.snapshot({}).views
        for pair, instrument in sorted(trading.instruments.items()):
            if instrument.position > 0 and not _is_dust(views.get(pair), instrument.position, instrument.mark):
                yield f"{plain(instrument.position)} of {pair}"
        for order in trading.working():
            yield f"order {order.client_order_id} is {order.state}"

    def _told(self, course: Course, left: tuple[str, ...]) -> str:
        sold = f"{len(course.sold)} sales sent" if course.sold else "nothing was sold"
        parts = [f"{sold}, and trading is halted"]
        parts.append(
            f"left: {', '.join(left)}" if left else "nothing of the bot's is left but what is too small to sell"
        )
        if course.troubles:
            parts.append("; ".join(dict.fromkeys(course.troubles)))
        return "; ".join(parts)


def _is_dust(market: MarketView | None, position: Decimal, mark: Decimal | None) -> bool:
    """Without a market or a mark it is not known to be."""
    if market is None:
        return False
    price = market.book.bids[0].price if market.book.bids else mark
    return price is not None and is_dust(market.instrument, position, price)
