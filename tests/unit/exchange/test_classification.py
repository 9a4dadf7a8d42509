"""Every error that was ever captured, and every status with every kind of body: what each call makes of it.

Rows are what an operator would want to know: does a read say why, is a submit turned down or unknown, is a cancel
answered or not.
"""

from itertools import product

import httpx
import pytest

from btcbot.domain.errors import BtcbotError
from btcbot.domain.orders.evidence import Accepted, AcceptedOtherwise, CancelReceipt, Silent, TurnedDown
from btcbot.exchange.account import AccountClient
from btcbot.exchange.cancel import receipt_of
from btcbot.exchange.http import HttpAnswer
from btcbot.exchange.submit import outcome_of
from tests.unit.exchange.builders import SAMPLES, Bench, accepting, document, journaled, sample_bytes, saying

SYSTEM_ERROR_STATUS = 500  # that fixture has no status of its own

#  file, what a read raises, what a submit comes to, what a cancel comes to
CAPTURED = """
all_orders.ms_time.400                  Refused      Silent      Silent
cancel.no_order.400                     Refused      Silent      CancelTurnedDown
cancel.not_cancelable.400               Refused      Silent      CancelTurnedDown
order.balance.400                       Refused      TurnedDown  Silent
order.max_price.400                     Refused      TurnedDown  Silent
order.method_not_supported.400          Refused      TurnedDown  Silent
order.min_total.400                     Refused      TurnedDown  Silent
order.open_orders.2022code.400          Refused      TurnedDown  Silent
order.open_orders.400                   Refused      TurnedDown  Silent
order.price_scale.400                   Refused      TurnedDown  Silent
order.quantity_scale.400                Refused      TurnedDown  Silent
order.stop_gt_best_ask.400              Refused      TurnedDown  Silent
order.validation.400                    Refused      TurnedDown  Silent
order_single.not_found.400              Refused      Silent      Silent
orderbook.unknown_pair.400              Refused      TurnedDown  Silent
rate_limit.account.429                  RateLimited  TurnedDown  Silent
rate_limit.ip.429                       RateLimited  TurnedDown  Silent
rate_limit.old.429                      RateLimited  TurnedDown  Silent
system.error                            Unavailable  Silent      Silent
system.internal.500                     Unavailable  Silent      Silent
system.maintenance.503                  Unavailable  Silent      Silent
unauthorized.headers_missing.401        KeyRefused   TurnedDown  Silent
unauthorized.invalid_nonce.401          Unauthorized TurnedDown  Silent
unauthorized.invalid_request.401        KeyRefused   TurnedDown  Silent
unauthorized.invalid_signature.401      KeyRefused   TurnedDown  Silent
unauthorized.success_false.401          Unauthorized TurnedDown  Silent
users_tx.missing_param.400              Refused      Silent      Silent
"""
TABLE = [tuple(line.split()) for line in CAPTURED.strip().splitlines()]


def answer_of(name: str) -> HttpAnswer:
    last = name.rpartition(".")[2]
    return HttpAnswer(int(last) if last.isdigit() else SYSTEM_ERROR_STATUS, sample_bytes(f"errors/{name}.json"))


def test_the_table_has_every_captured_error() -> None:
    assert {row[0] for row in TABLE} == {path.name.removesuffix(".json") for path in (SAMPLES / "errors").iterdir()}


@pytest.mark.looptime
@pytest.mark.parametrize(("name", "raised", "submitted", "canceled"), TABLE, ids=[row[0] for row in TABLE])
async def test_each_captured_error_means_what_the_table_says(
    name: str, raised: str, submitted: str, canceled: str
) -> None:
    answer = answer_of(name)
    bench = Bench(saying(answer.status, answer.body.decode()))
    with pytest.raises(BtcbotError) as error:
        await AccountClient(bench.channel).balances()
    assert type(error.value).__name__ == raised
    assert type(outcome_of(answer, journaled())).__name__ == submitted
    assert type(receipt_of(answer)).__name__ == canceled


BODIES = {
    "empty": "",
    "html": "<html><body>504 Gateway Time-out</body></html>",
    "cut off": '{"success":true,"message":"SUCC',
    "a list": "[]",
    "text": '"OK"',
    "null": "null",
    "no envelope": "{}",
    "success without data": document(),
    "success false": document(success=False, message="FAILED_LIMIT_ORDER", code=1120, data=None),
    "unauthorized with success": document(message="Unauthorized - Invalid Request", code=1037),
    "another code": document(code=1122, data={}),
    "a code in words": document(code="INTERNAL_ERROR", data={}),
    "deep": "[" * 100 + "]" * 100,
}
STATUSES = (200, 201, 204, 301, 302, 400, 401, 403, 404, 405, 415, 422, 429, 500, 502, 503, 504)


@pytest.mark.parametrize(("status", "body"), list(product(STATUSES, BODIES)))
def test_no_status_and_no_body_but_the_whole_yes_is_an_acceptance(status: int, body: str) -> None:
    """Turned down only where the exchange said so in a way that is known: its word, or the door (401, 403, 429)."""
    answer = HttpAnswer(status, BODIES[body].encode())
    outcome = outcome_of(answer, journaled())
    is_known_no = status == 400 and body == "success false"
    is_unauthorized = body == "unauthorized with success" and status < 500
    is_at_the_door = status in (401, 403, 429)
    assert isinstance(outcome, TurnedDown if is_known_no or is_unauthorized or is_at_the_door else Silent), outcome
    receipt = receipt_of(answer)
    is_receipt = status == 200 and body == "success without data"
    assert isinstance(receipt, CancelReceipt if is_receipt else Silent), receipt


@pytest.mark.parametrize("status", [status for status in STATUSES if status != 200])
def test_the_whole_yes_under_another_status_proves_nothing(status: int) -> None:
    outcome = outcome_of(HttpAnswer(status, _yes()), journaled())
    assert not isinstance(outcome, Accepted | AcceptedOtherwise)
    assert isinstance(outcome_of(HttpAnswer(200, _yes()), journaled()), Accepted)


@pytest.mark.parametrize("cut", range(0, 200, 7))
def test_a_yes_that_is_cut_off_proves_nothing(cut: int) -> None:
    assert isinstance(outcome_of(HttpAnswer(200, _yes()[:cut]), journaled()), Silent)


def _yes() -> bytes:
    body = (
        b'{"quantity":"15","price":"0.8","newOrderClientId":"BB-TEST-1-1-00","orderMethod":"limit","orderType":"buy",'
        b'"pairSymbol":"XLMTRY"}'
    )
    return accepting(httpx.Request("POST", "https://api.example.test/api/v1/order", content=body)).content
