"""What a strategy looks at has to be there before anything is tried."""

from dataclasses import replace
from datetime import timedelta

import pytest

from btcbot.domain.errors import UsageError
from btcbot.domain.money import amount
from btcbot.domain.profiles import StrategyChoice
from btcbot.research.limits import shipped_limits
from btcbot.research.request import Request, tried
from btcbot.strategy.language import CLOSE, crosses_above, ema, of_pair, on_timeframe
from btcbot.strategy.params import StrategyParams
from btcbot.strategy.recipe import Recipe
from btcbot.strategy.strategy import Strategy
from tests.unit.domain.builders import TRY
from tests.unit.research.recordings import walk

TREND = of_pair("ETHTRY", ema(CLOSE, 3))
LOOKING = Strategy(
    "looking", crosses_above(ema(CLOSE, 2), ema(CLOSE, 5)) & (TREND.previous() < TREND), ema(CLOSE, 5) > CLOSE,
    amount("1500 TRY"), False, (("trend", TREND),),
)  # fmt: skip


def recipe_of(strategy: Strategy) -> Recipe[StrategyParams]:
    return Recipe(StrategyParams, lambda _params, _currency: strategy, None)


ASKED = Request(
    recipe_of(LOOKING),
    StrategyChoice("looking", ()),
    (walk(1), walk(2, pair="ETHTRY")),
    amount("20000 TRY"),
    shipped_limits(TRY, ["BTCTRY", "ETHTRY"]),
)


def test_a_strategy_that_looks_at_another_pair_wants_its_recording() -> None:
    with pytest.raises(UsageError, match="looking looks at ETHTRY as well: give the recordings with --data"):
        tried(replace(ASKED, histories=ASKED.histories[:1]))


def test_with_the_recording_of_the_other_pair_it_is_tried() -> None:
    run = tried(ASKED).run
    assert run.orders > 0
    assert {each.fill.pair for each in run.executions} <= {"BTCTRY", "ETHTRY"}


def test_a_timeframe_that_the_recordings_do_not_make_is_refused() -> None:
    odd = replace(LOOKING, entry=on_timeframe(timedelta(minutes=90), CLOSE) > 1.0)
    with pytest.raises(UsageError, match="cannot be asked on these candles"):
        tried(replace(ASKED, recipe=recipe_of(odd)))
