"""How the venue behaves where no source settles how the exchange does: one field per open question, with its answers.

The defaults are the likelier answers. A client has to be right under every one of them (protocol, section 13; the
letters and numbers are those of the open questions). What only the wire shows is in `btcbot.sandbox.profiles`.
"""

from dataclasses import dataclass
from enum import StrEnum


class SameLabel(StrEnum):
    """A1: a second order under a label that its account has used before."""

    ACCEPTED = "accepted"
    REFUSED = "refused"


class MarketRest(StrEnum):
    """A6: what becomes of a market order whose rest finds nobody within the guard."""

    CANCELED = "canceled"
    CLOSED = "closed"  # closed, though not all of it was filled
    REFUSED = "refused"  # FAILED_MARKET_ORDER, and nothing is traded


class SelfTrade(StrEnum):
    """A12: an order that would meet another one of its own account."""

    PASSED_OVER = "passed_over"  # both stay, and nothing trades between them
    TRADED = "traded"  # it trades with itself and pays both fees
    REFUSED = "refused"


class TriggeredBy(StrEnum):
    """A9: what a waiting stop is held against."""

    LAST_TRADE = "last_trade"
    TOUCH = "touch"  # the best ask for a stop buy, the best bid for a stop sell


class QuoteDecimals(StrEnum):
    """A7: decimals of the quote amount of a market buy on a pair whose prices are whole numbers."""

    NONE = "none"
    TWO = "two"


class NotionalMin(StrEnum):
    """A10: the smallest order."""

    LISTED = "listed"  # minExchangeValue, which may be met exactly
    ROUND = "round"  # 100 TRY or 10 USDT, which users meet in practice


@dataclass(frozen=True, slots=True)
class VenueRules:
    """One set of answers. Times in milliseconds."""

    cancel_ms: int = 300  # from the receipt to the end of the order
    release_ms: int = 300  # from there to the release of its hold
    same_label: SameLabel = SameLabel.ACCEPTED
    market_rest: MarketRest = MarketRest.CANCELED
    self_trade: SelfTrade = SelfTrade.PASSED_OVER
    triggered_by: TriggeredBy = TriggeredBy.LAST_TRADE
    quote_decimals: QuoteDecimals = QuoteDecimals.NONE
    is_stop_buy_in_quote: bool = True  # A8: what the quantity of a stop-market buy counts
    notional_min: NotionalMin = NotionalMin.LISTED
    is_tick_enforced: bool = False  # A11
    open_orders_max: int | None = None  # A13: per account and pair, waiting stops among them
    is_rest_charged_as_taker: bool = False  # A14: the resting remainder of an order that took first
