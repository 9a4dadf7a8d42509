"""The public surface, in the shapes of the samples (protocol 4)."""

import json
from decimal import Decimal
from typing import Any
from unittest.mock import patch

from btcbot.sandbox import shown_books
from tests.integration.sandbox.playground import START, Playground

NOW_MS = int(START.timestamp() * 1000)


async def test_exchange_info_names_grids_limits_and_methods(playground: Playground) -> None:
    document = (await playground.public("server/exchangeinfo")).json()
    assert list(document) == ["data", "success", "message", "code", "extensions"]
    symbol = document["data"]["symbols"][0]
    assert (symbol["name"], symbol["nameNormalized"], symbol["status"]) == ("BTCTRY", "BTC_TRY", "TRADING")
    assert (symbol["hasFraction"], symbol["denominatorScale"], symbol["numeratorScale"]) == (False, 0, 8)
    assert symbol["filters"][0]["minExchangeValue"] == "99.91"
    assert symbol["filters"][0]["tickSize"] == "10"
    assert symbol["orderMethods"] == ["MARKET", "LIMIT", "STOP_MARKET", "STOP_LIMIT"]
    assert symbol["maximumLimitOrderPrice"] == 100 * symbol["minimumLimitOrderPrice"] > 10_000_000


async def test_exchange_info_is_kept_for_half_a_minute_and_so_is_its_time(playground: Playground) -> None:
    await playground.time.pass_by(29)
    answer = await playground.public("server/exchangeinfo")
    assert (answer.json()["data"]["serverTime"], answer.headers["Cache-Control"]) == (NOW_MS, "public, max-age=30")
    assert (await playground.public("server/time")).json()["serverTime"] == NOW_MS + 29_000


async def test_who_takes_compressed_answers_gets_the_same_ones_smaller(playground: Playground) -> None:
    url, ask = f"{playground.api}/api/v2/server/exchangeinfo", playground.http.get
    plain, packed = [await ask(url, headers={"Accept-Encoding": how}) for how in ("identity", "gzip, deflate, br")]
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.num_bytes_downloaded < plain.num_bytes_downloaded
    assert packed.json() == plain.json()


async def test_the_ticker_is_a_list_even_of_one_and_empty_for_the_unknown(playground: Playground) -> None:
    (row,) = (await playground.public("ticker", pairSymbol="btc_try")).json()["data"]
    assert (row["pair"], row["timestamp"], row["order"]) == ("BTCTRY", NOW_MS, 1000)
    assert row["bid"] < row["last"] * 1.01
    assert (await playground.public("ticker", pairSymbol="NOPEUSDT")).json()["data"] == []
    assert len((await playground.public("ticker")).json()["data"]) == 2
    assert len((await playground.public("ticker/currency", symbol="TRY")).json()["data"]) == 2


async def test_the_book_is_best_first_in_text_and_its_code_is_a_word(playground: Playground) -> None:
    document = (await playground.public("orderbook", pairSymbol="BTCTRY", limit="5")).json()
    assert (document["code"], document["success"], document["data"]["timestamp"]) == ("SUCCESS", True, NOW_MS)
    bids, asks = document["data"]["bids"], document["data"]["asks"]
    assert len(bids) == len(asks) == 5
    assert all(isinstance(text, str) for level in bids for text in level)
    assert Decimal(bids[0][0]) > Decimal(bids[1][0])
    assert Decimal(bids[0][0]) < Decimal(asks[0][0]) < Decimal(asks[1][0])


async def test_a_book_is_written_once_for_all_who_ask_before_it_changes(playground: Playground) -> None:
    with patch("btcbot.sandbox.shown_books._levels", wraps=shown_books._levels) as written:
        first = await playground.public("orderbook", pairSymbol="SOLTRY")
        assert (await playground.book("SOLTRY")) == first.json()["data"]
        assert (written.call_count, first.headers["Cache-Control"]) == (2, "no-store")
        asks = first.json()["data"]["asks"]
        await playground.placed("SOLTRY", "buy", "0.05", asks[0][0])
        left = Decimal(asks[0][1]) - Decimal("0.05")
        assert Decimal((await playground.book("SOLTRY"))["asks"][0][1]) == left
        assert len((await playground.public("orderbook", pairSymbol="SOLTRY", limit="3")).json()["data"]["asks"]) == 3
        assert written.call_count == 6


async def test_wrong_questions_get_the_exchanges_own_words(playground: Playground) -> None:
    unknown = await playground.public("orderbook", pairSymbol="NOPEUSDT")
    assert unknown.status_code == 400
    assert unknown.json() == {"success": False, "message": "Pair NOPEUSDT does not exists.", "code": 1037}
    missing = await playground.public("orderbook")
    assert missing.json() == {"success": False, "message": "INVALID_REQUEST_ERROR", "code": 1037}
    for path in ("nowhere", "orderbook/"):
        nowhere = await playground.public(path)
        assert (nowhere.status_code, nowhere.content) == (404, b"")


async def test_trades_are_newest_first_and_at_most_fifty(playground: Playground) -> None:
    rows = (await playground.public("trades", pairSymbol="BTCTRY", last="1000")).json()["data"]
    assert len(rows) == 50
    assert [row["date"] for row in rows] == sorted((row["date"] for row in rows), reverse=True)
    assert list(rows[0]) == [
        "pair", "pairNormalized", "numerator", "denominator", "date", "tid", "price", "amount", "side",
    ]  # fmt: skip


async def test_server_time_and_ping_have_no_envelope(playground: Playground) -> None:
    assert (await playground.public("server/time")).json() == {
        "serverTime": NOW_MS,
        "serverTime2": "2026-11-02T12:00:30.0000000+00:00",
    }
    assert (await playground.public("server/ping")).json() == {"pong": True}


async def test_candles_are_seconds_and_numbers_and_the_last_one_runs(playground: Playground) -> None:
    now = NOW_MS // 1000
    answer = await playground.klines(symbol="BTCTRY", resolution="1", **{"from": str(now - 600), "to": str(now)})
    assert answer["s"] == "ok"
    assert answer["t"][-1] == now // 60 * 60
    assert len({len(answer[name]) for name in "tholcv"}) == 1
    hours = await playground.klines(symbol="BTCTRY", resolution="60", **{"from": str(now - 7200), "to": str(now)})
    assert hours["t"] == [now // 3600 * 3600 - 3600, now // 3600 * 3600]


async def test_an_hour_is_what_its_minutes_are(playground: Playground) -> None:
    end = NOW_MS // 1000 // 3600 * 3600 - 1
    span = {"from": str(end - 3599), "to": str(end)}
    minutes = await playground.klines(symbol="SOLTRY", resolution="1", **span)
    hour = await playground.klines(symbol="SOLTRY", resolution="60", **span)
    assert len(minutes["t"]) == 60
    assert (hour["o"], hour["c"]) == ([minutes["o"][0]], [minutes["c"][-1]])
    assert (hour["h"], hour["l"]) == ([max(minutes["h"])], [min(minutes["l"])])


async def test_a_beginning_before_1970_is_the_beginning_of_all(playground: Playground) -> None:
    end = str(NOW_MS // 1000)
    answers = [
        await playground.klines(symbol="SOLTRY", resolution="60", **{"from": start, "to": end}) for start in ("0", "-9")
    ]
    assert answers[0] == answers[1]
    assert len(answers[0]["t"]) > 50


async def test_candles_of_an_unknown_pair_are_no_data(playground: Playground) -> None:
    answer = await playground.klines(symbol="NOPETRY", resolution="1", **{"from": "0", "to": "1"})
    assert answer == {"s": "no_data", "t": [], "h": [], "o": [], "l": [], "c": [], "v": []}


async def test_days_come_from_the_graph_host_as_a_bare_list(playground: Playground) -> None:
    url = f"http://127.0.0.1:{playground.sandbox.graph_port}/v1/ohlcs"
    now = NOW_MS // 1000
    rows: list[dict[str, Any]] = (
        await playground.http.get(url, params={"pair": "BTCTRY", "from": now - 86400 * 2, "to": now})
    ).json()
    assert [row["time"] % 86400 for row in rows] == [0, 0]
    assert {"pair", "open", "total", "average", "dailyChangePercentage"} <= rows[0].keys()


async def test_no_number_is_ever_written_with_an_exponent(playground: Playground) -> None:
    for path in ("server/exchangeinfo", "ticker"):
        text = (await playground.public(path)).text
        json.loads(text, parse_float=lambda number: Decimal(number) if "e" not in number.lower() else 1 / 0)


async def test_the_181st_book_in_a_minute_is_one_too_many(playground: Playground) -> None:
    answers = [await playground.public("orderbook", pairSymbol="BTCTRY", limit="1") for _ in range(181)]
    assert [answer.status_code for answer in answers[:180]] == [200] * 180
    assert answers[180].status_code == 429
    assert answers[180].headers["Retry-After"] == "60"
    assert answers[180].json() == {
        "message": "TOO_MANY_REQUESTS", "success": False, "code": 429,
        "details": "Quota exceeded. Maximum allowed: 180 per 1m.", "limit": "180", "period": "1m", "policy": "ip",
    }  # fmt: skip
    await playground.time.pass_by(60)
    assert (await playground.public("orderbook", pairSymbol="BTCTRY")).status_code == 200
