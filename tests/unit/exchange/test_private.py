"""What goes wrong in a row, and what is done about it (reliability I7 to I10)."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx
import pytest

from btcbot.domain.errors import KeyInDoubt, KeyRefused
from btcbot.domain.events import Event
from btcbot.domain.orders.evidence import CancelReceipt, Silent
from btcbot.exchange.cancel import CancelClient
from btcbot.exchange.errors import (
    NoAnswer,
    NotSent,
    NotTheExchange,
    PrivateCallsStopped,
    RateLimited,
    Unauthorized,
    Unavailable,
)
from btcbot.exchange.limits import Endpoint
from btcbot.exchange.private import RESERVED_SECONDS
from tests.unit.exchange.builders import Bench, Handler, answering, document, failing, in_turn, saying

BALANCES = answering("rest/balances.200.json")
NONCE = answering("errors/unauthorized.invalid_nonce.401.json")
RECEIPT = saying(200, '{"success":true,"message":"SUCCESS","code":0}')
BAD_KEY = answering("errors/unauthorized.invalid_request.401.json")
MAINTENANCE = answering("errors/system.maintenance.503.json")


async def read(bench: Bench) -> int:
    return (await bench.channel.read(Endpoint.BALANCES, "/api/v1/users/balances")).status


@pytest.mark.looptime
async def test_a_read_that_fails_is_tried_again() -> None:
    bench = Bench(in_turn(failing(httpx.ReadTimeout), saying(504, "<html>504</html>"), BALANCES))
    assert await read(bench) == 200
    assert len(bench.requests) == 3
    assert len({request.headers["X-Stamp"] for request in bench.requests}) == 3


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("handler", "error"),
    [
        (failing(httpx.ConnectError), NotSent),
        (failing(httpx.ReadError), NoAnswer),
        (saying(502, "<html>bad gateway</html>"), NotTheExchange),
        (MAINTENANCE, Unavailable),
        (answering("errors/system.internal.500.json"), Unavailable),
    ],
)
async def test_a_read_gives_up_after_three_tries(handler: Handler, error: type[Exception]) -> None:
    bench = Bench(handler)
    with pytest.raises(error):
        await read(bench)
    assert len(bench.requests) == 3
    assert bench.channel.is_troubled


@pytest.mark.looptime
@pytest.mark.parametrize("status", [200, 301, 403, 404])
async def test_html_where_trying_again_cannot_help_is_told_at_once(status: int) -> None:
    bench = Bench(saying(status, "<html>blocked</html>"))
    with pytest.raises(NotTheExchange, match="blocked"):
        await read(bench)
    assert len(bench.requests) == 1


async def test_a_key_that_was_never_let_in_is_refused_at_the_first_401() -> None:
    bench = Bench(BAD_KEY)
    with pytest.raises(KeyRefused) as refusal:
        await read(bench)
    assert not isinstance(refusal.value, PrivateCallsStopped)
    assert len(bench.requests) == 1


async def test_a_key_that_was_let_in_before_is_unauthorized_first() -> None:
    bench = Bench(in_turn(BALANCES, BAD_KEY))
    await read(bench)
    with pytest.raises(Unauthorized):
        await read(bench)


@pytest.mark.looptime
async def test_a_refused_nonce_measures_the_clock_and_tries_again() -> None:
    bench = Bench(in_turn(NONCE, BALANCES))
    assert await read(bench) == 200
    assert bench.wire.measured == 6  # three samples at first, three after the refusal


@pytest.mark.looptime
async def test_after_three_401_in_a_row_nothing_private_leaves() -> None:
    bench = Bench(NONCE)
    with pytest.raises(Unauthorized):  # asked twice: about the nonce, and the clock was measured in between
        await read(bench)
    for _ in range(5):
        with pytest.raises(KeyInDoubt):
            await read(bench)
    assert len(bench.requests) == 2, "the last one is a cancel's for a while"
    bench.clock.elapsed += RESERVED_SECONDS
    for _ in range(5):
        with pytest.raises(PrivateCallsStopped):
            await read(bench)
    assert len(bench.requests) == 3
    assert len(bench.observer.named(Event.PRIVATE_CALLS_STOPPED)) == 1
    assert bench.channel.obstacle(Endpoint.CANCEL) is not None


@pytest.mark.looptime
async def test_after_two_refusals_a_cancel_goes_out_and_opens_the_way_again() -> None:
    """No submit and no read takes the last call that may be refused."""
    bench = Bench(in_turn(BALANCES, BAD_KEY, BAD_KEY, RECEIPT, BALANCES))
    await read(bench)
    for _ in range(2):
        with pytest.raises(Unauthorized):
            await read(bench)
    with pytest.raises(KeyInDoubt):
        await read(bench)
    assert bench.channel.obstacle(Endpoint.SUBMIT) is not None
    assert bench.channel.obstacle(Endpoint.CANCEL) is None
    assert isinstance(await CancelClient(bench.channel).cancel(77), CancelReceipt)
    assert await read(bench) == 200
    assert bench.channel.obstacle(Endpoint.SUBMIT) is None


@pytest.mark.looptime
async def test_however_many_cancels_leave_at_once_three_are_refused_at_most() -> None:
    bench = Bench(in_turn(BALANCES, BAD_KEY))
    await read(bench)
    client = CancelClient(bench.channel)
    receipts = await asyncio.gather(*(client.cancel(number) for number in range(20)))
    assert all(isinstance(receipt, Silent) for receipt in receipts)
    assert len(bench.requests) == 1 + 3
    with pytest.raises(PrivateCallsStopped):
        await read(bench)


@pytest.mark.looptime
async def test_a_success_between_them_begins_the_count_anew() -> None:
    bench = Bench(in_turn(BALANCES, BAD_KEY, BAD_KEY, BALANCES, BAD_KEY, BAD_KEY, BALANCES))
    outcomes = []
    for _ in range(7):
        bench.clock.elapsed += RESERVED_SECONDS
        try:
            outcomes.append(await read(bench))
        except Unauthorized:
            outcomes.append(401)
    assert outcomes == [200, 401, 401, 200, 401, 401, 200]


async def test_an_unauthorized_message_under_http_200_is_believed() -> None:
    bench = Bench(answering("errors/unauthorized.invalid_request.401.json", status=200))
    with pytest.raises(KeyRefused):
        await read(bench)


async def test_inside_a_block_nothing_leaves() -> None:
    bench = Bench(answering("errors/rate_limit.ip.429.json", headers={"Retry-After": "55"}))
    for _ in range(4):
        with pytest.raises(RateLimited):
            await read(bench)
    assert len(bench.requests) == 1
    assert bench.channel.obstacle(Endpoint.SUBMIT) is None


async def test_the_stamp_follows_the_measured_offset() -> None:
    bench = Bench(BALANCES)
    bench.wire.offset = timedelta(seconds=2)
    await read(bench)
    (request,) = bench.requests
    ours = bench.clock.now().timestamp() * 1000
    assert int(request.headers["X-Stamp"]) - ours == pytest.approx(2000, abs=5)


async def test_stamps_rise_when_the_clock_steps_back() -> None:
    bench = Bench(BALANCES)
    for step in (timedelta(), -timedelta(seconds=1), -timedelta(days=1), timedelta(hours=1)):
        bench.clock.stepped = step
        await read(bench)
    stamps = [int(request.headers["X-Stamp"]) for request in bench.requests]
    assert stamps == sorted(set(stamps))


async def test_the_clock_is_measured_again_every_five_minutes_by_the_median() -> None:
    bench = Bench(BALANCES)
    await read(bench)
    bench.clock.elapsed = 299
    await read(bench)
    assert bench.wire.measured == 3
    bench.clock.elapsed = 302
    offsets = iter([timedelta(days=1), timedelta(milliseconds=20), timedelta(milliseconds=10)])
    source = bench.wire.handle_async_request

    async def lying_once(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/v2/server/time":
            bench.wire.offset = next(offsets)
        return await source(request)

    bench.wire.handle_async_request = lying_once  # type: ignore[method-assign]
    await read(bench)
    assert bench.venue_clock.last is not None
    assert bench.venue_clock.last.offset == timedelta(milliseconds=20)


async def test_no_secret_reaches_the_observer() -> None:
    bench = Bench(in_turn(BALANCES, saying(401, "echo " + "mDSrvYrUYbe6EgpZl1u/dqei/PHEe8S5tPmX0P2WsTk=")))
    await read(bench)
    with pytest.raises(NotTheExchange):
        await read(bench)
    told = repr(bench.observer.events)
    assert "mDSrvY" not in told
    for request in bench.requests:
        assert request.headers["X-Signature"] not in told
        assert request.headers["X-PCK"] not in told


@pytest.mark.looptime
@pytest.mark.parametrize("status", [200, 400, 503])
@pytest.mark.parametrize("word", ["SYSTEM_UNDER_MAINTENANCE", "INTERNAL_ERROR", "SYSTEM_ERROR"])
@pytest.mark.parametrize("place", ["message", "code"])
async def test_maintenance_is_one_under_any_status_and_three_of_it_pause_placing(
    status: int, word: str, place: str
) -> None:
    bench = Bench(saying(status, document(**({"success": False, "message": "", "code": 0} | {place: word}))))
    with pytest.raises(Unavailable):
        await read(bench)
    assert len(bench.requests) == 3
    assert bench.channel.is_troubled


@pytest.mark.looptime
async def test_a_nonce_refused_under_http_400_is_one_too() -> None:
    """As it was seen in 2020 (protocol, section 3)."""
    said = saying(400, document(success=False, message="Nonce must be greater than 1621. You provided 1620.", code=0))
    bench = Bench(in_turn(said, BALANCES))
    assert await read(bench) == 200
    assert bench.wire.measured == 6


async def overlapping(bench: Bench, calls: list[Callable[[], Awaitable[object]]]) -> list[int]:
    """Start calls in turns of the loop, on a wire where each takes longer than the one after it; stamps on arrival."""
    arrived: list[int] = []
    slowness = iter(range(3 * len(calls), 0, -3))
    source = bench.wire.handle_async_request

    async def slower_first(request: httpx.Request) -> httpx.Response:
        if request.url.path != "/api/v2/server/time":
            await asyncio.sleep(next(slowness))
            arrived.append(int(request.headers["X-Stamp"]))
            await asyncio.sleep(1)
        return await source(request)

    bench.wire.handle_async_request = slower_first  # type: ignore[method-assign]
    await asyncio.gather(*(call() for call in calls))
    return arrived


@pytest.mark.looptime
async def test_reads_at_once_arrive_in_the_order_of_their_stamps() -> None:
    """Open question D2: an exchange that wants rising stamps must never see an older one after a newer one."""
    bench = Bench(BALANCES)
    arrived = await overlapping(bench, [lambda: read(bench)] * 5)
    assert len(arrived) == 5
    assert arrived == sorted(arrived)
    assert bench.wire.measured == 3  # one measurement serves all of them


@pytest.mark.looptime
async def test_no_read_is_signed_while_an_order_is_under_way_and_orders_wait_for_no_read() -> None:
    bench = Bench(in_turn(BALANCES, answering("rest/order_cancel.200.json"), BALANCES))
    loop = asyncio.get_running_loop()
    sent: list[tuple[float, str]] = []
    source = bench.wire.handle_async_request

    async def slow(request: httpx.Request) -> httpx.Response:
        sent.append((loop.time(), request.method))
        await asyncio.sleep(5 if request.method == "GET" else 3)
        return await source(request)

    await bench.venue_clock.measure()
    bench.wire.handle_async_request = slow  # type: ignore[method-assign]
    start = loop.time()
    first = asyncio.ensure_future(read(bench))
    await asyncio.sleep(4)
    cancel = asyncio.ensure_future(CancelClient(bench.channel).cancel(1))
    second = asyncio.ensure_future(read(bench))
    await asyncio.gather(first, cancel, second)
    assert [(round(at - start), method) for at, method in sent] == [(0, "GET"), (4, "DELETE"), (7, "GET")]


@pytest.mark.looptime
async def test_no_read_slips_in_between_two_cancels_that_follow_each_other_at_once() -> None:
    """The second is signed in the very turn in which the first ends: a read signed after it might overtake it."""
    bench = Bench(answering("rest/order_cancel.200.json"))
    loop = asyncio.get_running_loop()
    sent: list[tuple[float, str]] = []
    source = bench.wire.handle_async_request

    async def slow(request: httpx.Request) -> httpx.Response:
        sent.append((loop.time(), request.method))
        await asyncio.sleep(3)
        return await source(request)

    await bench.venue_clock.measure()
    bench.wire.handle_async_request = slow  # type: ignore[method-assign]
    start, client = loop.time(), CancelClient(bench.channel)

    async def cancels() -> None:
        for number in (1, 2):
            await client.cancel(number)

    canceling = asyncio.ensure_future(cancels())
    await asyncio.sleep(1)
    await asyncio.gather(canceling, read(bench))
    assert [(round(at - start), method) for at, method in sent] == [(0, "DELETE"), (3, "DELETE"), (6, "GET")]


async def test_many_reads_at_once_with_a_bad_key_are_three_refusals_at_most() -> None:
    bench = Bench(in_turn(BALANCES, BAD_KEY))
    await read(bench)
    outcomes = await asyncio.gather(*(read(bench) for _ in range(8)), return_exceptions=True)
    assert all(isinstance(outcome, Unauthorized | KeyInDoubt) for outcome in outcomes)
    assert len(bench.requests) == 1 + 2


@pytest.mark.looptime
async def test_a_page_that_is_not_the_exchange_s_begins_no_count_anew() -> None:
    """A portal's or the edge's HTML under 200 lets nobody in: the exchange has seen three refusals in a row."""
    page = saying(200, "<html>hello</html>")
    bench = Bench(in_turn(BALANCES, BAD_KEY, BAD_KEY, page, BAD_KEY, BALANCES))
    await read(bench)
    for error in (Unauthorized, Unauthorized, NotTheExchange, PrivateCallsStopped, PrivateCallsStopped):
        bench.clock.elapsed += RESERVED_SECONDS
        with pytest.raises(error):
            await read(bench)
    assert len(bench.requests) == 5


@pytest.mark.looptime
async def test_three_pages_in_a_row_that_are_not_the_exchange_s_pause_placing() -> None:
    bench = Bench(in_turn(BALANCES, *[saying(200, "<html>hello</html>")] * 3, BALANCES))
    await read(bench)
    for _ in range(3):
        with pytest.raises(NotTheExchange):
            await read(bench)
    assert bench.channel.is_troubled
    await read(bench)
    assert not bench.channel.is_troubled


@pytest.mark.parametrize("first", [BALANCES, None])
async def test_what_a_refusal_says_is_told_short_printable_and_without_tokens(first: Handler | None) -> None:
    said = "Unauthorized - \ud800 mDSrvYrUYbe6EgpZl1u/dqei/PHEe8S5tPmX0P2WsTk= " + "x " * 9_000
    bench = Bench(in_turn(*([first] if first else []), saying(401, document(success=True, message=said, code=1037))))
    if first:
        await read(bench)
    with pytest.raises((Unauthorized, KeyRefused)) as refusal:
        await read(bench)
    assert "mDSrvY" not in str(refusal.value)
    assert len(str(refusal.value).encode()) < 600


@pytest.mark.looptime
async def test_the_page_of_the_edge_says_nothing_about_the_key() -> None:
    bench = Bench(saying(403, "<html>refused</html>"))
    for _ in range(4):
        with pytest.raises(NotTheExchange):
            await read(bench)
    assert not bench.observer.named(Event.PRIVATE_CALLS_STOPPED)
    assert bench.channel.obstacle(Endpoint.CANCEL) is None
    assert bench.channel.is_troubled
