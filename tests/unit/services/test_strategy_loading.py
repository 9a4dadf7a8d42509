"""Where strategies come from: one safe place, the very bytes that were checked, and one line when it is none."""

import importlib.metadata
import os
from dataclasses import replace
from pathlib import Path

import pytest

from btcbot.domain.errors import ConfigurationError
from btcbot.domain.profiles import StrategyChoice
from btcbot.services import live
from btcbot.services.live_wiring import decision_params, protecting_params
from btcbot.services.strategy_catalog import described, lines_of, listed
from btcbot.services.strategy_loading import StrategyNotLoaded, find_recipe, load_strategy
from btcbot.services.strategy_template import write_template
from btcbot.strategy.registry import REGISTRY
from tests.unit.domain.builders import MINUTE, TRY
from tests.unit.services.world import live_profile


@pytest.fixture
def own(tmp_path: Path) -> Path:
    directory = tmp_path / "own"
    directory.mkdir(mode=0o700)
    write_template("my_first", directory)
    return directory


def refusal(name: str, path: Path | None) -> str:
    with pytest.raises(ConfigurationError) as refused:
        load_strategy(StrategyChoice(name, (), path), TRY)
    text = str(refused.value)
    assert "\n" not in text
    assert "Next: " in text
    return text


def test_what_new_writes_is_a_strategy_of_each_kind(own: Path) -> None:
    expressions = load_strategy(StrategyChoice("my_first:MyFirst", (("period", "5"),), own), TRY)
    assert (expressions.name, expressions.code) == ("my_first", None)
    code = load_strategy(StrategyChoice("my_first:MyFirstInPython", (), own), TRY).code
    assert code is not None
    assert code.reference == "my_first:MyFirstInPython"
    assert len(code.digest) == 64


def test_nothing_is_written_over(own: Path) -> None:
    (own / "my_first.py").write_text("mine", "utf-8")
    with pytest.raises(ConfigurationError.__mro__[1], match="exists already"):
        write_template("my_first", own)
    assert (own / "my_first.py").read_text("utf-8") == "mine"


def test_a_file_is_not_found_where_one_stands(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(own)
    assert "BTCBOT_STRATEGY_PATH does not say" in refusal("my_first:MyFirst", None)
    assert "cannot be read" in refusal("my_first:MyFirst", own.parent)


def test_what_others_can_write_to_is_refused(own: Path) -> None:
    file = own / "my_first.py"
    file.chmod(0o620)
    assert "can be written to by others" in refusal("my_first:MyFirst", own)
    file.chmod(0o600)
    own.chmod(0o770)
    assert "can be written to by others" in refusal("my_first:MyFirst", own)


def test_a_link_is_not_followed(own: Path, tmp_path: Path) -> None:
    (own / "other.py").symlink_to(own / "my_first.py")
    assert "cannot be read" in refusal("other:MyFirst", own)
    linked = tmp_path / "linked"
    linked.symlink_to(own)
    assert "is no directory; links are not followed" in refusal("my_first:MyFirst", linked)


def test_a_pipe_is_no_file_and_blocks_nothing(own: Path) -> None:
    os.mkfifo(own / "pipe.py", 0o600)
    assert "is no file" in refusal("pipe:X", own)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def broken(", "SyntaxError"),
        ("raise RuntimeError('at import')", "RuntimeError: at import"),
        ("X = 1", "has no Strategy; it offers no strategy"),
        ("Strategy = 1", "is neither a Recipe nor a class below CandleStrategy"),
        ("from btcbot.strategy.own import *\nclass Other(CandleStrategy): ...", "it offers Other"),
        (
            "from btcbot.strategy.own import *\nclass Strategy(CandleStrategy):\n    def rules(self): return 1 / 0",
            "cannot be built: ZeroDivisionError",
        ),
        ("\x00", "fails"),
    ],
)
def test_a_file_that_fails_is_one_line(own: Path, source: str, words: str) -> None:
    source = source.replace("import *", "import CandleStrategy")
    (own / "broken.py").write_text(source, "utf-8")
    assert words in refusal("broken:Strategy", own)


def test_an_unknown_name_says_what_there_is() -> None:
    assert "did you mean ema_cross" in refusal("ema_crss", None)
    assert "or MODULE:NAME of your own" in refusal("momentum", None)


def test_an_installed_package_offers_strategies_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    good = importlib.metadata.EntryPoint("theirs", "btcbot.strategy.shipped.dca:RECIPE", "btcbot.strategies")
    bad = importlib.metadata.EntryPoint("gone", "no_such_package:RECIPE", "btcbot.strategies")
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: (good, bad))
    assert find_recipe("theirs", None) is REGISTRY["dca"]
    assert "ModuleNotFoundError" in refusal("gone", None)
    lines = {each.name: each.about for each in listed()}
    assert lines["theirs"].startswith("Dollar-cost averaging")
    assert lines["gone"].startswith("cannot be loaded")


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_everything_there_is_to_know_fits_a_terminal(name: str) -> None:
    told = described(StrategyChoice(name, ()), TRY, MINUTE)
    lines = list(lines_of(told))
    assert max(map(len, lines)) <= 100
    text = "\n".join(lines)
    assert all(parameter.name in text for parameter in told.parameters)
    assert f"Warm-up: {told.warm_up} candles" in text


def test_a_missing_strategy_is_replaced_by_protection_alone(tmp_path: Path) -> None:
    profile = live_profile(tmp_path, strategy=StrategyChoice("gone:Gone", (), tmp_path / "nowhere"))
    with pytest.raises(StrategyNotLoaded):
        decision_params(profile)
    params, missing = live._params_or_protection(profile)
    assert missing is not None
    assert params == protecting_params(profile)
    assert not params.strategy.rules.has_stop, "so the default stop counts"
    assert live._params_or_protection(live_profile(tmp_path))[1] is None


def test_a_strategy_has_to_fit_the_interval(own: Path, tmp_path: Path) -> None:
    (own / "far.py").write_text(
        "from datetime import timedelta\n"
        "from btcbot.strategy.own import NEVER, Amount, Recipe, Strategy, StrategyParams, language\n"
        "from decimal import Decimal\n"
        "def made(series):\n"
        "    return Recipe(StrategyParams, lambda params, currency: Strategy(\n"
        "        'far', series > 0.0, NEVER, Amount(Decimal(1), currency), False, ()), None)\n"
        "LONG = made(language.on_timeframe(timedelta(hours=4), language.sma(language.CLOSE, 20)))\n"
        "ODD = made(language.on_timeframe(timedelta(seconds=90), language.CLOSE))\n",
        "utf-8",
    )
    for name, words in (("LONG", "candles to warm up, and"), ("ODD", "does not fit")):
        profile = replace(live_profile(tmp_path), strategy=StrategyChoice(f"far:{name}", (), own))
        with pytest.raises(ConfigurationError, match=words):
            decision_params(profile)
