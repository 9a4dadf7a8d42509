"""The limits that a backtest trades under: those of the shipped profile, changed where a person says so."""

import dataclasses
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from btcbot.domain.errors import UsageError
from btcbot.domain.money import Amount, Asset, MalformedNumber, Ratio, parse
from btcbot.domain.profiles import RiskLimits

SECONDS = "_seconds"
QUANTITY_MAX = Decimal(10) ** 12
GROWN_MAX = 1_000_000  # times: a capital that grew can lose more on a day than it began with


def shipped_limits(currency: Asset, pairs: Iterable[str]) -> RiskLimits:
    """The numbers of `deploy/env/live.env`, in whatever currency the pairs are quoted in.

    The caps on the quantity of one order are against a slip of the hand at prices of today; over years of prices they
    would say nothing, and are out of the way.
    """

    def money(number: int) -> Amount:
        return Amount(Decimal(number), currency)

    return RiskLimits(
        currency=currency,
        order_notional_max=money(5_000),
        order_quantities_max=tuple(Amount(QUANTITY_MAX, Asset(pair.removesuffix(currency))) for pair in pairs),
        position_notional_max=money(20_000),
        exposure_max=money(50_000),
        day_loss_max=money(2_000),
        drawdown_ratio_max=Ratio(parse("0.10")),
        collar_ratio_max=Ratio(parse("0.02")),
        spread_ratio_max=Ratio(parse("0.02")),
        jump_ratio_max=Ratio(parse("0.05")),
        entries_per_hour_max=12,
        entries_per_day_max=240,
        entry_cooldown=timedelta(seconds=60),
        volatility_ratio_max=Ratio(parse("0.05")),
        volatility_window=timedelta(seconds=60),
        volatility_pause=timedelta(seconds=900),
        open_orders_per_instrument_max=5,
        open_orders_max=20,
        submits_per_minute_max=30,
        submits_per_second_max=2,
        market_age_max=timedelta(seconds=10),
        book_still_max=timedelta(seconds=300),
        trading_day_zone="Europe/Istanbul",
    )


def without_breakers(limits: RiskLimits, capital: Amount) -> RiskLimits:
    """The same, but neither a day nor a drawdown halts, whatever becomes of the capital: to see a strategy whole."""
    beyond = Amount(capital.number * GROWN_MAX, capital.asset)
    return replace(limits, day_loss_max=beyond, drawdown_ratio_max=Ratio(parse("0.999")))


def is_without_breakers(limits: RiskLimits, capital: Amount) -> bool:
    return limits == without_breakers(limits, capital)


def changed_limits(limits: RiskLimits, changes: Iterable[str]) -> RiskLimits:
    """`order_notional_max=10000`: names as in `BTCBOT_RISK_…`, in lower case. Raises `UsageError`."""
    kinds = {name: type(getattr(limits, name)) for name in (each.name for each in dataclasses.fields(limits))}
    for change in changes:
        name, _, text = change.partition("=")
        name = name.strip().lower().removeprefix("btcbot_risk_").replace(SECONDS, "")
        kind = kinds.get(name)
        if kind not in (Amount, Decimal, int, timedelta):
            known = ", ".join(sorted(each for each, of in kinds.items() if of in (Amount, Decimal, int, timedelta)))
            raise UsageError(f"--limit {change[:60]!r} names no limit; there is {known}")
        try:
            number = parse(text.strip())
            value: object = number
            if kind is Amount:
                value = Amount(number, limits.currency)
            elif kind is int:
                value = int(text)
            elif kind is timedelta:
                value = timedelta(milliseconds=int(number * 1000))
        except (MalformedNumber, ValueError) as error:
            raise UsageError(f"--limit {change[:60]!r} is not NAME=NUMBER") from error
        if number <= 0:
            raise UsageError(f"--limit {change[:60]!r}: a limit is above zero")
        limits = replace(limits, **{name: value})  # type: ignore[arg-type]
    return limits
