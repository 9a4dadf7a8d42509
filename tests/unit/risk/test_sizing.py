"""Sizing never spends, reserves or sells more than it may, whatever the market and the caps."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btcbot.domain.market import Level
from btcbot.domain.money import Amount, parse
from btcbot.domain.orders.intents import ApprovedOrderIntent, Side
from btcbot.domain.state import BalancesSeen, apply
from btcbot.risk.gate import assess
from btcbot.risk.sizing import Quote, entry_quote, exit_quote, is_dust, room
from btcbot.risk.view import RiskView
from tests.unit.domain.builders import (
    BTC_TRY,
    FEE_RATIO,
    LIMITS,
    START,
    TRY,
    intent,
    levels,
    market,
    trading,
)


def view(position: str = "0", **book: tuple[Level, ...]) -> RiskView:
    return RiskView("BTCTRY", market(**book), trading(position), LIMITS, START, FEE_RATIO)


def bought(notional: str, **book: tuple[Level, ...]) -> Quote | None:
    seen = view(**book)
    assert seen.market is not None
    return entry_quote(seen, seen.market, Amount(parse(notional), TRY))


def sold(position: str, **book: tuple[Level, ...]) -> Quote | None:
    seen = view(position, **book)
    assert seen.market is not None
    return exit_quote(seen, seen.market)


def quote(quantity: str, price: str) -> Quote:
    return Quote(BTC_TRY.price_down(parse(price)), BTC_TRY.quantity_down(parse(quantity)))


@pytest.mark.parametrize(
    ("notional", "asks", "expected"),
    [
        ("1000.1", levels("0.001 @ 1000100"), quote("0.001", "1000100")),
        ("1500", levels("0.001 @ 1000100", "1 @ 1001000"), quote("0.0014985", "1001000")),
        ("1500", levels("0.001 @ 1000100"), quote("0.00149985", "1000100")),  # what is not offered would rest
        ("1500", levels("0.001 @ 1000099.5"), quote("0.00149985", "1000100")),  # off our grid: bid the next price up
        ("9000", levels("1 @ 1000000"), quote("0.005", "1000000")),  # never above the order's cap
        ("0.001", levels("1 @ 1000000"), None),  # not one lot
    ],
)
def test_an_entry_takes_the_lowest_asks_that_fill_it(
    notional: str, asks: tuple[Level, ...], expected: Quote | None
) -> None:
    assert bought(notional, asks=asks) == expected


def test_an_entry_does_not_follow_the_book_beyond_the_collar() -> None:
    thin = levels("0.0001 @ 1000100", "0.0001 @ 1019900", "9 @ 1021000")
    found = bought("4000", asks=thin)
    assert found is not None
    assert found.price == parse("1019900")


@pytest.mark.parametrize(
    ("position", "bids", "expected"),
    [
        ("0.001", levels("0.001 @ 999900"), quote("0.001", "999900")),
        ("0.002", levels("0.001 @ 999900", "1 @ 999000"), quote("0.002", "999000")),
        ("0.002", levels("0.001 @ 999900", "1 @ 900000"), quote("0.002", "999900")),  # the rest is beyond the collar
        (
            "0.0020000019",
            levels("1 @ 999900.5"),
            quote("0.002", "999900"),
        ),  # both rounded towards selling less, for less
        ("0.000000001", levels("1 @ 999900"), None),  # not one lot
        (
            "0.1",
            levels("0.001 @ 999900", "0.001 @ 999800"),
            quote("0.1", "999800"),
        ),  # the book ends before it is filled
        ("0", levels("1 @ 999900"), None),
    ],
)
def test_an_exit_takes_the_highest_bids_that_fill_it(
    position: str, bids: tuple[Level, ...], expected: Quote | None
) -> None:
    assert sold(position, bids=bids) == expected


def test_a_book_with_one_side_has_no_middle_and_nothing_is_quoted() -> None:
    assert bought("1500", bids=()) is None
    assert sold("0.002", asks=()) is None


def test_there_is_no_room_without_a_balance() -> None:
    seen = view()
    assert room(seen) == Amount(parse("20000"), TRY)
    assert room(replace(seen, state=apply(seen.state, BalancesSeen({})))) == Amount(parse("0"), TRY)


def test_dust_is_what_cannot_be_sold_alone() -> None:
    assert is_dust(BTC_TRY, parse("0.00009999"), parse("1000000"))
    assert not is_dust(BTC_TRY, parse("0.0001"), parse("1000000"))


def amounts(low: str, high: str) -> st.SearchStrategy[Amount]:
    return st.decimals(parse(low), parse(high), places=2).map(lambda number: Amount(number, TRY))


@given(
    notional=amounts("100", "99999"),
    order_max=amounts("100", "9999"),
    position_max=amounts("100", "9999"),
    exposure_max=amounts("100", "9999"),
    available=amounts("0", "9999"),
    steps=st.lists(st.tuples(st.integers(1, 20_000), st.decimals("0.00000001", "0.01", places=8)), max_size=6),
)
def test_no_entry_is_above_any_cap_and_the_gate_agrees(
    notional: Amount,
    order_max: Amount,
    position_max: Amount,
    exposure_max: Amount,
    available: Amount,
    steps: list[tuple[int, Decimal]],
) -> None:
    price, asks = Decimal(1000000), []
    for step, quantity in steps:
        price += step
        asks.append(Level(price, quantity))
    limits = replace(
        LIMITS, order_notional_max=order_max, position_notional_max=position_max, exposure_max=exposure_max
    )
    seen = replace(view(), market=market(asks=tuple(asks)), limits=limits)
    seen = replace(seen, state=apply(seen.state, BalancesSeen({TRY: available.number})))
    assert seen.market is not None
    found = entry_quote(seen, seen.market, notional)
    if found is None:
        return
    wanted = intent(Side.BUY, str(found.quantity), str(found.price))
    assert BTC_TRY.is_on_grid(found.price, found.quantity)
    assert wanted.notional <= notional
    assert wanted.notional <= order_max
    for cap in (position_max, exposure_max, available):
        assert wanted.reservation(FEE_RATIO) <= cap
    names = {name for name, _ in getattr(assess(wanted, seen), "named_reasons", tuple)()}
    assert names <= {"notional_below_min", "spread_above_max"}


@given(position=st.decimals("0.0001", "0.02", places=10))
def test_an_exit_sells_all_but_less_than_a_lot_and_the_gate_agrees(position: Decimal) -> None:
    seen = view(str(position))
    assert seen.market is not None
    found = exit_quote(seen, seen.market)
    assert found is not None
    assert found.quantity <= position < found.quantity + BTC_TRY.lot_step
    wanted = intent(Side.SELL, str(found.quantity), str(found.price))
    assert isinstance(assess(wanted, seen), ApprovedOrderIntent) or wanted.notional < Amount(parse("100"), TRY)
