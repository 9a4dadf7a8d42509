"""Recordings are read whole and judged before anything is computed from them."""

import gzip
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from btcbot.domain.money import parse
from btcbot.research.history import MalformedHistory, judged, pairs_of, read_candles, read_history
from tests.unit.domain.builders import MINUTE, candle
from tests.unit.research.recordings import HOUR, walk, without, written

HEAD = "time,open,high,low,close,volume\n"


def test_candles_are_read_from_plain_and_gzipped_files(tmp_path: Path) -> None:
    text = HEAD + "1767603600000,1,3,0.5,2.0,10\n"
    (tmp_path / "plain.csv").write_text(text, encoding="utf-8")
    (tmp_path / "packed.csv.gz").write_bytes(gzip.compress(text.encode()))
    expected = replace(candle(0, 2), open=Decimal(1), high=Decimal(3), low=parse("0.5"), volume=Decimal(10))
    assert read_candles(tmp_path / "plain.csv") == read_candles(tmp_path / "packed.csv.gz") == (expected,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lacks one of the columns"),
        ("time,open,high,low,close\n", "lacks one of the columns"),
        (HEAD + "1,1,1,1,1\n", "line 2"),
        (HEAD + "1,1,1,1,1,1\nx,1,1,1,1,1\n", "line 3"),
        (HEAD + "1,1,NaN,1,1,1\n", "line 2"),
        (HEAD + "99999999999999999999,1,1,1,1,1\n", "line 2"),
        (HEAD + "1,2,1.5,1,1,1\n", "line 2 .* its high or low is inside its body"),
        (HEAD + "1,0,1,0,1,1\n", "line 2 .* a price is not above zero"),
        (HEAD + "1,1,1,1,1,-1\n", "line 2 .* its volume is below zero"),
    ],
)
def test_a_malformed_recording_names_its_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "odd.csv").write_text(text, encoding="utf-8")
    with pytest.raises(MalformedHistory, match=message):
        read_candles(tmp_path / "odd.csv")


@pytest.mark.parametrize("content", [b"\x1f\x8b\x08 not gzip", b"time,\xff"])
def test_a_file_that_cannot_be_read_says_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / ("odd.csv.gz" if content[0] == 0x1F else "odd.csv")
    path.write_bytes(content)
    with pytest.raises(MalformedHistory, match="cannot be read"):
        read_candles(path)


def test_interval_and_holes_are_found(tmp_path: Path) -> None:
    whole = walk(1, 50)
    history = read_history(written(tmp_path / "h.csv", without(whole, 10, 14).candles), "BTCTRY")
    assert history.interval == HOUR
    assert [(gap.opened_at, gap.candles) for gap in history.gaps] == [(whole.candles[10].opened_at, 4)]
    assert whole.gaps == ()


def test_disorder_and_candles_off_the_grid_are_refused() -> None:
    candles = [candle(minute, 100) for minute in range(10)]
    with pytest.raises(MalformedHistory, match="out of order or repeated"):
        judged("BTCTRY", [*candles, candles[-1]], "it")
    late = replace(candles[-1], opened_at=candles[-1].opened_at + MINUTE + timedelta(seconds=1))
    with pytest.raises(MalformedHistory, match="off the grid"):
        judged("BTCTRY", [*candles, late], "it")
    with pytest.raises(MalformedHistory, match="are the least"):
        judged("BTCTRY", candles[:2], "it")
    with pytest.raises(MalformedHistory, match="not between 0 and a day"):
        judged("BTCTRY", [candle(3000 * number, 100) for number in range(4)], "it")


def test_one_pair_of_a_file_of_several(tmp_path: Path) -> None:
    rows = [
        f"{pair},{60_000 * minute},1,1,1,1,{volume}" for minute in range(4) for pair, volume in (("A", 1), ("B", 2))
    ]
    path = tmp_path / "many.csv"
    path.write_text("symbol," + HEAD + "\n".join(rows), encoding="utf-8")
    assert pairs_of(path) == ("A", "B")
    assert [each.volume for each in read_history(path, "B").candles] == [2, 2, 2, 2]
    assert pairs_of(written(tmp_path / "one.csv", walk(1, 5).candles)) is None
