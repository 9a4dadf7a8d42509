"""The outcomes of a submit (reliability 2A). In every row exactly one request leaves, save where none can."""

import asyncio
import json

import httpx
import pytest

from btcbot.domain.money import parse
from btcbot.domain.orders.evidence import (
    PRICE_OFF_ITS_GRID,
    Accepted,
    AcceptedOtherwise,
    AnsweredForAnother,
    NoByteLeft,
    Silent,
    TurnedDown,
)
from btcbot.domain.orders.intents import Side
from btcbot.exchange.cancel import CancelClient
from btcbot.exchange.errors import SUBMIT_REFUSALS, StampsAhead
from btcbot.exchange.limits import Endpoint
from btcbot.exchange.submit import SubmitClient
from tests.unit.exchange.builders import (
    Bench,
    Handler,
    accepting,
    answering,
    document,
    failing,
    in_turn,
    journaled,
    saying,
)

REFUSAL = '{{"httpStatusCode":400,"data":null,"success":false,"message":"{}","code":1122}}'


def falsified(**wrong: object) -> Handler:
    return lambda request: accepting(request, **wrong)


TABLE: list[tuple[str, Handler, type]] = [
    ("accepted", accepting, Accepted),
    ("other trailing zeros", falsified(price="0.80000000", quantity="15.0"), Accepted),
    ("capital letters of 2019", falsified(type="Buy", method="Limit"), Accepted),
    # the answer is lost or unreadable
    ("read timeout", failing(httpx.ReadTimeout), Silent),
    ("connection reset after the headers", failing(httpx.ReadError), Silent),
    ("broken while writing", failing(httpx.WriteError), Silent),
    ("server hung up", failing(httpx.RemoteProtocolError), Silent),
    ("html 504", saying(504, "<html>504</html>"), Silent),
    ("html 502", saying(502, "<html>502</html>"), Silent),
    ("html 200", saying(200, "<html>ok</html>"), Silent),
    ("empty 200", saying(200), Silent),
    ("garbage 200", saying(200, "{"), Silent),
    ("a list", saying(200, "[]"), Silent),
    ("500", answering("errors/system.internal.500.json"), Silent),
    ("503", answering("errors/system.maintenance.503.json"), Silent),
    ("redirect", saying(302, "", {"Location": "https://elsewhere.example.test"}), Silent),
    # an answer that proves nothing
    ("400 unknown message", saying(400, REFUSAL.format("SOMETHING_NEW")), Silent),
    ("400 unexpected", saying(400, REFUSAL.format("FAILED_SET_ORDER_UNEXPECTED")), Silent),
    ("400 without message", saying(400, "{}"), Silent),
    ("400 html", saying(400, "<html>"), Silent),
    ("refusal under 500", saying(500, REFUSAL.format("BALANCE_NOT_ENOUGH")), Silent),
    ("refusal under 200", saying(200, REFUSAL.format("BALANCE_NOT_ENOUGH")), Silent),
    ("success false", saying(200, document(success=False, data={})), Silent),
    ("success missing", saying(200, '{"data":{},"code":0}'), Silent),
    ("success as text", saying(200, '{"success":"true","data":{},"code":0}'), Silent),
    ("code of a failure", saying(200, document(code=1037, data={})), Silent),
    ("no data", saying(200, document()), Silent),
    ("data null", saying(200, document(data=None)), Silent),
    # a refusal that speaks of an order contradicts itself
    *(
        (f"{status} with an order", saying(status, document(success=False, message=message, data={"id": 7})), Silent)
        for status, message in (
            (400, "BALANCE_NOT_ENOUGH"),
            (401, ""),
            (429, ""),
            (200, "Unauthorized - Invalid Nonce"),
        )
    ),
    # an answer about another order
    ("another label", falsified(newOrderClientId="BB-TEST-1-2-00"), AnsweredForAnother),
    ("no label", falsified(newOrderClientId=None), AcceptedOtherwise),
    ("another price", falsified(price="0.8001"), AcceptedOtherwise),
    ("another quantity", falsified(quantity="1.5"), AcceptedOtherwise),
    ("another side", falsified(type="sell"), AcceptedOtherwise),
    ("another method", falsified(method="market"), AcceptedOtherwise),
    ("another pair", falsified(pairSymbol="BTCTRY"), AcceptedOtherwise),
    ("a stop", falsified(stopPrice="0.7"), AcceptedOtherwise),
    ("no stop price at all", falsified(stopPrice=None), Accepted),
    ("no number", falsified(id=0), Silent),
    ("no price", falsified(price=None), Silent),
    ("price with an exponent", falsified(price="8E-1"), Silent),
    ("price with a comma", falsified(price="0,8"), Silent),
    ("a key twice", saying(200, '{"success":true,"success":false,"code":0,"data":{}}'), Silent),
    ("number as float", falsified(id=1.5), Silent),
    ("time in seconds", falsified(datetime=1597867103), Silent),
    # turned away
    *((message, saying(400, REFUSAL.format(message)), TurnedDown) for message in sorted(SUBMIT_REFUSALS)),
    ("number of 2022", answering("errors/order.open_orders.2022code.400.json"), TurnedDown),
    ("unknown pair", answering("errors/orderbook.unknown_pair.400.json"), TurnedDown),
    ("401", answering("errors/unauthorized.invalid_nonce.401.json"), TurnedDown),
    ("401 under 200", answering("errors/unauthorized.invalid_nonce.401.json", status=200), TurnedDown),
    ("403 html", saying(403, "<html>forbidden</html>"), TurnedDown),
    ("429", answering("errors/rate_limit.account.429.json"), TurnedDown),
    ("429 html", saying(429, "<html>slow down</html>"), TurnedDown),
    ("unknown pair that is no text", saying(400, REFUSAL.format("Pair \\ud800 does not exists.")), TurnedDown),
    ("nonce under 400", saying(400, REFUSAL.format("Nonce must be greater than 2. You provided 1.")), TurnedDown),
    # provably nothing left
    ("refused connection", failing(httpx.ConnectError), NoByteLeft),
    ("connect timeout", failing(httpx.ConnectTimeout), NoByteLeft),
]


@pytest.mark.parametrize(("handler", "outcome"), [pytest.param(*row[1:], id=row[0]) for row in TABLE])
async def test_every_answer_has_its_outcome_after_one_request(handler: Handler, outcome: type) -> None:
    bench = Bench(handler)
    answer = await SubmitClient(bench.channel, 15.0).submit(journaled())
    assert type(answer) is outcome
    assert len(bench.requests) == 1


async def test_what_leaves_is_plain_text_under_our_label() -> None:
    bench = Bench(accepting)
    order = journaled(side=Side.SELL, quantity="0.00000081", price="1000000.50")
    answer = await SubmitClient(bench.channel, 15.0).submit(order)
    assert isinstance(answer, Accepted)
    assert answer.exchange_order_id == 431292405
    (request,) = bench.requests
    assert (request.method, request.url.path, request.url.query) == ("POST", "/api/v1/order", b"")
    assert request.headers["Content-Type"] == "application/json"
    assert json.loads(request.content) == {
        "pairSymbol": "XLMTRY", "orderType": "sell", "orderMethod": "limit", "quantity": "0.00000081",
        "price": "1000000.5", "newOrderClientId": "BB-TEST-1-1-00",
    }  # fmt: skip
    assert parse("1000000.5") == order.price


@pytest.mark.looptime
async def test_no_answer_within_the_timeout_is_silence() -> None:
    async def hang(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60)
        return accepting(request)

    bench = Bench(accepting)
    bench.wire.handle_async_request = hang  # type: ignore[method-assign]
    began = asyncio.get_running_loop().time()
    answer = await SubmitClient(bench.channel, 15.0).submit(journaled())
    assert isinstance(answer, Silent)
    assert asyncio.get_running_loop().time() - began == pytest.approx(15.0)


@pytest.mark.looptime
async def test_a_cancelled_submit_surfaces_and_is_not_an_answer() -> None:
    async def hang(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60)
        return accepting(request)

    bench = Bench(accepting)
    bench.wire.handle_async_request = hang  # type: ignore[method-assign]
    sending = asyncio.ensure_future(SubmitClient(bench.channel, 15.0).submit(journaled()))
    await asyncio.sleep(1)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending


async def test_nothing_is_admitted_while_the_exchange_fails_until_a_read_succeeds() -> None:
    bench = Bench(in_turn(*[saying(502, "<html>")] * 3, answering("rest/balances.200.json")))
    client = SubmitClient(bench.channel, 15.0)
    for number in range(3):
        assert await client.admit() is None
        assert isinstance(await client.submit(journaled(f"order-{number}")), Silent)
    assert isinstance(await client.admit(), NoByteLeft)
    await bench.channel.read(Endpoint.BALANCES, "/api/v1/users/balances")
    assert await client.admit() is None


async def test_what_the_exchange_says_of_a_refusal_is_kept_as_its_word() -> None:
    bench = Bench(saying(400, REFUSAL.format(PRICE_OFF_ITS_GRID)))
    answer = await SubmitClient(bench.channel, 15.0).submit(journaled())
    assert answer == TurnedDown(PRICE_OFF_ITS_GRID)


async def test_nothing_is_signed_ahead_of_the_exchanges_time_and_no_byte_leaves() -> None:
    """After a wrong measurement of the clock: stamps may only rise, so orders wait for time to catch up."""
    bench = Bench(accepting)
    await bench.venue_clock.measure()
    bench.signer._last = bench.venue_clock.now_ms() + 10_000
    client = SubmitClient(bench.channel, 15.0)
    assert isinstance(await client.submit(journaled()), NoByteLeft)
    assert isinstance(await CancelClient(bench.channel).cancel(1), Silent)
    with pytest.raises(StampsAhead):
        await bench.channel.read(Endpoint.BALANCES, "/api/v1/users/balances")
    assert bench.requests == []
    assert bench.wire.measured == 6  # doubted at once, and measured again before the read
    bench.clock.elapsed += 10
    assert isinstance(await client.submit(journaled("order-2")), Accepted)


async def test_nothing_is_admitted_inside_a_block() -> None:
    bench = Bench(answering("errors/rate_limit.account.429.json", headers={"Retry-After": "30"}))
    client = SubmitClient(bench.channel, 15.0)
    await client.submit(journaled())
    assert isinstance(await client.admit(), NoByteLeft)
    bench.clock.elapsed = 31
    assert await client.admit() is None


async def test_nothing_is_admitted_after_three_401_in_a_row() -> None:
    bench = Bench(answering("errors/unauthorized.invalid_signature.401.json"))
    client = SubmitClient(bench.channel, 15.0)
    for number in range(3):
        await client.submit(journaled(f"order-{number}"))
    assert isinstance(await client.admit(), NoByteLeft)
