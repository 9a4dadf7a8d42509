"""Samples of the public side whose shape depends on the moment or on the profile: the sandbox sends those as well."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from websockets.asyncio.client import connect

from tests.integration.sandbox.playground import Playground, playing
from tests.integration.sandbox.shapes import has_shape_of, read, shape_of

SAMPLES = Path(__file__).with_name("samples")
PAIR = "SOLTRY"
BATCH_SECONDS = 0.764


@pytest_asyncio.fixture
async def of_old(tmp_path: Path) -> AsyncIterator[Playground]:
    async with playing(tmp_path / "sandbox", pairs=(PAIR,), venue_profile="old_shapes") as opened:
        yield opened


@pytest_asyncio.fixture
async def of_now(tmp_path: Path) -> AsyncIterator[Playground]:
    async with playing(tmp_path / "sandbox", pairs=(PAIR,)) as opened:
        yield opened


def assert_like(said: object, name: str) -> None:
    sample = read((SAMPLES / f"{name}.json").read_bytes())
    assert has_shape_of(said, sample), (shape_of(said), shape_of(sample))


async def test_the_books_time_was_a_fraction_once(of_old: Playground) -> None:
    answer = await of_old.public("orderbook", pairSymbol=PAIR)
    assert b'.0,"bids"' in answer.content.replace(b" ", b"")
    assert_like(read(answer.content), "rest/orderbook.float_timestamp.200")


async def test_tickers_have_no_place_now_and_then(of_old: Playground) -> None:
    answer = await of_old.public("ticker", pairSymbol=PAIR)
    assert_like(read(answer.content), "rest/ticker.no_order_field.200")


async def test_the_first_frame_is_the_welcome_letter_for_letter(of_now: Playground) -> None:
    async with connect(f"ws://127.0.0.1:{of_now.sandbox.ws_port}", compression=None, ping_interval=None) as socket:
        welcome = await socket.recv()
    assert str(welcome).encode() == (SAMPLES / "ws/991.welcome.json").read_bytes().strip()


async def test_a_login_with_the_time_as_its_nonce_is_an_invalid_request(of_now: Playground) -> None:
    async with of_now.feed() as client:
        answer = await client.login(nonce=int(of_now.time.now().timestamp() * 1000))
    assert [114, answer] == read((SAMPLES / "ws/114.login_failed.request.json").read_bytes())


async def test_levels_come_and_go_on_both_sides(of_now: Playground) -> None:
    async with of_now.feed() as client:
        await client.join("obdiff", PAIR)
        await of_now.time.pass_by(400 * BATCH_SECONDS)
        await client.send(151, channel="mark", event="END", join=True)
        frames = []
        while (frame := await client.frame())[0] != 100:
            frames.append(frame)
    changes = [body for kind, body in frames if kind == 432]
    for side in ("AO", "BO"):
        assert {1, 3} <= {change["CP"] for body in changes for change in body[side]}
    both = next(body for body in changes if body["AO"] and body["BO"])
    assert_like([432, both], "ws/432.obdiff.new_and_evicted")


@pytest.mark.parametrize(
    ("venue_profile", "name"),
    [
        ("refusal_not_successful", "errors/unauthorized.success_false.401"),
        ("documented", "errors/unauthorized.invalid_nonce.401"),
    ],
)
async def test_a_refusal_is_a_success_or_not(tmp_path: Path, venue_profile: str, name: str) -> None:
    async with playing(tmp_path / "sandbox", pairs=(PAIR,), venue_profile=venue_profile) as playground:
        url, headers = f"{playground.api}/api/v1/users/balances", playground.headers(skew_ms=60_000)
        answer = await playground.http.get(url, headers=headers)
    assert (answer.status_code, read(answer.content)) == (401, read((SAMPLES / f"{name}.json").read_bytes()))


@pytest.mark.parametrize(
    ("venue_profile", "name"),
    [
        ("numbers_of_2022", "errors/order.open_orders.2022code.400"),
        ("documented", "errors/order.open_orders.400"),
    ],
)
async def test_a_message_has_another_number_in_another_year(tmp_path: Path, venue_profile: str, name: str) -> None:
    async with playing(tmp_path / "sandbox", pairs=(PAIR,), venue_profile=venue_profile) as playground:
        assert (await playground.submit(PAIR, "buy", "39", "5000")).status_code == 200
        answer = await playground.submit(PAIR, "buy", "39", "5000")
    assert (answer.status_code, read(answer.content)) == (400, read((SAMPLES / f"{name}.json").read_bytes()))
