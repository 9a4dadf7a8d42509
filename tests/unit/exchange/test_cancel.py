import httpx
import pytest

from btcbot.domain.orders.evidence import CancelReceipt, CancelTurnedDown, Silent
from btcbot.exchange.cancel import CancelClient
from tests.unit.exchange.builders import Bench, Handler, answering, document, failing, saying


@pytest.mark.parametrize(
    ("handler", "outcome"),
    [
        (answering("rest/order_cancel.200.json"), CancelReceipt),
        (answering("rest/order_cancel.doc.200.json"), CancelReceipt),
        (answering("errors/cancel.no_order.400.json"), CancelTurnedDown),
        (answering("errors/cancel.not_cancelable.400.json"), CancelTurnedDown),
        (saying(400, document(success=False, message="ORDER_CANCEL_BLOCKED")), CancelTurnedDown),
        (saying(400, document(success=False, message="SOMETHING_NEW")), Silent),
        (answering("errors/unauthorized.invalid_nonce.401.json"), Silent),
        (answering("errors/unauthorized.invalid_nonce.401.json", status=200), Silent),
        (answering("errors/rate_limit.account.429.json"), Silent),
        (answering("errors/system.maintenance.503.json"), Silent),
        (saying(200, "<html>"), Silent),
        (saying(200, document(success=False)), Silent),
        (saying(200, document(code=1037)), Silent),
        (failing(httpx.ReadTimeout), Silent),
        (failing(httpx.ConnectError), Silent),
    ],
)
async def test_a_yes_is_a_receipt_and_everything_unclear_is_silence(handler: Handler, outcome: type) -> None:
    bench = Bench(handler)
    assert type(await CancelClient(bench.channel).cancel(431292405)) is outcome
    (request,) = bench.requests
    assert (request.method, request.url.path) == ("DELETE", "/api/v1/order")
    assert request.url.query == b"id=431292405"
    assert request.content == b""


async def test_a_block_holds_for_cancels_too() -> None:
    bench = Bench(answering("errors/rate_limit.account.429.json", headers={"Retry-After": "30"}))
    client = CancelClient(bench.channel)
    assert isinstance(await client.cancel(1), Silent)
    assert isinstance(await client.cancel(1), Silent)
    assert len(bench.requests) == 1


@pytest.mark.parametrize(
    ("handler", "may_trade"),
    [
        (answering("errors/cancel.no_order.400.json"), True),
        (answering("errors/cancel.not_cancelable.400.json"), True),
        (answering("rest/order_cancel.200.json"), True),
        (saying(401, document(success=True, message="Unauthorized - Invalid Request", code=1037)), False),
        (saying(200, document(success=True, message="Unauthorized - Invalid Request", code=1037)), False),
        (saying(403, document(success=False, message="Forbidden")), False),
        (answering("errors/unauthorized.invalid_nonce.401.json"), None),
        (saying(403, "<html>"), None),
        (answering("errors/rate_limit.account.429.json"), None),
        (answering("errors/system.maintenance.503.json"), None),
        (failing(httpx.ReadTimeout), None),
    ],
)
async def test_a_key_that_may_not_trade_shows_at_a_cancel_that_cancels_nothing(
    handler: Handler, may_trade: bool | None
) -> None:
    """110: one request, of an order that is nobody's; what proves nothing says nothing."""
    bench = Bench(handler)
    assert await CancelClient(bench.channel).may_trade() is may_trade
    (request,) = bench.requests
    assert (request.method, request.url.path, request.url.query) == ("DELETE", "/api/v1/order", b"id=1")
