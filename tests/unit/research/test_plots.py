"""Plots are a function of the results, small, and a plain error where they cannot be drawn."""

import sys

import pytest

from btcbot.research.plots import POINTS_MAX, PlotsMissing, plotted, thinned
from btcbot.research.results import results_of
from tests.unit.domain.builders import FEE_RATIO
from tests.unit.research.recordings import START, walk
from tests.unit.research.test_backtest import run

BYTES_MAX = 150_000


def test_the_same_results_give_the_same_small_picture() -> None:
    results = results_of(run(walk(1)), FEE_RATIO)
    picture = plotted(results)
    assert picture == plotted(results)
    assert picture.startswith(b"<?xml")
    assert b"fall from peak" in picture
    assert b"dc:date" not in picture
    assert len(picture) < BYTES_MAX


def test_thinning_keeps_what_it_was_told_to_keep() -> None:
    values = [float(place % 100) for place in range(POINTS_MAX * 10)]
    times, kept = thinned([START] * len(values), values, min)
    assert len(times) == len(kept) <= POINTS_MAX
    assert min(kept) == 0.0


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    results = results_of(run(walk(1)), FEE_RATIO)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(PlotsMissing, match=r"btcbot\[research\]"):
        plotted(results)
