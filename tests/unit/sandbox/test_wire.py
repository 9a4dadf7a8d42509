import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from btcbot.domain.money import parse, use_money_context
from btcbot.sandbox.wire import encode, padded

TEXTS = st.text(max_size=20)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60)
@given(DOCUMENTS)
def test_what_is_written_reads_back(document: object) -> None:
    assert json.loads(encode(document)) == document


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=12))
def test_a_decimal_is_a_plain_number(number: Decimal) -> None:
    use_money_context()
    text = encode(number)
    assert "e" not in text.lower()
    assert json.loads(text, parse_float=Decimal, parse_int=Decimal) == number


def test_turkish_letters_stay_as_they_are() -> None:
    assert encode({"name": "Türk Lirası", "list": (1, True)}) == '{"name":"Türk Lirası","list":[1,true]}'


def test_half_a_character_goes_out_as_a_question_mark() -> None:
    assert encode({"a\ud800": "\udfffü"}).encode() == '{"a?":"?ü"}'.encode()


def test_decimals_are_padded_and_never_cut() -> None:
    assert padded(parse("5"), 4) == "5.0000"
    assert padded(parse("0.123456"), 4) == "0.123456"


def test_a_float_is_a_defect() -> None:
    with pytest.raises(TypeError):
        encode(0.1)
