from pathlib import Path

import pytest

from btcbot.domain.money import Asset, parse
from btcbot.domain.orders.intents import Side
from btcbot.sandbox.record import DamagedRecord, Record
from btcbot.simulation.happenings import (
    AccountFunded,
    CancelAccepted,
    Happening,
    HoldReleased,
    Liquidity,
    Method,
    OrderAccepted,
    OrderCanceled,
    OrderClosed,
    OrderMatched,
    PairListed,
)

HAPPENINGS: tuple[Happening, ...] = (
    PairListed("BTCTRY", 1, Asset("BTC"), Asset("TRY"), 0, 8, parse("99.91"), 1),
    AccountFunded(1, Asset("TRY"), parse("200000.00000001"), 2),
    OrderAccepted(5, 1, "BTCTRY", Side.BUY, Method.LIMIT, parse("3"), parse("0.1"), parse("0.30072"), "ÖZ-1", 3),
    OrderMatched(
        2**60, 5, 1, "BTCTRY", Side.BUY, parse("3"), parse("0.1"), parse("0.0005"), parse("0"), Liquidity.MAKER,
        parse("0.30072"), 4,
    ),
    CancelAccepted(5, 304, 4),
    OrderCanceled(5, 304),
    OrderClosed(5, 305),
    HoldReleased(5, parse("0.1"), 604),
)  # fmt: skip


def _reopened(path: Path) -> tuple[Record, list[Happening]]:
    record = Record(path)
    return record, list(record.past())


def test_every_kind_of_happening_comes_back_as_it_was(tmp_path: Path) -> None:
    record, past = _reopened(tmp_path / "r")
    assert past == []
    assert [record.append_happening(happening) for happening in HAPPENINGS] == list(range(1, 9))
    record.append("request", {"method": "GET"}, 9)
    record.close()
    again, past = _reopened(tmp_path / "r")
    assert tuple(past) == HAPPENINGS
    assert again.append("answer", {}, 10) == 10
    again.close()


def test_pages_go_on_after_a_number(tmp_path: Path) -> None:
    record, _ = _reopened(tmp_path / "r")
    for number in range(5):
        record.append("request", {"query": f"q{number}"}, number)
    assert record.after(5, 10) == ()
    assert [line[:6] for line in record.after(2, 2)] == ['{"n":3', '{"n":4']
    record.close()


@pytest.mark.parametrize("torn", [b"{", b'{"n":2,"at":1,"kind":"request"}', b"\xff"])
def test_only_a_whole_line_counts(tmp_path: Path, torn: bytes) -> None:
    record, _ = _reopened(tmp_path / "r")
    record.append("request", {}, 1)
    record.close()
    with open(tmp_path / "r", "ab") as file:
        file.write(torn)
    again, _ = _reopened(tmp_path / "r")
    assert again.append("request", {}, 2) == 2
    again.close()
    final, _ = _reopened(tmp_path / "r")
    assert len(final.after(0, 10)) == 2
    final.close()


@pytest.mark.parametrize(
    "line", [b"rubbish\n", b"[]\n", b'{"n":3,"kind":"request"}\n', b'{"n":1,"kind":"order_closed"}\n']
)
def test_a_whole_line_that_makes_no_sense_is_an_error(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "r").write_bytes(line)
    record = Record(tmp_path / "r")
    with pytest.raises(DamagedRecord, match="line 1"):
        list(record.past())
    record.close()
