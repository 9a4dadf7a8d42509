from datetime import UTC, datetime, timedelta

import pytest

from btcbot.domain.errors import ReadFailed
from btcbot.domain.market import Ticker, Trade
from btcbot.domain.orders.intents import Side
from btcbot.exchange.errors import Malformed, RateLimited, Refused
from btcbot.exchange.json_text import read_json
from btcbot.exchange.public import PublicClient
from tests.unit.exchange.builders import Bench, Handler, answering, d, document, saying


def public(handler: Handler) -> PublicClient:
    return Bench(handler).public


async def test_an_integer_price_rule_wins_over_the_scale() -> None:
    """BTCTRY of 2022 had two decimals in its scale and hasFraction false: its prices were whole (protocol 4.1)."""
    (instrument,) = (await public(answering("rest/exchangeinfo.2022.200.json")).instruments({"BTCTRY"})).values()
    assert instrument.price_step == 1
    assert instrument.lot_step == d("0.00000001")
    assert instrument.price_max == d("10000000")


async def test_grids_and_bounds_come_from_the_rules() -> None:
    listed = await public(answering("rest/exchangeinfo.200.json")).instruments({"BTCTRY", "USDTTRY", "NOPETRY"})
    assert set(listed) == {"BTCTRY", "USDTTRY"}
    usdt = listed["USDTTRY"]
    assert (usdt.base, usdt.quote, usdt.price_step, usdt.lot_step) == ("USDT", "TRY", d("0.001"), d("0.01"))
    assert (usdt.price_min, usdt.price_max, usdt.notional_min) == (d("4.7832"), d("478.32"), d("100"))
    assert usdt.is_trading
    assert listed["BTCTRY"].price_max == d("10000000")  # the dynamic bound is above it


@pytest.mark.parametrize(
    "change", [{"status": "HALT"}, {"orderMethods": ["MARKET"]}, {"commissionFromNumerator": True}]
)
async def test_a_pair_that_we_cannot_trade_is_not_trading(change: dict[str, object]) -> None:
    row = _row() | change
    (instrument,) = (await public(_listing(row)).instruments({"BTCTRY"})).values()
    assert not instrument.is_trading


@pytest.mark.parametrize(
    "change", [{"numeratorScale": -1}, {"numeratorScale": 19}, {"filters": []}, {"hasFraction": None}, {"name": 5}]
)
async def test_a_malformed_row_harms_only_its_own_pair(change: dict[str, object]) -> None:
    broken = _row() | {"name": "ETHTRY"} | change
    assert set(await public(_listing(_row(), broken)).instruments({"BTCTRY"})) == {"BTCTRY"}
    if "name" not in change:
        with pytest.raises(Malformed):
            await public(_listing(_row(), broken)).instruments({"BTCTRY", "ETHTRY"})


@pytest.mark.parametrize("form", ["orderbook.200", "orderbook.float_timestamp.200"])
async def test_a_book_is_read_in_both_forms(form: str) -> None:
    book, stamped_at = await public(answering(f"rest/{form}.json")).book("BTCTRY")
    assert book.bids[0].price < book.asks[0].price
    assert stamped_at.tzinfo is UTC


async def test_an_unknown_pair_is_refused() -> None:
    with pytest.raises(Refused, match="does not exists"):
        await public(answering("errors/orderbook.unknown_pair.400.json")).book("NOPEUSDT")


async def test_candles_are_asked_for_in_seconds_on_the_graph_host() -> None:
    bench = Bench(answering("rest/graph_klines.200.json"))
    since = datetime(2026, 8, 25, 17, tzinfo=UTC)
    candles = await bench.public.candles("BTCTRY", 60, since, since + timedelta(hours=2))
    (request,) = bench.requests
    assert request.url.path == "/v1/klines/history"
    assert request.url.query == b"symbol=BTCTRY&resolution=60&from=1787677200&to=1787684400"
    assert [candle.opened_at.timestamp() for candle in candles] == [1787684400]
    assert candles[0].high == d("3809691")


@pytest.mark.parametrize(
    ("body", "is_fine"),
    [
        ('{"s":"no_data"}', True),
        ('{"s":"no_data","nb":1}', True),
        ('{"s":null,"t":[],"o":[],"h":[],"l":[],"c":[],"v":[]}', True),
        ('{"s":null,"t":[1787684400],"o":[1],"h":[1],"l":[1],"c":[1],"v":[1]}', False),
        ("{}", False),
        ('{"s":"error","errmsg":"x"}', False),
        ('{"s":"ok","t":[1787684400],"o":[1],"h":[1],"l":[1],"c":[1],"v":[]}', False),
        ('{"s":"ok","t":[1787684400],"o":[1],"h":[1],"l":[2],"c":[1],"v":[1]}', False),
        ('{"s":"ok","t":[1787684400],"o":[0],"h":[1],"l":[1],"c":[1],"v":[1]}', False),
        ('{"s":"ok","t":[1787684400],"o":[1],"h":[1],"l":[1],"c":[1],"v":[-1]}', False),
        ('{"s":"ok","t":[1787684400000],"o":[1],"h":[1],"l":[1],"c":[1],"v":[1]}', False),
        ("[]", False),
    ],
)
async def test_candles_that_contradict_themselves_are_refused(body: str, is_fine: bool) -> None:
    since = datetime(2026, 8, 25, tzinfo=UTC)
    client = public(saying(200, body))
    if is_fine:
        assert await client.candles("BTCTRY", 1, since, since) == ()
    else:
        with pytest.raises(ReadFailed):
            await client.candles("BTCTRY", 1, since, since)


async def test_an_answer_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The listing of all pairs is 355 kB."""
    parsed: list[bytes] = []

    def counting(text: bytes) -> object:
        parsed.append(text)
        return read_json(text)

    monkeypatch.setattr("btcbot.exchange.http.read_json", counting)
    await public(_listing(_row())).instruments({"BTCTRY"})
    assert len(parsed) == 1


async def test_a_429_blocks_the_endpoint_for_as_long_as_it_says() -> None:
    bench = Bench(answering("errors/rate_limit.ip.429.json", headers={"Retry-After": "49"}))
    for _ in range(3):
        with pytest.raises(RateLimited):
            await bench.public.book("BTCTRY")
    assert len(bench.requests) == 1


async def test_tickers_and_the_tape_are_read() -> None:
    assert await public(answering("rest/ticker.single.200.json")).tickers() == (
        Ticker(
            "BTCTRY", d("3713440"), d("3712281"), d("3715990"), d("3733751"), d("3617080"), d("27.81911204"),
            datetime(2026, 8, 23, 22, 44, 18, 187000, tzinfo=UTC),
        ),
    )  # fmt: skip
    assert await public(answering("rest/ticker.unknown_pair.200.json")).tickers() == ()
    newest, _ = await public(answering("rest/trades.200.json")).trades("BTCUSDT")
    assert newest == Trade(
        "101963779399182809", "BTCUSDT", Side.SELL, d("36334"), d("0.00687442"),
        datetime(2022, 2, 3, 10, 18, 44, 310000, tzinfo=UTC),
    )  # fmt: skip


@pytest.mark.parametrize("wrong", [{"price": "0"}, {"amount": "-1"}, {"side": "up"}, {"date": 1643883524}])
async def test_a_print_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    row = {
        "pair": "BTCUSDT", "pairNormalized": "BTC_USDT", "numerator": "BTC", "denominator": "USDT",
        "date": 1643883524310, "tid": "7", "price": "36334", "amount": "1",
    }  # fmt: skip
    (plain,) = await public(saying(200, document(data=[row]))).trades("BTCUSDT")
    assert plain.side is None
    with pytest.raises(Malformed):
        await public(saying(200, document(data=[row | wrong]))).trades("BTCUSDT")


def _row() -> dict[str, object]:
    return {
        "id": 1, "name": "BTCTRY", "nameNormalized": "BTC_TRY", "status": "TRADING", "numerator": "BTC",
        "denominator": "TRY", "numeratorScale": 8, "denominatorScale": 0, "hasFraction": False,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "1", "maxPrice": "10000000", "tickSize": "10",
             "minExchangeValue": "99.91"}
        ],
        "orderMethods": ["MARKET", "LIMIT"],
    }  # fmt: skip


def _listing(*rows: dict[str, object]) -> Handler:
    return saying(200, document(data={"timeZone": "UTC", "serverTime": 1787523577790, "symbols": list(rows)}))
