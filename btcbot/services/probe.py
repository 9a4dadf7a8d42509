"""`btcbot probe`: is the exchange as we know it? The first thing to run against a real one.

It reads what the role may read and reports each way in which answers differ. It holds the role's lock meanwhile: a key
has one signer at a time, and the worker's stamps must not meet another's. Nothing that this module reaches can submit
or cancel.
"""

from dataclasses import dataclass

from btcbot.domain.ports import Observer
from btcbot.domain.profiles import CommonProfile
from btcbot.execution.probing import look_at_account
from btcbot.market_data.probing import look_at_public
from btcbot.persistence.sqlite.lock import DatabaseLock
from btcbot.services.identity import identity_of
from btcbot.services.probe_report import ProbeReport, Section
from btcbot.services.runtime import Runtime

REST, FEED, ACCOUNT = "REST, public", "WebSocket, public", "account"


@dataclass(frozen=True, slots=True)
class ProbeWish:
    """What is to be looked at, and what may be shown."""

    pair: str
    listen_seconds: float
    is_public_only: bool = False
    shows_amounts: bool = False


async def probe(
    common: CommonProfile, wish: ProbeWish, runtime: Runtime, observer: Observer, build: str
) -> ProbeReport:
    """Everything that can be read. Raises `LockHeld` beside a running worker of this role, and `ExchangeUnreachable`
    when the very first question gets no answer."""
    if wish.is_public_only:
        return await looked(common, wish, runtime, observer, build)
    lock = DatabaseLock.take(common.state_db_path, identity_of(common, runtime, build))
    try:
        return await looked(common, wish, runtime, observer, build)
    finally:
        lock.release()


async def looked(
    common: CommonProfile, wish: ProbeWish, runtime: Runtime, observer: Observer, build: str
) -> ProbeReport:
    """The report of a look, under a lock that somebody else holds."""
    began = runtime.clock.now()
    rest, feed = await look_at_public(
        common.endpoints, wish.pair, wish.listen_seconds, runtime.clock, runtime.sleeper, observer
    )
    sections = [Section(REST, rest), Section(FEED, feed)]
    if not wish.is_public_only:
        account = await look_at_account(
            common, wish.pair, runtime.clock, runtime.sleeper, observer, shows_amounts=wish.shows_amounts
        )
        sections.append(Section(ACCOUNT, account))
    return ProbeReport(
        common.endpoints.api_url, common.role, wish.pair, build, began, runtime.clock.now(), tuple(sections)
    )
