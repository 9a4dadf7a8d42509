"""What the exchange says we hold."""

from dataclasses import dataclass
from decimal import Decimal

from btcbot.domain.money import Asset


@dataclass(frozen=True, slots=True)
class Balance:
    """`total = available + held`, as the exchange lists it. An upper bound: holds may lag (reliability, PT5)."""

    asset: Asset
    total: Decimal
    available: Decimal
    held: Decimal
