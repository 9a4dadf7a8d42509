"""Which strategies there are, and how a choice in the settings becomes one."""

import json
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from btcbot.domain.errors import ConfigurationError
from btcbot.domain.money import Asset
from btcbot.domain.profiles import StrategyChoice
from btcbot.strategy.recipe import Recipe
from btcbot.strategy.shipped import (
    bollinger_reversion,
    dca,
    donchian_breakout,
    ema_cross,
    grid,
    rsi_reversion,
    wind_down,
)
from btcbot.strategy.strategy import Strategy

REGISTRY: Mapping[str, Recipe[Any]] = MappingProxyType(
    {
        module.NAME: module.RECIPE
        for module in (bollinger_reversion, dca, donchian_breakout, ema_cross, grid, rsi_reversion, wind_down)
    }
)


def made(recipe: Recipe[Any], choice: StrategyChoice, currency: Asset) -> Strategy:
    """The recipe with the parameters that were chosen."""
    named = f"BTCBOT_STRATEGY_PARAMS of {choice.name}"
    try:
        values = {name: json.loads(text, parse_float=Decimal) for name, text in choice.params}
    except ValueError as error:
        raise ConfigurationError(f"{named} is not JSON: {error}") from error
    try:
        return recipe.strategy(values, currency)
    except ValidationError as error:
        problems = "; ".join(_problem(dict(problem)) for problem in error.errors(include_url=False))
        raise ConfigurationError(f"{named}: {problems}") from error
    except ValueError as error:
        raise ConfigurationError(f"{named}: {error}") from error


def _problem(problem: Mapping[str, object]) -> str:
    where = problem["loc"]
    names = ".".join(str(part) for part in where) if isinstance(where, tuple) and where else ""
    return f"{names}: {problem['msg']}" if names else str(problem["msg"])
