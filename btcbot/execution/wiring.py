"""Puts the trading client of a live worker together. `LiveExecution` exists only where the settings arm it."""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass

from btcbot.domain.ports import Clock, Observer, Sleeper
from btcbot.domain.profiles import LiveProfile
from btcbot.exchange.account import AccountClient
from btcbot.exchange.private import PrivateChannel
from btcbot.execution.accounts import AccountReader
from btcbot.execution.disarmed import DisarmedExecution
from btcbot.execution.hints import AccountHints
from btcbot.execution.live import LiveExecution
from btcbot.execution.policy import TradingArmedPolicy
from btcbot.execution.ports import Execution


@dataclass(frozen=True, slots=True)
class ExecutionSet:
    """One key, one signer, one set of connections.

    `hints.run()` and `keep_warm()` want a task each. Neither is required: without them the bot is slower to look and
    slower to order.
    """

    execution: Execution
    reader: AccountReader
    hints: AccountHints
    aclose: Callable[[], Awaitable[None]]
    keep_warm: Callable[[], Coroutine[None, None, None]]
    may_trade: Callable[[], Coroutine[None, None, bool | None]] | None = None  # nothing where nobody may submit


def connect_execution(
    profile: LiveProfile, policy: TradingArmedPolicy, clock: Clock, sleeper: Sleeper, observer: Observer
) -> ExecutionSet:
    """Nothing is sent yet. A worker that its settings do not arm gets an execution that cannot submit."""
    common = profile.common
    channel = PrivateChannel.connect(common, clock, observer)
    armed = LiveExecution(channel, policy, profile.submit_timeout) if profile.is_armed_by_settings else None
    return ExecutionSet(
        execution=armed or DisarmedExecution(channel),
        reader=AccountReader(AccountClient(channel), channel),
        hints=AccountHints(common.endpoints.ws_url, channel, clock, sleeper, observer),
        aclose=channel.aclose,
        keep_warm=channel.warming(common.pairs[0], sleeper).run,
        may_trade=None if armed is None else armed.may_trade,
    )
