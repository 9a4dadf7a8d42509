"""DELETE order: a request, and a receipt. What became of the order is read, never concluded from the receipt.

Imported by `execution.live` and `execution.disarmed` only. Cancels are never blocked by arming and have an own budget.
"""

from btcbot.domain.orders.evidence import CancelReceipt, CancelTurnedDown, Silent
from btcbot.exchange.answers import BAD_REQUEST, OK, envelope_of
from btcbot.exchange.errors import (
    CANCEL_REFUSALS,
    Malformed,
    NoAnswer,
    NotSent,
    NotTheExchange,
    RateLimited,
    StampsAhead,
    Unavailable,
    is_unauthorized,
    snippet,
)
from btcbot.exchange.http import HttpAnswer
from btcbot.exchange.limits import Endpoint
from btcbot.exchange.private import PrivateChannel

CANCEL_SECONDS = 15.0


class CancelClient:
    def __init__(self, channel: PrivateChannel) -> None:
        self._channel = channel

    async def cancel(self, exchange_order_id: int) -> CancelReceipt | CancelTurnedDown | Silent:
        """Ask once. A cancel is idempotent at the exchange, so the caller may ask again after silence."""
        obstacle = self._channel.obstacle(Endpoint.CANCEL)
        if obstacle is not None:
            return Silent(obstacle)
        try:
            await self._channel.admit(Endpoint.CANCEL)
            answer = await self._channel.send_once(
                # The number belongs in the query: in a body it is not seen (protocol 5.3).
                Endpoint.CANCEL, "DELETE", "/api/v1/order", (("id", str(exchange_order_id)),), None, CANCEL_SECONDS,
            )  # fmt: skip
        except (RateLimited, StampsAhead, NotSent, NoAnswer, NotTheExchange) as error:
            return Silent(str(error))
        return receipt_of(answer)


def receipt_of(answer: HttpAnswer) -> CancelReceipt | CancelTurnedDown | Silent:
    try:
        envelope = envelope_of(answer, Endpoint.CANCEL)
    except (NotTheExchange, Unavailable, Malformed) as error:
        return Silent(str(error))
    message = envelope.message or ""
    if answer.status == BAD_REQUEST and message in CANCEL_REFUSALS:
        return CancelTurnedDown(message)
    is_success = answer.status == OK and envelope.success is True and envelope.code in (0, "", "SUCCESS")
    if is_success and not is_unauthorized(answer.status, message):
        return CancelReceipt()
    return Silent(f"HTTP {answer.status}: {snippet(answer.body)}")
