"""A strategy through a recorded week: the real live services against the real sandbox, in virtual time.

One live worker and one local exchange on one loop: settings, signatures, HTTP, WebSocket, rate limits, the journal on
disk, reconciliation and the gate are those that run for real. What is different from a running pair is told in
`Tempo`: how fast the record is played, and how long a cycle is.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

import looptime

from btcbot.domain.events import Event
from btcbot.domain.money import Amount, Asset, Price, Quantity, parse, use_money_context
from btcbot.domain.orders.evidence import Fill
from btcbot.domain.orders.intents import Side
from btcbot.domain.profiles import ClockProfile, Credentials, Endpoints, LiveProfile, RiskLimits, StrategyChoice
from btcbot.domain.secrets import Secret
from btcbot.research.backtest import BacktestRun, Execution, Halt, Point
from btcbot.research.history import EPOCH, History
from btcbot.research.limits import shipped_limits, without_breakers
from btcbot.research.request import order_age_max
from btcbot.services.strategy_loading import load_strategy
from btcbot.services.trading_book import TradingBook
from btcbot.simulation.happenings import Liquidity
from btcbot.simulation.replay_candles import WARM_UP_MINUTES
from tests.faults import stage
from tests.faults.stage import LoopTime, Stage
from tests.integration.sandbox.playground import START, Notes, Playground, playing
from tests.unit.services.world import live_profile

MINUTE = timedelta(minutes=1)
WARM_UP = WARM_UP_MINUTES * MINUTE  # of the record, which the sandbox shows as the past
COMES_TO_REST = timedelta(minutes=2)  # no entries any more, before the record ends
ENDS_BEFORE = 2 * MINUTE
PAGE = 100  # lines
CAPITAL = Amount(parse("10000"), Asset("USDT"))  # what the sandbox gives an account


@dataclass(frozen=True, slots=True)
class Tempo:
    """`speed` recorded minutes pass in a minute of the run, so that many make a candle of it; rules that count time
    count the run's. A cycle takes `cycle_seconds`.
    """

    speed: int = 15
    cycle_seconds: int = 20


@dataclass
class _Witness(Notes):
    """Told of everything, as an observer; keeps what a report says."""

    now: Callable[[], datetime] = lambda: EPOCH
    book: TradingBook | None = None
    points: list[Point] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)
    counts: Counter[Event] = field(default_factory=Counter)
    halt: Halt | None = None

    def observed(self, event: Event, **fields: Any) -> None:
        self.counts[event] += 1
        match event:
            case Event.DEFECT_CAUGHT:
                raise AssertionError("the loop caught a defect") from fields["error"]
            case Event.HALT_LATCHED:
                self.halt = self.halt or Halt(self.now(), str(fields["reason"]))
            case Event.INTENT_REFUSED:
                self.refusals[str(fields["reasons"][0]).partition(":")[0]] += 1
            case Event.CYCLE_COMPLETED if self.book is not None:
                trading = self.book.state.trading
                held = (each.position * each.mark for each in trading.instruments.values() if each.mark is not None)
                self.points.append(Point(self.now(), trading.equity, sum(held, start=Decimal(0))))


def week_limits(pair: str) -> RiskLimits:
    """The shipped ones in USDT, without breakers that halt."""
    return without_breakers(shipped_limits(CAPITAL.asset, (pair,)), CAPITAL)


def lived(root: Path, source: Path, history: History, choice: StrategyChoice, tempo: Tempo) -> BacktestRun:
    """As much of the record as `history` has, on a loop of its own."""
    root.mkdir(mode=0o700, parents=True)
    loop = looptime.new_event_loop(start=0.0, noop_cycles=2)
    try:
        # A long answer takes real time, in which a virtual clock runs away: the record is read in small pages.
        with patch.object(stage, "RECORD_MAX", PAGE):
            return loop.run_until_complete(_lived(root, source, history, choice, tempo))
    finally:
        loop.close()


async def _lived(root: Path, source: Path, history: History, choice: StrategyChoice, tempo: Tempo) -> BacktestRun:
    use_money_context()
    for name in ("sandbox", "live", "run"):
        (root / name).mkdir(mode=0o700)
    time = LoopTime()
    starts_at = history.candles[0].opened_at + WARM_UP
    begun_at = EPOCH + (START - EPOCH) // MINUTE * MINUTE  # the sandbox begins its record at a whole minute

    def recorded(moment: datetime) -> datetime:
        return starts_at + (moment - begun_at) * tempo.speed

    lasts = (history.candles[-1].opened_at - starts_at) / tempo.speed - ENDS_BEFORE - COMES_TO_REST
    witness = _Witness(now=lambda: recorded(time.now()))
    async with playing(root / "sandbox", pairs=(history.pair,), source=source, time=time, speed=tempo.speed) as ground:
        ground.notes = witness
        profile = _profile(root, ground, history.pair, choice, tempo)
        strategy = load_strategy(choice, CAPITAL.asset)
        shop = Stage(ground, profile)
        async with shop.life(strategy) as life:
            witness.book = life.parts.book
            await life.passes(lasts.total_seconds())
            life.store.set_paused(True, "the record ends")
            await life.passes(COMES_TO_REST.total_seconds())
            await life.stops()
            await life.books_agree()
            orders = len(life.orders)
        matches = [line for line in await shop.record() if line["kind"] == "order_matched"]
    closes = tuple((each.opened_at + MINUTE, each.close) for each in history.candles if each.opened_at >= starts_at)
    before = next(each for each in reversed(history.candles) if each.opened_at < starts_at)
    return BacktestRun(
        strategy=choice.name, pairs=(history.pair,), interval=tempo.speed * MINUTE, capital=CAPITAL,
        starts_at=witness.points[0].at, ends_at=witness.points[-1].at, candles=lasts // MINUTE,
        warm_up=strategy.warm_up, gaps={history.pair: history.gaps},
        executions=tuple(_execution(line, history.pair, recorded) for line in matches), points=tuple(witness.points),
        first_prices={history.pair: before.close}, closes={history.pair: closes},
        decisions=witness.counts[Event.CYCLE_COMPLETED], orders=orders, refusals=dict(witness.refusals),
        halt=witness.halt,
    )  # fmt: skip


def _execution(line: Mapping[str, Any], pair: str, recorded: Callable[[datetime], datetime]) -> Execution:
    """A line of the exchange's own record. That our books hold the same was seen before."""
    fill = Fill(
        line["trade_id"], line["order_id"], None, pair, Side(line["side"]), Price(parse(line["price"])),
        Quantity(parse(line["quantity"])), parse(line["fee"]), parse(line["tax"]),
        recorded(EPOCH + timedelta(milliseconds=line["at"])),
    )  # fmt: skip
    return Execution(fill, line["liquidity"] == Liquidity.MAKER)


def _profile(root: Path, ground: Playground, pair: str, choice: StrategyChoice, tempo: Tempo) -> LiveProfile:
    sandbox = ground.sandbox
    endpoints = Endpoints(
        ground.api, f"http://127.0.0.1:{sandbox.graph_port}", f"ws://127.0.0.1:{sandbox.ws_port}", is_loopback=True
    )
    key, secret = ((root / "sandbox" / f"live.{part}").read_text().strip() for part in ("key", "secret"))
    limits = week_limits(pair)
    common: dict[str, object] = {
        "endpoints": endpoints, "credentials": Credentials(Secret(key), Secret(secret)), "pairs": (pair,),
        "state_db_path": root / "live" / "live.db", "peer_state_db_path": root / "monitor.db",
        "run_dir": root / "run", "clock": ClockProfile(Decimal(1), None), "candle_interval": MINUTE,
        "cycle_seconds": Decimal(tempo.cycle_seconds), "market_age_max": limits.market_age_max,
    }  # fmt: skip
    return live_profile(
        root, common, acknowledged_host=ground.api.removeprefix("http://"), strategy=choice, limits=limits,
        order_age_max=order_age_max(load_strategy(choice, CAPITAL.asset)),
    )  # fmt: skip
