"""What there is to know of a strategy before it runs: its parameters with their bounds, its rules, its expressions."""

import dataclasses
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from types import UnionType
from typing import Any, get_args, get_origin

from btcbot.domain.errors import BtcbotError
from btcbot.domain.money import Amount, Asset, plain
from btcbot.domain.profiles import StrategyChoice
from btcbot.services.strategy_loading import find_recipe, load_strategy, offered_names
from btcbot.strategy.language import Condition, Series
from btcbot.strategy.recipe import Recipe
from btcbot.strategy.strategy import NEVER, Strategy
from btcbot.strategy.wording import worded

WIDTH = 100
_BOUNDS = (("gt", "above"), ("ge", "from"), ("lt", "below"), ("le", "up to"))


@dataclass(frozen=True, slots=True)
class Listed:
    name: str
    about: str  # in one line


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    kind: str
    default: str
    bounds: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Described:
    """A strategy with its default parameters, or with those that were asked for."""

    name: str
    about: str
    parameters: tuple[Parameter, ...]
    warm_up: int  # candles
    entry: str
    exit: str
    shown: tuple[tuple[str, str], ...]
    rules: tuple[tuple[str, str], ...]
    sizing: str


def listed() -> tuple[Listed, ...]:
    """All strategies that ship or that installed packages offer; one that cannot be loaded says why."""
    return tuple(Listed(name, _in_one_line(name)) for name in offered_names())


def described(choice: StrategyChoice, currency: Asset, interval: timedelta) -> Described:
    """Raises `ConfigurationError` for a name or parameters that are none."""
    recipe = find_recipe(choice.name, choice.path)
    strategy = dataclasses.replace(load_strategy(choice, currency), interval=interval)
    return Described(
        name=choice.name,
        about=textwrap.dedent(recipe.about or "").strip(),
        parameters=tuple(_parameters(recipe)),
        warm_up=strategy.warm_up,
        entry=_condition(strategy, strategy.entry),
        exit=_condition(strategy, strategy.exit),
        shown=tuple((name, worded(series)) for name, series in strategy.shown),
        rules=tuple(_rules(strategy)),
        sizing=f"{_told(strategy.sizing)}; {strategy.notional} at most",
    )


def lines_of(told: Described) -> Iterator[str]:
    """For a person, at most 100 columns wide."""
    yield told.name
    for paragraph in told.about.split("\n\n"):
        yield from textwrap.wrap(" ".join(paragraph.split()), WIDTH, initial_indent="  ", subsequent_indent="  ")
        yield ""
    yield "Parameters"
    for each in told.parameters:
        yield from _wrapped(f"{each.name} ({each.kind}, {each.bounds}; default {each.default}): {each.meaning}")
    yield ""
    yield from _wrapped(f"Warm-up: {told.warm_up} candles")
    yield from _wrapped(f"In:      {told.entry}")
    yield from _wrapped(f"Out:     {told.exit}")
    for name, text in told.shown:
        yield from _wrapped(f"{name} = {text}", 4)
    yield from _wrapped(f"Size:    {told.sizing}")
    for name, text in told.rules:
        yield from _wrapped(f"{name}: {text}")


def _in_one_line(name: str) -> str:
    try:
        about = find_recipe(name, None).about or ""
    except BtcbotError as error:
        return f"cannot be loaded: {error}"
    return " ".join(about.strip().split("\n\n")[0].split())


def _parameters(recipe: Recipe[Any]) -> Iterator[Parameter]:
    for name, field in recipe.params.model_fields.items():
        metadata = [bound for bound in field.metadata if any(hasattr(bound, kind) for kind, _ in _BOUNDS)]
        bounds = [
            f"{word} {getattr(bound, kind)}" for bound in metadata for kind, word in _BOUNDS if hasattr(bound, kind)
        ]
        default = "required" if field.is_required() else _told(field.default)
        yield Parameter(name, _kind(field.annotation), default, " ".join(bounds) or "any", field.description or "")


def _kind(annotation: Any) -> str:
    if get_origin(annotation) is UnionType:
        return " or ".join(_kind(part) for part in get_args(annotation))
    known = {int: "whole number", Decimal: "decimal", bool: "true or false", str: "text"}
    return known.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _condition(strategy: Strategy, condition: Condition) -> str:
    code = "" if strategy.code is None else f"on_candle of {strategy.code.reference} says so"
    if condition is NEVER or condition == NEVER:
        return code or ("by its grid" if strategy.grid is not None else "never by a signal")
    return f"{worded(condition)}{f', or {code}' if code else ''}"


def _rules(strategy: Strategy) -> Iterator[tuple[str, str]]:
    for field in dataclasses.fields(strategy.rules):
        rule = getattr(strategy.rules, field.name)
        if rule is not None:
            yield field.name, _told(rule)
    if strategy.grid is not None:
        yield "grid", _told(strategy.grid)
    if strategy.confidence is not None:
        yield "confidence", worded(strategy.confidence)


def _told(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool() | StrEnum():
            return str(value).lower()
        case Decimal():
            return plain(value)
        case Amount() | timedelta():
            return str(value)
        case Series() | Condition():
            return worded(value)
        case tuple():
            return "; ".join(_told(each) for each in value)
        case _ if dataclasses.is_dataclass(value):
            names = [each.name for each in dataclasses.fields(value)]
            parts = [f"{name.replace('_', ' ')} {_told(getattr(value, name))}" for name in names]
            return ", ".join(parts) or "all of the notional"
        case _:
            return str(value)


def _wrapped(text: str, indent: int = 2) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=" " * indent, subsequent_indent=" " * (indent + 2))
