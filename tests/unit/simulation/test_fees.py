"""Fees against figures that were worked out by hand, and against the published rate."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btcbot.domain.money import Asset, parse, use_money_context
from btcbot.simulation.fees import RATES, TIERS, charge
from tests.unit.simulation.scripted import ALICE, BOB, BTC_TRY, TRY, ScriptedMarket, again, opened, placed


@pytest.mark.parametrize(
    ("notional", "quote", "role", "fee", "tax"),
    [
        ("1000", "TRY", "taker", "2", "0.4"),
        ("1000", "TRY", "maker", "1", "0.2"),
        ("1000", "USDT", "taker", "1.16666667", "0.23333333"),
        ("1000", "USDT", "maker", "0.83333333", "0.16666667"),
        ("0.00000150", "TRY", "taker", "0", "0"),
    ],
)
def test_fee_and_tax_are_five_and_one_sixth_of_the_published_rate(
    notional: str, quote: str, role: str, fee: str, tax: str
) -> None:
    rates = RATES[Asset(quote)]
    taken = charge(parse(notional), rates.taker if role == "taker" else rates.maker)
    assert (taken.fee, taken.tax) == (parse(fee), parse(tax))


@given(st.decimals(min_value="0.00000001", max_value="100000000", places=12))
def test_rounding_is_half_even_to_the_last_digit(notional: Decimal) -> None:
    use_money_context()
    rate = RATES[Asset("USDT")].taker
    taken = charge(notional, rate)
    exact = Fraction(notional) * Fraction(rate)
    assert Fraction(taken.fee) == Fraction(round(exact * 5 / 6 * 10**8), 10**8)
    assert Fraction(taken.tax) == Fraction(round(exact / 6 * 10**8), 10**8)


TRADED = """
      0           0.12 / 0.24   0.10 / 0.14
      5000000     0.11 / 0.21   0.08 / 0.13
      25000000    0.10 / 0.19   0.06 / 0.11
      100000000   0.08 / 0.17   0.05 / 0.09
      250000000   0.06 / 0.15   0.04 / 0.07
      500000000   0.04 / 0.12   0.03 / 0.05
      1000000000  0.02 / 0.10   0.02 / 0.03
      2000000000  0.01 / 0.08   0.01 / 0.02
"""  # TRY in 30 days; maker / taker in percent, on TRY and on USDT pairs


def test_the_tiers_are_the_published_ones() -> None:
    table = [line.replace(" / ", " ").split() for line in TRADED.strip().splitlines()]
    for tier, (volume, *percents) in zip(TIERS, table, strict=True):
        lira, dollar = tier.rates[Asset("TRY")], tier.rates[Asset("USDT")]
        assert tier.volume_min == parse(volume)
        assert [rate * 100 for rate in (lira.maker, lira.taker, dollar.maker, dollar.taker)] == [
            parse(percent) for percent in percents
        ]


@pytest.mark.parametrize("tier", range(8))
def test_an_account_holds_and_pays_by_its_tier_and_the_others_by_theirs(tier: int) -> None:
    venue = opened(ScriptedMarket("", "1000x1"), accounts=(ALICE, BOB))
    venue.set_fee_tier(ALICE, tier, 0)
    rates = TIERS[tier].rates[TRY]
    taking = placed(venue, "buy 1 @ 1000")
    resting = placed(venue, "buy 1 @ 990")
    assert venue.accounts[ALICE].held(TRY) == 990 * (1 + rates.taker)
    selling = placed(venue, "sell 1 @ 990", account=BOB)
    for order, rate in ((taking, rates.taker), (resting, rates.maker), (selling, RATES[TRY].taker)):
        (match,) = order.matches
        assert match.fee + match.tax == match.price * rate
    assert venue.accounts[ALICE].held(TRY) == 0


def test_where_nothing_is_left_rounding_up_gives_way() -> None:
    """Fee and tax of 0.21042021 are 0.175350175 and 0.035070035: half even, both go up."""
    listing = replace(BTC_TRY, price_decimals=2)
    for funds, tax in (("100.41052021 TRY", "0.03507003"), ("100.41052022 TRY", "0.03507004")):
        venue = opened(ScriptedMarket("", "1001x11", listings=(listing,)), funds)
        venue.set_fee_tier(ALICE, 1, 0)
        (match,) = placed(venue, "buy 10.01 @ 10.01").matches
        assert (match.fee, match.tax) == (parse("0.17535018"), parse(tax))
        assert venue.accounts[ALICE].total(TRY) == 0


def test_a_new_tier_is_for_new_orders_and_survives_a_restart() -> None:
    market = ScriptedMarket()
    venue = opened(market, accounts=(ALICE,))
    venue.set_fee_tier(ALICE, 7, 0)
    before = placed(venue, "buy 1 @ 1000")
    venue.set_fee_tier(ALICE, 0, 0)
    after = placed(venue, "buy 1 @ 1000")
    later = again(venue, [news.happening for news in venue.news()])
    for each in (venue, later):
        rates = [each.orders[order.accepted.order_id].rates for order in (before, after)]
        assert rates == [TIERS[7].rates[TRY], TIERS[0].rates[TRY]]
    market.prints(100, 999, "2", "sell")
    later.advance(200)
    assert [match.fee + match.tax for match in later.matches_of(ALICE)] == [parse("0.1"), parse("1.2")]
