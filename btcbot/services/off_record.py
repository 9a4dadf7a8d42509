"""Cancels when nothing can be written: a full disk, a failed one, another program that holds the database.

A cancel is journaled before it leaves, and it is never blocked. Where the journal cannot take it, it leaves all the
same: what is lost is the record that it was asked for, and nothing else. What the exchange lists of our orders decides
whom to cancel, so that one whose answer could not be kept is found as well; the next reconciliation, of this process or
of the next, sees each of them gone and books what it traded until then.
"""

import asyncio
from collections.abc import Callable, Iterable

from btcbot.domain.errors import BtcbotError, ExchangeUnreachable, ReadFailed
from btcbot.domain.events import Event
from btcbot.domain.orders.evidence import VenueOrder
from btcbot.domain.orders.intents import Purpose
from btcbot.domain.orders.labels import read_label
from btcbot.domain.orders.records import OrderRecord
from btcbot.domain.ports import Observer, Sleeper
from btcbot.execution.accounts import AccountReader
from btcbot.execution.ports import Execution

ROUNDS_MAX = 5  # asked for, then looked whether it is gone
ROUND_SECONDS = 1.0
SECONDS_MAX = 20.0  # in all: less than a supervisor's patience


class OffRecordCancels:
    def __init__(
        self,
        reader: AccountReader,
        execution: Execution,
        deployment_id: str,
        known: Callable[[], Iterable[OrderRecord]],
        sleeper: Sleeper,
        observer: Observer,
    ) -> None:
        """`known` are the orders in memory: their pairs are looked at, and their exits are left alone."""
        self._reader = reader
        self._execution = execution
        self._deployment_id = deployment_id
        self._known = known
        self._sleeper = sleeper
        self._observer = observer
        self.asked = 0  # how many cancels went out off the record

    async def cancel_entries(self, pairs: Iterable[str], reason: str) -> bool:
        """Cancel what rests of our entries and look until they are gone; whether they are. Never raises for trouble."""
        try:
            async with asyncio.timeout(SECONDS_MAX):
                for _ in range(ROUNDS_MAX):
                    places = dict.fromkeys((*pairs, *(each.pair for each in self._known())))
                    if not await self._round(places, reason):
                        return True
                    await self._sleeper.sleep(ROUND_SECONDS)
        except TimeoutError:
            pass
        labels = [order.client_order_id for order in self._known()]
        self._observer.observed(Event.ORDERS_LEFT_OPEN, client_order_ids=labels, reason=reason)
        return False

    async def _round(self, pairs: Iterable[str], reason: str) -> bool:
        """One look at each pair, a cancel for each entry; whether anything rested, or could not be seen."""
        is_left = False
        for pair in pairs:
            try:
                resting = [order for order in await self._reader.open_orders(pair) if self._is_entry(order)]
            except (ExchangeUnreachable, ReadFailed) as error:
                self._observer.observed(Event.RECONCILIATION_FAILED, detail=str(error))
                is_left = True
                continue
            for order in resting:
                is_left = True
                await self._cancel(order, reason)
        return is_left

    async def _cancel(self, order: VenueOrder, reason: str) -> None:
        try:
            await self._execution.cancel(order.exchange_order_id, order.pair)
        except BtcbotError as error:  # a key that is refused, a stamp ahead: the next order is tried all the same
            self._observer.observed(Event.RECONCILIATION_FAILED, detail=str(error))
            return
        self.asked += 1
        self._observer.observed(
            Event.CANCEL_LEFT_UNRECORDED, client_order_id=order.client_order_id, pair=order.pair,
            exchange_order_id=order.exchange_order_id, reason=reason,
        )  # fmt: skip

    def _is_entry(self, order: VenueOrder) -> bool:
        """Ours by its label, and not known to be an exit: what is not known is taken for the riskier one."""
        label = read_label(order.client_order_id)
        if label is None or label.deployment_id != self._deployment_id:
            return False
        exits = {each.client_order_id for each in self._known() if each.purpose is Purpose.EXIT}
        return order.client_order_id not in exits
