"""Results as pictures: SVG whose bytes are a function of the results.

Needs matplotlib, which a server that trades has no use for.
"""

import io
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from btcbot.domain.errors import ConfigurationError
from btcbot.research.results import Curve, Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

POINTS_MAX = 400  # of a line: more are not seen, and make a large file
LOGARITHMIC_FROM = 4.0  # times between the lowest and the highest value of a plot
OURS, THEIRS, LOSS = "#1b6ca8", "#b0b0b0", "#c0392b"
SIZE = (9.0, 7.2)  # inches
STYLE: dict[Any, object] = {
    "svg.hashsalt": "btcbot", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": "#e6e6e6",
    "axes.axisbelow": True, "legend.frameon": False, "path.simplify_threshold": 0.5,
}  # fmt: skip


class PlotsMissing(ConfigurationError):
    """Plots were asked for where they cannot be drawn."""

    next_step = (
        "install it: pip install 'btcbot[research]', or `make env` in a checkout; without --report none is needed"
    )


def plotted(results: Results) -> bytes:
    """One picture: what the capital became, how deep it fell, and how much of it was in the market."""
    return pictured(results, "svg")


def pictured(results: Results, form: str) -> bytes:
    """The picture as `svg`, or as `png` to look at it."""
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise PlotsMissing("plots need matplotlib, which is not installed here") from error
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=SIZE, layout="constrained")
        _draw(figure, results)
        content = io.BytesIO()
        metadata = {"Date": None, "Creator": None} if form == "svg" else {"Software": None}
        figure.savefig(content, format=form, metadata=metadata, dpi=110)
    return content.getvalue()


def _draw(figure: "Figure", results: Results) -> None:
    run = results.run
    heights = (3.0, 1.6, 1.0) if results.equity_usd is None else (3.0, 2.0, 1.6, 1.0)
    panels: list[Axes] = list(figure.subplots(len(heights), 1, sharex=True, height_ratios=heights))
    _values(panels[0], results.equity, results.holding, f"capital of {run.capital.asset} = 100")
    panels[0].set_title(f"{run.strategy}, {', '.join(run.pairs)}", loc="left", fontweight="bold")
    panels[0].legend(loc="upper left", ncols=2)
    if results.equity_usd is not None and results.holding_usd is not None:
        _values(panels[1], results.equity_usd, results.holding_usd, "in dollars, start = 100")
    _falls(panels[-2], results.equity, results.holding)
    _exposure(panels[-1], results)
    _dates(panels[-1])
    figure.align_ylabels(panels)


def _dates(panel: "Axes") -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=4, maxticks=9)
    panel.xaxis.set_major_locator(locator)
    panel.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def _values(panel: "Axes", ours: Curve, theirs: Curve, label: str) -> None:
    drawn = []
    for curve, name, color in ((theirs, "holding", THEIRS), (ours, "strategy", OURS)):
        first = float(curve.values[0])
        times, values = thinned(
            curve.times, [100 * float(value) / first for value in curve.values], lambda part: part[-1]
        )
        panel.plot(times, values, color=color, linewidth=1.2, label=name)  # type: ignore[arg-type]
        drawn += values
    panel.axhline(100, color="#555555", linewidth=0.6)
    if min(drawn) > 0 and max(drawn) > LOGARITHMIC_FROM * min(drawn):
        panel.set_yscale("log")
        panel.yaxis.set_major_formatter(lambda value, _place: f"{value:g}")
        panel.yaxis.set_minor_formatter(lambda value, _place: "")
    panel.set_ylabel(label)


def _falls(panel: "Axes", ours: Curve, theirs: Curve) -> None:
    for curve, color in ((theirs, THEIRS), (ours, LOSS)):
        times, falls = thinned(curve.times, _under(curve), min)
        panel.plot(times, falls, color=color, linewidth=1.0)  # type: ignore[arg-type]
        if color == LOSS:
            panel.fill_between(times, falls, 0.0, color=color, alpha=0.15, linewidth=0)  # type: ignore[arg-type]
    panel.set_ylabel("fall from peak, %")


def _exposure(panel: "Axes", results: Results) -> None:
    points = [point for point in results.run.points if point.equity > 0]
    shares = [100 * float(point.exposure) / float(point.equity) for point in points]
    times, means = thinned([point.at for point in points], shares, lambda part: sum(part) / len(part))
    panel.fill_between(times, means, 0.0, color=OURS, alpha=0.4, linewidth=0)  # type: ignore[arg-type]
    panel.set_ylim(bottom=0)
    panel.set_ylabel("in market, %")


def _under(curve: Curve) -> list[float]:
    """The fall from the highest value so far, in percent, never above zero."""
    peak, falls = float(curve.values[0]), []
    for value in map(float, curve.values):
        peak = max(peak, value)
        falls.append(100 * (value / peak - 1.0))
    return falls


def thinned(
    times: Sequence[datetime], values: Sequence[float], choose: Callable[[Sequence[float]], float]
) -> tuple[list[datetime], list[float]]:
    """At most `POINTS_MAX` points: of each run of neighbours the value that is chosen, at the time of their last."""
    step = -(-len(values) // POINTS_MAX)
    if step <= 1:
        return list(times), list(values)
    starts = range(0, len(values), step)
    ends = [min(start + step, len(values)) for start in starts]
    return (
        [times[end - 1] for end in ends],
        [choose(values[start:end]) for start, end in zip(starts, ends, strict=True)],
    )
