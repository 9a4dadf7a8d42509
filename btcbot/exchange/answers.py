"""From an HTTP answer to its data, or to the one error that says why there is none.

Success is HTTP 200 **and** `success` is true **and** the data is there **and** the message is not a refusal in disguise
(protocol, section 2). Nothing here is taken for an empty answer.
"""

from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from btcbot.exchange.errors import (
    SERVER_ERROR,
    Malformed,
    NotTheExchange,
    Refused,
    Unauthorized,
    Unavailable,
    is_unauthorized,
    snippet,
    system_word,
)
from btcbot.exchange.http import HttpAnswer
from btcbot.exchange.wire import Envelope

T = TypeVar("T")
OK, BAD_REQUEST = 200, 400
_ENVELOPE: TypeAdapter[Envelope] = TypeAdapter(Envelope)


def shaped(adapter: TypeAdapter[T], document: Any, what: str) -> T:
    """The document as this wire model, or `Malformed` with the place and the reason, never the value."""
    try:
        return adapter.validate_python(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Malformed(f"{what}: {place or 'the document'}: {first['msg']}") from None


def document_of(answer: HttpAnswer, what: str) -> object:
    """The JSON document of an answer. `NotTheExchange` for HTML, nothing or garbage; `Unavailable` for a 5xx."""
    try:
        document = answer.document
    except Malformed as error:
        said = snippet(answer.body) or "nothing"
        what = f"{what}: HTTP {answer.status} without JSON, beginning with {said!r}"
        raise NotTheExchange(what, answer.status) from error
    if answer.status >= SERVER_ERROR:
        raise Unavailable(f"{what}: HTTP {answer.status}: {snippet(answer.body)}", answer.status)
    return document


def envelope_of(answer: HttpAnswer, what: str) -> Envelope:
    """The envelope of an answer of the API host, whatever it says but that the exchange is out of order."""
    document = document_of(answer, what)
    if not isinstance(document, dict):
        raise NotTheExchange(f"{what}: HTTP {answer.status} with JSON that is no answer of the exchange", answer.status)
    envelope = shaped(_ENVELOPE, document, what)
    if word := system_word(envelope.message, envelope.code):
        raise Unavailable(f"{what}: HTTP {answer.status}: {word}", answer.status, word)
    return envelope


def data_of(answer: HttpAnswer, adapter: TypeAdapter[T], what: str) -> T:
    """What a read asked for. Raises `Unauthorized`, `Refused`, `Unavailable`, `NotTheExchange` or `Malformed`."""
    data = success_data(answer, what)
    return shaped(adapter, data, what)


def success_data(answer: HttpAnswer, what: str) -> Any:
    """The data of an answer that is a success in every respect; its shape is judged by the caller."""
    envelope = envelope_of(answer, what)
    message = envelope.message or ""
    if is_unauthorized(answer.status, message):
        raise Unauthorized(message or f"HTTP {answer.status}")
    if answer.status != OK or envelope.success is not True or envelope.data is None:
        said = snippet(message) or "no message"
        raise Refused(f"{what}: HTTP {answer.status}: {said}", answer.status, message)
    return envelope.data
