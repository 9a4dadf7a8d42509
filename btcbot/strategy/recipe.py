"""A strategy before its parameters are known: what a registry, an entry point or a user's file offers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from btcbot.domain.money import Asset
from btcbot.strategy.params import StrategyParams
from btcbot.strategy.strategy import Strategy

P = TypeVar("P", bound=StrategyParams)


@dataclass(frozen=True, slots=True)
class Recipe(Generic[P]):
    """The parameters, how they become a strategy for a currency, and what it is about, its first line on its own."""

    params: type[P]
    build: Callable[[P, Asset], Strategy]
    about: str | None

    def strategy(self, values: Mapping[str, object], currency: Asset) -> Strategy:
        """Raises `ValueError`: pydantic's where a parameter does not fit, a rule's own where it makes no sense."""
        return self.build(self.params.model_validate(values), currency)

    def values_of(self, values: Mapping[str, object]) -> Mapping[str, object]:
        """All parameters, those that were left out with their defaults, as JSON knows them."""
        return self.params.model_validate(values).model_dump(mode="json")
