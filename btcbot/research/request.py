"""What a person asked to be tried, checked, and tried: the way from a command line or a list to a finished run."""

import csv
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from btcbot.domain.errors import UsageError
from btcbot.domain.fees import WORST_PUBLISHED
from btcbot.domain.money import Amount, Asset, MalformedNumber, parse
from btcbot.domain.profiles import RiskLimits, StrategyChoice
from btcbot.research.backtest import run_backtest
from btcbot.research.candle_market import USUAL_MODEL, MarketModel
from btcbot.research.history import History, MalformedHistory, opened_text, pairs_of, read_history
from btcbot.research.limits import without_breakers
from btcbot.research.results import Rates, Results, results_of
from btcbot.services.decision import DecisionParams
from btcbot.simulation.generator import CHARACTERS
from btcbot.simulation.listings import Listing
from btcbot.simulation.replay import recorded_listing
from btcbot.strategy.recipe import Recipe
from btcbot.strategy.registry import made
from btcbot.strategy.strategy import Strategy

ORDER_AGE_MAX = timedelta(seconds=60)  # as in the shipped profile
GRID_ORDER_AGE_MAX = timedelta(hours=1)  # as a grid asks for: its orders have to rest
PRICE_DECIMALS_MAX = 8
LOT_DECIMALS = 8


@dataclass(frozen=True, slots=True)
class Request:
    recipe: Recipe[Any]
    strategy: StrategyChoice
    histories: tuple[History, ...]
    capital: Amount
    limits: RiskLimits
    model: MarketModel = USUAL_MODEL
    rates: Rates | None = None


def tried(request: Request) -> Results:
    """The run and what it came to. Raises `ConfigurationError`, `HistoryTooShort` or `UsageError`."""
    currency = request.limits.currency
    fee_ratio = WORST_PUBLISHED.get(currency)
    if fee_ratio is None:
        raise UsageError(f"fees are published for {', '.join(sorted(WORST_PUBLISHED))}, not for {currency}")
    intervals = {history.interval for history in request.histories}
    if len(intervals) != 1:
        raise UsageError(f"the recordings have candles of {', '.join(map(str, sorted(intervals)))}: give one kind")
    listings = {history.pair: listing_of(history) for history in request.histories}
    others = sorted(pair for pair, listing in listings.items() if listing.quote != currency)
    if others:
        raise UsageError(f"{', '.join(others)} is not quoted in {currency}, which the capital is given in")
    strategy = _over(made(request.recipe, request.strategy, currency), *intervals)
    params = DecisionParams(
        strategy=strategy,
        pairs=tuple(sorted(listings)),
        limits=request.limits,
        candle_interval=next(iter(intervals)),
        order_age_max=order_age_max(strategy),
        fee_ratio=fee_ratio,
    )
    if params.watched_only:
        missing = ", ".join(params.watched_only)
        raise UsageError(
            f"{params.strategy.name} looks at {missing} as well: give the recordings with --data PAIR=FILE"
        )
    run = run_backtest(request.histories, listings, params, request.capital, request.model)
    return results_of(run, fee_ratio, request.rates)


def _over(strategy: Strategy, interval: timedelta) -> Strategy:
    try:
        return strategy.over(interval)
    except ValueError as error:
        raise UsageError(f"{strategy.name} cannot be asked on these candles: {error}") from error


def order_age_max(strategy: Strategy) -> timedelta:
    """How long an order of this strategy may work before it is canceled."""
    return ORDER_AGE_MAX if strategy.grid is None else GRID_ORDER_AGE_MAX


def to_its_end(request: Request) -> Request:
    """The same with breakers that do not halt."""
    return replace(request, limits=without_breakers(request.limits, request.capital))


def listing_of(history: History) -> Listing:
    """The pair as the exchange lists it where that is known, else on grids fine enough for its numbers."""
    known = CHARACTERS.get(history.pair)
    if known is not None:
        return known.listing
    last = history.candles[-1].close
    price_decimals = min(max(5 - last.adjusted(), 0), PRICE_DECIMALS_MAX)
    return recorded_listing(history.pair, price_decimals, LOT_DECIMALS)


def read_histories(data: Sequence[str]) -> tuple[History, ...]:
    """`FILE` or `PAIR=FILE`, each. Raises `UsageError` or `MalformedHistory`."""
    histories: dict[str, History] = {}
    for each in data:
        pair, _, name = each.rpartition("=")
        path = Path(name)
        if not path.is_file():
            raise UsageError(f"there is no file {path}")
        for found in (pair.upper(),) if pair else _pairs_in(path):
            if found in histories:
                raise UsageError(f"{found} is given twice")
            histories[found] = read_history(path, found)
    return tuple(histories.values())


def _pairs_in(path: Path) -> tuple[str, ...]:
    """Those of its column `symbol`, or the one that its name begins with."""
    named = pairs_of(path)
    if named is not None:
        return named
    words = [word.upper() for word in path.name.split(".")[0].split("_")]
    found = [word for word in words if word.isalnum() and any(word.endswith(q) and word != q for q in WORST_PUBLISHED)]
    if len(found) != 1:
        raise UsageError(f"neither {path.name} nor its columns say which pair it holds: write --data PAIR={path}")
    return (found[0],)


def read_rates(path: Path) -> Rates:
    """What a dollar costs, a line a day: columns `time` (ms or ISO 8601) and `close` or `price`."""
    by_day: dict[date, Decimal] = {}
    try:
        with opened_text(path) as lines:
            rows = csv.DictReader(lines)
            for row in rows:
                by_day[_day(row["time"])] = parse((row.get("close") or row.get("price") or "").strip())
    except (OSError, EOFError, csv.Error, KeyError, ValueError, OverflowError, MalformedNumber, TypeError) as error:
        raise MalformedHistory(f"{path} does not tell a rate a day ({type(error).__name__})") from error
    if not by_day or min(by_day.values()) <= 0:
        raise MalformedHistory(f"{path} tells no rates above zero")
    days = tuple(sorted(by_day))
    return Rates(path.name, days, tuple(by_day[day] for day in days))


def _day(text: str) -> date:
    if text.isdecimal():
        return datetime.fromtimestamp(int(text) / 1000, UTC).date()
    return datetime.fromisoformat(text).date()


def capital_of(text: str) -> Amount:
    """`20000 TRY`. Raises `UsageError`."""
    number, _, asset = text.strip().partition(" ")
    try:
        capital = Amount(parse(number), Asset(asset.strip().upper()))
    except MalformedNumber as error:
        raise UsageError(f"--capital {text[:40]!r} is not an amount as in '20000 TRY'") from error
    if capital.number <= 0 or not capital.asset:
        raise UsageError(f"--capital {text[:40]!r} is not an amount above zero as in '20000 TRY'")
    return capital


def choice_of(name: str, params: str | None) -> StrategyChoice:
    """A strategy with some parameters as JSON, as `BTCBOT_STRATEGY_PARAMS` has them. Raises `UsageError`."""
    try:
        document = json.loads(params or "{}", parse_float=str)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"--params is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise UsageError('--params is a JSON object, as in {"fast": 3}')
    return StrategyChoice(name, tuple(sorted((str(key), json.dumps(value)) for key, value in document.items())))


def params_of(recipe: Recipe[Any], choice: StrategyChoice) -> Mapping[str, object]:
    """All parameters, those that were left out with their defaults, as JSON knows them."""
    return recipe.values_of({name: json.loads(text, parse_float=Decimal) for name, text in choice.params})


def params_hash(params: Mapping[str, object]) -> str:
    """A short name for parameters: a report bears it, and is stale when the shipped ones have another."""
    return hashlib.sha256(json.dumps(params, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]
