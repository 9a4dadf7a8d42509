"""Which strategies there are, and how a choice in the settings becomes one."""

import difflib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Generic, TypeVar

from pydantic import ValidationError

from btcbot.domain.errors import ConfigurationError
from btcbot.domain.money import Asset
from btcbot.domain.profiles import StrategyChoice
from btcbot.strategy import ema_cross
from btcbot.strategy.params import StrategyParams
from btcbot.strategy.strategy import Strategy

P = TypeVar("P", bound=StrategyParams)


@dataclass(frozen=True, slots=True)
class Recipe(Generic[P]):
    """A strategy before its parameters are known."""

    params: type[P]
    build: Callable[[P, Asset], Strategy]

    def strategy(self, values: Mapping[str, object], currency: Asset) -> Strategy:
        return self.build(self.params.model_validate(values), currency)


REGISTRY: Mapping[str, Recipe[ema_cross.EmaCrossParams]] = {
    ema_cross.NAME: Recipe(ema_cross.EmaCrossParams, ema_cross.ema_cross),
}


def build_strategy(choice: StrategyChoice, currency: Asset) -> Strategy:
    """The strategy that the settings name. An unknown name or bad parameters are one `ConfigurationError`, one line."""
    recipe = REGISTRY.get(choice.name)
    if recipe is None:
        near = difflib.get_close_matches(choice.name, REGISTRY, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; there is {', '.join(sorted(REGISTRY))}"
        raise ConfigurationError(f"BTCBOT_STRATEGY names no strategy: {choice.name!r}{hint}")
    try:
        values = {name: json.loads(text, parse_float=Decimal) for name, text in choice.params}
        return recipe.strategy(values, currency)
    except ValidationError as error:
        problems = "; ".join(_problem(dict(problem)) for problem in error.errors(include_url=False))
        raise ConfigurationError(f"BTCBOT_STRATEGY_PARAMS of {choice.name}: {problems}") from error
    except ValueError as error:
        raise ConfigurationError(f"BTCBOT_STRATEGY_PARAMS of {choice.name} is not JSON: {error}") from error


def _problem(problem: Mapping[str, object]) -> str:
    where = problem["loc"]
    names = ".".join(str(part) for part in where) if isinstance(where, tuple) and where else ""
    return f"{names}: {problem['msg']}" if names else str(problem["msg"])
