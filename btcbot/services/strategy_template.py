"""The file that `btcbot strategies new` writes: a small strategy that works, with a test beside it."""

import os
import re
from pathlib import Path

from btcbot.domain.errors import UsageError

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)

_STRATEGY = '''"""{title}: in when the close rises above its average of some candles, out when it falls below.

A strategy to change. Everything that it may use is in btcbot.strategy.own; docs/strategies.md explains it.

    btcbot strategies check {name}:{kind}
"""

from btcbot.strategy.own import *

close, sma = language.CLOSE, language.sma


class {kind}Params(StrategyParams):
    """Typed, bounded, described: `btcbot strategies show {name}:{kind}` prints them."""

    period: int = Field(default=20, ge=2, le=400, description="candles of the average")
    notional: PlainDecimal = notional_field("1500")
    stop_loss_ratio: PlainDecimal = stop_field("0.05")
    trailing_ratio: PlainDecimal = Field(
        default=Decimal("0.04"), gt=0, lt=1, description="out when the bid has fallen by this share of its highest"
    )


def build(params: {kind}Params, currency: Asset) -> Strategy:
    average = sma(close, params.period)
    return Strategy(
        name="{name}",
        entry=language.crosses_above(close, average),
        exit=close < average,
        notional=Amount(params.notional, currency),
        adds_to_position=False,
        shown=(("average", average),),
        # Judged on every reading of the book, whatever the signals say. The highest stop counts, and none ever falls.
        rules=PositionRules(
            stop_loss=StopLoss(Ratio(params.stop_loss_ratio)),
            trailing=TrailingStop(Ratio(params.trailing_ratio), from_gain=Ratio(Decimal("0.02"))),
            re_entry=ReEntry(cooldown_after_loss=minutes(15)),
        ),
    )


{kind} = Recipe({kind}Params, build, __doc__)


# What expressions cannot say, a class can: choose it with BTCBOT_STRATEGY={name}:{kind}InPython. It sees the last
# closed candles and nothing else, and must say the same of the same candles whenever it is asked.
class {kind}InPython(CandleStrategy):
    """Three higher closes in a row are in, a lower low is out."""

    candles = 4

    def on_candle(self, view: CandleView) -> Signal:
        *before, last = view.candles
        if last.low < min(candle.low for candle in before):
            return view.sell("a lower low")
        closes = [candle.close for candle in view.candles]
        if closes == sorted(set(closes)):
            return view.buy("three higher closes")
        return view.hold()
'''

_TEST = '''"""Run it with `python -m pytest {name}_test.py`; nothing of it needs an exchange."""

from pathlib import Path

from btcbot.services.strategy_loading import find_recipe
from btcbot.strategy.own import Asset
from btcbot.strategy.wording import worded

HERE = Path(__file__).resolve().parent


def test_it_buys_above_its_average_and_sells_below() -> None:
    strategy = find_recipe("{name}:{kind}", HERE).strategy({{"period": 5}}, Asset("TRY"))
    assert worded(strategy.exit) == "close < mean(close, 5)"
    assert strategy.warm_up == 6
    assert strategy.rules.has_stop
'''


def write_template(name: str, directory: Path) -> tuple[Path, ...]:
    """Write the strategy and its test, and overwrite nothing. Raises `UsageError`."""
    if _NAME.fullmatch(name) is None:
        raise UsageError(f"{name[:60]!r} is no name for a strategy: a-z, 0-9 and _, beginning with a letter")
    if not directory.is_dir():
        raise UsageError(f"{directory} is no directory: make it first, with mode 0700")
    kind = "".join(part.capitalize() for part in name.split("_"))
    title = name.replace("_", " ").capitalize()
    made = []
    for file, text in ((f"{name}.py", _STRATEGY), (f"{name}_test.py", _TEST)):
        path = directory / file
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            raise UsageError(f"{path} exists already, and nothing was written over") from None
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}") from error
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text.format(name=name, kind=kind, title=title))
        made.append(path)
    return tuple(made)
