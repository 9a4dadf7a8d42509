"""A look at every private read of the exchange (protocol, section 5) and at the login of the socket (10.5).

It reads, and nothing it holds can do more. A key that is refused is not tried again: refusals in a row get an address
blocked. What an account holds is counted and not told, unless the notebook shows amounts.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from decimal import Decimal

from btcbot.domain.conformance import Verdict
from btcbot.domain.errors import KeyRefused
from btcbot.domain.ports import Clock, Observer, Sleeper
from btcbot.exchange import known_shapes
from btcbot.exchange.account import FILLS_MAX, ORDERS_PER_PAGE
from btcbot.exchange.conformance import Notebook
from btcbot.exchange.errors import ORDER_NOT_FOUND, snippet
from btcbot.exchange.frame_log import ANSWER_SECONDS_MAX, FrameLog
from btcbot.exchange.http import Query
from btcbot.exchange.limits import Endpoint
from btcbot.exchange.mappers import milliseconds_of
from btcbot.exchange.private import PrivateChannel
from btcbot.exchange.shapes import Kind, Shape, kind_of
from btcbot.exchange.stream import Stream
from btcbot.exchange.wire import (
    LOGIN,
    ORDER_DELETE,
    ORDER_INSERT,
    ORDER_MATCH,
    ORDER_UPDATE,
    USER_TRADE,
    LoginFrame,
)

LOOK_BACK = timedelta(days=29)  # the exchange knows an error for more than 30
NO_ORDER = 1  # ids have eleven digits by now
ORDERS_DEFAULT_MIN = 50  # fewer orders than this say nothing about the size of a page
NOT_FOUND, IN_THE_FUTURE = 1152, 1038
NONCE_MS = 3000
SUM_TOLERANCE = Decimal("0.00000001")
PARTS = ("balance", "free", "locked")
PRIVATE_FRAMES = {
    USER_TRADE: "own trade", ORDER_MATCH: "own match", ORDER_INSERT: "own order", ORDER_DELETE: "own order gone",
    ORDER_UPDATE: "own order changed",
}  # fmt: skip

Row = Mapping[str, object]


class AccountConformance:
    def __init__(
        self, channel: PrivateChannel, ws_url: str, pair: str, notebook: Notebook, clock: Clock, sleeper: Sleeper,
        observer: Observer,
    ) -> None:  # fmt: skip
        self._channel = channel
        self._ws_url = ws_url
        self._pair = pair
        self._notebook = notebook
        self._clock = clock
        self._sleeper = sleeper
        self._observer = observer

    async def look(self) -> None:
        """Everything that the key may read, and the login."""
        try:
            await self._balances()
            await self._open_orders()
            await self._orders()
            await self._trades()
            await self._transfers()
        except KeyRefused as refusal:
            self._notebook.unasked("the rest of the private reads", str(refusal.args[0]), "D1")
            return
        await self._login()

    @asynccontextmanager
    async def logged_in(self) -> AsyncIterator[FrameLog]:
        """A connection that logs in first, and what it hears; whether it got in is for the caller to see."""
        log = FrameLog(self._clock, self._sleeper)
        stream = Stream(
            self._ws_url, (), log, self._clock, self._sleeper, self._observer, name="probe account",
            login=self._login_frame,
        )  # fmt: skip
        running = asyncio.ensure_future(stream.run())
        try:
            await log.until(lambda: log.of(LOGIN))
            yield log
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

    # ------------------------------------------------------------------------------------------------ money

    async def _balances(self) -> None:
        data = await self._data("balances", Endpoint.BALANCES, "/api/v1/users/balances", (), known_shapes.BALANCES)
        rows = _rows(data)
        if not rows:
            self._notebook.unseen("separator in balances", "there are none", "B5")
            return
        kinds = {kind_of(row.get(name)) for row in rows for name in (*PARTS, "orderFund", "requestFund")}
        has_comma = Kind.COMMA in kinds
        self._notebook.judge("separator in balances", not has_comma, "a comma" if has_comma else "a point", "B5")
        odd = sum(not _adds_up(row) for row in rows)
        self._notebook.judge("balance = free + locked", odd == 0, f"{odd} of {len(rows)} assets do not add up", "5.1")
        if self._notebook.shows_amounts:
            held = ", ".join(f"{row.get('asset')} {row.get('balance')}" for row in rows if row.get("balance") != "0")
            self._notebook.note("balances held", Verdict.AS_KNOWN, held)

    async def _transfers(self) -> None:
        types = (("type", "deposit"), ("type", "withdrawal"))
        for endpoint, kind in ((Endpoint.CRYPTO, "crypto"), (Endpoint.FIAT, "fiat")):
            path = f"/api/v1/users/transactions/{kind}"
            data = await self._data(
                f"{kind} transactions", endpoint, path, (*types, *self._window()), known_shapes.TRANSFERS
            )
            if data == []:
                self._notebook.unseen(f"row of {kind} transactions", "there are none in 29 days")

    # ------------------------------------------------------------------------------------------------ orders

    async def _open_orders(self) -> None:
        path, shape = "/api/v1/openOrders", known_shapes.OPEN_ORDERS
        of_pair = await self._data(
            "open orders of a pair", Endpoint.OPEN_ORDERS, path, (("pairSymbol", self._pair),), shape
        )
        of_all = await self._data("open orders of all pairs", Endpoint.OPEN_ORDERS, path, (), shape)
        if isinstance(of_pair, dict) and isinstance(of_all, dict):
            ours, every = ({row.get("id") for row in _both_sides(data)} for data in (of_pair, of_all))
            self._notebook.judge(
                "without a pair, all pairs are listed", ours <= every, f"{len(ours)} and {len(every)} orders", "5.5"
            )
        rows = _both_sides(of_all)
        if not rows:
            self._notebook.unseen("row of open orders", "there are none")
            return
        times = sum(row.get("time") != 0 for row in rows)
        self._notebook.judge("time of open orders is 0", times == 0, f"{times} of {len(rows)} have another", "5.5")

    async def _orders(self) -> None:
        """Question B2, as far as the account has orders to show it by."""
        first = _rows(await self._orders_page("all orders, page 1", ("page", "1"), ("limit", str(ORDERS_PER_PAGE))))
        zeroth = _rows(await self._orders_page("all orders, page 0", ("page", "0"), ("limit", str(ORDERS_PER_PAGE))))
        await self._judge_unknown_order()
        known = first or zeroth
        if not known:
            for what in ("pages count from 1", "orders come newest first", "orders on a page", "start belongs to it"):
                self._notebook.unseen(what, f"{self._pair} had no orders in 29 days", "B2")
            self._notebook.unseen("one order", "none is known", "5.4")
            return
        is_from_one = _ids(zeroth) in ([], _ids(first))
        self._notebook.judge("pages count from 1", is_from_one, f"page 0 has {len(zeroth)}, page 1 {len(first)}", "B2")
        self._judge_sorting(known)
        await self._judge_page_size(max(len(first), len(zeroth)))
        await self._judge_start(known, "1" if is_from_one else "0")
        await self._one_order(known[0])

    async def _orders_page(self, what: str, *query: tuple[str, str], since_seconds: int | None = None) -> object:
        since = int((self._now() - LOOK_BACK).timestamp()) if since_seconds is None else since_seconds
        filters = (("pairSymbol", self._pair), ("startTime", str(since)), *query)
        return await self._data(what, Endpoint.ALL_ORDERS, "/api/v1/allOrders", filters, known_shapes.ORDERS)

    def _judge_sorting(self, rows: list[Row]) -> None:
        times = [time for row in rows if isinstance(time := row.get("time"), int)]
        if len(set(times)) < 2:
            self._notebook.unseen("orders come newest first", "there is only one", "B2")
            return
        is_known = times == sorted(times, reverse=True)
        self._notebook.judge("orders come newest first", is_known, f"{len(times)} orders", "B2")

    async def _judge_page_size(self, count: int) -> None:
        what = "orders on a page"
        if count <= ORDERS_DEFAULT_MIN:
            self._notebook.unseen(what, f"{count} orders are too few", "B2")
            return
        rows = _rows(await self._orders_page("all orders without a limit"))
        is_known = len(rows) == min(count, ORDERS_PER_PAGE)
        self._notebook.judge(what, is_known, f"{len(rows)} without a limit", "B2")

    async def _judge_start(self, rows: list[Row], page: str) -> None:
        """Whether an order of the very second from which on orders are asked for is among them."""
        newest = max(time for row in rows if isinstance(time := row.get("time"), int))
        since = newest // 1000
        query = (("page", page), ("limit", str(ORDERS_PER_PAGE)))
        found = _rows(await self._orders_page("all orders since a second", *query, since_seconds=since))
        is_there = any(row.get("time") == newest for row in found)
        self._notebook.judge("start belongs to it", is_there, f"{len(found)} orders", "B2")

    async def _one_order(self, row: Row) -> None:
        number = row.get("id")
        data = await self._data("one order", Endpoint.ORDER, f"/api/v1/order/{number}", (), known_shapes.ORDER)
        if isinstance(data, dict):
            self._notebook.judge("one order is the one asked for", data.get("id") == number, question="5.4")

    async def _judge_unknown_order(self) -> None:
        what = "an order that is not there"
        answer = await self._notebook.asked(what, self._channel.read(Endpoint.ORDER, f"/api/v1/order/{NO_ORDER}"))
        self._notebook.refusal(what, answer, ORDER_NOT_FOUND, NOT_FOUND)
        what = "all orders by milliseconds"
        query = (("pairSymbol", self._pair), ("startTime", str(milliseconds_of(self._now() - LOOK_BACK))))
        answer = await self._notebook.asked(what, self._channel.read(Endpoint.ALL_ORDERS, "/api/v1/allOrders", query))
        self._notebook.refusal(what, answer, "startTime cannot be bigger than current unix timestamp.", IN_THE_FUTURE)

    # ------------------------------------------------------------------------------------------------ trades

    async def _trades(self) -> None:
        path = "/api/v1/users/transactions/trade"
        query = (("pairSymbol", self._pair), *self._window())
        rows = _rows(await self._data("own trades", Endpoint.USER_TRADES, path, query, known_shapes.USER_TRADES))
        if not rows:
            self._notebook.unseen("label of own trades", f"{self._pair} had none in 29 days", "A3")
            self._notebook.unseen("200 own trades at most", "there are none", "B4")
            return
        labels = sum(row.get("orderClientId") is not None for row in rows)
        self._notebook.judge("label of own trades", labels > 0, f"{labels} of {len(rows)} have one", "A3")
        self._notebook.judge("200 own trades at most", len(rows) <= FILLS_MAX, f"{len(rows)} came", "B4")
        signs = sum(not _is_signed(row) for row in rows)
        self._notebook.judge("signs of own trades", signs == 0, f"{signs} of {len(rows)} have others", "5.7")
        number = rows[0].get("orderId")
        what = "own trades of one order"
        of_order = _rows(
            await self._data(what, Endpoint.USER_TRADES, path, (("orderId", str(number)),), known_shapes.USER_TRADES)
        )
        others = sum(row.get("orderId") != number for row in of_order)
        self._notebook.judge("trades of one order are its own", others == 0, f"{len(of_order)} came", "5.7")

    # ------------------------------------------------------------------------------------------------ login

    async def _login(self) -> None:
        async with self.logged_in() as log:
            self.judge_login(log)
            log.judge_shapes(self._notebook, {kind: name for kind, name in PRIVATE_FRAMES.items() if log.of(kind)})

    def judge_login(self, log: FrameLog) -> None:
        """Question D3: whether the constant nonce is taken."""
        what = f"login with nonce {NONCE_MS}"
        replies = log.of(LOGIN)
        if not replies:
            self._notebook.note(what, Verdict.DIFFERS, f"no reply within {ANSWER_SECONDS_MAX:.0f} s", "D3")
            return
        reply = replies[0].body
        said = "" if reply.get("message") is None else snippet(str(reply["message"]))
        is_in = reply.get("ok") is True
        self._notebook.judge(what, is_in, "logged in" if is_in else f"refused: {said}", "D3")
        log.judge_shapes(self._notebook, {LOGIN: "reply to the login"})

    def _login_frame(self) -> LoginFrame:
        signer = self._channel.signer
        return LoginFrame(
            public_key=signer.public_key, timestamp=signer.stamp(), nonce=NONCE_MS,
            signature=signer.login_signature(NONCE_MS),
        )  # fmt: skip

    # ------------------------------------------------------------------------------------------------ asking

    async def _data(self, what: str, endpoint: Endpoint, path: str, query: Query, shape: Shape) -> object:
        answer = await self._notebook.asked(what, self._channel.read(endpoint, path, query))
        return self._notebook.data(what, answer, shape)

    def _now(self) -> datetime:
        return self._channel.venue_clock.now()

    def _window(self) -> Query:
        until = self._now()
        since = until - LOOK_BACK
        return ("startDate", str(milliseconds_of(since))), ("endDate", str(milliseconds_of(until)))


def _rows(data: object) -> list[Row]:
    return [row for row in data if isinstance(row, dict)] if isinstance(data, list) else []


def _both_sides(data: object) -> list[Row]:
    return [row for side in ("asks", "bids") for row in _rows(data.get(side))] if isinstance(data, dict) else []


def _ids(rows: list[Row]) -> list[object]:
    return [row.get("id") for row in rows]


def _adds_up(row: Row) -> bool:
    texts = [row.get(name) for name in PARTS]
    if any(kind_of(text) not in (Kind.DECIMAL, Kind.COMMA) for text in texts):
        return False
    total, free, locked = (Decimal(str(text).replace(",", ".")) for text in texts)
    return abs(total - free - locked) <= SUM_TOLERANCE


def _is_signed(row: Row) -> bool:
    """Negative for what was sold; fee and tax negative on both sides, or none."""
    amount, *costs = (str(row.get(name)) for name in ("amount", "fee", "tax"))
    is_sell = str(row.get("orderType")).lower() == "sell"
    return amount.startswith("-") == is_sell and all(cost.startswith("-") or not cost.strip("0.") for cost in costs)
