"""The ledger adds up to the last digit, whatever the order of its entries."""

from decimal import Decimal
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from btcbot.domain.balances import Balance
from btcbot.domain.ledger import EntryKind, LedgerEntry, Mismatch, balances_of, entries_of_fill, mismatches
from btcbot.domain.money import amount, parse
from btcbot.domain.orders.evidence import Fill
from btcbot.domain.orders.intents import Side
from tests.unit.domain.builders import BTC, ETH, START, TRY, USDT, fill

FILLS = st.builds(
    lambda trade_id, side, quantity, price, fee, tax: fill(
        trade_id, side, str(quantity), str(price), str(fee), str(tax)
    ),
    st.integers(1, 10**9),
    st.sampled_from(Side),
    st.decimals("0.00000001", "10", places=8),
    st.decimals("0.01", "5000000", places=2),
    st.decimals("0", "100", places=8),
    st.decimals("0", "20", places=8),
)


def test_a_buy_and_a_sell_move_base_quote_fee_and_tax() -> None:
    bought = fill(5, Side.BUY, "0.01", "1000000", fee="20", tax="4")
    assert [(entry.kind, entry.amount, entry.source) for entry in entries_of_fill(bought, BTC, TRY)] == [
        (EntryKind.TRADE, amount("0.01 BTC"), "trade/5"),
        (EntryKind.TRADE, amount("-10000 TRY"), "trade/5"),
        (EntryKind.FEE, amount("-20 TRY"), "trade/5"),
        (EntryKind.TAX, amount("-4 TRY"), "trade/5"),
    ]
    sold = fill(6, Side.SELL, "0.01", "1000000", fee="20", tax="4")
    assert balances_of(entries_of_fill(sold, BTC, TRY)) == {BTC: parse("-0.01"), TRY: parse("9976")}


def test_what_did_not_move_is_not_entered() -> None:
    kinds = [entry.kind for entry in entries_of_fill(fill(), BTC, TRY)]
    assert kinds == [EntryKind.TRADE, EntryKind.TRADE]


@given(fills=st.lists(FILLS, max_size=8), order=st.randoms(use_true_random=False))
def test_fills_in_any_order_give_one_balance(fills: list[Fill], order: Random) -> None:
    entries = [entry for one in fills for entry in entries_of_fill(one, BTC, TRY)]
    expected = balances_of(entries)
    order.shuffle(entries)
    assert balances_of(entries) == expected


@given(fills=st.lists(FILLS, max_size=8))
def test_money_is_conserved(fills: list[Fill]) -> None:
    """What we gave for the coins, and what was taken of it, is what is missing."""
    balances = balances_of(entry for one in fills for entry in entries_of_fill(one, BTC, TRY))
    spent = sum((one.notional if one.side is Side.BUY else -one.notional for one in fills), start=Decimal(0))
    taken = sum((one.fee + one.tax for one in fills), start=Decimal(0))
    assert balances.get(TRY, Decimal(0)) == -spent - taken


def test_every_difference_is_named_and_no_tolerance_is_given() -> None:
    ours = {TRY: parse("100"), BTC: parse("0.5"), ETH: parse("0")}
    theirs = [
        Balance(TRY, parse("100.00"), parse("90"), parse("10")),
        Balance(BTC, parse("0.50000000000000000001"), parse("0.5"), parse("0")),
        Balance(USDT, parse("3"), parse("3"), parse("0")),
    ]
    assert mismatches(ours, theirs) == (
        Mismatch(BTC, parse("0.5"), parse("0.50000000000000000001")),
        Mismatch(USDT, parse("0"), parse("3")),
    )
    assert str(mismatches(ours, theirs)[1]) == "USDT: 0 in our ledger, 3 at the exchange, off by 3"


def test_an_asset_that_the_exchange_does_not_list_counts_as_zero_there() -> None:
    assert mismatches({BTC: parse("1")}, []) == (Mismatch(BTC, parse("1"), parse("0")),)
    assert mismatches({BTC: parse("0")}, []) == ()


def test_opening_and_transfers_count_like_trades() -> None:
    entries = [
        LedgerEntry(EntryKind.OPENING, amount("1000 TRY"), "opening/TRY", START),
        LedgerEntry(EntryKind.TRANSFER, amount("-250 TRY"), "transfer/1", START),
        *entries_of_fill(fill(quantity="0.0001", fee="0.2"), BTC, TRY),
    ]
    assert balances_of(entries) == {TRY: parse("649.8"), BTC: parse("0.0001")}
