"""What the conformance check asks of the public side: REST, then the feed, then the one held against the other."""

from btcbot.domain.conformance import Finding
from btcbot.domain.ports import Clock, Observer, Sleeper
from btcbot.domain.profiles import Endpoints
from btcbot.exchange.conformance import Notebook
from btcbot.market_data.conformance import PublicConformance
from btcbot.market_data.feed_conformance import FeedConformance


async def look_at_public(
    endpoints: Endpoints, pair: str, listen_seconds: float, clock: Clock, sleeper: Sleeper, observer: Observer
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Findings of REST and of the feed. Raises `ExchangeUnreachable` when the first question gets no answer."""
    rest, feed = Notebook(shows_amounts=True), Notebook(shows_amounts=True)
    public = PublicConformance(endpoints, pair, rest, clock, observer)
    socket = FeedConformance(endpoints.ws_url, pair, feed, clock, sleeper, observer)
    try:
        await public.look()
        await socket.look(listen_seconds)
        socket.compare_sides(await public.trade_sides())
    finally:
        await public.aclose()
    return rest.findings, feed.findings
