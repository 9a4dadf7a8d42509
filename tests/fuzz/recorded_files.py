"""Files that somebody hands to the sandbox: recorded markets, and timetables of faults."""

import gzip
import json
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from btcbot.domain.money import parse
from btcbot.domain.profiles import ClockProfile, SandboxProfile
from btcbot.sandbox.scenario import read_scenario
from btcbot.sandbox.sources import STARTED, open_source
from tests.fuzz.target import Target, samples, texts, typed

PAIR = "BTCTRY"
NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
NOW_MS = int(NOW.timestamp()) * 1000
STEPS_MS = (0, 1_000, 60_000, 3_600_000)

HEADER = {
    "v": 1, "kind": "header", "started_at": NOW.isoformat(), "pairs": [PAIR], "build": "1",
    "exchange_info": json.loads(samples("rest", "exchangeinfo.200")[0])["data"],
}  # fmt: skip
RECORDING = json.dumps(HEADER).encode() + (
    b"\n"
    b'{"at":1793620800000,"kind":"frame","frame":[431,{"CS":7,"PS":"BTCTRY","AO":[{"A":"1","P":"102"}],'
    b'"BO":[{"A":"1","P":"100"}],"channel":"obdiff","event":"BTCTRY","type":431}]}\n'
    b'{"at":1793620800900,"kind":"frame","frame":[432,{"CS":8,"PS":"BTCTRY","AO":[{"CP":1,"P":"101","A":"2"}],'
    b'"BO":[{"CP":3,"P":"100","A":"1"}],"channel":"obdiff","event":"BTCTRY","type":432}]}\n'
    b'{"at":1793620801000,"kind":"frame","frame":[422,{"D":"1793620801000","I":"9","A":"0.1","P":"101","PS":"BTCTRY",'
    b'"S":1,"channel":"trade","event":"BTCTRY","type":422}]}\n'
    b'{"at":1793620801000,"kind":"trades","pair":"BTCTRY","data":[{"tid":"9","side":"buy"}]}\n'
    b'{"at":1793620802000,"kind":"gap","reason":"lost"}\n'
)
MESSAGES = (
    b'1793620800000000000 {"lastUpdateId":7,"bids":[["100","1"]],"asks":[["102","1"]]}\n'
    b'1793620800900000000 {"data":{"e":"depthUpdate","s":"BTCTRY","U":8,"u":8,"b":[["100","0"]],"a":[["101","2.5"]]}}\n'
    b'1793620801000000000 {"data":{"e":"trade","s":"BTCTRY","t":9,"p":"101","q":"0.1","m":true}}\n'
)
CANDLES = (
    b"time,open,high,low,close,volume\n1793620800,100,102.5,99,101,0.5\n1793620860,101,101,101,101,0\n"
    b"1793620980,101,103,100,100.5,7\n"
)


def source(suffix: str, packed: Callable[[bytes], bytes] = bytes) -> Callable[[bytes], None]:
    """A recorded file, opened and played for an hour."""

    def play(data: bytes) -> None:
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / f"market{suffix}"
            path.write_bytes(packed(data))
            market = open_source(_profile(path), NOW)
            for step in STEPS_MS:
                market.advance(NOW_MS + step)
                market.depth(PAIR)
            tuple(market.recent(PAIR))
            tuple(market.bars(PAIR, NOW_MS - 3_600_000, NOW_MS))
            assert (Path(name) / STARTED).exists()

    return typed(play)


def scenario(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "scenario.json"
        path.write_bytes(data)
        for step in read_scenario(path, (PAIR,)):
            assert 0 <= float(step.at_seconds) < float("inf")


def _packed(data: bytes) -> bytes:
    return gzip.compress(data, 1)


def _profile(path: Path) -> SandboxProfile:
    return SandboxProfile(
        directory=path.parent, source=path, seed=1, speed=parse("1"), pairs=(PAIR,),
        clock=ClockProfile(parse("1"), None), api_port=0, graph_port=0, ws_port=0, admin_port=0, log_level="INFO",
    )  # fmt: skip


TARGETS = (
    Target("recording", source(".jsonl.gz", _packed), (RECORDING,), cost=5),
    Target("recording-packed", source(".jsonl.gz"), (_packed(RECORDING),), cost=5),
    Target("recorded-messages", source(".txt"), (MESSAGES,), cost=5),
    Target("recorded-candles", source(".csv"), (CANDLES,), cost=5),
    Target("scenario", typed(scenario), texts(
        '[{"at_seconds": 60, "fault": {"fault": "late_answer", "count": 2, "seconds": "1.5", "match": {"pair": "X"}}},'
        ' {"at_seconds": 90.5, "clear": true}, {"at_seconds": 1, "halt_pair": "BTCTRY"}]',
        '{"at_seconds": 1, "resume_pair": "BTCTRY"}\n{"at_seconds": 2, "clear": true}\n',
    ), cost=3),
)  # fmt: skip
