"""Results as a page of Markdown with its plot beside it."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from btcbot.domain.errors import UsageError
from btcbot.research.limits import is_without_breakers
from btcbot.research.plots import plotted
from btcbot.research.request import Request, params_hash, params_of
from btcbot.research.results import Results
from btcbot.research.tables import Row, facts, money, rows, years

CONVENTIONS = """\
Losses stand first. *Holding* bought at the first decision for all of the capital and did nothing. Amounts are exact and
rounded for show; what is held at the end counts at its last mark. Days are UTC days; Sharpe and Sortino are of daily
returns, times the root of 365, against a riskless rate of zero. A trade is an order that sold, against the oldest lots
held, after the fees and tax of both ways.
"""


def write_report(directory: Path, request: Request, results: Results) -> None:
    """`STRATEGY.md` and `STRATEGY.svg` in a directory. Raises `UsageError` where they cannot be written."""
    name = results.run.strategy.replace(":", "_")
    plot = plotted(results)
    lines = [
        f"# {name}: a backtest",
        "",
        *setting(request, results),
        "",
        *measured(results, f"{name}.svg"),
        "",
        CONVENTIONS,
    ]
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"{name}.svg").write_bytes(plot)
        (directory / f"{name}.md").write_text("\n".join(lines), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"the report cannot be written to {directory} ({error.strerror})") from error


def setting(request: Request, results: Results) -> Iterable[str]:
    """What was tried, with which money."""
    limits, params = request.limits, params_of(request.recipe, request.strategy)
    yield f"- parameters `{params_hash(params)}`: " + ", ".join(f"`{key}` {value}" for key, value in params.items())
    breakers = f"loss of a day {limits.day_loss_max}, drawdown {float(limits.drawdown_ratio_max):.1%}"
    if is_without_breakers(limits, request.capital):
        breakers = "no breaker halts"
    yield (
        f"- capital {money(results.run.capital)} {limits.currency}; limits: order {limits.order_notional_max}, "
        f"position {limits.position_notional_max}, {breakers}"
    )
    yield f"- the market: {request.model}"


def measured(results: Results, plot: str) -> Iterable[str]:
    """The facts, the table, the picture and the years."""
    name = results.run.strategy
    yield from (f"- {fact}" for fact in facts(results))
    yield ""
    yield from table(("", name, "holding"), list(rows(results)))
    yield ""
    yield f"![{name}: value, falls and exposure over time]({plot})"
    if len(results.equity.years) > 1:
        yield ""
        yield from table(("year", name, "holding"), list(years(results)))


def table(heads: Sequence[str], lines: Sequence[Row]) -> Iterable[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|---|{'---:|' * (len(heads) - 1)}"
    yield from (f"| {' | '.join(line)} |" for line in lines)
