"""What each account holds. `total` is settled money, `held` is bound by open orders and withdrawals under way;
available is the difference.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from btcbot.domain.balances import Balance
from btcbot.domain.errors import BtcbotError
from btcbot.domain.money import ZERO, Asset


class Overdrawn(BtcbotError):
    """The venue tried to take more than an account has. It must never happen: a check was missing before."""


@dataclass(frozen=True, slots=True)
class BalanceChange:
    """What one happening did to one balance, and what came out."""

    account_id: int
    asset: Asset
    total_change: Decimal
    held_change: Decimal
    total: Decimal
    held: Decimal


@dataclass(slots=True)
class Account:
    account_id: int
    fee_tier: int = 0
    totals: dict[Asset, Decimal] = field(default_factory=dict)
    holds: dict[Asset, Decimal] = field(default_factory=dict)
    withdrawals: dict[Asset, Decimal] = field(default_factory=dict)  # the part of the holds that is about to leave

    def total(self, asset: Asset) -> Decimal:
        return self.totals.get(asset, ZERO)

    def held(self, asset: Asset) -> Decimal:
        return self.holds.get(asset, ZERO)

    def withdrawn(self, asset: Asset) -> Decimal:
        """Held for withdrawals (`requestFund`); the rest of what is held is open orders' (`orderFund`)."""
        return self.withdrawals.get(asset, ZERO)

    def available(self, asset: Asset) -> Decimal:
        return self.total(asset) - self.held(asset)

    def change(
        self, asset: Asset, *, total: Decimal = ZERO, held: Decimal = ZERO, withdrawn: Decimal = ZERO
    ) -> BalanceChange:
        """Move money and hold together; neither total, hold nor what is left between them may go below zero.

        `withdrawn` is a hold for a withdrawal: it is counted among the holds, and apart.
        """
        held += withdrawn
        new_total, new_held = self.total(asset) + total, self.held(asset) + held
        if new_total < ZERO or new_held < ZERO or new_total < new_held:
            raise Overdrawn(f"account {self.account_id} would have {new_total} {asset} of which {new_held} held")
        self.totals[asset], self.holds[asset] = new_total, new_held
        if withdrawn:
            self.withdrawals[asset] = self.withdrawn(asset) + withdrawn
        return BalanceChange(self.account_id, asset, total, held, new_total, new_held)

    def balances(self) -> Mapping[Asset, Balance]:
        return {
            asset: Balance(asset, total, total - self.held(asset), self.held(asset))
            for asset, total in self.totals.items()
        }
