from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btcbot.exchange.errors import Malformed
from btcbot.exchange.json_text import BYTES_MAX, DEPTH_MAX, read_json


def test_numbers_are_read_from_their_digits() -> None:
    assert read_json(b'{"a":-0.3384081100000000,"b":1181163798924649598}') == {
        "a": Decimal("-0.3384081100000000"),
        "b": 1181163798924649598,
    }


@pytest.mark.parametrize(
    "text",
    [
        b"", b" ", b"<html>", b"{", b'{"a":1}}', b"NaN", b'{"a":Infinity}', b"\xff\xfe", b'"\xc3(', b'{"a":1,"a":2}',
        b"[" * 10_000, b'{"a":' * 5_000, b"[" * 33 + b"]" * 33, b"1e" + b"9" * 30, b"9" * 5_000, b" " * (BYTES_MAX + 1),
    ],
    ids=range(16),
)  # fmt: skip
def test_what_is_not_json_is_one_error(text: bytes) -> None:
    with pytest.raises(Malformed):
        read_json(text)


def test_nesting_is_allowed_up_to_the_limit() -> None:
    read_json(b"[" * DEPTH_MAX + b"]" * DEPTH_MAX)
    assert read_json(b'{"a":"' + b"[{" * 10 + b'"}') == {"a": "[{" * 10}


@given(st.binary(max_size=200))
def test_any_bytes_are_a_document_or_the_one_error(text: bytes) -> None:
    try:
        read_json(text)
    except Malformed:
        return
