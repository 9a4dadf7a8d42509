"""What the conformance check asks of an account: everything that can be read, and what is heard of one order."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

from btcbot.domain.conformance import Finding
from btcbot.domain.ports import Clock, Observer, Sleeper
from btcbot.domain.profiles import CommonProfile
from btcbot.exchange.conformance import Notebook
from btcbot.exchange.frame_log import FrameLog
from btcbot.exchange.private import PrivateChannel
from btcbot.exchange.wire import ORDER_DELETE, ORDER_INSERT
from btcbot.execution.conformance import PRIVATE_FRAMES, AccountConformance


async def look_at_account(
    common: CommonProfile, pair: str, clock: Clock, sleeper: Sleeper, observer: Observer, *, shows_amounts: bool
) -> tuple[Finding, ...]:
    """Every private read and the login, over a connection of its own."""
    notebook = Notebook(shows_amounts=shows_amounts)
    channel = PrivateChannel.connect(common, clock, observer)
    try:
        await AccountConformance(channel, common.endpoints.ws_url, pair, notebook, clock, sleeper, observer).look()
    finally:
        await channel.aclose()
    return notebook.findings


class HeardOrders:
    """Private frames, by the exchange's number of the order."""

    def __init__(self, log: FrameLog) -> None:
        self._log = log

    def rate_of_hold(self, exchange_order_id: int, notional: Decimal) -> Decimal | None:
        """What frame 451 says is held of a buy, as a share above its notional."""
        for heard in self._log.of(ORDER_INSERT, id=exchange_order_id):
            left = heard.body.get("denomLeft")
            if isinstance(left, str):
                return (Decimal(left) / notional - 1).quantize(Decimal("0.000001"))
        return None

    def is_gone(self, exchange_order_id: int) -> bool:
        return bool(self._log.of(ORDER_DELETE, id=exchange_order_id))

    def shapes(self) -> tuple[Finding, ...]:
        """How the private frames looked that came."""
        notebook = Notebook(shows_amounts=False)
        came = {kind: name for kind, name in PRIVATE_FRAMES.items() if self._log.of(kind)}
        self._log.judge_shapes(notebook, came)
        return notebook.findings


@asynccontextmanager
async def listening_to_orders(
    common: CommonProfile, pair: str, clock: Clock, sleeper: Sleeper, observer: Observer
) -> AsyncIterator[HeardOrders]:
    """What the private socket says, as long as this lasts. It may well say nothing (protocol 10.5)."""
    channel = PrivateChannel.connect(common, clock, observer)
    notebook = Notebook(shows_amounts=False)
    account = AccountConformance(channel, common.endpoints.ws_url, pair, notebook, clock, sleeper, observer)
    try:
        async with account.logged_in() as log:
            yield HeardOrders(log)
    finally:
        await channel.aclose()
