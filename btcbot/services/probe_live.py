"""`btcbot probe --place-and-cancel`: the look of `services.probe`, and then one far order and its cancel.

Only for live, armed by its settings, while no worker runs: lock, ownership and database are live's own.
"""

from dataclasses import replace

from btcbot.domain.conformance import Finding, Verdict
from btcbot.domain.errors import BtcbotError, ConfigurationError
from btcbot.domain.ports import Observer
from btcbot.domain.profiles import LiveProfile, Role
from btcbot.execution.probing import listening_to_orders
from btcbot.persistence.sqlite.live_store import LiveStore
from btcbot.persistence.sqlite.ownership import judge_ownership
from btcbot.services.event_log import EventLog
from btcbot.services.live import opened_store, taken_lock
from btcbot.services.live_wiring import LiveWiring, connect_exchange, decision_params
from btcbot.services.probe import ProbeWish, looked
from btcbot.services.probe_order import OrderProbe
from btcbot.services.probe_report import ProbeReport, Section
from btcbot.services.run_loop import RunLoopService
from btcbot.services.running import run_beside
from btcbot.services.runtime import Runtime

ORDER = "one far order and its cancel"


async def probe_and_place(
    profile: LiveProfile, wish: ProbeWish, runtime: Runtime, observer: Observer, build: str
) -> ProbeReport:
    """Raises as `probe` does, `ConfigurationError` where the settings do not arm, and `UnsafeState` while halted."""
    common = profile.common
    if not profile.is_armed_by_settings:
        raise ConfigurationError(
            "--place-and-cancel needs settings that arm: SAFE_MODE and KILL_SWITCH are to be false"
        )
    if wish.pair not in common.pairs:
        raise ConfigurationError(f"--place-and-cancel names {wish.pair}, which BTCBOT_PAIRS does not")
    events = EventLog(observer)
    with taken_lock(profile, runtime, events, build) as lock:
        judge_ownership(common.state_db_path, Role.LIVE)
        report = await looked(common, wish, runtime, events, build)
        with opened_store(profile, runtime, lock, events, build) as store:
            placed = await _placed(profile, wish.pair, runtime, store, events)
            store.checkpoint()
    return replace(report, ended_at=runtime.clock.now(), sections=(*report.sections, Section(ORDER, placed)))


async def _placed(
    profile: LiveProfile, pair: str, runtime: Runtime, store: LiveStore, events: EventLog
) -> tuple[Finding, ...]:
    """What stands in the way of the order is a finding as well: the look before it must not be lost."""
    wiring = LiveWiring(profile, decision_params(profile), runtime, store, events)
    halted = wiring.halting.reason()
    if halted is not None:
        return (Finding("far order", Verdict.NOT_ASKED, f"trading is halted: {halted}"),)
    market, execution = connect_exchange(profile, wiring.policy, runtime, events, wiring.watched)
    parts = wiring.parts(market, execution, lambda: None)
    service = RunLoopService(parts, wiring.readiness)
    try:
        async with listening_to_orders(profile.common, pair, runtime.clock, runtime.sleeper, events) as heard:
            order = OrderProbe(parts, service, execution.reader, heard, pair)
            try:
                await run_beside(order.run(), (market.run(),))
            except BtcbotError as error:
                if order.was_sent:
                    raise
                return (*order.findings, Finding("far order", Verdict.NOT_ASKED, str(error.args[0])), *heard.shapes())
            return (*order.findings, *heard.shapes())
    finally:
        await execution.aclose()
        await market.aclose()
