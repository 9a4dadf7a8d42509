"""Every recorded payload of the exchange is read, and nothing of it is lost or changed."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import TypeAdapter

from btcbot.domain.money import MalformedNumber, parse, use_money_context
from btcbot.exchange import wire
from btcbot.exchange.answers import envelope_of
from btcbot.exchange.errors import Unavailable
from btcbot.exchange.frame_text import SHAPES, read_frame, write_frame
from btcbot.exchange.http import HttpAnswer
from btcbot.exchange.json_text import read_json

SAMPLES = Path(__file__).parent / "samples"

REST: tuple[tuple[str, Any], ...] = (  # by the start of the file's name, the longer ones first
    ("all_orders", tuple[wire.OrderRow, ...]),
    ("balances", tuple[wire.BalanceRow, ...]),
    ("crypto_transactions", tuple[wire.TransferRow, ...]),
    ("exchangeinfo", wire.ExchangeInfo),
    ("fiat_transactions", tuple[wire.TransferRow, ...]),
    ("graph_klines", wire.Klines),
    ("graph_ohlcs", tuple[wire.OhlcRow, ...]),
    ("open_orders", wire.OpenOrdersData),
    ("order_cancel", wire.Envelope),
    ("order_single", wire.OrderRow),
    ("order_submit.request", wire.SubmitRequest),
    ("order_submit", wire.SubmitData),
    ("orderbook", wire.OrderBookData),
    ("server_ping", wire.ServerPing),
    ("server_time", wire.ServerTime),
    ("ticker", tuple[wire.TickerRow, ...]),
    ("trades", tuple[wire.TradeRow, ...]),
    ("user_trades", tuple[wire.UserTradeRow, ...]),
)
SENT: dict[int, Any] = {wire.SUBSCRIBE: wire.SubscribeFrame, wire.LOGIN: wire.LoginFrame}


@pytest.fixture(scope="module", autouse=True)
def money_context() -> None:
    use_money_context()


def files(folder: str) -> list[Any]:
    return [pytest.param(path, id=path.name) for path in sorted((SAMPLES / folder).iterdir())]


@pytest.mark.parametrize("path", files("rest"))
def test_a_rest_payload_is_read_whole(path: Path) -> None:
    document = read_json(path.read_bytes())
    shape = next(shape for start, shape in REST if path.name.startswith(start))
    if isinstance(document, dict) and "success" in document and shape is not wire.Envelope:
        assert wire.Envelope.model_validate(document).success is True
        document = document["data"]
    model = TypeAdapter(shape).validate_python(document)
    assert_same(document, TypeAdapter(shape).dump_python(model, by_alias=True))


@pytest.mark.parametrize("path", files("errors"))
def test_a_refusal_has_a_message_and_an_exchange_out_of_order_a_word(path: Path) -> None:
    answer = HttpAnswer(400, path.read_bytes())
    if path.name.startswith("system."):
        with pytest.raises(Unavailable, match=r"SYSTEM_|INTERNAL_ERROR"):
            envelope_of(answer, "a sample")
    else:
        assert envelope_of(answer, "a sample").message


@pytest.mark.parametrize("path", files("ws"))
def test_a_frame_is_read_whole(path: Path) -> None:
    for text, kind, body in frames(path):
        if not is_ours(kind, body):
            frame = read_frame(text)
            assert type(frame) is SHAPES[kind]
            assert_same(body, json.loads(msgspec.json.encode(frame)) | {"type": kind})


@pytest.mark.parametrize("path", files("ws"))
def test_a_frame_that_we_send_is_written_as_in_the_sample(path: Path) -> None:
    for text, kind, body in frames(path):
        if is_ours(kind, body):
            assert write_frame(msgspec.convert(body, SENT[kind])).encode() == text.strip()


def frames(path: Path) -> list[tuple[bytes, int, Any]]:
    """Each as it came, with its type and its object; some files hold several."""
    whole = path.read_bytes()
    parts = msgspec.json.decode(whole, type=list[msgspec.Raw])
    texts = [bytes(part) for part in parts] if bytes(parts[0]).startswith(b"[") else [whole]
    documents: list[Any] = [read_json(text) for text in texts]
    return [(text, *document) for text, document in zip(texts, documents, strict=True)]


def is_ours(kind: int, body: dict[str, Any]) -> bool:
    return kind == wire.SUBSCRIBE or "signature" in body


def assert_same(sent: Any, read: Any) -> None:
    """Everything that was sent is there again: numbers by their value, other fields as they were."""
    if isinstance(sent, dict):
        for name, value in sent.items():
            known = "pairSymbol" if name == "pairsymbol" else name
            if known != "funds":  # of 2019, replaced by the balances
                assert known in read, name
                assert_same(value, read[known])
    elif isinstance(sent, list):
        assert len(sent) == len(read)
        for before, after in zip(sent, read, strict=True):
            assert_same(before, after)
    else:
        assert as_value(sent) == as_value(read)


def as_value(value: Any) -> Any:
    """A number is compared as a number, whichever way it was written."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | Decimal):
        return Decimal(value)
    try:
        return parse(value.replace(",", "."))
    except MalformedNumber:  # a text that is no number is compared as it is
        return value
