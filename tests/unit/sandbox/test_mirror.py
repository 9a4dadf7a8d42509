"""A mirror frame by frame, without a network: what it shows, and what it does not believe."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from btcbot.domain.events import Event
from btcbot.domain.money import Asset, parse
from btcbot.domain.profiles import Endpoints
from btcbot.exchange.errors import Malformed
from btcbot.sandbox.mirror import FRESH_SECONDS_MAX, GAPS_MAX, Mirror
from btcbot.simulation.listings import Listing

NOWHERE = Endpoints("http://127.0.0.1:9", "http://127.0.0.1:9", "ws://127.0.0.1:9", is_loopback=True)
SOL_TRY = Listing("SOLTRY", 40, Asset("SOL"), Asset("TRY"), 1, 8, parse("99.91"))


@dataclass
class World:
    """Time that stands still unless it is moved, and what was told."""

    seconds: float = 0.0
    told: list[Event] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime(2026, 11, 2, 12, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing waits here")

    def observed(self, event: Event, **_fields: object) -> None:
        self.told.append(event)


@dataclass
class Stage:
    world: World
    mirror: Mirror

    def frame(self, kind: int, **body: Any) -> None:
        self.mirror.frame(json.dumps([kind, {"PS": "SOLTRY", **body}]).encode())

    def full(self, number: int) -> None:
        self.frame(431, CS=number, BO=[{"P": "100.5", "A": "2"}], AO=[{"P": "101", "A": "3"}], channel="obdiff")

    def change(self, number: int, price: str) -> None:
        self.frame(432, CS=number, BO=[{"CP": 1, "P": price, "A": "1"}], AO=[])

    def bids(self) -> Sequence[int]:
        self.mirror.advance(0)
        return list(self.mirror.depth("SOLTRY").bids)


@pytest.fixture
def stage() -> Stage:
    world = World()
    return Stage(world, Mirror(NOWHERE, {"SOLTRY": SOL_TRY}, world, world, world))


def test_a_book_is_shown_until_nothing_proves_it_any_more(stage: Stage) -> None:
    assert stage.bids() == []
    stage.full(7)
    stage.change(8, "99")
    assert stage.bids() == [1005, 990]
    stage.world.seconds = FRESH_SECONDS_MAX
    stage.frame(402, B="100.5", A="101.0")
    stage.world.seconds += FRESH_SECONDS_MAX
    assert stage.bids() == [1005, 990]
    stage.frame(402, B="100.4", A="101.0")
    stage.world.seconds += 0.1
    assert stage.bids() == []
    assert stage.world.told == [Event.BOOK_GAPPED]
    stage.frame(402, B="100.5", A="101.0")
    assert stage.bids() == [1005, 990]


def test_a_lost_connection_leaves_no_book(stage: Stage) -> None:
    stage.full(7)
    stage.mirror.lost()
    stage.change(8, "99")
    assert stage.bids() == []


def test_where_numbers_always_jump_they_only_have_to_rise(stage: Stage) -> None:
    for _ in range(GAPS_MAX + 1):
        stage.full(7)
        stage.change(9, "99")
        assert stage.bids() == []
    assert stage.world.told.count(Event.BOOK_NUMBERS_RELAXED) == 1
    stage.full(7)
    stage.change(12, "99")
    stage.change(11, "98")
    assert stage.bids() == [1005, 990]


def test_a_new_trade_is_a_print_and_the_last_ones_are_history(stage: Stage) -> None:
    def item(number: int) -> dict[str, object]:
        return {"D": "1793600000000", "I": str(number), "A": "0.25", "P": "100.5", "S": 1}

    stage.frame(421, symbol="SOLTRY", items=[item(1), item(2)])
    assert stage.mirror.advance(0) == []
    stage.frame(422, **item(3))
    stage.frame(422, **item(3))
    (print_,) = stage.mirror.advance(0)
    assert (print_.number, print_.ticks, print_.is_buy) == (3, 1005, True)
    assert [each.number for each in stage.mirror.recent("SOLTRY")] == [1, 2, 3]
    assert stage.mirror.advance(0) == []


@pytest.mark.parametrize(
    "text",
    [
        b"", b"[431]", b"7", b'[431,{"PS":"SOLTRY"}]', b'[402,{"PS":"SOLTRY","B":1,"A":2}]', b"[" * 5_000,
        b'[431,{"PS":"SOLTRY","CS":1,"BO":[{"P":"x","A":"1"}],"AO":[]}]', b'[422,{"PS":"SOLTRY","I":"x","S":1}]',
        b'[432,{"PS":"SOLTRY","CS":"2"}]', b"\xff",
    ],
)  # fmt: skip
def test_what_is_no_frame_is_malformed_and_nothing_else(stage: Stage, text: bytes) -> None:
    stage.full(1)
    with pytest.raises(Malformed):
        stage.mirror.frame(text)


def test_frames_of_others_are_not_ours(stage: Stage) -> None:
    stage.frame(431, PS="BTCTRY", CS=1)
    stage.frame(100, ok=True)
    stage.frame(402, PS="BTCTRY")
    assert stage.bids() == []
