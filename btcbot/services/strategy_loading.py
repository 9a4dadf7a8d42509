"""Strategies by name: those that ship, those that an installed package offers, and a user's own files.

A user's file is code that trades, so it is loaded from one place only, `BTCBOT_STRATEGY_PATH`, whatever directory the
process happens to stand in: an absolute directory that this user or root owns and nobody else can write to, all the way
down. What was checked is what runs: the file is read once, through no link, and its bytes are hashed and compiled.
"""

import difflib
import hashlib
import importlib.abc
import importlib.metadata
import importlib.util
import os
import re
import stat
import sys
from pathlib import Path
from types import CodeType
from typing import Any

from btcbot.domain.errors import ConfigurationError
from btcbot.domain.money import Asset
from btcbot.domain.profiles import StrategyChoice
from btcbot.strategy.code import Code
from btcbot.strategy.own import CandleStrategy, recipe_of
from btcbot.strategy.recipe import Recipe
from btcbot.strategy.registry import REGISTRY, made
from btcbot.strategy.strategy import Strategy

__all__ = ["GROUP", "Code", "StrategyNotLoaded", "find_recipe", "load_strategy", "offered_names"]

GROUP = "btcbot.strategies"  # of the entry points
SOURCE_BYTES_MAX = 1_000_000
_REFERENCE = re.compile(r"([a-z][a-z0-9_]{0,39}):([A-Za-z][A-Za-z0-9_]{0,39})", re.ASCII)
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class StrategyNotLoaded(ConfigurationError):
    """The strategy that the settings name cannot be had: its file is missing, unsafe or fails."""

    next_step = "mend what it says, and run `btcbot strategies check` on the strategy before the next start"


def load_strategy(choice: StrategyChoice, currency: Asset) -> Strategy:
    """The strategy that the settings name, with its parameters. Raises `ConfigurationError`, one line."""
    recipe = find_recipe(choice.name, choice.path)
    try:
        return made(recipe, choice, currency)
    except ConfigurationError:
        raise
    except Exception as error:
        raise StrategyNotLoaded(f"{choice.name} cannot be built: {type(error).__name__}: {error}") from error


def find_recipe(name: str, path: Path | None) -> Recipe[Any]:
    """One that ships, an entry point's, or `MODULE:NAME` below the path. Raises `ConfigurationError`."""
    form = _REFERENCE.fullmatch(name)
    if form is not None:
        return _from_file(name, form[1], form[2], path)
    if name in REGISTRY:
        return REGISTRY[name]
    offered = {point.name: point for point in importlib.metadata.entry_points(group=GROUP)}
    if name not in offered:
        names = sorted({*REGISTRY, *offered})
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; there is {', '.join(names)}, or MODULE:NAME of your own"
        raise ConfigurationError(f"BTCBOT_STRATEGY names no strategy: {name[:80]!r}{hint}")
    point = offered[name]
    try:
        loaded = point.load()
    except Exception as error:
        raise StrategyNotLoaded(f"{name} ({point.value}) fails: {type(error).__name__}: {error}") from error
    file = getattr(sys.modules.get(point.module), "__file__", None)
    return _recipe(name, loaded, b"" if file is None else Path(file).read_bytes())


def offered_names() -> tuple[str, ...]:
    """Names of all that ship and of all that installed packages offer."""
    return tuple(sorted({*REGISTRY, *(point.name for point in importlib.metadata.entry_points(group=GROUP))}))


def _from_file(reference: str, module_name: str, attribute: str, path: Path | None) -> Recipe[Any]:
    if path is None:
        raise StrategyNotLoaded(
            f"{reference} is a file of your own, and BTCBOT_STRATEGY_PATH does not say in which directory it is"
        )
    file = path / f"{module_name}.py"
    source = _read_safely(file)
    spec = importlib.util.spec_from_loader(f"btcbot_own_{module_name}", _Checked(source, file), origin=str(file))
    assert spec is not None, "a loader was given"
    assert spec.loader is not None, "a loader was given"
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module  # where annotations of its classes are looked up
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[module.__name__]
        raise StrategyNotLoaded(f"{file} fails: {type(error).__name__}: {error}") from error
    if not hasattr(module, attribute):
        names = sorted(name for name, value in vars(module).items() if _is_offer(value, module.__name__))
        raise StrategyNotLoaded(f"{file} has no {attribute}; it offers {', '.join(names) or 'no strategy'}")
    return _recipe(reference, getattr(module, attribute), source)


def _recipe(reference: str, offered: object, source: bytes) -> Recipe[Any]:
    if isinstance(offered, Recipe):
        return offered
    if isinstance(offered, type) and issubclass(offered, CandleStrategy):
        return recipe_of(offered, reference, hashlib.sha256(source).hexdigest())
    raise StrategyNotLoaded(f"{reference} is neither a Recipe nor a class below CandleStrategy")


def _is_offer(value: object, module_name: str) -> bool:
    is_class = isinstance(value, type) and issubclass(value, CandleStrategy) and value.__module__ == module_name
    return is_class or isinstance(value, Recipe)


def _read_safely(file: Path) -> bytes:
    """The file's bytes, if nobody but us and root could have written them."""
    for directory in file.parents:
        _require_safe(directory, os.lstat(directory) if directory.exists() else None, "directory")
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise StrategyNotLoaded(f"{file} cannot be read: {error.strerror}") from error
    try:
        _require_safe(file, os.fstat(descriptor), "file")
        with os.fdopen(os.dup(descriptor), "rb") as stream:
            source = stream.read(SOURCE_BYTES_MAX + 1)
    finally:
        os.close(descriptor)
    if len(source) > SOURCE_BYTES_MAX:
        raise StrategyNotLoaded(f"{file} is larger than {SOURCE_BYTES_MAX} bytes")
    return source


def _require_safe(path: Path, found: os.stat_result | None, kind: str) -> None:
    if found is None:
        raise StrategyNotLoaded(f"{path} does not exist")
    is_right = stat.S_ISDIR(found.st_mode) if kind == "directory" else stat.S_ISREG(found.st_mode)
    if not is_right:
        raise StrategyNotLoaded(f"{path} is no {kind}; links are not followed")
    if found.st_uid not in (0, os.geteuid()):
        raise StrategyNotLoaded(f"{path} belongs to another user, who could change what trades")
    is_sticky = kind == "directory" and found.st_mode & stat.S_ISVTX
    if found.st_mode & _WRITABLE_BY_OTHERS and not is_sticky:
        raise StrategyNotLoaded(f"{path} can be written to by others, who could change what trades: chmod go-w")


class _Checked(importlib.abc.InspectLoader):
    """Runs the very bytes that were checked."""

    def __init__(self, source: bytes, file: Path) -> None:
        self._source = source
        self._file = file

    def get_source(self, fullname: str) -> str:
        return self._source.decode("utf-8")

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self._source, str(self._file))
