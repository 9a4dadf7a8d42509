"""What can go wrong between us and the exchange, divided by what one can do about it, and the words it says no with.

Classified on the message, never on the number: numbers were wrong for seventeen months and shifted since (protocol,
section 8). A message that is not listed here proves nothing.
"""

import re

from btcbot.domain.errors import ExchangeUnreachable, KeyRefused, ReadFailed

SERVER_ERROR = 500
SNIPPET_BYTES_MAX = 200
_TOKEN = re.compile(r"[A-Za-z0-9+/=_-]{20,}")  # whatever could be a key or a signature
_WORD = re.compile(r"[A-Z]+(_[A-Z]+)+")  # FAILED_INVALID_PRICE_SCALE: the exchange's own words are none

SUBMIT_REFUSALS = frozenset(
    {
        "FAILED_MARKET_ORDER",
        "FAILED_LIMIT_ORDER",
        "FAILED_ORDER_PARAMETER",
        "FAILED_ORDER_WITH_OPEN_ORDERS",
        "FAILED_MIN_TOTAL_AMOUNT",
        "MIN_TOTAL",
        "FAILED_STOP_PRICE_GREATER_THAN_BEST_ASK",
        "FAILED_STOP_PRICE_LESS_THAN_BEST_BID",
        "FAILED_INVALID_PRICE_SCALE",
        "FAILED_INVALID_QUANTITY_SCALE",
        "FAILED_INVALID_STOP_PRICE_SCALE",
        "ORDER_METHOD_NOT_SUPPORTED",
        "ORDER_TYPE_NOT_SUPPORTED",
        "PRICE_MUST_BE_LESS_THAN_MAXPRICE",
        "PRICE_MUST_BE_LESS_THAN_MINPRICE",
        "ORDER_MAX_PRICE_EXCEEDED",
        "ORDER_MIN_PRICE_EXCEEDED",
        "STOP_PRICE_GREATER_THAN_MARKET",
        "STOP_PRICE_LESS_THAN_MARKET",
        "BALANCE_NOT_ENOUGH",
        "BALANCE_NOT_ENOUGH_WITHOUT_OPEN_ORDERS",
        "INVALID_REQUEST",
        "INVALID_REQUEST_ERROR",
        "PARAMETERS_ERROR",
    }
)
CANCEL_REFUSALS = frozenset({"NO_ORDER_MATCHES_YOUR_REQUEST", "ORDER_COULD_NOT_BE_CANCELED", "ORDER_CANCEL_BLOCKED"})
ORDER_NOT_FOUND = "Order not found"
SYSTEM_WORDS = frozenset({"SYSTEM_UNDER_MAINTENANCE", "INTERNAL_ERROR", "SYSTEM_ERROR"})


class NotSent(ExchangeUnreachable):
    """The connection was never made: provably no byte of the request left."""


class NoAnswer(ExchangeUnreachable):
    """Bytes may have left and nothing usable came back: a timeout, a reset, a broken transfer."""


class NotTheExchange(ExchangeUnreachable):
    """What answered is not the API: HTML, nothing, garbage, a redirect, or more than any answer can be."""

    def __init__(self, what: str, status: int) -> None:
        super().__init__(what)
        self.status = status


class Unavailable(ExchangeUnreachable):
    """The exchange says that it is out of order: a 5xx or maintenance (protocol, section 8).

    `word` is the one of `SYSTEM_WORDS` that it said so with; empty where the status alone did.
    """

    def __init__(self, what: str, status: int, word: str = "") -> None:
        super().__init__(what)
        self.status = status
        self.word = word


class Malformed(ReadFailed):
    """An answer or a frame has a field missing, of another kind, or beyond what can be true."""

    next_step = "nothing was assumed from it; if it repeats, the exchange changed its protocol: report the message"


class Refused(ReadFailed):
    """The exchange understood and said no."""

    def __init__(self, what: str, status: int, message: str) -> None:
        super().__init__(what)
        self.status = status
        self.message = message


class RateLimited(ReadFailed):
    """Inside a block of the exchange's making; nothing is sent until it lifts (reliability I10)."""

    next_step = "it is asked again when the block lifts; use fewer pairs or a longer cycle if this repeats"

    def __init__(self, endpoint: str, seconds: float) -> None:
        super().__init__(f"calls of {endpoint} are blocked for another {seconds:.1f} s")
        self.seconds = seconds


class StampsAhead(ReadFailed):
    """The stamps of this key lie in the exchange's future, because its clock was once measured wrongly.

    They may only rise, so nothing can be signed until the exchange's time has caught up.
    """

    next_step = "the clock is measured again; signing goes on by itself once the exchange's time has caught up"

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the next stamp of this key would be {seconds:.1f} s ahead of the exchange's time")
        self.seconds = seconds


class Unauthorized(ReadFailed):
    """A private call was not let in (protocol, section 3)."""

    next_step = "about the nonce: the clock is measured again; else check the key, its permissions and IP allow-list"

    def __init__(self, message: str) -> None:
        super().__init__(f"the exchange did not let a private call in: {snippet(message)}")
        self.is_about_nonce = is_about_nonce(message)
        self.is_worth_another_try = False


class PrivateCallsStopped(KeyRefused):
    """Three private calls in a row were not let in; more of them would get the address blocked (reliability I9)."""

    next_step = "check key, permissions, IP allow-list and clock, then restart; nothing private is sent until then"


def is_unauthorized(status: int, message: str) -> bool:
    """`success: true` has been seen with all of these, and the one about the nonce under HTTP 400 (protocol 3)."""
    return status in (401, 403) or message.startswith(("Unauthorized", "Nonce "))


def system_word(message: str | None, code: int | str | None) -> str:
    """The word for being out of order, or nothing. It may stand in both places, under any status (open question F4)."""
    return next((word for word in (message, code) if isinstance(word, str) and word in SYSTEM_WORDS), "")


def is_about_nonce(message: str) -> bool:
    return "nonce" in message.lower()


def is_submit_refusal(message: str) -> bool:
    """Whether a 400 with this message says that no order was made."""
    return message in SUBMIT_REFUSALS or (message.startswith("Pair ") and message.endswith("does not exists."))


def snippet(said: bytes | str) -> str:
    """How something unexpected begins, fit for a log line: printable, short, without anything like a secret."""
    body = said.encode(errors="replace") if isinstance(said, str) else said
    text = body[:SNIPPET_BYTES_MAX].decode("utf-8", "replace")
    printable = "".join(character if character.isprintable() else " " for character in text)
    return _TOKEN.sub(lambda found: found[0] if _WORD.fullmatch(found[0]) else "***", " ".join(printable.split()))
