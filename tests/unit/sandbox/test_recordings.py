"""What `btcbot record` wrote is read back as a market; whatever else a file holds is refused by line."""

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from btcbot.domain.money import parse
from btcbot.sandbox.frame_reader import listing_of
from btcbot.sandbox.recordings import is_recording, open_recording
from btcbot.simulation.happenings import Method
from btcbot.simulation.replay import UnusableRecord, steps_of
from btcbot.simulation.replay_pair import BookSnapshot, BookUpdate, Gap, Message, TapeTrade

AT = 1_795_000_000_000


def row(pair: str, pair_id: int, *, has_fraction: bool, scale: int) -> dict[str, Any]:
    return {
        "id": pair_id, "name": pair, "numerator": pair.removesuffix("TRY"), "denominator": "TRY", "numeratorScale": 8,
        "denominatorScale": scale, "hasFraction": has_fraction,
        "filters": [{"maxPrice": "10000000", "tickSize": "10", "minExchangeValue": "99.91"}],
        "orderMethods": ["LIMIT", "STOP_LIMIT", "ICEBERG"],
    }  # fmt: skip


def header(started_at: str = "2026-11-18T14:00:00+00:00") -> dict[str, Any]:
    symbols = [row("BTCTRY", 1, has_fraction=False, scale=2), row("SOLTRY", 40, has_fraction=True, scale=1)]
    return {
        "v": 1, "kind": "header", "started_at": started_at, "pairs": ["BTCTRY", "SOLTRY"], "build": "x",
        "exchange_info": {"symbols": symbols},
    }  # fmt: skip


def frame(at_ms: int, kind: int, **body: Any) -> dict[str, Any]:
    return {"at": at_ms, "kind": "frame", "frame": [kind, body | {"type": kind}]}


def full(at_ms: int, number: int, pair: str = "BTCTRY") -> dict[str, Any]:
    levels = {"AO": [{"A": "2", "P": "102"}], "BO": [{"A": "1.5", "P": "100"}]}
    return frame(at_ms, 431, CS=number, PS=pair, **levels, channel="obdiff", event=pair)


def change(at_ms: int, number: int, kind: int = 1, price: str = "99", pair: str = "BTCTRY") -> dict[str, Any]:
    return frame(at_ms, 432, CS=number, PS=pair, AO=[], BO=[{"CP": kind, "P": price, "A": "3"}])


def item(at_ms: int, number: int, side: int = 1) -> dict[str, Any]:
    return {"D": str(at_ms), "I": str(number), "A": "0.0061489328", "P": "101.0000000000", "S": side}


def write(path: Path, lines: Iterable[object]) -> Path:
    with gzip.open(path, "wt") as file:
        file.writelines(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)
    return path


def read(path: Path, *pairs: str) -> list[Message]:
    """Without the gap that every header is."""
    messages = list(open_recording(path, pairs or ("BTCTRY",))[1])
    assert isinstance(messages[0], Gap)
    return messages[1:]


def recorded(tmp_path: Path, *lines: object) -> list[Message]:
    return read(write(tmp_path / "btcturk-20261118T14.jsonl.gz", [header(), *lines]))


def test_the_listings_are_those_of_the_header(tmp_path: Path) -> None:
    path = write(tmp_path / "btcturk-20261118T14.jsonl.gz", [header()])
    listings, _ = open_recording(path, ("SOLTRY", "BTCTRY"))
    assert list(listings) == ["SOLTRY", "BTCTRY"]
    assert (listings["BTCTRY"].price_decimals, listings["SOLTRY"].price_decimals) == (0, 1)
    assert (listings["BTCTRY"].tick, listings["SOLTRY"].tick) == (10, 100)
    assert listings["BTCTRY"].order_methods == (Method.LIMIT, Method.STOP_LIMIT)
    assert (listings["SOLTRY"].pair_id, listings["SOLTRY"].notional_min) == (40, parse("99.91"))


def test_books_come_as_they_were_heard_and_a_removal_is_a_quantity_of_none(tmp_path: Path) -> None:
    assert recorded(
        tmp_path, change(AT, 3), full(AT + 1, 4), change(AT + 2, 5, kind=0), change(AT + 3, 6, kind=3),
        change(AT + 4, 6), change(AT + 5, 7, pair="SOLTRY"), frame(AT, 402, PS="BTCTRY"), frame(AT, 991, current="6"),
    ) == [
        BookSnapshot("BTCTRY", AT + 1, 4, [("100", "1.5")], [("102", "2")]),
        BookUpdate("BTCTRY", AT + 2, 5, [("99", "3")], []),
        BookUpdate("BTCTRY", AT + 3, 6, [("99", "0")], []),
    ]  # fmt: skip


def test_a_number_that_is_left_out_is_a_gap_of_that_pair(tmp_path: Path) -> None:
    steps = [change(AT + number, number) for number in (5, 6, 8, 9)]
    messages = recorded(tmp_path, full(AT, 4), *steps, full(AT + 20, 20), change(AT + 21, 21))
    assert [type(message) for message in messages] == [
        BookSnapshot, BookUpdate, BookUpdate, Gap, BookSnapshot, BookUpdate,
    ]  # fmt: skip
    assert messages[3] == Gap("BTCTRY", AT + 8)


def test_where_numbers_always_jump_nothing_is_missing(tmp_path: Path) -> None:
    messages = recorded(tmp_path, full(AT, 4), *(change(AT + n, 4 + 5 * n) for n in range(1, 9)))
    assert len(messages) == 9
    assert not any(isinstance(message, Gap) for message in messages)


def test_a_lost_connection_and_a_new_file_are_gaps_of_all_pairs(tmp_path: Path) -> None:
    write(
        tmp_path / "btcturk-20261118T14.jsonl.gz", [header(), full(AT, 4), {"at": AT + 5, "kind": "gap", "reason": "x"}]
    )
    write(tmp_path / "btcturk-20261118T14_02.jsonl.gz", [header("2026-11-18T14:30:00+00:00"), full(AT + 9, 1)])
    (tmp_path / "btcturk-20261118T15.jsonl.gz.part").write_text("growing")
    assert is_recording(tmp_path)
    kinds = [(type(message), message.at_ms) for message in read(tmp_path)]
    half_past = 1_795_012_200_000
    assert kinds == [(BookSnapshot, AT), (Gap, AT + 5), (Gap, half_past), (BookSnapshot, AT + 9)]


def test_trades_are_told_once_and_the_first_list_is_history(tmp_path: Path) -> None:
    messages = recorded(
        tmp_path,
        frame(AT, 421, symbol="BTCTRY", items=[item(AT - 300, 12), item(AT - 900, 11, side=0)]),
        frame(AT + 50, 422, PS="BTCTRY", **item(AT + 40, 13)),
        frame(AT + 90, 421, symbol="BTCTRY", items=[item(AT + 70, 14), item(AT + 40, 13), item(AT - 900, 11)]),
    )
    trades = [message for message in messages if isinstance(message, TapeTrade)]
    assert [(trade.number, trade.at_ms - AT, trade.is_buy) for trade in trades] == [
        (11, -900, False), (12, -300, True), (13, 50, True), (14, 70, True),
    ]  # fmt: skip


def test_what_s_means_is_learned_from_rest_by_id(tmp_path: Path) -> None:
    rows = [{"tid": "11", "side": "sell"}, {"tid": "12", "side": "sell"}, {"tid": "99", "side": "buy"}]
    messages = recorded(
        tmp_path,
        frame(AT, 421, symbol="BTCTRY", items=[item(AT, 11), item(AT, 12)]),
        {"at": AT, "kind": "trades", "pair": "BTCTRY", "data": rows},
        {"at": AT, "kind": "trades", "pair": "SOLTRY", "data": []},
        {"at": AT, "kind": "book", "pair": "BTCTRY", "data": {}},
        frame(AT + 5, 422, PS="BTCTRY", **item(AT + 5, 13)),
    )
    assert [message.is_buy for message in messages if isinstance(message, TapeTrade)] == [True, True, False]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "does not begin with the header"),
        (["rubbish"], "line 1 of .* is not JSON"),
        ([[1]], "line 1 of .* is not of a recording"),
        ([{"kind": "frame", "v": 1}], "does not begin with the header"),
        ([header() | {"v": 2}], "version 1"),
        ([header() | {"exchange_info": {"symbols": [{"name": "BTCTRY"}]}}], "does not begin with the header"),
        ([header() | {"exchange_info": {"symbols": []}}], "recorded without BTCTRY"),
        ([header(), full(AT, 4), {"at": AT}], "line 3 of .* is not of a recording"),
        ([header(), frame(AT, 431, PS="BTCTRY", CS="4")], "line 2"),
        ([header(), frame(AT, 431, PS="BTCTRY", CS=4, AO={}, BO=[])], "line 2"),
        ([header(), frame(AT, 422, PS="BTCTRY", I="x", S=1)], "line 2"),
        ([header(), frame(AT, 421, symbol="BTCTRY", items=7)], "line 2"),
        (["[" * 100_000], "line 1"),
    ],
)
def test_anything_else_is_refused_in_words(tmp_path: Path, lines: list[object], words: str) -> None:
    path = write(tmp_path / "odd.jsonl.gz", lines)
    with pytest.raises(UnusableRecord, match=words):
        read(path)


def test_a_directory_without_recordings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableRecord, match=r"holds no \*\.jsonl\.gz"):
        open_recording(tmp_path, ("BTCTRY",))


@pytest.mark.parametrize("text", ["1e999999999", "Infinity", "NaN", "1" * 5_000, "9" * 41, "-"])
def test_a_number_beyond_all_numbers_is_no_recorded_one(text: str) -> None:
    with pytest.raises(UnusableRecord):
        steps_of(text, 8)


@pytest.mark.parametrize("change", [{"numeratorScale": 10**9}, {"denominatorScale": -1}, {"denominator": "EUR"}])
def test_a_pair_that_cannot_be_counted_in_is_refused(change: dict[str, object]) -> None:
    row = {
        "name": "BTCTRY", "id": 1, "numerator": "BTC", "denominator": "TRY", "hasFraction": True, "denominatorScale": 2,
        "numeratorScale": 8, "orderMethods": ["LIMIT"],
        "filters": [{"tickSize": "0.01", "minExchangeValue": "99.91", "maxPrice": "10000000"}],
    }  # fmt: skip
    assert listing_of(row).price_decimals == 2
    with pytest.raises(ValueError, match=r"decimals|quoted"):
        listing_of(row | change)
