"""What a shape says of a document, and that the table of known shapes fits the samples and the wire models."""

from pathlib import Path

import msgspec
import pytest
from pydantic import BaseModel

from btcbot.exchange import known_shapes, wire
from btcbot.exchange.json_text import read_json
from btcbot.exchange.known_shapes import DECIMAL, FLAG, FRAMES, NUMBER, TEXT, WHOLE, many, obj
from btcbot.exchange.shapes import TOLD_MAX, Shape, differences

SAMPLES = Path(__file__).parents[2] / "contract" / "exchange" / "samples"
ROW = obj({"id": WHOLE, "price": DECIMAL, "tag": TEXT.or_null(), "order": WHOLE.maybe()})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"id":1,"price":"2.5","tag":null}', ()),
        ('{"id":1,"price":"-2","tag":"x","order":7}', ()),
        ('{"id":1.0,"price":"2","tag":""}', ("id is a number with a point instead of a whole number",)),
        ('{"id":true,"price":"2","tag":""}', ("id is true or false instead of a whole number",)),
        ('{"id":1,"price":2,"tag":""}', ("price is a whole number instead of decimal text",)),
        ('{"id":1,"price":"2,5","tag":""}', ("price is decimal text with a comma instead of decimal text",)),
        ('{"id":1,"price":"2e5","tag":""}', ("price is text instead of decimal text",)),
        ('{"id":1,"price":"2"}', ("tag is missing",)),
        ('{"id":1,"price":"2","tag":null,"more":[]}', ("more is new: a list",)),
        ("[]", ("the document is a list instead of an object",)),
    ],
)
def test_a_difference_names_its_place_and_two_kinds(text: str, told: tuple[str, ...]) -> None:
    assert differences(ROW, read_json(text.encode())) == told


def test_a_place_is_told_once_with_how_often() -> None:
    rows = [{"id": 1, "price": "1", "tag": None}, {"id": "1", "price": "1", "tag": None}, {"id": "2", "price": "1"}]
    assert differences(many(ROW), rows) == (
        "[].id is decimal text instead of a whole number (2 times)",
        "[].tag is missing",
    )


def test_no_value_is_ever_told() -> None:
    told = differences(ROW, {"id": "secret", "price": "secret", "tag": 5, "other": "secret"})
    assert len(told) == 4
    assert "secret" not in " ".join(told)


def test_what_is_told_is_bounded_and_printable() -> None:
    told = differences(obj({}), {f"\x1b[31m{number}" + "x" * 100: FLAG for number in range(100)})
    assert len(told) == TOLD_MAX + 1
    assert told[-1] == "and 88 more differences"
    assert all(line.isprintable() and len(line) < 80 for line in told)


# ---------------------------------------------------------------------------------------------------- the known shapes

OF_SAMPLES: dict[str, Shape] = {
    "rest/exchangeinfo.200.json": known_shapes.EXCHANGE_INFO,
    "rest/ticker.single.200.json": known_shapes.TICKERS,
    "rest/ticker.no_order_field.200.json": known_shapes.TICKERS,
    "rest/ticker.unknown_pair.200.json": known_shapes.TICKERS,
    "rest/orderbook.200.json": known_shapes.BOOK,
    "rest/orderbook.float_timestamp.200.json": known_shapes.BOOK,
    "rest/trades.200.json": known_shapes.TRADES,
    "rest/graph_ohlcs.200.json": known_shapes.DAYS,
    "rest/graph_klines.200.json": known_shapes.CANDLES,
    "rest/server_time.200.json": known_shapes.TIME,
    "rest/server_ping.200.json": known_shapes.PING,
    "rest/balances.200.json": known_shapes.BALANCES,
    "rest/balances.comma.200.json": known_shapes.BALANCES,
    "rest/order_single.200.json": known_shapes.ORDER,
    "rest/open_orders.200.json": known_shapes.OPEN_ORDERS,
    "rest/open_orders.stop.200.json": known_shapes.OPEN_ORDERS,
    "rest/all_orders.200.json": known_shapes.ORDERS,
    "rest/user_trades.200.json": known_shapes.USER_TRADES,
    "rest/crypto_transactions.200.json": known_shapes.TRANSFERS,
    "rest/fiat_transactions.200.json": known_shapes.TRANSFERS,
}
OLD = {
    "rest/exchangeinfo.2022.200.json": known_shapes.EXCHANGE_INFO,
    "rest/balances.2019.200.json": known_shapes.BALANCES,
    "rest/open_orders.2019.200.json": known_shapes.OPEN_ORDERS,
    "rest/user_trades.2019.200.json": known_shapes.USER_TRADES,
    "rest/fiat_transactions.2019.200.json": known_shapes.TRANSFERS,
}
OLD_FRAMES = ("ws/451.xrp.2021.json", "ws/451.dot.2022.json")


def sample(name: str) -> object:
    return read_json((SAMPLES / name).read_bytes())


@pytest.mark.parametrize("name", OF_SAMPLES)
def test_a_sample_of_these_days_has_the_known_shape(name: str) -> None:
    assert differences(OF_SAMPLES[name], sample(name)) == ()


@pytest.mark.parametrize("name", OLD)
def test_a_sample_of_old_days_differs(name: str) -> None:
    assert differences(OLD[name], sample(name))


@pytest.mark.parametrize("path", sorted((SAMPLES / "ws").glob("*.json")), ids=lambda path: path.name)
def test_a_frame_of_these_days_has_the_known_shape(path: Path) -> None:
    document = sample(f"ws/{path.name}")
    frames = [document] if isinstance(document, list) and isinstance(document[0], int) else document
    assert isinstance(frames, list)
    for kind, body in frames:
        if kind in FRAMES and "publicKey" not in body and path.name not in [Path(name).name for name in OLD_FRAMES]:
            assert differences(FRAMES[kind], body) == ()


def _item(shape: Shape | None) -> Shape:
    assert shape is not None
    return shape.item if shape.item is not None else shape


def _data(shape: Shape) -> Shape:
    return _item(shape.fields["data"])


OF_MODELS: list[tuple[type[BaseModel], Shape]] = [
    (wire.ServerTime, known_shapes.TIME),
    (wire.ServerPing, known_shapes.PING),
    (wire.ExchangeInfo, _data(known_shapes.EXCHANGE_INFO)),
    (wire.SymbolRow, _item(_data(known_shapes.EXCHANGE_INFO).fields["symbols"])),
    (wire.PriceFilter, _item(_item(_data(known_shapes.EXCHANGE_INFO).fields["symbols"]).fields["filters"])),
    (wire.CurrencyRow, _item(_data(known_shapes.EXCHANGE_INFO).fields["currencies"])),
    (wire.CurrencyBlockRow, _item(_data(known_shapes.EXCHANGE_INFO).fields["currencyOperationBlocks"])),
    (wire.TickerRow, _data(known_shapes.TICKERS)),
    (wire.OrderBookData, _data(known_shapes.BOOK)),
    (wire.TradeRow, _data(known_shapes.TRADES)),
    (wire.Klines, known_shapes.CANDLES),
    (wire.OhlcRow, _item(known_shapes.DAYS)),
    (wire.BalanceRow, _data(known_shapes.BALANCES)),
    (wire.OrderRow, _data(known_shapes.ORDERS)),
    (wire.OrderRow, _data(known_shapes.ORDER)),
    (wire.UserTradeRow, _data(known_shapes.USER_TRADES)),
    (wire.TransferRow, _data(known_shapes.TRANSFERS)),
]


@pytest.mark.parametrize(("model", "shape"), OF_MODELS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_known_shape_has_the_fields_of_its_wire_model(model: type[BaseModel], shape: Shape) -> None:
    names = {field.serialization_alias or field.alias or name for name, field in model.model_fields.items()}
    assert shape.fields.keys() == names


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        (wire.WELCOME, wire.WelcomeFrame),
        (wire.TICKER_PAIR, wire.TickerFrame),
        (wire.TRADE_LIST, wire.TradeListFrame),
        (wire.TRADE_SINGLE, wire.TradeFrame),
        (wire.KLINE, wire.KlineFrame),
        (wire.BOOK_FULL, wire.BookFullFrame),
        (wire.BOOK_UPDATE, wire.BookUpdateFrame),
        (wire.USER_TRADE, wire.UserTradeFrame),
        (wire.ORDER_MATCH, wire.OrderMatchFrame),
    ],
)
def test_a_known_frame_has_the_fields_of_its_wire_model(kind: int, model: type[msgspec.Struct]) -> None:
    names = {field.encode_name for field in msgspec.structs.fields(model)}
    assert FRAMES[kind].fields.keys() - {"type"} == names - {"type"}


def test_numbers_with_and_without_a_point_are_numbers() -> None:
    assert differences(many(NUMBER), read_json(b"[1,1.5,1e3]")) == ()
