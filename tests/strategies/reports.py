"""Makes docs/strategies again from the recorded data: `make strategy-reports DATA=DIR`.

Each shipped strategy with its shipped parameters, twice: five years of BTC/TRY hours in a backtest, and a week of
BTC/USDT minutes as a live worker on the local exchange. With its breakers off, so that it is seen to the end; the
backtest is made a second time with them on, to say when they would have ended it.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from btcbot.domain.fees import WORST_PUBLISHED
from btcbot.domain.money import Asset, amount, use_money_context
from btcbot.domain.profiles import StrategyChoice
from btcbot.domain.times import iso_utc
from btcbot.research.history import History, read_history
from btcbot.research.limits import shipped_limits
from btcbot.research.pages import CONVENTIONS, measured, setting
from btcbot.research.plots import plotted
from btcbot.research.request import Request, params_hash, params_of, read_rates, to_its_end, tried
from btcbot.research.results import Results, results_of
from btcbot.research.tables import UNKNOWN, money, number, share
from btcbot.strategy.registry import REGISTRY
from tests.strategies.week import Tempo, lived
from tests.strategies.words import CANNOT_SAY, HURTS, IN_THE_WEEK, SOURCES

PROJECT = Path(__file__).parents[2]
PAGES = PROJECT / "docs" / "strategies"
HOURS, WEEK = "btctry_1h_binance_2019-2024.csv.gz", "sample_week_btcusdt_1m_binance_2025-10-06.csv.gz"
RATES = "usdtry_fx_1d_2011-2025.csv.gz"
CAPITAL = amount("20000 TRY")
WITHOUT_ENTRIES = frozenset({"wind_down"})  # nothing to be tried: it only leaves what another strategy holds
SHIPPED = tuple(name for name in REGISTRY if name not in WITHOUT_ENTRIES)


@dataclass(frozen=True, slots=True)
class Told:
    """All that is said of one strategy."""

    request: Request
    hours: Results
    halted: Results  # the hours again, ended by a breaker where one tripped
    week: Results


def hours_of(name: str, history: History, data: Path) -> tuple[Request, Results, Results]:
    choice = StrategyChoice(name, ())
    limits = shipped_limits(CAPITAL.asset, (history.pair,))
    request = Request(REGISTRY[name], choice, (history,), CAPITAL, limits, rates=read_rates(data / RATES))
    halted = tried(request)
    is_whole = halted.run.halt is None and halted.run.pause is None
    return request, halted if is_whole else tried(to_its_end(request)), halted


def week_of(name: str, history: History, source: Path, tempo: Tempo, root: Path) -> Results:
    run = lived(root / name, source, history, StrategyChoice(name, ()), tempo)
    return results_of(run, WORST_PUBLISHED[Asset("USDT")])


def write_page(directory: Path, told: Told, tempo: Tempo) -> None:
    name = told.hours.run.strategy
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{name}_hours.svg").write_bytes(plotted(told.hours))
    (directory / f"{name}_week.svg").write_bytes(plotted(told.week))
    (directory / f"{name}.md").write_text("\n".join(_page(told, tempo)) + "\n", encoding="utf-8")


def write_index(directory: Path, all_told: Sequence[Told]) -> None:
    (directory / "index.md").write_text("\n".join(_index(all_told)) + "\n", encoding="utf-8")


def _page(told: Told, tempo: Tempo) -> Iterator[str]:
    name = told.hours.run.strategy
    recipe = REGISTRY[name]
    yield f"# {name}"
    yield ""
    yield (recipe.about or "").strip()
    yield ""
    yield "## In short"
    yield ""
    yield from _in_short(told)
    yield ""
    yield "## Parameters"
    yield ""
    yield f"As shipped; parameters `{params_hash(params_of(told.request.recipe, told.request.strategy))}`."
    yield ""
    yield "| parameter | value | what it is |"
    yield "|---|---:|---|"
    yield from (f"| {' | '.join(line)} |" for line in _parameters(told))
    yield ""
    yield "## Five years of BTC/TRY, hour by hour"
    yield ""
    yield from list(setting(to_its_end(told.request), told.hours))[1:]
    yield from measured(told.hours, f"{name}_hours.svg")
    yield ""
    yield "## A week of BTC/USDT, October 2025, as a live worker"
    yield ""
    yield IN_THE_WEEK.format(speed=tempo.speed, cycle=tempo.cycle_seconds, late=tempo.speed * tempo.cycle_seconds // 60)
    yield from measured(told.week, f"{name}_week.svg")
    yield ""
    yield "## What hurts it"
    yield ""
    yield HURTS[name]
    yield ""
    yield "## What these numbers cannot say"
    yield ""
    yield CANNOT_SAY
    yield CONVENTIONS
    yield "Made by `make strategy-reports`. " + SOURCES


def _in_short(told: Told) -> Iterator[str]:
    hours, week, halted = told.hours, told.week, told.halted.run.halt
    usd = "" if hours.equity_usd is None else f", {share(hours.equity_usd.growth)} in dollars"
    costs = hours.fees + hours.tax
    yield (
        f"- In the five years its capital of {money(hours.run.capital)} {costs.asset} fell by up to "
        f"{share(hours.equity.drawdown.ratio, signed=False)} from a peak and ended at {share(hours.equity.growth)}"
        f"{usd}. Holding the coin ended at {share(hours.holding.growth)}, after a fall of "
        f"{share(hours.holding.drawdown.ratio, signed=False)}."
    )
    yield (
        f"- {len(hours.trades)} trades paid {money(costs)} {costs.asset} of fees and tax: "
        f"{share(float(costs.number) / float(hours.run.capital.number), signed=False)} of the capital."
    )
    if halted is None:
        yield "- The shipped breakers (a day's loss, a drawdown) would not have halted it in these years."
    else:
        at = f"{iso_utc(halted.at)[:10]} (`{halted.reason.split(' ')[0]}`) at {share(told.halted.equity.growth)}"
        yield f"- The shipped breakers would have halted it on {at}; what follows is what happens without them."
    yield (
        f"- In the week of October 2025, with the crash of the 10th in it, it fell by up to "
        f"{share(week.equity.drawdown.ratio, signed=False)} and ended at {share(week.equity.growth)}; holding ended at "
        f"{share(week.holding.growth)}."
    )


def _parameters(told: Told) -> Iterator[tuple[str, str, str]]:
    fields = REGISTRY[told.hours.run.strategy].params.model_fields
    for key, value in params_of(told.request.recipe, told.request.strategy).items():
        yield f"`{key}`", str(value), fields[key].description or ""


def _index(all_told: Sequence[Told]) -> Iterator[str]:
    yield "# The shipped strategies, tried"
    yield ""
    yield (
        "None of them is advice, and none is known to earn. They are examples that show what btcbot can do, with "
        "parameters that make a rehearsal lively. Each page tells what the strategy believes, what it lost and earned "
        "on recorded data, and what the numbers cannot say. `wind_down` makes no entries: there is nothing to be tried."
    )
    yield ""
    yield "Five years of BTC/TRY hours, 20,000 TRY, breakers off; costs are fees and tax, as a share of the capital:"
    yield ""
    heads = (
        "",
        "deepest fall",
        "result",
        "in dollars",
        "trades",
        "won per lost",
        "costs",
        "halted by the shipped breakers",
    )
    yield from _wide(heads, [*(_hours_line(told) for told in all_told), _holding_line(all_told[0].hours, 8)])
    yield ""
    yield "A week of BTC/USDT in October 2025 as a live worker on the local exchange, 10,000 USDT:"
    yield ""
    heads = ("", "deepest fall", "result", "trades", "costs", "mean in market")
    yield from _wide(heads, [*(_week_line(told) for told in all_told), _holding_line(all_told[0].week, 6)])
    yield ""
    yield (
        "*Holding* put the whole capital into the coin; most strategies here use a tenth of theirs at a time, so the "
        "two do not bear the same risk. What holding earned in lira is in large part what the lira lost."
    )
    yield ""
    yield CANNOT_SAY
    yield "Made by `make strategy-reports DATA=DIR`. " + SOURCES


def _hours_line(told: Told) -> tuple[str, ...]:
    hours, name = told.hours, told.hours.run.strategy
    costs = float((hours.fees + hours.tax).number) / float(hours.run.capital.number)
    halted = told.halted.run.halt
    return (
        f"[{name}]({name}.md)", share(-hours.equity.drawdown.ratio), share(hours.equity.growth),
        UNKNOWN if hours.equity_usd is None else share(hours.equity_usd.growth), str(len(hours.trades)),
        number(hours.profit_factor), share(costs, signed=False),
        "no" if halted is None else f"{iso_utc(halted.at)[:10]}, {share(told.halted.equity.growth)}",
    )  # fmt: skip


def _week_line(told: Told) -> tuple[str, ...]:
    week, name = told.week, told.week.run.strategy
    costs = float((week.fees + week.tax).number) / float(week.run.capital.number)
    return (
        f"[{name}]({name}.md)", share(-week.equity.drawdown.ratio), share(week.equity.growth), str(len(week.trades)),
        f"{100 * costs:.2f} %", share(week.exposure_mean, signed=False),
    )  # fmt: skip


def _holding_line(results: Results, cells: int) -> tuple[str, ...]:
    holding = results.holding
    dollars = () if results.holding_usd is None else (share(results.holding_usd.growth),)
    line = ("*holding*", share(-holding.drawdown.ratio), share(holding.growth), *dollars)
    return (*line, *[UNKNOWN] * (cells - len(line)))


def _wide(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|---|{'---:|' * (len(heads) - 1)}"
    yield from (f"| {' | '.join(line)} |" for line in lines)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="make strategy-reports", description=__doc__)
    parser.add_argument("data", type=Path, help="the directory with the recorded data")
    parser.add_argument("--out", type=Path, default=PAGES)
    parser.add_argument("--speed", type=int, default=Tempo.speed, help="recorded minutes in a minute of the week's run")
    said = parser.parse_args(arguments)
    missing = [name for name in (HOURS, WEEK, RATES) if not (said.data / name).is_file()]
    if missing:
        sys.stderr.write(f"{said.data} lacks {', '.join(missing)}. Next: name the directory that has them, DATA=DIR.\n")
        return 64
    use_money_context()
    tempo = Tempo(speed=said.speed)
    hours, week = read_history(said.data / HOURS, "BTCTRY"), read_history(said.data / WEEK, "BTCUSDT")
    root = Path(tempfile.mkdtemp(prefix="btcbot-reports-"))
    try:
        all_told = []
        for name in SHIPPED:
            sys.stderr.write(f"{name}: five years, twice, and the week\n")
            told = Told(*hours_of(name, hours, said.data), week_of(name, week, said.data / WEEK, tempo, root))
            write_page(said.out, told, tempo)
            all_told.append(told)
        write_index(said.out, all_told)
    finally:
        shutil.rmtree(root)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
