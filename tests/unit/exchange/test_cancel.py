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
