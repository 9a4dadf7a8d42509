"""POST order: one request, one of four outcomes, never a second try (reliability 2A).

Only `execution.live` imports this module.
"""

from json import JSONEncoder
from typing import Any

from pydantic import TypeAdapter

from btcbot.domain.money import ZERO, plain
from btcbot.domain.orders.evidence import (
    Accepted,
    AcceptedOtherwise,
    Answer,
    AnsweredForAnother,
    NoByteLeft,
    Silent,
    TurnedDown,
)
from btcbot.domain.orders.records import JournaledOrder
from btcbot.exchange.answers import BAD_REQUEST, OK, envelope_of, shaped
from btcbot.exchange.errors import (
    Malformed,
    NoAnswer,
    NotSent,
    NotTheExchange,
    RateLimited,
    StampsAhead,
    Unavailable,
    is_submit_refusal,
    is_unauthorized,
    snippet,
)
from btcbot.exchange.http import HttpAnswer
from btcbot.exchange.limits import TOO_MANY_REQUESTS, Endpoint
from btcbot.exchange.mappers import time_of
from btcbot.exchange.private import PrivateChannel
from btcbot.exchange.wire import SubmitData

LIMIT = "limit"
ADMISSION_SECONDS_MAX = 2.0
LABEL_SHOWN_MAX = 50  # as long as the exchange lets one be
_DATA: TypeAdapter[SubmitData] = TypeAdapter(SubmitData)
_write = JSONEncoder(separators=(",", ":")).encode


class SubmitClient:
    def __init__(self, channel: PrivateChannel, timeout: float) -> None:
        """`timeout` in seconds, from the first byte to the whole answer; past it the outcome is `Silent`."""
        self._channel = channel
        self._timeout = timeout

    async def admit(self) -> NoByteLeft | None:
        """Wait for room in the budget, before the last check of the arming. What speaks against sending comes back.

        The wait is short: an order decided on a market of seconds ago is not worth sending later.
        """
        obstacle = self._channel.obstacle(Endpoint.SUBMIT)
        if obstacle is None and self._channel.is_troubled:
            obstacle = "the exchange failed several times in a row; reads probe whether it is back"
        if obstacle is not None:
            return NoByteLeft(obstacle)
        try:
            await self._channel.admit(Endpoint.SUBMIT, ADMISSION_SECONDS_MAX)
        except RateLimited as blocked:
            return NoByteLeft(str(blocked))
        return None

    async def submit(self, order: JournaledOrder) -> Answer:
        """Send the order, now, in one request.

        Cancelling the task surfaces as `CancelledError` although the request may be on the wire: the caller journals
        that as `Silent`.
        """
        try:
            answer = await self._channel.send_once(
                Endpoint.SUBMIT, "POST", "/api/v1/order", (), _body(order), self._timeout
            )
        except (NotSent, StampsAhead) as error:
            return NoByteLeft(str(error))
        except (NoAnswer, NotTheExchange) as error:
            return Silent(str(error))
        return outcome_of(answer, order)


def outcome_of(answer: HttpAnswer, order: JournaledOrder) -> Answer:
    """What an answer proves about an order. Everything that is not listed proves nothing."""
    try:
        envelope = envelope_of(answer, Endpoint.SUBMIT)
    except (NotTheExchange, Unavailable, Malformed) as error:
        # The edge or the exchange turned it away at the door: not accepted, which one lookup has to confirm.
        if answer.status in (401, 403, TOO_MANY_REQUESTS):
            return TurnedDown(f"HTTP {answer.status}")
        return Silent(str(error))
    message = envelope.message or ""
    is_refused = answer.status == BAD_REQUEST and is_submit_refusal(message)
    if is_refused or is_unauthorized(answer.status, message) or answer.status == TOO_MANY_REQUESTS:
        if envelope.data:
            return Silent(f"HTTP {answer.status}, a refusal that speaks of an order: {snippet(answer.body)}")
        return TurnedDown(snippet(message) or f"HTTP {answer.status}")
    if answer.status != OK or envelope.success is not True or envelope.code not in (0, "SUCCESS"):
        return Silent(f"HTTP {answer.status}: {snippet(answer.body)}")
    return _accepted(envelope.data, order)


def _accepted(data: Any, order: JournaledOrder) -> Accepted | AcceptedOtherwise | AnsweredForAnother | Silent:
    """The strict success predicate: what came back is what was sent, field by field (reliability, finding 3)."""
    try:
        taken = shaped(_DATA, data, Endpoint.SUBMIT)
    except Malformed as error:
        return Silent(str(error))
    label = taken.new_order_client_id
    if label and label != order.client_order_id:
        return AnsweredForAnother(ascii(label[:LABEL_SHOWN_MAX]))
    echo = {
        "pair": (taken.pair_symbol, order.pair),
        "side": (taken.type.lower(), str(order.side)),
        "method": (taken.method.lower(), LIMIT),
        "price": (taken.price, order.price),
        "quantity": (taken.quantity, order.quantity),
        "client_order_id": (label, order.client_order_id),
        "stop_price": (taken.stop_price or ZERO, ZERO),
    }
    wrong = [name for name, (theirs, ours) in echo.items() if theirs != ours]
    if wrong:
        return AcceptedOtherwise(taken.id, ", ".join(wrong))
    return Accepted(taken.id, time_of(taken.datetime))


def _body(order: JournaledOrder) -> bytes:
    """Numbers as plain decimal text: the exchange refuses exponents (protocol, section 2)."""
    document = {
        "pairSymbol": order.pair,
        "orderType": str(order.side),
        "orderMethod": LIMIT,
        "quantity": plain(order.quantity),
        "price": plain(order.price),
        "newOrderClientId": order.client_order_id,
    }
    return _write(document).encode("ascii")
