"""The ledger: what moved which asset, by how much, and why. Opening + transfers + trades − fees − tax = balances.

Every entry is exact; the comparison with the exchange has tolerance zero.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from btcbot.domain.balances import Balance
from btcbot.domain.money import ZERO, Amount, Asset
from btcbot.domain.orders.evidence import Fill
from btcbot.domain.orders.intents import Side


class EntryKind(StrEnum):
    OPENING = "opening"
    TRANSFER = "transfer"
    TRADE = "trade"
    FEE = "fee"
    TAX = "tax"


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One signed change of one asset. `source` names the row it comes from: `trade/123`, `opening/TRY`."""

    kind: EntryKind
    amount: Amount
    source: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Assignment:
    """Coins that the account held and that an operator made the bot's own: the ledger counts them already."""

    pair: str
    base: Asset
    quote: Asset
    quantity: Decimal
    price: Decimal  # what they counted as, in quote
    reason: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Our books and the exchange disagree about one asset."""

    asset: Asset
    ours: Decimal
    theirs: Decimal

    def __str__(self) -> str:
        return (
            f"{self.asset}: {self.ours} in our ledger, {self.theirs} at the exchange, off by {self.theirs - self.ours}"
        )


def entries_of_fill(fill: Fill, base: Asset, quote: Asset) -> tuple[LedgerEntry, ...]:
    """Base and quote change hands; fee and tax are taken in quote, for buys and sells alike (protocol, section 7)."""
    sign = 1 if fill.side is Side.BUY else -1
    source = f"trade/{fill.trade_id}"
    moves = (
        (EntryKind.TRADE, Amount(sign * fill.quantity, base)),
        (EntryKind.TRADE, Amount(-sign * fill.notional, quote)),
        (EntryKind.FEE, Amount(-fill.fee, quote)),
        (EntryKind.TAX, Amount(-fill.tax, quote)),
    )
    return tuple(LedgerEntry(kind, amount, source, fill.time_exchange) for kind, amount in moves if amount.number != 0)


def balances_of(entries: Iterable[LedgerEntry]) -> dict[Asset, Decimal]:
    """What the entries add up to, per asset."""
    sums: dict[Asset, Decimal] = {}
    for entry in entries:
        asset = entry.amount.asset
        sums[asset] = sums.get(asset, ZERO) + entry.amount.number
    return sums


def mismatches(ours: Mapping[Asset, Decimal], theirs: Iterable[Balance]) -> tuple[Mismatch, ...]:
    """Every asset in which the two differ; an asset that one side does not list counts as zero there."""
    listed = {balance.asset: balance.total for balance in theirs}
    return tuple(
        Mismatch(asset, ours.get(asset, ZERO), listed.get(asset, ZERO))
        for asset in sorted({*ours, *listed})
        if ours.get(asset, ZERO) != listed.get(asset, ZERO)
    )
