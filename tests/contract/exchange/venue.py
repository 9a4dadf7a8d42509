"""The exchange that the contract suite is run against, and what the suite needs of it.

It is a sandbox in this process, under one venue profile, whose time passes when a test says so; or it is another
endpoint, whose time nobody can hurry.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TypeVar
from unittest.mock import patch

from btcbot.domain.instruments import Instrument
from btcbot.domain.market import Book
from btcbot.domain.money import Price, Quantity, round_ratio
from btcbot.domain.orders.evidence import Accepted, Answer, VenueOrder
from btcbot.domain.orders.intents import Side
from btcbot.domain.orders.records import JournaledOrder
from btcbot.domain.orders.states import OrderState
from btcbot.domain.ports import Clock, Sleeper
from btcbot.domain.profiles import Credentials, Endpoints, LiveProfile, Role
from btcbot.domain.secrets import Secret
from btcbot.exchange.limits import Budgets
from btcbot.exchange.public import PublicClient
from btcbot.execution.policy import TradingArmedPolicy
from btcbot.execution.wiring import ExecutionSet, connect_execution
from btcbot.market_data.market import MarketData
from btcbot.sandbox.profiles import VenueProfile
from btcbot.services.runtime import LoopSleeper, build_runtime
from tests.contract.exchange.elsewhere import Elsewhere
from tests.integration.sandbox.playground import Notes, Playground, playing
from tests.unit.execution.profiles import LIVE

T = TypeVar("T")
PAIR = "SOLTRY"
STEP_SECONDS = 0.4  # how time passes while something is awaited
LAG_SECONDS_MAX = 240.0  # no view of any profile is later than that


@dataclass
class Venue:
    pair: str
    clock: Clock
    sleeper: Sleeper
    notes: Notes
    live: LiveProfile
    public: PublicClient
    account: ExecutionSet
    playground: Playground | None  # nothing, when the venue is another endpoint
    profile: VenueProfile | None
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _instrument: Instrument | None = None

    # ------------------------------------------------------------------------------------------- time

    async def passes(self, seconds: float) -> None:
        if self.playground is not None:
            await self.playground.time.pass_by(seconds)
        else:
            await asyncio.sleep(seconds)

    async def until(self, ask: Callable[[], Awaitable[T]], fits: Callable[[T], bool]) -> T:
        """Ask again and again while time passes; the first answer that fits, or the last one."""
        waited, step = 0.0, STEP_SECONDS
        while not fits(answer := await ask()) and waited < LAG_SECONDS_MAX:
            await self.passes(step)
            waited, step = waited + step, min(step * 2, 15.0)
        return answer

    # ------------------------------------------------------------------------------------------- market

    async def instrument(self) -> Instrument:
        """Asked for once."""
        if self._instrument is None:
            self._instrument = (await self.public.instruments((self.pair,)))[self.pair]
        return self._instrument

    async def book(self) -> Book:
        return (await self.public.book(self.pair))[0]

    async def far_bid(self) -> tuple[Price, Quantity]:
        """An order that nobody meets and that is large enough: well below the last level shown."""
        instrument, book = await self.instrument(), await self.book()
        low = max(book.bids[-1].price * Decimal("0.7"), instrument.price_min)
        price = Price(low // instrument.price_step * instrument.price_step)
        wanted = round_ratio(max(instrument.notional_min, Decimal(100)) * Decimal("1.5"), price)
        return price, Quantity(wanted // instrument.lot_step * instrument.lot_step)

    def market(self, *, role: Role = Role.LIVE) -> MarketData:
        return MarketData.connect(
            self.live.common.endpoints, (self.pair,), timedelta(minutes=1), self.clock, self.sleeper, self.notes,
            role=role,
        )  # fmt: skip

    # ------------------------------------------------------------------------------------------- orders

    def new_label(self) -> str:
        return f"BB-SUITE-{int(self.clock.now().timestamp())}-{next(self._numbers)}"

    async def submit(
        self, price: Decimal, quantity: Decimal, side: Side = Side.BUY, label: str | None = None
    ) -> tuple[Answer, JournaledOrder]:
        order = JournaledOrder(
            f"order-{next(self._numbers)}", label or self.new_label(), self.pair, side, Quantity(quantity),
            Price(price), OrderState.SENDING,
        )  # fmt: skip
        return await self.account.execution.submit(order), order

    async def accepted(self, price: Decimal, quantity: Decimal, side: Side = Side.BUY) -> int:
        answer, _ = await self.submit(price, quantity, side)
        assert isinstance(answer, Accepted), answer
        return answer.exchange_order_id

    async def open_orders(self) -> dict[int, VenueOrder]:
        return {order.exchange_order_id: order for order in await self.account.reader.open_orders(self.pair)}

    async def order(self, number: int) -> VenueOrder | None:
        return await self.account.reader.order(number, self.pair)

    async def history(self, since: datetime) -> dict[int, VenueOrder]:
        """All orders since a moment; the window is wider than that, as it is where the bot looks (question B2)."""
        orders = await self.account.reader.orders_since(self.pair, since - timedelta(seconds=180))
        assert len({order.exchange_order_id for order in orders}) == len(orders)
        return {order.exchange_order_id: order for order in orders}

    async def listed(self, number: int) -> VenueOrder:
        """The order, once openOrders shows it."""
        found = await self.until(self.open_orders, lambda orders: number in orders)
        assert number in found, f"order {number} is not listed"
        return found[number]

    async def clear(self) -> None:
        """Cancel what is listed of the pair."""
        for number in await self.open_orders():
            await self.account.execution.cancel(number, self.pair)

    async def over(self, number: int) -> VenueOrder:
        """The order, once neither its own view nor openOrders has it as open."""

        async def look() -> VenueOrder | None:
            listed, order = await self.open_orders(), await self.order(number)
            return None if number in listed else order

        order = await self.until(look, lambda order: order is not None and order.is_closed)
        assert order is not None, f"order {number} is not to be seen"
        assert order.is_closed, order
        return order


@asynccontextmanager
async def sandboxed(directory: Path, profile: VenueProfile) -> AsyncIterator[Venue]:
    """A sandbox under a profile. Its tickers look back five minutes: adding up a day takes longer than all else."""
    with patch("btcbot.sandbox.floor.DAY_MINUTES", 5):
        async with _sandboxed(directory, profile) as venue:
            yield venue


@asynccontextmanager
async def _sandboxed(directory: Path, profile: VenueProfile) -> AsyncIterator[Venue]:
    async with playing(directory, pairs=(PAIR,), venue_profile=profile.name) as playground:
        sandbox = playground.sandbox
        endpoints = Endpoints(
            f"http://127.0.0.1:{sandbox.api_port}", f"http://127.0.0.1:{sandbox.graph_port}",
            f"ws://127.0.0.1:{sandbox.ws_port}", True,
        )  # fmt: skip
        key, secret = (Secret((directory / f"live.{part}").read_text().strip()) for part in ("key", "secret"))
        time = playground.time
        async with _connected(
            endpoints, Credentials(key, secret), PAIR, time, time, playground.notes, playground, profile
        ) as venue:
            yield venue


@asynccontextmanager
async def elsewhere(place: Elsewhere) -> AsyncIterator[Venue]:
    runtime = build_runtime(LIVE.common.clock)
    async with _connected(
        place.endpoints, place.credentials, place.pair, runtime.clock, LoopSleeper(), Notes(), None, None
    ) as venue:
        yield venue


@asynccontextmanager
async def _connected(
    endpoints: Endpoints, credentials: Credentials, pair: str, clock: Clock, sleeper: Sleeper, notes: Notes,
    playground: Playground | None, profile: VenueProfile | None,
) -> AsyncIterator[Venue]:  # fmt: skip
    common = replace(LIVE.common, endpoints=endpoints, credentials=credentials, pairs=(pair,))
    live = replace(LIVE, common=common, acknowledged_host=endpoints.api_url.partition("://")[2])
    public = PublicClient.connect(endpoints, Budgets(Role.LIVE, clock), notes)
    account = connect_execution(live, TradingArmedPolicy(live, lambda: None), clock, sleeper, notes)
    try:
        yield Venue(pair, clock, sleeper, notes, live, public, account, playground, profile)
    finally:
        await account.aclose()
        await public.aclose()
