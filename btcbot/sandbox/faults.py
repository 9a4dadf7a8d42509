"""Faults on demand: what goes wrong, how often, and for what.

Answers of the HTTP hosts. "Not done": the request is not carried out. "Done": it is, and the answer suffers.

| fault                           | done | what the client gets                                                       |
|---------------------------------|------|----------------------------------------------------------------------------|
| lost_request                    | no   | nothing, ever                                                              |
| html_everywhere                 | no   | a page of the edge: `status` 403, 502 (default), 503 or 504                |
| unavailable_503                 | no   | maintenance: 503, `code` a string                                          |
| internal_error                  | no   | 500 INTERNAL_ERROR without `success`, `code` a string                      |
| rate_limited_429                | no   | 429 with Retry-After `seconds`                                             |
| rate_limited_429_until_date     | no   | 429 with Retry-After as an HTTP date `seconds` from now                    |
| rate_limited_429_bare           | no   | 429 in the old form, without Retry-After                                   |
| unauthorized                    | no   | 401 "Invalid Request", `success` as the venue profile has it               |
| invalid_nonce                   | no   | 401 "Invalid Nonce", likewise                                              |
| unsuccessful                    | no   | 200 with `success` false, SYSTEM_ERROR                                     |
| stale_book_503                  | no   | 503 of the order book                                                      |
| drop_answer_after_accept        | yes  | nothing, ever: accepted, and timed out                                     |
| html_after_accept               | yes  | a page of the edge: `status` 403, 502, 503 or 504 (default)                |
| internal_error_after_accept     | yes  | 500 INTERNAL_ERROR                                                         |
| late_answer                     | yes  | the answer, `seconds` later                                                |
| answer_held_back                | yes  | the answer, once the next one to that endpoint went out, or after `seconds`|
| answer_repeated                 | yes  | the body of the previous answer of that endpoint to that key               |
| answer_of_another_order         | yes  | the answer, with the data of an order that is not the one meant            |
| truncated_json                  | yes  | half of the body, under a length that fits it                              |
| connection_cut                  | yes  | half of the body, and the connection is closed                             |
| wrong_content_type              | yes  | the answer as text/html                                                    |
| empty_body                      | yes  | 200 and nothing                                                            |
| private_frames_first            | yes  | its private frames, and the answer `seconds` after them                    |

The struck answers are those with status 200; `late_answer`, `answer_held_back` and `answer_repeated` take any.

Orders and balances.

| fault                  | what happens                                                                         |
|------------------------|--------------------------------------------------------------------------------------|
| order_accepted_late    | a submit gets a page (`status`, default 504), and the order comes in `seconds` later |
| order_doubled          | a submit is processed twice: two orders under one label, the answer names the first  |
| market_orders_off      | a market order is refused: ORDER_METHOD_NOT_SUPPORTED, as in turbulence (ISS#331)    |
| cancel_lost            | a cancel is answered with a receipt, and nothing happens                             |
| cancel_blocked         | a cancel is refused: ORDER_CANCEL_BLOCKED, as in maintenance                         |
| filled_while_canceling | a cancel is answered with a receipt, and the order is filled before it takes effect  |
| lagging_holds          | balances show holds as they were `seconds` ago                                       |
| lagging_balances       | balances show everything as it was `seconds` ago                                     |
| lagging_orders         | views of orders show them as they were `seconds` ago                                 |
| lagging_trades         | users/transactions/trade shows trades from `seconds` after they happened             |

The feed. Facts to match: endpoint `feed` (`connect` for handshakes), key, and where there is one pair, channel, event.

| fault                  | what happens                                                                       |
|------------------------|------------------------------------------------------------------------------------|
| silent_feed            | the socket stays open, pings go on, no frame comes                                 |
| silent_socket          | neither frames nor pings                                                           |
| abrupt_close           | the connection breaks without a close frame                                        |
| handshake_refused      | the handshake is answered 503                                                      |
| login_refused          | the login is answered "Unauthorized - Invalid Request"                             |
| join_unserved          | a join is acknowledged, and nothing of it ever comes                               |
| sequence_gap           | one difference of a book is left out                                               |
| sequence_jump          | CS jumps ahead, and nothing is missing                                             |
| sequence_repeated      | a difference comes twice                                                           |
| frames_swapped         | two differences of a book come in the other order                                  |
| crossed_book           | the book is shown with its best bid above its best ask                             |
| empty_book             | the book is shown without a side: `match` side `buy` or `sell`, else both          |
| stale_book             | the book stands still as it was, and keeps coming                                  |
| malformed_frame        | a frame is cut in half                                                             |
| side_flipped           | S of public trades says the other side                                             |
| lost_private_frames    | 423, 441, 451 and 452 do not come                                                  |
| late_private_frames    | they come `seconds` later                                                          |
| repeated_private_frames| they come twice                                                                    |
| wrong_match_amount     | 441 carries another amount (ISS#341)                                               |
| stale_delete           | numLeft of 452 leaves out what matched last (ISS#503)                              |

What a fault can be matched against is in `btcbot.sandbox.facts`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from btcbot.domain.errors import BtcbotError
from btcbot.domain.money import ZERO, MalformedNumber, parse

FAULTS_MAX = 1_000
SECONDS_MAX = 1_000_000
FIELDS = ("fault", "count", "skip", "match", "seconds", "status")
FACTS = ("endpoint", "method", "path", "key", "pair", "side", "label", "order_id", "channel", "event")
STATUSES = (403, 502, 503, 504)


class FaultName(StrEnum):
    LOST_REQUEST = "lost_request"
    HTML_EVERYWHERE = "html_everywhere"
    UNAVAILABLE_503 = "unavailable_503"
    INTERNAL_ERROR = "internal_error"
    RATE_LIMITED_429 = "rate_limited_429"
    RATE_LIMITED_429_UNTIL_DATE = "rate_limited_429_until_date"
    RATE_LIMITED_429_BARE = "rate_limited_429_bare"
    UNAUTHORIZED = "unauthorized"
    INVALID_NONCE = "invalid_nonce"
    UNSUCCESSFUL = "unsuccessful"
    STALE_BOOK_503 = "stale_book_503"

    DROP_ANSWER_AFTER_ACCEPT = "drop_answer_after_accept"
    HTML_AFTER_ACCEPT = "html_after_accept"
    INTERNAL_ERROR_AFTER_ACCEPT = "internal_error_after_accept"
    LATE_ANSWER = "late_answer"
    ANSWER_HELD_BACK = "answer_held_back"
    ANSWER_REPEATED = "answer_repeated"
    ANSWER_OF_ANOTHER_ORDER = "answer_of_another_order"
    TRUNCATED_JSON = "truncated_json"
    CONNECTION_CUT = "connection_cut"
    WRONG_CONTENT_TYPE = "wrong_content_type"
    EMPTY_BODY = "empty_body"
    PRIVATE_FRAMES_FIRST = "private_frames_first"

    ORDER_ACCEPTED_LATE = "order_accepted_late"
    ORDER_DOUBLED = "order_doubled"
    MARKET_ORDERS_OFF = "market_orders_off"
    CANCEL_LOST = "cancel_lost"
    CANCEL_BLOCKED = "cancel_blocked"
    FILLED_WHILE_CANCELING = "filled_while_canceling"
    LAGGING_HOLDS = "lagging_holds"
    LAGGING_BALANCES = "lagging_balances"
    LAGGING_ORDERS = "lagging_orders"
    LAGGING_TRADES = "lagging_trades"

    SILENT_FEED = "silent_feed"
    SILENT_SOCKET = "silent_socket"
    ABRUPT_CLOSE = "abrupt_close"
    HANDSHAKE_REFUSED = "handshake_refused"
    LOGIN_REFUSED = "login_refused"
    JOIN_UNSERVED = "join_unserved"
    SEQUENCE_GAP = "sequence_gap"
    SEQUENCE_JUMP = "sequence_jump"
    SEQUENCE_REPEATED = "sequence_repeated"
    FRAMES_SWAPPED = "frames_swapped"
    CROSSED_BOOK = "crossed_book"
    EMPTY_BOOK = "empty_book"
    STALE_BOOK = "stale_book"
    MALFORMED_FRAME = "malformed_frame"
    SIDE_FLIPPED = "side_flipped"
    LOST_PRIVATE_FRAMES = "lost_private_frames"
    LATE_PRIVATE_FRAMES = "late_private_frames"
    REPEATED_PRIVATE_FRAMES = "repeated_private_frames"
    WRONG_MATCH_AMOUNT = "wrong_match_amount"
    STALE_DELETE = "stale_delete"


class MalformedFault(BtcbotError):
    next_step = 'send {"fault": NAME, "count": N or null, "match": {…}}'


@dataclass(slots=True)
class Fault:
    """What strikes: what matches, after the first `skip` of it, `left` times (none: until removed)."""

    number: int
    name: FaultName
    left: int | None
    skip: int
    match: Mapping[str, str]
    seconds: Decimal
    status: int | None

    def described(self) -> dict[str, object]:
        return {
            "id": self.number, "fault": self.name, "count": self.left, "skip": self.skip, "match": dict(self.match),
            "seconds": self.seconds, "status": self.status,
        }  # fmt: skip


class Faults:
    def __init__(self) -> None:
        self._faults: dict[FaultName, list[Fault]] = {}
        self._number = 0

    def __bool__(self) -> bool:
        """Whether there is any: most of the time there is none, and nobody need find out what it could match."""
        return bool(self._faults)

    def add(self, document: object) -> Fault:
        """Raises `MalformedFault` for anything but the documented shape."""
        if len(self._listed()) >= FAULTS_MAX:
            raise MalformedFault("there are too many faults already")
        fault = read_fault(document, self._number + 1)
        self._number += 1
        self._faults.setdefault(fault.name, []).append(fault)
        return fault

    def remove(self, number: int | None) -> None:
        """One, or all."""
        for fault in self._listed():
            if number is None or fault.number == number:
                self._drop(fault)

    def listed(self) -> list[dict[str, object]]:
        return [fault.described() for fault in self._listed()]

    def strike(self, name: FaultName, facts: Mapping[str, str]) -> Fault | None:
        """The first fault of that name which the facts match, counted as used."""
        for fault in self._faults.get(name, ()):
            if not all(facts.get(key) == value for key, value in fault.match.items()):
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            if fault.left is not None:
                fault.left -= 1
                if fault.left == 0:
                    self._drop(fault)
            return fault
        return None

    def _listed(self) -> list[Fault]:
        return sorted((fault for faults in self._faults.values() for fault in faults), key=lambda fault: fault.number)

    def _drop(self, fault: Fault) -> None:
        self._faults[fault.name].remove(fault)
        if not self._faults[fault.name]:
            del self._faults[fault.name]


def read_fault(document: object, number: int) -> Fault:
    """A fault as it is asked for. Raises `MalformedFault` for anything but the documented shape."""
    if not isinstance(document, dict) or not document.keys() <= set(FIELDS):
        raise MalformedFault(f"a fault is an object with {', '.join(FIELDS)}")
    name, count, skip = document.get("fault"), document.get("count"), document.get("skip", 0)
    match, status = document.get("match", {}), document.get("status")
    if name not in tuple(FaultName):
        raise MalformedFault(f"there is no fault {str(name)[:40]!r}, only {', '.join(FaultName)}")
    if count is not None and not _is_count(count, 1):
        raise MalformedFault("count is a positive integer or null")
    if not _is_count(skip, 0):
        raise MalformedFault("skip is a natural number")
    if not isinstance(match, dict) or not all(isinstance(value, str) for value in match.values()):
        raise MalformedFault("match is an object of texts")
    if unknown := match.keys() - set(FACTS):
        raise MalformedFault(f"match knows no {str(min(unknown))[:40]!r}, only {', '.join(FACTS)}")
    if status is not None and (type(status) is not int or status not in STATUSES):
        raise MalformedFault(f"status is one of {', '.join(map(str, STATUSES))}")
    try:
        seconds = parse(str(document.get("seconds", ZERO)))
    except MalformedNumber as error:
        raise MalformedFault("seconds is a plain number") from error
    if not ZERO <= seconds <= SECONDS_MAX:
        raise MalformedFault(f"seconds is not negative, and at most {SECONDS_MAX}")
    return Fault(number, FaultName(name), count, skip, match, seconds, status)


def _is_count(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
