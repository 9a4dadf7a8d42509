"""Venue profiles: named sets of answers to the open questions, so that a client can be tried against all of them.

`documented` has the likelier answer to each. Every other profile changes what its name says and nothing else;
`contrary` has all the other answers at once, as far as they go together.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from btcbot.domain.errors import ConfigurationError
from btcbot.simulation.rules import (
    MarketRest,
    NotionalMin,
    QuoteDecimals,
    SameLabel,
    SelfTrade,
    TriggeredBy,
    VenueRules,
)


class OrderNumbering(StrEnum):
    """The integers beside the messages of refused orders: they moved once already (protocol 8)."""

    OF_2024 = "2024"
    OF_2022 = "2022"  # one higher for what lies between 1122 and 1127

    def number(self, code: int) -> int:
        """The number that stood beside what now is `code`."""
        return code + 1 if self is OrderNumbering.OF_2022 and 1122 <= code <= 1127 else code


class FinalStatus(StrEnum):
    """A4: the status of an order that was partly filled and then canceled."""

    CANCELED = "Canceled"
    PARTIAL = "Partial"


class Shapes(StrEnum):
    """Whose captures the private answers and tickers look like (the samples name the years)."""

    NOW = "now"
    OF_2021 = "2021"  # trades without label and precise amount; a receipt without `httpStatusCode`, "OK"
    OF_2019 = "2019"  # and fewer fields yet, numbers where there are texts now, words with capitals


class SequenceNumbers(StrEnum):
    """E1: how CS goes on within a subscription."""

    BY_ONE = "by_one"
    JUMPING = "jumping"  # it rises, by any step, and nothing is missing


@dataclass(frozen=True, slots=True)
class Lags:
    """How long after the fact each view shows it, in milliseconds (B1)."""

    order_ms: int = 200  # openOrders, order/{id}, allOrders
    trade_ms: int = 3_000  # users/transactions/trade
    balance_ms: int = 0


@dataclass(frozen=True, slots=True)
class VenueProfile:
    name: str
    question: str  # which open question it answers otherwise, or nothing
    rules: VenueRules = field(default_factory=VenueRules)
    lags: Lags = field(default_factory=Lags)
    are_stamps_strict: bool = False  # D2: a stamp that is not higher than the key's last one is refused
    is_refusal_successful: bool = True  # D1: `success` in the body of a 401
    refusals_until_block: int | None = None  # D5: after so many 401s in a row the edge answers with a 403 page
    is_decimal_comma: bool = False  # B5: in balances
    final_status: FinalStatus = FinalStatus.CANCELED
    is_delete_sent_after_fill: bool = False  # A5: 452 also follows a full fill
    are_private_frames_sent: bool = True  # section 10.5: missing for some users
    is_label_in_trades: bool = True  # A3: user trades may have no orderClientId
    first_page: int = 1  # B2
    is_oldest_first: bool = False  # B2
    orders_per_page: int = 100  # B2: when `limit` is not given
    is_start_inclusive: bool = True  # B2
    numbering: OrderNumbering = OrderNumbering.OF_2024
    shapes: Shapes = Shapes.NOW
    is_missing_stop_null: bool = False  # `stopPrice` of a receipt for an order without one: null, or "0"
    is_book_time_fractional: bool = False  # protocol 4.3: 1643883463379.0
    has_extensions: bool = True  # protocol 2: in exchangeinfo
    sequence_numbers: SequenceNumbers = SequenceNumbers.BY_ONE
    is_rejoin_served: bool = True  # E2: leave and join on one socket bring a fresh 431
    is_taker_buy_one: bool = True  # E3: S is 1 when the taker bought
    login_nonce_max_ms: int = 60_000  # D3
    logins_per_key_max: int | None = None  # E7
    account_limits: bool = True  # F2: order calls are counted by account as well as by address
    has_quiet_klines: bool = False  # F8: a range without candles answers `no_data` with HTTP 200, or empty columns


_OTHERS: tuple[VenueProfile, ...] = (
    VenueProfile("same_label_refused", "A1", VenueRules(same_label=SameLabel.REFUSED)),
    VenueProfile("slow_views", "A2", lags=Lags(order_ms=90_000, trade_ms=95_000, balance_ms=3_000)),
    VenueProfile("trades_without_label", "A3", is_label_in_trades=False),
    VenueProfile("partial_is_final", "A4", final_status=FinalStatus.PARTIAL),
    VenueProfile("delete_after_fill", "A5", is_delete_sent_after_fill=True),
    VenueProfile("market_rest_closed", "A6", VenueRules(market_rest=MarketRest.CLOSED)),
    VenueProfile("market_rest_refused", "A6", VenueRules(market_rest=MarketRest.REFUSED)),
    VenueProfile("quote_decimals", "A7", VenueRules(quote_decimals=QuoteDecimals.TWO)),
    VenueProfile("stop_buy_in_base", "A8", VenueRules(is_stop_buy_in_quote=False)),
    VenueProfile("stop_by_touch", "A9", VenueRules(triggered_by=TriggeredBy.TOUCH)),
    VenueProfile("round_minimum", "A10", VenueRules(notional_min=NotionalMin.ROUND)),
    VenueProfile("tick_enforced", "A11", VenueRules(is_tick_enforced=True)),
    VenueProfile("self_trade", "A12", VenueRules(self_trade=SelfTrade.TRADED)),
    VenueProfile("self_trade_refused", "A12", VenueRules(self_trade=SelfTrade.REFUSED)),
    VenueProfile("few_open_orders", "A13", VenueRules(open_orders_max=10)),
    VenueProfile("rest_pays_taker", "A14", VenueRules(is_rest_charged_as_taker=True)),
    VenueProfile("slow_cancels", "A4", VenueRules(cancel_ms=3_000, release_ms=2_000)),
    VenueProfile("pages_from_zero", "B2", first_page=0, is_oldest_first=True, orders_per_page=50),
    VenueProfile("start_exclusive", "B2", is_start_inclusive=False),
    VenueProfile("decimal_comma", "B5", is_decimal_comma=True),
    VenueProfile("refusal_not_successful", "D1", is_refusal_successful=False),
    VenueProfile("strict_stamps", "D2", are_stamps_strict=True),
    VenueProfile("short_login_window", "D3", login_nonce_max_ms=10_000, logins_per_key_max=1),
    VenueProfile("blocks_strangers", "D5", refusals_until_block=50),
    VenueProfile("jumping_sequence", "E1", sequence_numbers=SequenceNumbers.JUMPING),
    VenueProfile("rejoin_unserved", "E2", is_rejoin_served=False),
    VenueProfile("taker_buy_zero", "E3", is_taker_buy_one=False),
    VenueProfile("no_private_frames", "10.5", are_private_frames_sent=False),
    VenueProfile("limits_by_address_only", "F2", account_limits=False),
    VenueProfile("numbers_of_2022", "8", numbering=OrderNumbering.OF_2022),
    VenueProfile("missing_stop_null", "5.2", is_missing_stop_null=True),
    VenueProfile(
        "old_shapes", "4.3", shapes=Shapes.OF_2021, is_book_time_fractional=True, has_extensions=False,
        has_quiet_klines=True,
    ),
)  # fmt: skip

DOCUMENTED = VenueProfile("documented", "")
CONTRARY = VenueProfile(
    "contrary",
    "all",
    VenueRules(
        cancel_ms=3_000,
        release_ms=2_000,
        same_label=SameLabel.REFUSED,
        market_rest=MarketRest.CLOSED,
        self_trade=SelfTrade.TRADED,
        triggered_by=TriggeredBy.TOUCH,
        quote_decimals=QuoteDecimals.TWO,
        is_stop_buy_in_quote=False,
        notional_min=NotionalMin.ROUND,
        is_tick_enforced=True,
        open_orders_max=10,
        is_rest_charged_as_taker=True,
    ),
    Lags(order_ms=5_000, trade_ms=10_000, balance_ms=3_000),
    are_stamps_strict=True,
    is_refusal_successful=False,
    refusals_until_block=50,
    is_decimal_comma=True,
    final_status=FinalStatus.PARTIAL,
    is_delete_sent_after_fill=True,
    are_private_frames_sent=False,
    is_label_in_trades=False,
    first_page=0,
    is_oldest_first=True,
    orders_per_page=50,
    is_start_inclusive=False,
    numbering=OrderNumbering.OF_2022,
    is_missing_stop_null=True,
    is_book_time_fractional=True,
    has_extensions=False,
    sequence_numbers=SequenceNumbers.JUMPING,
    is_rejoin_served=False,
    is_taker_buy_one=False,
    login_nonce_max_ms=10_000,
    logins_per_key_max=1,
    account_limits=False,
    has_quiet_klines=True,
)

PROFILES: Mapping[str, VenueProfile] = MappingProxyType(
    {profile.name: profile for profile in (DOCUMENTED, *_OTHERS, CONTRARY)}
)

# Trades of 2019 do not say which order they belong to: what they look like can be tried, trading on them cannot.
HISTORIC: Mapping[str, VenueProfile] = MappingProxyType(
    {"shapes_of_2019": VenueProfile("shapes_of_2019", "4.3", shapes=Shapes.OF_2019)}
)


class UnknownVenueProfile(ConfigurationError):
    next_step = "give BTCBOT_SANDBOX_VENUE_PROFILE a name that `btcbot sandbox profiles` lists, or leave it out"

    def __init__(self, name: str) -> None:
        near = difflib.get_close_matches(name.lower()[:100], (*PROFILES, *HISTORIC), n=1)
        hint = f": did you mean {near[0]}?" if near else f"; there is {', '.join(PROFILES)}"
        super().__init__(f"there is no venue profile {name[:40]!r}{hint}")


def profile_named(name: str) -> VenueProfile:
    """Raises `UnknownVenueProfile`."""
    profile = PROFILES.get(name) or HISTORIC.get(name)
    if profile is None:
        raise UnknownVenueProfile(name)
    return profile
