"""A restart loses nothing; recorded sources go on and end; what is wrong at the start is said in one line."""

import gzip
import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from btcbot.domain.errors import ExitCode
from btcbot.domain.events import Event
from btcbot.sandbox import server
from btcbot.sandbox.keys import DirectoryNotReady, read_keys
from btcbot.sandbox.record import DamagedRecord, Record, RecordNotWritten
from btcbot.sandbox.segments import Segment
from btcbot.sandbox.server import PortTaken, open_sandbox
from btcbot.simulation.replay import UnusableRecord
from btcbot.simulation.venue import GridsChanged
from tests.integration.sandbox.playground import START, ManualTime, Notes, playing, profile_of

RECORDED_MS = 1_667_946_780_000


def _candles(path: Path, *, minutes: int = 130, symbol: str = "BTCTRY") -> Path:
    rows = [
        f"{symbol},{RECORDED_MS + n * 60_000},{350000 + n},{350020 + n},{349990 + n},{350005 + n},0.5"
        for n in range(minutes)
    ]
    with gzip.open(path, "wt") as file:
        file.write("\n".join(["symbol,time,open,high,low,close,volume", *rows, ""]))
    return path


async def test_accounts_orders_ids_and_history_survive_a_restart(tmp_path: Path) -> None:
    async with playing(tmp_path / "s") as before:
        ask = (await before.book("SOLTRY"))["asks"][0]
        await before.placed("SOLTRY", "buy", ask[1], ask[0])
        resting = await before.placed("BTCTRY", "buy", "0.0003", "3000000")
        await before.time.pass_by(3)
        balances, record = await before.balances(), await before.record()
        trades = (await before.private("GET", "users/transactions/trade")).json()["data"]
        assert trades
        keys = read_keys(before.directory)
    async with playing(tmp_path / "s", start=START + timedelta(seconds=60)) as after:
        assert read_keys(after.directory) == keys
        assert {row["asset"]: row["balance"] for row in (await after.balances()).values()} == {
            asset: row["balance"] for asset, row in balances.items()
        }
        assert (await after.record())[: len(record)] == record
        assert (await after.private("GET", "users/transactions/trade")).json()["data"] == trades
        (bid,) = (await after.private("GET", "openOrders?pairSymbol=BTCTRY")).json()["data"]["bids"]
        assert bid["id"] == resting
        assert await after.placed("BTCTRY", "buy", "0.0003", "3000000") == resting + 1


async def test_a_long_record_is_kept_in_several_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "Record", partial(Record, segment_bytes_max=2_000))
    async with playing(tmp_path / "s") as before:
        ids = [await before.placed("BTCTRY", "buy", "0.0003", "3000000") for _ in range(5)]
        record = await before.record()
    assert len(list((tmp_path / "s").glob("record-*.jsonl"))) > 1
    async with playing(tmp_path / "s", start=START + timedelta(seconds=60)) as after:
        bids = (await after.private("GET", "openOrders")).json()["data"]["bids"]
        assert [row["id"] for row in bids] == ids
        assert (await after.record())[: len(record)] == record


async def test_a_torn_last_line_is_cut_off(tmp_path: Path) -> None:
    async with playing(tmp_path / "s") as before:
        count = len(await before.record())
    with open(tmp_path / "s" / "record.jsonl", "ab") as file:
        file.write(b'{"n":99,"at":1,"kind":"ord')
    async with playing(tmp_path / "s") as after:
        assert (await after.balances())["TRY"]["balance"] == "200000"
        lines = await after.record()
        assert [line["n"] for line in lines] == list(range(1, len(lines) + 1))
        assert len(lines) > count


async def test_a_trade_of_two_accounts_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    record = tmp_path / "s" / "record.jsonl"
    async with playing(tmp_path / "s", pairs=("SOLTRY",)) as before:
        await before.admin("POST", "accounts", json={"name": "rival", "balances": {"SOL": "5"}})
        book = await before.book("SOLTRY")
        between = f"{(Decimal(book['bids'][0][0]) + Decimal(book['asks'][0][0])) / 2:.0f}"
        order = {"pairSymbol": "SOLTRY", "orderMethod": "limit", "quantity": "1", "price": between}
        await before.private("POST", "order", role="accounts/rival", json=order | {"orderType": "sell"})
        await before.private("POST", "order", json=order | {"orderType": "buy"})
        lines = record.read_bytes().splitlines(keepends=True)
    kinds = [json.loads(line)["kind"] for line in lines]
    first, last = kinds.index("order_matched"), len(kinds) - 1 - kinds[::-1].index("order_matched")
    assert kinds.count("order_matched") == 2
    for kept in (lines[: first + 1], lines[: last + 1]):
        record.write_bytes(b"".join(kept))
        async with playing(tmp_path / "s", pairs=("SOLTRY",)) as after:
            held = {row["account_id"]: row["balances"] for row in await after.admin("GET", "accounts")}
            assert [balances.get("SOL", {"total": "0"})["total"] for balances in held.values()] == ["0", "5"]
            assert "order_matched" not in [line["kind"] for line in await after.record()]
    record.write_bytes(b"".join(lines))
    async with playing(tmp_path / "s", pairs=("SOLTRY",)) as whole:
        held = {row["account_id"]: row["balances"] for row in await whole.admin("GET", "accounts")}
        assert [balances["SOL"]["total"] for balances in held.values()] == ["1", "4"]


async def test_a_record_that_cannot_be_written_stops_the_sandbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with playing(tmp_path / "s") as played:
        count = len(await played.record())
        monkeypatch.setattr(Record, "_write", _full)
        answer = await played.submit("BTCTRY", "buy", "0.0003", "3000000")
        assert answer.status_code == 500
        await played.time.pass_by(1)
        with pytest.raises(RecordNotWritten):
            await played.sandbox.moving
    monkeypatch.undo()
    async with playing(tmp_path / "s") as after:
        assert len(await after.record()) == count
        assert (await after.private("GET", "openOrders")).json()["data"] == {"asks": [], "bids": []}


def _full(record: Record, data: bytes, segment: Segment) -> None:
    record._missing = "the disk is full"
    record.check()


async def test_a_damaged_record_is_not_guessed_at(tmp_path: Path) -> None:
    async with playing(tmp_path / "s"):
        pass
    record = tmp_path / "s" / "record.jsonl"
    record.write_bytes(record.read_bytes().replace(b'"n":2', b'"n":7'))
    with pytest.raises(DamagedRecord, match="line 2"):
        async with playing(tmp_path / "s"):
            pass


async def test_a_record_runs_on_after_a_restart_and_then_ends(tmp_path: Path) -> None:
    source = _candles(tmp_path / "rec.csv.gz")
    async with playing(tmp_path / "s", source=source, pairs=("BTCTRY",)) as first:
        await first.time.pass_by(120)
        (row,) = (await first.public("ticker", pairSymbol="BTCTRY")).json()["data"]
    later = START + timedelta(seconds=120)
    async with playing(tmp_path / "s", source=source, pairs=("BTCTRY",), start=later) as second:
        (again,) = (await second.public("ticker", pairSymbol="BTCTRY")).json()["data"]
        assert (again["last"], again["bid"]) == (row["last"], row["bid"])
        await second.time.pass_by(600)
        assert second.notes.names().count(Event.SANDBOX_SOURCE_ENDED) == 1
        info = (await second.public("server/exchangeinfo")).json()["data"]["symbols"][0]
        assert info["status"] != "TRADING"
        assert (await second.book("BTCTRY"))["bids"] == []
        refused = await second.submit("BTCTRY", "buy", "0.01", "350000")
        assert refused.json()["message"] == "FAILED_LIMIT_ORDER"


async def test_another_grid_under_an_old_record_is_refused(tmp_path: Path) -> None:
    async with playing(tmp_path / "s", pairs=("BTCTRY",)):
        pass
    with pytest.raises(GridsChanged):
        async with playing(tmp_path / "s", source=_candles(tmp_path / "rec.csv.gz"), pairs=("BTCTRY",)):
            pass


async def test_recorded_book_messages_are_played(tmp_path: Path) -> None:
    second = 1_000_000_000
    lines = [
        f'{second} {{"lastUpdateId":5,"bids":[["100.10","1.0"],["100.01","2.0"]],"asks":[["100.20","3.0"]]}}',
        f'{2 * second} {{"stream":"x","data":{{"e":"depthUpdate","s":"BTCUSDT","u":6,"b":[],"a":[["100.15","2"]]}}}}',
        f'{3 * second} {{"stream":"x","data":{{"e":"trade","s":"BTCUSDT","t":9,"p":"100.15","q":"0.1","m":false}}}}',
        f'{3 * second} {{"stream":"x","data":{{"u":7,"s":"BTCUSDT","b":"1","B":"1","a":"1","A":"1"}}}}',
    ]
    more = f'{90 * second} {{"stream":"x","data":{{"e":"depthUpdate","s":"BTCUSDT","u":8,"b":[],"a":[]}}}}\n'
    (tmp_path / "venue_20240808.txt").write_text("\n".join(lines) + "\n")
    (tmp_path / "venue_20240809.txt").write_text(more)
    async with playing(tmp_path / "s", source=tmp_path / "venue_20240808.txt", pairs=("BTCUSDT",)) as played:
        assert (await played.book("BTCUSDT"))["asks"] == [["100.2", "3"]]
        await played.time.pass_by(2)
        assert (await played.book("BTCUSDT"))["asks"][0] == ["100.15", "2"]
        (trade,) = (await played.public("trades", pairSymbol="BTCUSDT")).json()["data"]
        assert (trade["tid"], trade["price"], trade["side"]) == ("9", "100.15", "buy")
        assert (await played.balances())["USDT"]["balance"] == "10000"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("gone.csv", None, "no such file"),
        ("empty.csv", b"", "does not begin with the columns"),
        ("broken.csv.gz", b"\x1f\x8b\x08\x00rubbish", "cannot be read"),
        ("odd.csv", b"time,open,high,low,close,volume\n1,2\n", "line 2"),
        ("odd.txt", b"17 {}\n", "line 1"),
        ("latin.csv", b"time,open,high,low,close,volume\n\xff\n", "cannot be read"),
    ],
)
async def test_a_source_that_is_no_record_is_a_configuration_error(
    tmp_path: Path, name: str, content: bytes | None, words: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UnusableRecord, match=words) as refused:
        async with playing(tmp_path / "s", source=tmp_path / name, pairs=("BTCUSDT",)):
            pass
    assert refused.value.exit_code is ExitCode.CONFIGURATION


async def test_a_record_that_breaks_while_it_is_played_stops_the_market(tmp_path: Path) -> None:
    snapshot = '1000000000 {"lastUpdateId":5,"bids":[["100.1","1.0"]],"asks":[["100.2","3.0"]]}'
    update = '2000000000 {"stream":"x","data":{"e":"depthUpdate","s":"BTCUSDT","u":6,"b":[],"a":[]}}'
    (tmp_path / "torn.txt").write_text(f"{snapshot}\n{update}\nrubbish\n")
    async with playing(tmp_path / "s", source=tmp_path / "torn.txt", pairs=("BTCUSDT",)) as played:
        await played.time.pass_by(2)
        with pytest.raises(UnusableRecord, match="line 3"):
            await played.sandbox.moving


async def test_a_taken_port_is_named(tmp_path: Path) -> None:
    async with playing(tmp_path / "s") as opened:
        taken = opened.sandbox.admin_port
        profile = replace(profile_of(opened.directory), admin_port=taken)
        with pytest.raises(PortTaken, match=str(taken)) as refused:
            async with open_sandbox(profile, opened.time, opened.time, Notes()):
                pass
        assert refused.value.exit_code is ExitCode.CONFIGURATION


async def test_a_directory_that_was_not_initialised_is_refused(tmp_path: Path) -> None:
    profile = profile_of(tmp_path / "nothing")
    with pytest.raises(DirectoryNotReady, match=r"live\.key"):
        async with open_sandbox(profile, ManualTime(), ManualTime(), Notes()):
            pass
