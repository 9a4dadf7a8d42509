"""Results as rows of text: the same for a terminal, a page and an index. Losses stand first."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal

from btcbot.domain.money import Amount, plain, round_half_even
from btcbot.domain.times import iso_utc
from btcbot.research.results import Curve, Results

CENT = Decimal("0.01")
UNKNOWN = "-"
Row = tuple[str, str, str]  # what, the strategy's, holding's


def rows(results: Results) -> Iterator[Row]:
    """Losses, then results, then how they came about."""
    run, equity, holding = results.run, results.equity, results.holding
    yield "deepest fall from a peak", share(-equity.drawdown.ratio), share(-holding.drawdown.ratio)
    yield "longest time below a peak", days(equity.drawdown.longest_under), days(holding.drawdown.longest_under)
    yield "worst day", _worst(equity.worst_day), _worst(holding.worst_day)
    if equity.worst_month is not None:
        yield "worst month", _worst(equity.worst_month), _worst(holding.worst_month)
    yield f"lost in trades that lost, {run.capital.asset}", money(-results.lost), UNKNOWN
    yield f"fees and tax paid, {run.capital.asset}", money(-(results.fees + results.tax)), UNKNOWN
    yield f"result after all costs, {run.capital.asset}", money(results.result), money(_earned(holding, results))
    yield "the same, of the capital", share(equity.growth), share(holding.growth)
    if equity.yearly_growth is not None:
        yield "a year (CAGR)", share(equity.yearly_growth), _share(holding.yearly_growth)
    if results.equity_usd is not None and results.holding_usd is not None:
        yield "the result in dollars", share(results.equity_usd.growth), share(results.holding_usd.growth)
        yield (
            "deepest fall in dollars", share(-results.equity_usd.drawdown.ratio),
            share(-results.holding_usd.drawdown.ratio),
        )  # fmt: skip
    if equity.sharpe is not None:
        yield "Sharpe", number(equity.sharpe), number(holding.sharpe)
        yield "Sortino", number(equity.sortino), number(holding.sortino)
    yield "trades", str(len(results.trades)), UNKNOWN
    yield "of them won", _share(results.win_ratio, signed=False), UNKNOWN
    yield "won per lost (profit factor)", number(results.profit_factor), UNKNOWN
    yield "held, median", UNKNOWN if results.held_median is None else span(results.held_median), UNKNOWN
    yield "turnover, times the capital", f"{float(results.turnover.number / 1) / float(run.capital.number):.1f}", "1.0"
    yield "of it by waiting orders (maker)", share(results.maker_ratio, signed=False), share(0.0, signed=False)
    yield "in the market, mean of equity", share(results.exposure_mean, signed=False), share(1.0, signed=False)
    yield "in the market, most", share(results.exposure_max, signed=False), share(1.0, signed=False)
    yield f"held at the end, {run.capital.asset}", money(results.held), UNKNOWN
    yield "orders sent", str(run.orders), "1"


def facts(results: Results) -> Iterator[str]:
    """What was tried, on what, and what stood in the way."""
    run = results.run
    yield (
        f"{', '.join(run.pairs)}, candles of {span(run.interval)}, {iso_utc(run.starts_at)[:16]} to "
        f"{iso_utc(run.ends_at)[:16]} UTC: {run.candles} candles after {run.warm_up} of warm-up, "
        f"{run.decisions} decisions"
    )
    for pair, gaps in run.gaps.items():
        if gaps:
            longest = max(gap.candles for gap in gaps)
            missing = sum(gap.candles for gap in gaps)
            yield f"{pair} lacks {missing} candles in {len(gaps)} holes, the longest of {longest}; none was filled in"
    refused = ", ".join(f"{count} {name}" for name, count in sorted(run.refusals.items(), key=lambda each: -each[1]))
    yield f"turned away by the gate, by the gravest reason: {refused or 'nothing'}"
    if run.pause is not None:
        yield f"PAUSED {iso_utc(run.pause.at)[:16]} UTC: {run.pause.reason}; nothing was entered from there on"
    if run.halt is not None:
        yield f"HALTED {iso_utc(run.halt.at)[:16]} UTC: {run.halt.reason}; the run ends there"


def aligned(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns as wide as they need: names to the left, numbers to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(heads, *lines, strict=True)]
    for line in (heads, *lines):
        first, *rest = line
        cells = (f"{cell:>{width}}" for cell, width in zip(rest, widths[1:], strict=True))
        yield "  ".join((f"{first:<{widths[0]}}", *cells)).rstrip()


def text_of(results: Results) -> str:
    """For a terminal."""
    run = results.run
    lines = [f"{run.strategy} with {money(run.capital)} {run.capital.asset}", *facts(results), ""]
    lines += aligned(("", run.strategy, "holding"), list(rows(results)))
    if len(results.equity.years) > 1:
        lines += ["", *aligned(("year", run.strategy, "holding"), list(years(results)))]
    return "\n".join(lines) + "\n"


def years(results: Results) -> Iterator[Row]:
    holding = dict(results.holding.years)
    for year, growth in results.equity.years:
        yield str(year), share(growth), share(holding[year])


def document_of(results: Results) -> dict[str, object]:
    """For machines: amounts exact and as text, statistics as numbers."""
    run = results.run

    def curve(each: Curve | None) -> dict[str, object] | None:
        if each is None:
            return None
        return {
            "growth": each.growth, "yearly_growth": each.yearly_growth, "sharpe": each.sharpe,
            "sortino": each.sortino, "drawdown": each.drawdown.ratio,
            "drawdown_from": iso_utc(each.drawdown.peak_at), "drawdown_to": iso_utc(each.drawdown.trough_at),
            "longest_under_days": each.drawdown.longest_under / timedelta(days=1),
            "years": {str(year): growth for year, growth in each.years},
        }  # fmt: skip

    return {
        "strategy": run.strategy, "pairs": list(run.pairs), "interval_seconds": int(run.interval.total_seconds()),
        "capital": str(run.capital), "from": iso_utc(run.starts_at), "to": iso_utc(run.ends_at),
        "candles": run.candles, "warm_up": run.warm_up, "decisions": run.decisions, "orders": run.orders,
        "missing_candles": {pair: sum(gap.candles for gap in gaps) for pair, gaps in run.gaps.items()},
        "refusals": dict(run.refusals),
        "halt": None if run.halt is None else {"at": iso_utc(run.halt.at), "reason": run.halt.reason},
        "result": str(results.result), "held": str(results.held), "fees": str(results.fees), "tax": str(results.tax),
        "turnover": str(results.turnover), "won": str(results.won), "lost": str(results.lost),
        "equity": curve(results.equity), "holding": curve(results.holding), "equity_usd": curve(results.equity_usd),
        "holding_usd": curve(results.holding_usd), "win_ratio": results.win_ratio,
        "profit_factor": results.profit_factor, "maker_ratio": results.maker_ratio,
        "exposure_mean": results.exposure_mean, "exposure_max": results.exposure_max,
        "trades": [
            {
                "pair": trade.pair, "opened_at": iso_utc(trade.opened_at), "closed_at": iso_utc(trade.closed_at),
                "quantity": plain(trade.quantity), "cost": plain(trade.cost), "proceeds": plain(trade.proceeds),
                "result": plain(trade.result),
            }
            for trade in results.trades
        ],
    }  # fmt: skip


def money(amount: Amount) -> str:
    """To the cent, thousands apart; nothing is ever summed from it."""
    return f"{round_half_even(amount.number, CENT):,.2f}"


def share(ratio: float, *, signed: bool = True) -> str:
    return f"{100 * ratio:+,.1f} %" if signed else f"{100 * ratio:,.1f} %"


def number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.2f}"


def days(time: timedelta) -> str:
    return f"{time / timedelta(days=1):,.1f} days"


def span(time: timedelta) -> str:
    minutes = round(time / timedelta(minutes=1))
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes / 60:.1f} h" if minutes < 48 * 60 else f"{minutes / 1440:.1f} days"


def _share(ratio: float | None, *, signed: bool = True) -> str:
    return UNKNOWN if ratio is None else share(ratio, signed=signed)


def _worst(period: tuple[object, float] | None) -> str:
    return UNKNOWN if period is None else f"{share(period[1])} ({period[0]})"


def _earned(curve: Curve, results: Results) -> Amount:
    return Amount(curve.values[-1], results.run.capital.asset) - results.run.capital
