"""Each answer of a venue profile that shows on the private side: what differs from `documented`, and that it does."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from btcbot.domain.errors import ExitCode
from btcbot.sandbox.admission import BLOCK_MS
from btcbot.sandbox.profiles import HISTORIC, PROFILES, UnknownVenueProfile, profile_named
from tests.integration.sandbox.playground import Playground, playing


async def _rested(playground: Playground, count: int = 1) -> list[int]:
    return [await playground.placed("BTCTRY", "buy", "0.0003", "3000000") for _ in range(count)]


async def _listed(playground: Playground, query: str = "") -> list[int]:
    document: Any = (await playground.private("GET", f"allOrders?pairSymbol=BTCTRY{query}")).json()
    return [row["id"] for row in document["data"]]


async def _filled_in_part(playground: Playground) -> int:
    """A buy of twice the best ask, whose rest stays behind."""
    price, quantity = (await playground.book("SOLTRY"))["asks"][0]
    return await playground.placed("SOLTRY", "buy", str(Decimal(quantity) + 1), price)


async def test_strict_stamps_must_rise(tmp_path: Path) -> None:
    async with playing(tmp_path / "s", venue_profile="strict_stamps") as playground:
        url = f"{playground.api}/api/v1/users/balances"
        headers = playground.headers()
        assert (await playground.http.get(url, headers=headers)).status_code == 200
        for skew_ms in (0, -1):
            again = await playground.http.get(url, headers=playground.headers(skew_ms=skew_ms))
            given = int(headers["X-Stamp"]) + skew_ms
            assert again.status_code == 400
            assert again.json()["message"] == (
                f"Nonce must be greater than {headers['X-Stamp']}. You provided {given}."
            )  # fmt: skip
        assert (await playground.http.get(url, headers=playground.headers(skew_ms=1))).status_code == 200
        assert (await playground.private("GET", "users/balances", role="monitor")).status_code == 200


async def test_equal_stamps_are_usually_taken(playground: Playground) -> None:
    assert [(await playground.private("GET", "users/balances")).status_code for _ in range(2)] == [200, 200]


async def test_a_refusal_may_be_honest(tmp_path: Path) -> None:
    async with playing(tmp_path / "s", venue_profile="refusal_not_successful") as playground:
        answer = await playground.http.get(f"{playground.api}/api/v1/users/balances")
        assert answer.json() == {"success": False, "message": "Unauthorized - Headers are missing", "code": 1037}
        await playground.fault("invalid_nonce", 1)
        assert (await playground.private("GET", "users/balances")).json()["success"] is False


async def test_strangers_are_shut_out_for_a_while(tmp_path: Path) -> None:
    async with playing(tmp_path / "s", venue_profile="blocks_strangers") as playground:
        url = f"{playground.api}/api/v1/allOrders"
        statuses = [(await playground.http.get(url)).status_code for _ in range(49)]
        assert (await playground.private("GET", "allOrders?pairSymbol=BTCTRY")).status_code == 200  # counts anew
        statuses += [(await playground.http.get(url)).status_code for _ in range(50)]
        assert set(statuses) == {401}
        for answer in (await playground.http.get(url), await playground.public("server/time")):
            assert (answer.status_code, answer.headers["Content-Type"]) == (403, "text/html; charset=utf-8")
        with pytest.raises(InvalidStatus, match="403"):
            async with playground.feed():
                pass
        await playground.time.pass_by(BLOCK_MS / 1000)
        assert (await playground.private("GET", "allOrders?pairSymbol=BTCTRY")).status_code == 200


async def test_balances_may_have_a_comma(tmp_path: Path) -> None:
    async with playing(tmp_path / "s", venue_profile="decimal_comma") as playground:
        await _filled_in_part(playground)
        row = (await playground.balances())["TRY"]
        assert "," in row["balance"]
        assert "." not in f"{row['balance']}{row['locked']}{row['free']}{row['orderFund']}"


@pytest.mark.parametrize(("venue_profile", "status"), [("documented", "Canceled"), ("partial_is_final", "Partial")])
async def test_the_last_status_of_an_order_that_was_filled_in_part(
    tmp_path: Path, venue_profile: str, status: str
) -> None:
    async with playing(tmp_path / "s", venue_profile=venue_profile) as playground:
        order_id = await _filled_in_part(playground)
        await playground.private("DELETE", f"order?id={order_id}")
        await playground.time.pass_by(1)
        row = (await playground.private("GET", f"order/{order_id}")).json()["data"]
        assert (row["status"], Decimal(row["leftAmount"])) == (status, Decimal(1))
        assert (await playground.private("GET", "openOrders")).json()["data"]["bids"] == []


async def test_trades_may_come_without_a_label(tmp_path: Path) -> None:
    async with playing(tmp_path / "s", venue_profile="trades_without_label") as playground:
        await _filled_in_part(playground)
        await playground.time.pass_by(3)
        rows = (await playground.private("GET", "users/transactions/trade")).json()["data"]
        assert {row["orderClientId"] for row in rows} == {None}


async def test_pages_may_begin_at_zero_with_the_oldest(tmp_path: Path) -> None:
    async with playing(tmp_path / "s", venue_profile="pages_from_zero") as playground:
        ids = await _rested(playground, 3)
        await playground.time.pass_by(1)
        assert await _listed(playground, "&limit=2&page=0") == ids[:2]
        assert await _listed(playground, "&limit=2&page=1") == ids[2:]


async def test_pages_usually_begin_at_one_and_zero_is_the_same(playground: Playground) -> None:
    ids = await _rested(playground, 3)
    await playground.time.pass_by(1)
    assert await _listed(playground, "&limit=2&page=0") == await _listed(playground, "&limit=2&page=1") == ids[:0:-1]


@pytest.mark.parametrize(("venue_profile", "count"), [("documented", 60), ("pages_from_zero", 50)])
async def test_how_many_orders_a_page_has_unless_it_is_said(tmp_path: Path, venue_profile: str, count: int) -> None:
    async with playing(tmp_path / "s", venue_profile=venue_profile) as playground:
        for _ in range(6):
            await _rested(playground, 10)
            await playground.time.pass_by(1)
        assert len(await _listed(playground)) == count


@pytest.mark.parametrize(("venue_profile", "is_shown"), [("documented", True), ("start_exclusive", False)])
async def test_the_second_of_the_start_may_be_left_out(tmp_path: Path, venue_profile: str, is_shown: bool) -> None:
    async with playing(tmp_path / "s", venue_profile=venue_profile) as playground:
        ids = await _rested(playground)
        second = int(playground.time.now().timestamp())
        await playground.time.pass_by(2)
        assert await _listed(playground, f"&startTime={second}") == (ids if is_shown else [])
        assert await _listed(playground, f"&startTime={second - 1}") == ids


@pytest.mark.parametrize(("venue_profile", "code"), [("documented", 1122), ("numbers_of_2022", 1123)])
async def test_the_number_beside_a_message(tmp_path: Path, venue_profile: str, code: int) -> None:
    async with playing(tmp_path / "s", venue_profile=venue_profile) as playground:
        await playground.placed("BTCTRY", "buy", "0.04", "3000000")
        refused = (await playground.submit("BTCTRY", "buy", "0.04", "3000000")).json()
        assert (refused["message"], refused["code"]) == ("FAILED_ORDER_WITH_OPEN_ORDERS", code)
        unknown = (await playground.private("DELETE", "order?id=1")).json()
        assert unknown["code"] == 1052


async def test_views_may_lag_by_much_in_what_is_new_and_in_what_changed(tmp_path: Path) -> None:
    async with playing(tmp_path / "s", venue_profile="slow_views") as playground:
        (order_id,) = await _rested(playground)
        await _filled_in_part(playground)
        before = await playground.balances()
        assert (before["TRY"]["balance"], before["TRY"]["locked"], before["SOL"]["balance"]) == ("200000", "0", "0")
        await playground.time.pass_by(3)
        after = await playground.balances()
        assert Decimal(after["TRY"]["balance"]) < 200_000
        assert Decimal(after["TRY"]["locked"]) > 0
        await playground.time.pass_by(86)
        assert (await playground.private("GET", f"order/{order_id}")).status_code == 400
        assert (await playground.private("GET", "openOrders")).json()["data"]["bids"] == []
        await playground.time.pass_by(1)
        assert await _listed(playground) == [order_id]
        await playground.private("DELETE", f"order?id={order_id}")
        await playground.time.pass_by(90)
        assert (await playground.private("GET", f"order/{order_id}")).json()["data"]["status"] == "Untouched"
        await playground.time.pass_by(1)
        assert (await playground.private("GET", f"order/{order_id}")).json()["data"]["status"] == "Canceled"


async def test_a_fill_shows_in_views_of_orders_as_late_as_they_lag(tmp_path: Path) -> None:
    async with playing(tmp_path / "s", venue_profile="slow_views") as playground:
        ask = (await playground.book("SOLTRY"))["asks"][0]
        order_id = await playground.placed("SOLTRY", "buy", str(Decimal(ask[1]) + 1), str(round(Decimal(ask[0]) / 2)))
        await playground.time.pass_by(95)
        await playground.fault("filled_while_canceling", 1)
        assert (await playground.private("DELETE", f"order?id={order_id}")).status_code == 200
        row = (await playground.private("GET", "openOrders")).json()["data"]["bids"][0]
        assert (row["status"], row["leftAmount"]) == ("Untouched", row["amount"])
        await playground.time.pass_by(90)
        assert (await playground.private("GET", f"order/{order_id}")).json()["data"]["status"] == "Closed"
        assert (await playground.private("GET", "openOrders")).json()["data"]["bids"] == []


async def test_orders_may_be_counted_by_address_alone(tmp_path: Path) -> None:
    for venue_profile, policy in (("documented", "account"), ("limits_by_address_only", "ip")):
        async with playing(tmp_path / venue_profile, venue_profile=venue_profile) as playground:
            answers = [await playground.private("DELETE", "order?id=1") for _ in range(11)]
            assert answers[-1].json()["policy"] == policy


async def test_the_rules_of_the_venue_come_with_the_profile(tmp_path: Path) -> None:
    async with playing(tmp_path / "s", venue_profile="slow_cancels") as playground:
        (order_id,) = await _rested(playground)
        await playground.private("DELETE", f"order?id={order_id}")
        await playground.time.pass_by(2.9)
        assert (await playground.private("GET", f"order/{order_id}")).json()["data"]["status"] == "Untouched"
        await playground.time.pass_by(0.4)
        assert (await playground.private("GET", f"order/{order_id}")).json()["data"]["status"] == "Canceled"


def test_a_profile_is_found_by_its_name_and_a_misspelt_one_is_guessed_at() -> None:
    assert all(profile_named(name).name == name for name in (*PROFILES, *HISTORIC))
    with pytest.raises(UnknownVenueProfile, match="did you mean decimal_comma") as refused:
        profile_named("decimal_coma")
    assert refused.value.exit_code is ExitCode.CONFIGURATION
    with pytest.raises(UnknownVenueProfile, match="there is documented, "):
        profile_named("€")


async def test_a_sandbox_does_not_open_under_an_unknown_profile(tmp_path: Path) -> None:
    with pytest.raises(UnknownVenueProfile):
        async with playing(tmp_path / "s", venue_profile="nothing"):
            pass
