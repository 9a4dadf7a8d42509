"""What a trade costs: the worst published rate first, then what our own fills paid (protocol 7, open questions C1-C3).

No call tells an account's own rate, and published tables are for the smallest accounts, so the rate is measured. A
measured rate replaces the published one only when enough fills agree that it is lower; a higher one counts at once.
Nobody says whether a fill was a maker's or a taker's, and every order may take. So the highest of the last ones counts,
and of the lower ones only those above what any maker pays: a history of makers' fills tells nothing about a taker's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from btcbot.domain.money import ZERO, Asset, Ratio, round_ratio, round_up
from btcbot.domain.orders.evidence import Fill

# The worst published taker rate with tax, per quote.
WORST_PUBLISHED: Mapping[Asset, Ratio] = MappingProxyType(
    {Asset("TRY"): Ratio(Decimal("0.0024")), Asset("USDT"): Ratio(Decimal("0.0014"))}
)
MAKER_RATIO_MAX = Ratio(Decimal("0.0012"))  # the worst published one, of all quotes
FILLS_MIN = 20  # of takers, before what they paid may replace a higher published rate
FILLS_KEPT = 100
ROUNDED_BY = Decimal("0.00000002")  # fee and tax come with eight decimals each
RATIO_STEP = Decimal("0.000001")
BASIS_POINT = Decimal("0.0001")
NOTHING = Ratio(ZERO)


def paid_ratio(fill: Fill) -> Ratio:
    """Fee and tax of a fill against its notional, rounded up; without what rounding on their side may have added."""
    paid = max(fill.fee + fill.tax - ROUNDED_BY, ZERO)
    return Ratio(round_up(round_ratio(paid, fill.notional), RATIO_STEP))


def is_as_expected(fill: Fill, paid: "FeesPaid", published: Ratio) -> bool:
    """Whether a fill was charged a rate that is known: published, or paid lately, to a basis point (reliability T5)."""
    charged = paid_ratio(fill)
    known = (published, MAKER_RATIO_MAX, *paid.ratios)
    return any(abs(charged - ratio) <= BASIS_POINT for ratio in known)


@dataclass(frozen=True, slots=True)
class FeesPaid:
    """What the last fills paid, oldest first. Rebuilt at every start from the fills in the books."""

    ratios: tuple[Ratio, ...] = ()
    highest: Ratio = NOTHING  # of them; this and the next are asked for far more often than a fill comes
    takers: int = 0  # how many of them no maker can have paid

    @classmethod
    def of(cls, ratios: tuple[Ratio, ...]) -> "FeesPaid":
        takers = sum(ratio > MAKER_RATIO_MAX + RATIO_STEP for ratio in ratios)
        return cls(ratios, max(ratios, default=NOTHING), takers)

    def after(self, fill: Fill) -> "FeesPaid":
        return FeesPaid.of((*self.ratios, paid_ratio(fill))[-FILLS_KEPT:])

    def planning_ratio(self, published: Ratio) -> Ratio:
        """What an order is planned and reserved with: never less than any of the last fills paid, or a taker may."""
        return self.highest if self.takers >= FILLS_MIN else max(self.highest, published)
