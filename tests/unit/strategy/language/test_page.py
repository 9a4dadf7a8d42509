"""docs/strategy-language.md says what the code says."""

import re

from btcbot.strategy import language
from btcbot.strategy.language import CLOSE, Condition, atr, ema, warm_up
from tests.unit.strategy.language.table import PAGE, page_with, table, words

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_table_of_words_is_that_of_the_code() -> None:
    """Otherwise: python -m tests.unit.strategy.language.table."""
    assert page_with(TEXT, table()) == TEXT


def test_every_word_goes_through_the_door() -> None:
    assert set(words()) <= set(language.__all__)


def test_the_door_lists_what_it_shows() -> None:
    shown = {name for name in vars(language) if not name.startswith("_")}
    modules = {"batch", "exact", "layout", "nodes", "operators", "steps", "streaming", "values", "warm_up"}
    assert set(language.__all__) == (shown - modules) | {"warm_up"}
    assert len(language.__all__) == len(set(language.__all__))


def test_the_first_example_can_be_run() -> None:
    (source,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(source, str(PAGE), "exec"), names)
    assert isinstance(names["entry"], Condition)


def test_the_warm_ups_that_it_names_are_true() -> None:
    assert f"For an EMA of 26 that is {warm_up(ema(CLOSE, 26))} candles" in TEXT
    assert f"for an ATR of 14 it is {warm_up(atr(14))}." in TEXT
