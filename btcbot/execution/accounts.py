"""Reading the account, completely or not at all. Both roles use it; no submit or cancel can be reached from here."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from btcbot.domain.balances import Balance
from btcbot.domain.errors import ReadFailed
from btcbot.domain.ledger import LedgerEntry
from btcbot.domain.orders.evidence import Fill, VenueOrder
from btcbot.domain.ports import Clock, Observer
from btcbot.domain.profiles import MonitorProfile
from btcbot.exchange.account import FILLS_MAX, AccountClient
from btcbot.exchange.errors import Refused
from btcbot.exchange.private import PrivateChannel
from btcbot.exchange.venue_clock import VenueClock

PAGES_MAX = 200
SURE_PAGE = 50  # the smallest page size that any source names: a shorter page is the last
WINDOW_MAX = timedelta(days=29)  # the exchange knows an error for more than 30
WINDOW_MIN = timedelta(milliseconds=2)


class AccountReader:
    """Every method raises `ReadFailed`, `ExchangeUnreachable` or `KeyRefused` instead of answering in part.

    `is_listed_open` is true only in what `open_orders` returns. `orders_since` and `order` know the status but not the
    listing: for a status that may be open or over (`PARTIAL`), the caller holds it against `open_orders`.
    """

    def __init__(self, account: AccountClient, channel: PrivateChannel) -> None:
        self._account = account
        self._channel = channel

    @property
    def _venue_clock(self) -> VenueClock:
        return self._channel.venue_clock

    async def balances(self) -> tuple[Balance, ...]:
        return await self._account.balances()

    async def open_orders(self, pair: str) -> tuple[VenueOrder, ...]:
        return await self._account.open_orders(pair)

    async def orders_since(self, pair: str, since: datetime) -> tuple[VenueOrder, ...]:
        """All orders of a pair since a moment, whatever became of them, over all pages.

        Whether pages count from 0 or from 1 is unknown (open question B2), so both are read and told apart by what they
        hold: what came twice counts once.
        """
        found: dict[int, VenueOrder] = {}
        for page in range(PAGES_MAX):
            rows = await self._page(pair, since, page)
            fresh = [row for row in rows if row.exchange_order_id not in found]
            found.update({row.exchange_order_id: row for row in fresh})
            is_repetition = not fresh and page > 1
            if page > 0 and (len(rows) < SURE_PAGE or is_repetition):
                return tuple(order for order in found.values() if order.pair == pair)
        raise ReadFailed(f"orders of {pair} since {since.isoformat()} fill more than {PAGES_MAX} pages")

    async def order(self, exchange_order_id: int, pair: str) -> VenueOrder | None:
        """One order; nothing when the exchange says that it has none, which may also be lag."""
        order = await self._account.order(exchange_order_id)
        if order is not None and order.pair != pair:
            raise ReadFailed(f"order {exchange_order_id} is of {order.pair}, not of {pair}")
        return order

    async def fills(self, pair: str, since: datetime, until: datetime) -> tuple[Fill, ...]:
        """All own trades in a window, oldest first. Windows that come back full are split until they are not."""
        found: dict[int, Fill] = {}
        windows = list(_windows(since, until))
        while windows:
            start, end = windows.pop()
            rows = await self._account.fills(pair, start, end)
            if len(rows) >= FILLS_MAX:
                if end - start < WINDOW_MIN:
                    raise ReadFailed(f"{pair} has more than {FILLS_MAX} trades at {start.isoformat()}")
                middle = start + (end - start) / 2
                windows += [(start, middle), (middle, end)]
                continue
            found.update({row.trade_id: row for row in rows if row.pair == pair})
        return tuple(sorted(found.values(), key=lambda fill: (fill.time_exchange, fill.trade_id)))

    async def fills_of(self, exchange_order_id: int) -> tuple[Fill, ...]:
        """Own trades of one order, as far as they are listed: they come seconds late, and no more than `FILLS_MAX`."""
        return await self._account.fills_of(exchange_order_id)

    async def transfers(self, since: datetime) -> tuple[LedgerEntry, ...]:
        """Deposits and withdrawals since a moment, as ledger entries."""
        entries: dict[tuple[str, str], LedgerEntry] = {}
        for start, end in _windows(since, self._venue_clock.now()):
            for entry in await self._account.transfers(start, end):
                entries[(entry.source, entry.kind)] = entry
        return tuple(sorted(entries.values(), key=lambda entry: (entry.at, entry.source, entry.kind)))

    async def aclose(self) -> None:
        await self._channel.aclose()

    async def _page(self, pair: str, since: datetime, page: int) -> tuple[VenueOrder, ...]:
        try:
            return await self._account.orders_page(pair, since, page)
        except Refused:
            if page == 0:
                return ()  # pages may count from 1
            raise


def connect_reader(profile: MonitorProfile, clock: Clock, observer: Observer) -> AccountReader:
    """The monitor's view of the account, with its own key, connections and budget. Nothing is sent yet."""
    channel = PrivateChannel.connect(profile.common, clock, observer)
    return AccountReader(AccountClient(channel), channel)


def _windows(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    while since < until:
        end = min(until, since + WINDOW_MAX)
        yield since, end
        since = end
