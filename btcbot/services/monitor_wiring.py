"""Where the monitor is put together: a public client, a reader of the account, an execution that refuses everything.

Nothing that this module reaches can submit or cancel; a transitive import contract says so.
"""

from dataclasses import dataclass

from btcbot.domain.ports import Observer
from btcbot.domain.profiles import MonitorProfile, Role
from btcbot.execution.accounts import AccountReader, connect_reader
from btcbot.execution.noop import NoopExecution
from btcbot.market_data.market import MarketData
from btcbot.services.runtime import Runtime


@dataclass(frozen=True, slots=True)
class MonitorParts:
    """What the monitor works with."""

    market: MarketData
    reader: AccountReader
    execution: NoopExecution

    async def aclose(self) -> None:
        await self.reader.aclose()
        await self.market.aclose()


def build_monitor(profile: MonitorProfile, runtime: Runtime, observer: Observer) -> MonitorParts:
    """Clients of the monitor's own, with its share of the rate budgets. Nothing is sent yet."""
    common = profile.common
    market = MarketData.connect(
        common.endpoints, common.pairs, common.candle_interval, runtime.clock, runtime.sleeper, observer,
        role=Role.MONITOR,
    )  # fmt: skip
    reader = connect_reader(profile, runtime.clock, observer)
    return MonitorParts(market, reader, NoopExecution())
