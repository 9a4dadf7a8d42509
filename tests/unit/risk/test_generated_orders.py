"""Generated orders by the hundred thousand: none above a cap passes, each cap decides at its step, rounding takes less.

A few thousand here; `make risk-test` makes a million. What is right is worked out again in integers, apart from the
rules.
"""

import os
from dataclasses import replace
from decimal import Decimal
from random import Random

import pytest

from btcbot.domain.instruments import Instrument
from btcbot.domain.market import Book, Level, MarketView
from btcbot.domain.money import Amount, Asset, plain
from btcbot.domain.orders.intents import ApprovedOrderIntent, Side
from btcbot.domain.profiles import RiskLimits
from btcbot.domain.state import BalancesSeen, MarkSeen, OrderChanged, TradingState, apply
from btcbot.risk.gate import assess
from btcbot.risk.sizing import entry_quote, exit_quote
from btcbot.risk.view import RiskView
from tests.unit.domain.builders import BTC_TRY, FEE_RATIO, LIMITS, START, TRY, after, intent, market, order, trading

ORDERS = int(os.environ.get("BTCBOT_TESTS_GENERATED_ORDERS", "1000"))
MARKET = market(bids=(Level(Decimal(999_900), Decimal(9)),), asks=(Level(Decimal(1_000_100), Decimal(9)),))
MID = 1_000_000
LOTS = 10**8  # a coin in lots
UNITS = 10**8  # a lira in the units that reservations are counted in
FEE_IN_10000 = 24


@pytest.mark.timeout(7200)
def test_no_order_above_a_cap_passes_and_every_cap_decides_at_its_step() -> None:
    """Each order lies on a cap, one step beside it, or anywhere; it passes exactly when integers say that it may."""
    chance = Random(5)
    passed = 0
    for _ in range(ORDERS):
        cash = chance.choice((10**7, 3_000))
        view = some_view(some_limits(chance), chance.randrange(3), chance.randrange(3), cash)
        top = collar_top(view.limits)
        price = chance.choice((MID, MID + 100, MID + 100, edge(chance, top), chance.randint(900_000, 1_100_000)))
        *caps, least = lot_caps(view, price)
        lots = edge(chance, chance.choice((min(caps), min(caps), *caps, least, chance.randint(1, 2 * LOTS))))
        wanted = intent(quantity=plain(Decimal(max(lots, 1)) / LOTS), price=str(price))
        may = allowed(view, price, max(lots, 1))
        verdict = assess(wanted, view)
        assert isinstance(verdict, ApprovedOrderIntent) is may, (wanted, view.limits, verdict)
        passed += may
    assert ORDERS / 20 < passed < ORDERS * 19 / 20, "both outcomes are tried"


def some_limits(chance: Random) -> RiskLimits:
    notional = chance.choice((500, 1_000, 5_000))
    return replace(
        LIMITS,
        order_notional_max=Amount(Decimal(notional), TRY),
        order_quantities_max=(Amount(Decimal(chance.choice((20, 100, 700))) / 10**5, Asset("BTC")),),
        position_notional_max=Amount(Decimal(notional * chance.choice((1, 2))), TRY),
        exposure_max=Amount(Decimal(notional * chance.choice((2, 3))), TRY),
    )  # fmt: skip


def some_view(limits: RiskLimits, held: int, reserved: int, cash: int) -> RiskView:
    """`held` and `reserved` in thousandths of a coin at a million; the reserved ones in an order of another pair."""
    state: TradingState = trading(plain(Decimal(held) / 1000))
    state = apply(state, MarkSeen("BTCTRY", Decimal(MID), after(-5), LIMITS.volatility_window))
    state = apply(state, BalancesSeen({TRY: Decimal(cash)}))
    if reserved:
        state = apply(
            state,
            OrderChanged(
                order("eth", quantity=plain(Decimal(reserved) / 1000), price=str(MID), pair="ETHTRY", at=after(-100))
            ),
        )
    return RiskView("BTCTRY", MARKET, state, limits, START, FEE_RATIO)


def collar_top(limits: RiskLimits) -> int:
    return int(MID + MID * limits.collar_ratio_max)


def edge(chance: Random, step: int) -> int:
    return step + chance.choice((-1, 0, 1))


def lot_caps(view: RiskView, price: int) -> tuple[int, ...]:
    """The largest number of lots that each cap allows at a price."""
    limits = view.limits
    quantity_max = limits.order_quantity_max(Asset("BTC"))
    assert quantity_max is not None
    with_fee = price * (10_000 + FEE_IN_10000)
    return (
        int(limits.order_notional_max.number) * LOTS // price,
        int(quantity_max.number * LOTS),
        room_units(view, "position") * 10_000 // with_fee,
        room_units(view, "exposure") * 10_000 // with_fee,
        room_units(view, "cash") * 10_000 // with_fee,
        -(-105 * LOTS // price),
    )


def room_units(view: RiskView, cap: str) -> int:
    """What a cap leaves, in units."""
    state = view.state
    held = int(state.instrument("BTCTRY").position * MID * UNITS)
    reserved = sum(int(each.reservation.number * UNITS) for each in state.orders.values())
    if cap == "position":
        return int(view.limits.position_notional_max.number) * UNITS - held
    if cap == "exposure":
        return int(view.limits.exposure_max.number) * UNITS - held - reserved
    own = int(view.own_cash().number * UNITS)
    return min(int(state.available[TRY]) * UNITS, own) - reserved


def allowed(view: RiskView, price: int, lots: int) -> bool:
    """By integers alone: notional, quantity, position, exposure, balance, collar and smallest order."""
    limits = view.limits
    quantity_max = limits.order_quantity_max(Asset("BTC"))
    assert quantity_max is not None
    worst = -(-price * lots * (10_000 + FEE_IN_10000) // 10_000)  # units, rounded up
    return all((
        price * lots <= int(limits.order_notional_max.number) * LOTS,
        lots <= int(quantity_max.number * LOTS),
        *(worst <= room_units(view, cap) for cap in ("position", "exposure", "cash")),
        abs(price - MID) * 100 <= MID * 2,
        min(price, 999_900) * lots >= 105 * LOTS,
    ))  # fmt: skip


@pytest.mark.timeout(7200)
def test_rounding_never_raises_spend_or_quantity() -> None:
    """Whatever the grids, prices and wishes: no order costs more than was wished for, or sells more than is held."""
    chance = Random(7)
    made = 0
    for _ in range(ORDERS):
        instrument = some_instrument(chance)
        bid = Decimal(chance.randint(1, 10**9)) / 10 ** chance.randrange(5) + instrument.price_step
        ask = bid + instrument.price_step * chance.randint(1, 3)
        view = RiskView(
            "BTCTRY", MarketView(instrument, Book((Level(bid, Decimal(10) ** 9),), (Level(ask, Decimal(10) ** 9),)),
            MARKET.book_age, (), is_gapped=False), trading(plain(Decimal(chance.randint(1, 10**9)) / 10**8)),
            replace(LIMITS, order_quantities_max=(Amount(Decimal(chance.randint(1, 10**9)) / 10**5, Asset("BTC")),)),
            START, FEE_RATIO,
        )  # fmt: skip
        wish = Amount(Decimal(chance.randint(1, 10**10)) / 10**5, TRY)
        assert view.market is not None
        for side, quote in (
            (Side.BUY, entry_quote(view, view.market, wish)), (Side.SELL, exit_quote(view, view.market)),
        ):  # fmt: skip
            if quote is None:
                continue
            made += 1
            wanted = intent(side, plain(quote.quantity), plain(quote.price), instrument)
            assert instrument.is_on_grid(quote.price, quote.quantity)
            assert "E" not in plain(quote.quantity) + plain(quote.price)
            if side is Side.BUY:
                quantity_max = view.limits.order_quantity_max(Asset("BTC"))
                assert quantity_max is not None
                assert wanted.notional <= wish
                assert wanted.notional <= view.limits.order_notional_max
                assert Amount(quote.quantity, Asset("BTC")) <= quantity_max
                assert wanted.reservation(FEE_RATIO).number >= wanted.notional.number * (1 + FEE_RATIO)
            else:
                assert quote.quantity <= view.instrument_state.position
                assert quote.price <= bid
    assert made > ORDERS / 4


def some_instrument(chance: Random) -> Instrument:
    price_step, lot_step = (Decimal(1).scaleb(-chance.randrange(9)) for _ in range(2))
    return replace(BTC_TRY, price_step=price_step, lot_step=lot_step, price_min=price_step, price_max=Decimal(10) ** 12)
