"""From the text of a frame to its type, or to the one typed error: exact, strict, bounded."""

import json
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from btcbot.exchange.errors import Malformed
from btcbot.exchange.frame_text import kind_of, pair_of, read_frame, write_frame
from btcbot.exchange.json_text import BYTES_MAX
from btcbot.exchange.wire import (
    BookUpdateFrame,
    DecimalText,
    KlineFrame,
    LoginFrame,
    SubscribeFrame,
    TradeFrame,
    UserTradeFrame,
)
from tests.unit.exchange.builders import d, sample_bytes

PLAIN: TypeAdapter[Decimal] = TypeAdapter(DecimalText)


def update_with(price: str, pair: str = '"SOLTRY"') -> bytes:
    """An update of one level, whose price is this piece of JSON."""
    return f'[432,{{"CS":7,"PS":{pair},"AO":[{{"CP":1,"P":{price},"A":"1"}}],"BO":[]}}]'.encode()


def price_in(text: bytes) -> Decimal:
    frame = read_frame(text)
    assert isinstance(frame, BookUpdateFrame)
    return frame.asks[0].price


def is_plain(text: str) -> bool:
    try:
        PLAIN.validate_python(text)
    except ValidationError:
        return False
    return True


near_numbers = st.text(st.sampled_from('0123456789.-+eE_ ,nNaAiIfFsS\t\n"\\٣'), max_size=40) | st.text(max_size=8)


@given(near_numbers, st.booleans(), st.sampled_from(["", " ", "\n\t "]))
@example("NaN", True, "")
@example("1_0", True, "")
@example("0.00001", False, " ")
@example("1" * 31, True, "")
def test_an_amount_is_read_exactly_when_it_is_a_plain_number(text: str, is_escaped: bool, space: str) -> None:
    frame = update_with(space + json.dumps(text, ensure_ascii=is_escaped))
    if is_plain(text):
        assert str(price_in(frame)) == str(Decimal(text))
    else:
        with pytest.raises(Malformed):
            read_frame(frame)


@pytest.mark.parametrize(
    "absurd",
    [
        '"NaN"', '"sNaN12"', '"-Infinity"', '" 1"', '"1 "', '"1_0"', '"1e5"', '"1E-7"', '"٣"', '"\\u0661"', '"\\t1"',
        '""', '".5"', '"5."', '"1,5"', '"0x1"', "1e400", "1e-400", "NaN", "null", "true", "[1]", "{}",
        '"' + "1" * 31 + '"', '"0.' + "1" * 31 + '"', "1" * 31, "9E9999999999999999999", '"9E9999999999999999999"',
    ],
)  # fmt: skip
def test_an_absurd_amount_is_refused(absurd: str) -> None:
    with pytest.raises(Malformed):
        read_frame(update_with(absurd))


@pytest.mark.parametrize(("written", "read"), [('"+1.50"', "1.50"), ("1.5", "1.5"), ("12", "12"), ('"\\u0031"', "1")])
def test_an_amount_may_be_a_text_or_a_number(written: str, read: str) -> None:
    assert str(price_in(update_with(written))) == read


@pytest.mark.parametrize("pair", ["NANTRY", "INFTRY", "1INCHTRY", "SOLTRY", "C98USDT", "ETHTRY"])
def test_a_pair_may_be_named_like_a_number(pair: str) -> None:
    frame = read_frame(update_with('"1"', json.dumps(pair)))
    assert isinstance(frame, BookUpdateFrame)
    assert frame.pair == pair


def test_an_absurd_amount_cannot_hide_behind_a_colon_in_a_key() -> None:
    with pytest.raises(Malformed):
        read_frame(b'[432,{":":"1e5","PS":"SOLTRY","CS":7,"AO":[],"BO":[]}]')
    assert price_in(b'[432,{":":"x","PS":"SOLTRY","CS":7,"AO":[{"CP":1,"P":"2","A":"1"}],"BO":[]}]') == 2


def test_spaces_change_nothing() -> None:
    compact = sample_bytes("ws/432.obdiff.update.json")
    assert read_frame(json.dumps(json.loads(compact), indent=1).encode()) == read_frame(compact)


def test_a_key_that_comes_twice_counts_as_it_came_last_and_unknown_ones_not_at_all() -> None:
    assert price_in(update_with('"1","P":"2","Q":{"deep":[1,2,{"A":"x"}]}')) == 2


def test_what_of_a_trade_or_a_candle_is_a_number_may_be_a_text() -> None:
    for quote in ("", '"'):
        trade = read_frame(
            f'[422,{{"D":{quote}1787692476997{quote},"I":"1","A":"1","P":"2","PS":"BTCTRY","S":1}}]'.encode()
        )
        assert isinstance(trade, TradeFrame)
        assert trade.date == 1787692476997
        candle = read_frame(
            f'[428,{{"D":{quote}1787684400{quote},"P":"BTCTRY","R":{quote}60{quote},'
            '"O":"1","H":"1","L":"1","C":"1","V":"1"}]'.encode()
        )
        assert isinstance(candle, KlineFrame)
        assert (candle.date, int(candle.resolution)) == (1787684400, 60)


@pytest.mark.parametrize("date", ["1787692476", '"1787692476997000"', "0", '"x"', "1.5", "null"])
def test_a_time_of_another_unit_is_refused(date: str) -> None:
    with pytest.raises(Malformed):
        read_frame(f'[422,{{"D":{date},"I":"1","A":"1","P":"2","PS":"BTCTRY","S":1}}]'.encode())


def test_a_number_of_json_keeps_its_digits() -> None:
    frame = read_frame(sample_bytes("ws/423.user_trade.json").replace(b"-205.24}", b"-205.24000000000000000001}"))
    assert isinstance(frame, UserTradeFrame)
    assert frame.precise_amount == d("-205.24000000000000000001")


@pytest.mark.parametrize("text", ["[7,{}]", '[801,{"a":[1,{"b":"c"}]}]', " [ 7 , { } ] "])
def test_a_frame_of_an_unknown_type_is_ignored(text: str) -> None:
    assert read_frame(text.encode()) is None


@pytest.mark.parametrize(
    "garbage",
    [
        b"", b"[", b"[]", b"[1]", b"[1,[]]", b"{}", b'["431",{}]', b"[true,{}]", b"[431,{}]", b"[431,[]]", b"\xff\xfe",
        b"null", b"7", b"[431,{}", b'[432,{"CS":7}]', b'[100,{"ok":"perhaps","message":"x"}]',
        b'[432,{"CS":18446744073709551616,"PS":"A","AO":[],"BO":[]}]', b'[432,{"CS":7.5,"PS":"A","AO":[],"BO":[]}]',
        b'[432,{"CS":7,"PS":"BTCUSD\xd4","AO":[],"BO":[]}]', b'[432,{"CS":7,"PS":"","AO":[],"BO":[]}]',
        b'[432,{"CS":7,"PS":"' + b"A" * 65 + b'","AO":[],"BO":[]}]',
    ],
)  # fmt: skip
def test_garbage_is_malformed(garbage: bytes) -> None:
    with pytest.raises(Malformed):
        read_frame(garbage)


@pytest.mark.parametrize("start", [b"[432,", b"[7,", b'[432,{"x":', b'[7,{"x":', b""])
def test_depth_is_bounded(start: bytes) -> None:
    for bracket in (b"[", b'{"a":'):
        with pytest.raises(Malformed):
            read_frame(start + bracket * 100_000)


def test_size_and_number_of_levels_are_bounded() -> None:
    level = b'{"CP":0,"P":"1","A":"1"},'
    with pytest.raises(Malformed, match="larger"):
        read_frame(b" " * (BYTES_MAX + 1))
    with pytest.raises(Malformed, match="1000"):
        read_frame(b'[432,{"CS":7,"PS":"A","AO":[' + (level * 1001)[:-1] + b'],"BO":[]}]')


@given(st.binary(max_size=60) | st.text(max_size=40).map(lambda text: f'[432,{{"CS":{text}'.encode()))
def test_nothing_but_a_typed_error_comes_of_any_bytes(text: bytes) -> None:
    try:
        read_frame(text)
    except Malformed:
        return


def test_an_unreadable_frame_still_says_whose_it_is() -> None:
    assert pair_of(update_with('"NaN"')) == "SOLTRY"
    assert pair_of(b'[432,{"CS":7') is None
    assert pair_of(b'[432,{"PS":"BTCUSD\xd4"}]') is None
    assert pair_of(b"[" * 100_000) is None


def test_the_type_is_read_without_the_rest() -> None:
    assert kind_of(b' [ 431 , {"PS":7}]') == 431
    for garbage in (b"[1]", b"[1,2]", b"x", b"[" * 100_000):
        with pytest.raises(Malformed):
            kind_of(garbage)


def test_what_we_send_is_compact_and_a_login_is_never_shown() -> None:
    assert (
        write_frame(SubscribeFrame(channel="obdiff", event="BTCTRY", join=True))
        == '[151,{"type":151,"channel":"obdiff","event":"BTCTRY","join":true}]'
    )
    login = LoginFrame(public_key="a", timestamp=1735689600000, nonce=3000, signature="secret")
    assert "secret" not in repr(login)
    assert "secret" in write_frame(login)
