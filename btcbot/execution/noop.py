"""The monitor's execution: there is none, and asking for one is a defect."""

from typing import NoReturn

from btcbot.domain.errors import TradeBlockedError
from btcbot.domain.orders.records import JournaledOrder


class MonitorTried(TradeBlockedError):
    """Code of the monitor tried to change something at the exchange."""

    next_step = "nothing was sent; this is a defect, report it with the log of this run"


class NoopExecution:
    """Fails hard on every attempt, and holds nothing that it could do one with."""

    async def submit(self, order: JournaledOrder) -> NoReturn:
        raise MonitorTried(f"a submit of order {order.order_id} was attempted where nothing can trade")

    async def cancel(self, exchange_order_id: int, pair: str) -> NoReturn:
        raise MonitorTried(f"a cancel of order {exchange_order_id} on {pair} was attempted where nothing can trade")
