"""The simulated exchange as the services meet it: the real venue behind a network that loses, delays and lags.

Four small adapters stand where `execution` and `market_data` have their clients. Every call travels: it takes time, may
fail, and is a place where the process may be killed. What was accepted is the venue's truth, whatever anybody was told.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from btcbot.domain.balances import Balance
from btcbot.domain.errors import ReadFailed
from btcbot.domain.instruments import Instrument
from btcbot.domain.ledger import LedgerEntry
from btcbot.domain.market import Book, Candle, Level, MarketSnapshot, MarketView
from btcbot.domain.money import Asset, Price, Quantity
from btcbot.domain.orders.evidence import (
    Accepted,
    Answer,
    CancelReceipt,
    CancelTurnedDown,
    Fill,
    NoByteLeft,
    Silent,
    TurnedDown,
    VenueOrder,
    VenueStatus,
)
from btcbot.domain.orders.records import JournaledOrder
from btcbot.exchange.venue_clock import ClockOffset
from btcbot.simulation.books import MINUTE_MS
from btcbot.simulation.generator import generated_market
from btcbot.simulation.happenings import Method, OrderAccepted
from btcbot.simulation.orders import Order, OrderRequest, Refusal, Status
from btcbot.simulation.rules import VenueRules
from btcbot.simulation.venue import Venue

ACCOUNT = 1
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
START_MS = int(START.timestamp() * 1000)
SUBMIT_TIMEOUT = 15.0
LEVELS = 8
FASTER = 4  # of what the book shows, others take all but this part before our order is there: most orders rest
STATUSES = {
    Status.UNTOUCHED: VenueStatus.UNTOUCHED, Status.PARTIAL: VenueStatus.PARTIAL, Status.CLOSED: VenueStatus.CLOSED,
    Status.CANCELED: VenueStatus.CANCELED,
}  # fmt: skip


@dataclass
class Weather:
    """What goes wrong, how often; chances of one hundred. Healed, nothing does."""

    lost_request: int = 0
    lost_answer: int = 0
    late_acceptance: int = 0
    turned_down: int = 0
    no_byte: int = 0
    cancel_lost: int = 0
    read_failed: int = 0
    order_lag: float = 0.2
    trade_lag: float = 1.5
    latency: float = 0.3
    late_by: float = 280.0

    @classmethod
    def of(cls, chance: random.Random) -> "Weather":
        """A random part of all faults, each at a rate of its own."""
        rates = {
            name: chance.choice((0, 0, 3, 10, 25))
            for name in ("lost_request", "lost_answer", "late_acceptance", "turned_down", "no_byte")
        }
        rates["cancel_lost"] = chance.choice((0, 30, 60))
        return cls(
            **rates, read_failed=chance.choice((0, 1, 3)), order_lag=chance.choice((0.0, 0.2, 2.0)),
            trade_lag=chance.choice((0.0, 1.5, 8.0)), latency=chance.choice((0.05, 0.5, 3.0)),
        )  # fmt: skip


def new_market(pairs: tuple[str, ...], seed: int) -> Venue:
    venue = Venue(generated_market(pairs, seed), VenueRules(), START_MS)
    venue.fund(ACCOUNT, Asset("TRY"), Decimal(100_000), START_MS)
    return venue


@dataclass
class Network:
    """One venue, the way to it, and an account of every request that reached the wire."""

    venue: Venue
    pairs: tuple[str, ...]
    chance: random.Random
    weather: Weather
    wire: list[str] = field(default_factory=list)  # the labels of all submits that left
    accepted: Counter[str] = field(default_factory=Counter)  # by label
    reached: Counter[str] = field(default_factory=Counter)  # which faults struck
    advanced_to: int = 0
    pending: int = 0  # accepted later than anybody waits
    travels: int = 0
    kill_at: int | None = None
    kill_in_submit: int = 0  # 1: on the way there, 2: on the way back
    on_wire: Callable[[JournaledOrder], None] = lambda order: None
    on_kill: Callable[[], None] = lambda: None

    @property
    def now_ms(self) -> int:
        return START_MS + round(asyncio.get_running_loop().time() * 1000)

    def advanced(self) -> Venue:
        if self.now_ms != self.advanced_to:
            self.advanced_to = self.now_ms
            self.venue.advance(self.now_ms)
        return self.venue

    def strikes(self, fault: str) -> bool:
        struck: bool = self.chance.randrange(100) < getattr(self.weather, fault)
        if struck:
            self.reached[fault] += 1
        return struck

    async def travel(self) -> None:
        """One way to the exchange or back. Whoever is killed here never comes back, and runs no handler."""
        self.travels += 1
        if self.kill_at is not None and self.travels >= self.kill_at:
            self.kill_at = None
            self.on_kill()
            await asyncio.get_running_loop().create_future()
        await asyncio.sleep(self.chance.uniform(0.01, self.weather.latency))

    def accept(self, order: JournaledOrder) -> OrderAccepted | Refusal:
        request = OrderRequest(order.pair, order.side, Method.LIMIT, order.price, order.quantity, order.client_order_id)
        answer = self.advanced().submit(ACCOUNT, request, self.now_ms)
        if isinstance(answer, OrderAccepted):
            self.accepted[order.client_order_id] += 1
        return answer

    def accept_late(self, order: JournaledOrder) -> None:
        self.pending -= 1
        self.accept(order)

    def orders(self, pair: str) -> list[Order]:
        """What listings show: an order is visible a moment after it was accepted."""
        shown_until = self.now_ms - round(self.weather.order_lag * 1000)
        ours = (order for order in self.advanced().orders_of(ACCOUNT) if order.accepted.pair == pair)
        return [order for order in ours if order.accepted.at_ms <= shown_until]


class SimExecution:
    """`execution.ports.Execution` over the network."""

    def __init__(self, network: Network, require_armed: Callable[[], None]) -> None:
        self._network = network
        self._require_armed = require_armed

    async def submit(self, order: JournaledOrder) -> Answer:
        net = self._network
        self._require_armed()
        if net.strikes("no_byte"):
            return NoByteLeft("connection refused")
        net.on_wire(order)
        net.wire.append(order.client_order_id)
        if net.kill_in_submit:
            net.kill_at, net.kill_in_submit = net.travels + net.kill_in_submit, 0
        await net.travel()
        if net.strikes("lost_request"):
            await asyncio.sleep(SUBMIT_TIMEOUT)
            return Silent("timeout")
        if net.strikes("late_acceptance"):
            net.pending += 1
            asyncio.get_running_loop().call_later(net.chance.uniform(1, net.weather.late_by), net.accept_late, order)
            await asyncio.sleep(SUBMIT_TIMEOUT)
            return Silent("timeout")
        if net.strikes("turned_down"):
            await net.travel()
            return TurnedDown("BALANCE_NOT_ENOUGH")
        answer = net.accept(order)
        await net.travel()
        if net.strikes("lost_answer"):
            await asyncio.sleep(SUBMIT_TIMEOUT)
            return Silent("timeout")
        if isinstance(answer, Refusal):
            return TurnedDown(answer.message)
        return Accepted(answer.order_id, START)

    async def cancel(self, exchange_order_id: int, pair: str) -> CancelReceipt | CancelTurnedDown | Silent:
        net = self._network
        await net.travel()
        if net.strikes("cancel_lost"):
            return Silent("timeout") if net.chance.random() < 0.5 else CancelReceipt()
        answer = net.advanced().cancel(ACCOUNT, exchange_order_id, net.now_ms)
        await net.travel()
        return CancelTurnedDown(answer.message) if isinstance(answer, Refusal) else CancelReceipt()


class SimReader:
    """`execution.accounts.AccountReader` over the network."""

    def __init__(self, network: Network) -> None:
        self._network = network

    async def balances(self) -> tuple[Balance, ...]:
        await self._read("balances")
        return tuple(self._network.advanced().accounts[ACCOUNT].balances().values())

    async def open_orders(self, pair: str) -> tuple[VenueOrder, ...]:
        await self._read("open orders")
        return tuple(_listed(order, is_open=True) for order in self._network.orders(pair) if order.is_open)

    async def orders_since(self, pair: str, since: datetime) -> tuple[VenueOrder, ...]:
        await self._read("orders")
        since_ms = since.timestamp() * 1000
        orders = self._network.orders(pair)
        return tuple(_listed(order, is_open=False) for order in orders if order.accepted.at_ms >= since_ms)

    async def order(self, exchange_order_id: int, pair: str) -> VenueOrder | None:
        await self._read("an order")
        found = (o for o in self._network.orders(pair) if o.accepted.order_id == exchange_order_id)
        return next((_listed(order, is_open=False) for order in found), None)

    async def fills(self, pair: str, since: datetime, until: datetime) -> tuple[Fill, ...]:
        await self._read("trades")
        return tuple(f for f in self._trades() if f.pair == pair and since <= f.time_exchange <= until)

    async def fills_of(self, exchange_order_id: int) -> tuple[Fill, ...]:
        await self._read("trades of an order")
        return tuple(fill for fill in self._trades() if fill.exchange_order_id == exchange_order_id)

    async def transfers(self, since: datetime) -> tuple[LedgerEntry, ...]:
        await self._read("transfers")
        return ()

    async def _read(self, what: str) -> None:
        await self._network.travel()
        if self._network.strikes("read_failed"):
            raise ReadFailed(f"{what} gave something else")

    def _trades(self) -> list[Fill]:
        """Late, some of them twice, newest first."""
        net = self._network
        shown_until = net.now_ms - round(net.weather.trade_lag * 1000)
        matches = [match for match in net.advanced().matches if match.at_ms <= shown_until]
        return [
            Fill(
                match.trade_id, match.order_id, net.venue.orders[match.order_id].accepted.client_order_id, match.pair,
                match.side, Price(match.price), Quantity(match.quantity), match.fee, match.tax, _time(match.at_ms),
            )
            for match in reversed(matches)
            for _ in range(1 + (match.trade_id % 7 == 0))
        ]  # fmt: skip


class SimHints:
    """Nobody tells: everything is found by asking."""

    async def wait(self) -> None:
        await asyncio.get_running_loop().create_future()

    def clear(self) -> None:
        return


class SimMarket:
    """`market_data.market.MarketData`'s used surface over the venue's own book."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.last_offset = ClockOffset(timedelta(0), timedelta(0))
        listings = network.venue.source.listings
        self.instruments: Mapping[str, Instrument] = {
            pair: Instrument(
                pair, it.base, it.quote, Decimal(1).scaleb(-it.price_decimals), Decimal(1).scaleb(-it.lot_decimals),
                Decimal(1).scaleb(-it.price_decimals), Decimal(10_000_000), it.notional_min, is_trading=True,
            )
            for pair, it in listings.items()
        }  # fmt: skip

    async def start(self) -> None:
        await self._network.travel()

    async def measure_offset(self) -> ClockOffset:
        await self._network.travel()
        return self.last_offset

    async def backfill(self, pair: str, count: int) -> tuple[Candle, ...]:
        await self._network.travel()
        return self._closed(pair, self._network.now_ms - (count + 1) * MINUTE_MS)[-count:]

    def snapshot(self, candles_after: Mapping[str, datetime]) -> MarketSnapshot:
        venue = self._network.advanced()
        views = {}
        for pair in self._network.pairs:
            depth, listing = venue.shown(pair), venue.listing(pair)
            bids, asks = (
                tuple(
                    Level(listing.price(ticks), listing.quantity(lots * FASTER))
                    for ticks, lots in list(side.items())[:LEVELS]
                )
                for side in (depth.bids, depth.asks)
            )
            after = candles_after.get(pair)
            since = self._network.now_ms - 60 * MINUTE_MS if after is None else round(after.timestamp() * 1000) + 1
            candles = self._closed(pair, since)
            views[pair] = MarketView(self.instruments[pair], Book(bids, asks), timedelta(0), candles, is_gapped=False)
        return MarketSnapshot(_time(self._network.now_ms), views)

    def ages(self) -> Mapping[str, timedelta]:
        return dict.fromkeys(self._network.pairs, timedelta(0))

    def watch(self, levels: Mapping[str, Decimal], crossed: Callable[[], None]) -> None:
        """Cycles come fast enough here without being woken."""

    def _closed(self, pair: str, since_ms: int) -> tuple[Candle, ...]:
        source, listing = self._network.advanced().source, self._network.venue.listing(pair)
        until = self._network.now_ms - MINUTE_MS
        return tuple(
            Candle(_time(bar.opened_ms), *(listing.price(n) for n in (bar.open, bar.high, bar.low, bar.close)),
                   listing.quantity(bar.volume))
            for bar in source.bars(pair, since_ms, until)
            if bar.opened_ms <= until
        )  # fmt: skip


def _listed(order: Order, *, is_open: bool) -> VenueOrder:
    accepted = order.accepted
    status = STATUSES[order.status]
    if status is VenueStatus.CANCELED and order.filled and accepted.order_id % 2:
        status = VenueStatus.PARTIAL  # as the exchange may leave it after a cancel (protocol 6.5)
    return VenueOrder(
        accepted.order_id, accepted.client_order_id, accepted.pair, accepted.side, Price(accepted.price),
        Quantity(accepted.quantity), order.left, status, is_open, _time(accepted.at_ms),
    )  # fmt: skip


def _time(at_ms: int) -> datetime:
    return START + timedelta(milliseconds=at_ms - START_MS)
