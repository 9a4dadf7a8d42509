"""What the exchange answers over REST, read as the client reads it: status, envelope, wire model and meaning."""

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta

from btcbot.domain.errors import BtcbotError
from btcbot.domain.money import Price, Quantity, parse
from btcbot.domain.orders.intents import Side
from btcbot.domain.orders.records import JournaledOrder
from btcbot.domain.orders.states import OrderState
from btcbot.exchange.account import AccountClient
from btcbot.exchange.answers import document_of, envelope_of
from btcbot.exchange.cancel import receipt_of
from btcbot.exchange.http import HttpAnswer
from btcbot.exchange.json_text import read_json
from btcbot.exchange.public import PublicClient
from btcbot.exchange.submit import outcome_of
from tests.fuzz.target import Target, samples, typed, with_prefixes

STATUSES = (200, 400, 200, 401, 403, 404, 429, 200)  # by the first byte; those over 499 have a target of their own
FAILURES = (500, 502, 503, 504)
START = datetime(2020, 8, 19, tzinfo=UTC)
ORDER = JournaledOrder(
    "order-1", "BB-TEST-1-1-00", "BTCTRY", Side.BUY, Quantity(parse("0.0003")), Price(parse("55000")),
    OrderState.SENDING,
)  # fmt: skip


class OneAnswer:
    """Stands for connection, channel and budget: whatever is asked, this is the answer, at once."""

    def __init__(self, answer: HttpAnswer) -> None:
        self._answer = answer

    async def send(self, *_asked: object, **_more: object) -> HttpAnswer:
        return self._answer

    async def read(self, *_asked: object, **_more: object) -> HttpAnswer:
        return self._answer

    async def acquire(self, *_asked: object, **_more: object) -> None:
        return

    def block(self, *_asked: object) -> BtcbotError:
        return BtcbotError("blocked")

    def observed(self, *_asked: object, **_more: object) -> None:
        return


def answer_of(data: bytes, statuses: tuple[int, ...] = STATUSES) -> HttpAnswer:
    return HttpAnswer(statuses[data[0] % len(statuses)] if data else statuses[0], data[1:])


def finished(work: Coroutine[None, None, object]) -> None:
    """Run what never has to wait."""
    try:
        work.send(None)
    except StopIteration:
        return
    finally:
        work.close()
    raise AssertionError("it waited for something")


def answering(work: Callable[[HttpAnswer], object], statuses: tuple[int, ...] = STATUSES) -> Callable[[bytes], None]:
    return typed(lambda data: work(answer_of(data, statuses)))


def public(ask: Callable[[PublicClient], Coroutine[None, None, object]]) -> Callable[[bytes], None]:
    def work(answer: HttpAnswer) -> None:
        stand_in = OneAnswer(answer)
        finished(ask(PublicClient(stand_in, stand_in, stand_in, stand_in)))  # type: ignore[arg-type]

    return answering(work)


def private(ask: Callable[[AccountClient], Coroutine[None, None, object]]) -> Callable[[bytes], None]:
    return answering(lambda answer: finished(ask(AccountClient(OneAnswer(answer)))))  # type: ignore[arg-type]


def ok(*starts: str) -> tuple[bytes, ...]:
    """A status that fits, and the samples."""
    return with_prefixes((0,), samples("rest", *starts)) + with_prefixes((1,), samples("errors")[:3])


TARGETS = (
    Target("json", typed(read_json), samples("rest") + samples("errors") + samples("ws")),
    Target(
        "rest-envelope", answering(lambda answer: envelope_of(answer, "fuzz")), with_prefixes((0, 1), samples("errors"))
    ),
    Target(
        "rest-failure", answering(lambda answer: document_of(answer, "fuzz"), FAILURES),
        with_prefixes((0, 2), (*samples("errors"), b"<html>504</html>")),
    ),
    Target("rest-time", public(lambda client: client.server_time()), ok("server_time")),
    Target("rest-exchangeinfo", public(lambda client: client.instruments(("BTCTRY", "BTCUSDT"))), ok("exchangeinfo")),
    Target("rest-book", public(lambda client: client.book("BTCTRY")), ok("orderbook")),
    Target("rest-ticker", public(lambda client: client.tickers()), ok("ticker")),
    Target("rest-trades", public(lambda client: client.trades("BTCTRY")), ok("trades")),
    Target(
        "rest-candles", public(lambda client: client.candles("BTCTRY", 60, START, START + timedelta(days=3_000))),
        ok("graph_klines"),
    ),
    Target("rest-balances", private(lambda client: client.balances()), ok("balances")),
    Target("rest-open-orders", private(lambda client: client.open_orders("BTCTRY")), ok("open_orders")),
    Target("rest-all-orders", private(lambda client: client.orders_page("BTCTRY", START, 1)), ok("all_orders")),
    Target("rest-order", private(lambda client: client.order(9_932_534)), ok("order_single")),
    Target(
        "rest-fills", private(lambda client: client.fills("BTCTRY", START, START + timedelta(days=9))),
        ok("user_trades"),
    ),
    Target(
        "rest-transfers", private(lambda client: client.transfers(START, START + timedelta(days=9))),
        ok("crypto_transactions", "fiat_transactions"),
    ),
    Target("rest-submit", answering(lambda answer: outcome_of(answer, ORDER)), ok("order_submit.")),
    Target("rest-cancel", answering(receipt_of), ok("order_cancel")),
)  # fmt: skip
