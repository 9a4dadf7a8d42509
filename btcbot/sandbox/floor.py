"""The trading floor: the venue with a clock, a memory and an audience. Whatever is done to the venue is done here.

What happens is in the record before anybody hears of it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from btcbot.domain.events import Event
from btcbot.domain.money import Asset, parse
from btcbot.domain.ports import Clock, Observer
from btcbot.sandbox.history import History
from btcbot.sandbox.keys import ACCOUNT_ID
from btcbot.sandbox.profiles import VenueProfile
from btcbot.sandbox.record import Line, Record, line_of
from btcbot.simulation.accounts import BalanceChange
from btcbot.simulation.books import MINUTE_MS, Bar, Depth, Print, Source
from btcbot.simulation.happenings import (
    CancelAccepted,
    Means,
    OrderAccepted,
    Transferred,
    WithdrawalRequested,
)
from btcbot.simulation.listings import Listing
from btcbot.simulation.orders import OrderRequest, Refusal
from btcbot.simulation.venue import News, Venue

ENDOWMENT = {Asset("TRY"): parse("200000"), Asset("USDT"): parse("10000")}  # by quote asset of the pairs
FIAT = Asset("TRY")
DAY_MINUTES = 1_440
MILLISECOND = timedelta(milliseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def milliseconds(moment: datetime) -> int:
    return (moment - EPOCH) // MILLISECOND


@dataclass(frozen=True, slots=True)
class Ticker:
    """The last day of a pair and its touch, in steps. A side without a level is nothing."""

    listing: Listing
    at_ms: int
    last: int
    high: int
    low: int
    open: int
    volume: int
    average: Decimal
    bid: tuple[int, int] | None
    ask: tuple[int, int] | None


class Floor:
    """`on_news` is called with what happened, after it was recorded."""

    def __init__(self, source: Source, record: Record, profile: VenueProfile, clock: Clock, observer: Observer) -> None:
        self.clock = clock
        self.profile = profile
        self.record = record
        self.on_news: Callable[[News], None] = lambda news: None
        self._source = source
        self._observer = observer
        self._ended = False
        self._days: dict[str, tuple[int, tuple[Bar, ...]]] = {}
        now_ms = self.now_ms()
        self.venue = Venue(source, profile.rules, now_ms, record.past())
        self.history = History(self.venue)
        if ACCOUNT_ID not in self.venue.accounts:
            self.open_account(ACCOUNT_ID, self.endowment)
        self.advance()

    def now_ms(self) -> int:
        return milliseconds(self.clock.now())

    @property
    def listings(self) -> Mapping[str, Listing]:
        return self._source.listings

    @property
    def endowment(self) -> Mapping[Asset, Decimal]:
        """What an account begins with, unless something else is said."""
        return {listing.quote: ENDOWMENT[listing.quote] for listing in self._source.listings.values()}

    def pair(self, text: str) -> str | None:
        """The pair that a client means: BTCTRY, BTC_TRY, btctry (protocol 2)."""
        pair = text.replace("_", "").upper()
        return pair if pair in self._source.listings else None

    def advance(self) -> int:
        """Bring the venue up to now; the time that it then has. Raises `RecordNotWritten` if the record lost touch."""
        self.record.check()
        now_ms = self.now_ms()
        self.venue.advance(now_ms)
        if self._source.is_ended and not self._ended:
            self._ended = True
            self._observer.observed(Event.SANDBOX_SOURCE_ENDED, pairs=sorted(self._source.listings))
        self._publish()
        return now_ms

    def submit(self, account_id: int, request: OrderRequest) -> OrderAccepted | Refusal:
        now_ms = self.advance()
        answer = self.venue.submit(account_id, request, now_ms)
        self._publish()
        return answer

    def cancel(self, account_id: int, order_id: int) -> CancelAccepted | Refusal:
        now_ms = self.advance()
        answer = self.venue.cancel(account_id, order_id, now_ms)
        self._publish()
        return answer

    def submit_later(self, account_id: int, request: OrderRequest, seconds: float) -> None:
        """It comes in so much later, if the sandbox runs until then. Nobody hears of a refusal."""
        now_ms = self.advance()
        self.venue.submit_later(account_id, request, now_ms + round(seconds * 1000))

    def force_fill(self, order_id: int) -> None:
        """Let the market come to an order that waits for its cancel."""
        self.venue.force_fill(order_id, self.advance())
        self._publish()

    def set_frozen(self, pair: str, *, is_frozen: bool) -> None:
        """Halt trading in a pair, or let it go on."""
        now_ms = self.advance()
        (self.venue.freeze if is_frozen else self.venue.thaw)(pair, now_ms)
        self._publish()

    def open_account(self, account_id: int, balances: Mapping[Asset, Decimal]) -> None:
        now_ms = self.now_ms()
        self.venue.open_account(account_id, now_ms)
        for asset, number in balances.items():
            self.venue.fund(account_id, asset, number, now_ms)
        self._publish()

    def set_fee_tier(self, account_id: int, tier: int) -> None:
        self.venue.set_fee_tier(account_id, tier, self.advance())
        self._publish()

    def deposit(self, account_id: int, asset: Asset, number: Decimal, fee: Decimal) -> Transferred:
        now_ms = self.advance()
        transfer = self.venue.deposit(account_id, _means(asset), asset, number, now_ms, fee=fee)
        self._publish()
        return transfer

    def withdraw(
        self, account_id: int, asset: Asset, number: Decimal, fee: Decimal, lasts_seconds: Decimal
    ) -> WithdrawalRequested | Refusal:
        """The money is held until it leaves, so many seconds later."""
        now_ms, lasts_ms = self.advance(), int(lasts_seconds * 1000)
        answer = self.venue.withdraw(account_id, _means(asset), asset, number, now_ms, fee=fee, lasts_ms=lasts_ms)
        self._publish()
        return answer

    def depth(self, pair: str) -> Depth:
        return self.venue.shown(pair)

    def prints(self) -> list[Print]:
        return self.venue.prints()

    def recent(self, pair: str) -> tuple[Print, ...]:
        return tuple(self._source.recent(pair))

    def bars(self, pair: str, from_ms: int, until_ms: int) -> tuple[Bar, ...]:
        return tuple(self._source.bars(pair, from_ms, until_ms))

    def sum_up_the_day(self) -> None:
        """The first ticker of a pair adds up a day of minutes: done before anybody waits for an answer."""
        for pair in self.listings:
            self.ticker(pair, self.now_ms())

    def ticker(self, pair: str, now_ms: int) -> Ticker | None:
        """Nothing as long as the pair has not traded."""
        minute = now_ms // MINUTE_MS
        known = self._days.get(pair)
        if known is None or known[0] != minute:
            closed = self.bars(pair, (minute - DAY_MINUTES) * MINUTE_MS, minute * MINUTE_MS - 1)
            known = (minute, _summed(closed))
            self._days[pair] = known
        bars = (*known[1], *self.bars(pair, minute * MINUTE_MS, now_ms))
        if not bars:
            return None
        depth, listing = self.depth(pair), self.listings[pair]
        volume = sum(bar.volume for bar in bars)
        return Ticker(
            listing,
            now_ms,
            last=bars[-1].close,
            high=max(bar.high for bar in bars),
            low=min(bar.low for bar in bars),
            open=bars[0].open,
            volume=volume,
            average=listing.price(sum(bar.close for bar in bars) // len(bars)),
            bid=next(iter(depth.bids.items()), None),
            ask=next(iter(depth.asks.items()), None),
        )

    def _publish(self) -> None:
        """All that one step did goes into the record at once: a restart finds a trade with both its sides."""
        happened = self.venue.news()
        if not happened:
            return
        number = self.record.count + 1
        lines: list[Line] = []
        for news in happened:
            cause = number + len(lines)
            lines.append(line_of(news.happening))
            lines.extend(_balance_line(change, cause, news.happening.at_ms) for change in news.changes)
        self.record.append_together(lines)
        for news in happened:
            self.history.remember(news)
            self.on_news(news)


def _balance_line(change: BalanceChange, cause: int, at_ms: int) -> Line:
    body = {
        "cause": cause, "account_id": change.account_id, "asset": change.asset,
        "total_change": change.total_change, "held_change": change.held_change,
        "total": change.total, "held": change.held,
    }  # fmt: skip
    return Line("balance_changed", body, at_ms)


def _means(asset: Asset) -> Means:
    return Means.FIAT if asset == FIAT else Means.CRYPTO


def _summed(bars: tuple[Bar, ...]) -> tuple[Bar, ...]:
    """Many minutes as one, so that the day is summed once a minute only."""
    if not bars:
        return ()
    return (
        Bar(
            bars[0].opened_ms,
            bars[0].open,
            max(bar.high for bar in bars),
            min(bar.low for bar in bars),
            bars[-1].close,
            sum(bar.volume for bar in bars),
        ),
    )
