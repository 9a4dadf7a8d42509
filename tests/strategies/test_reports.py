"""A week can be lived and reported again, from any recording."""

import gzip
from pathlib import Path

import pytest

from btcbot.domain.profiles import StrategyChoice
from btcbot.research.history import judged
from btcbot.research.results import results_of
from tests.strategies.reports import (
    RATES,
    Told,
    hours_of,
    main,
    write_index,
    write_page,
)
from tests.strategies.week import Tempo, lived
from tests.unit.domain.builders import FEE_RATIO
from tests.unit.research.recordings import minutes, walk, written


def rates_of(directory: Path) -> Path:
    """The directory, with rates in it where the reports look for them."""
    lines = [f"2024-03-{day:02},{31 + day}" for day in range(1, 15)]
    text = "time,close\n" + "\n".join(lines) + "\n"
    (directory / RATES).write_bytes(gzip.compress(text.encode()))
    return directory


@pytest.mark.timeout(180)
def test_a_week_is_lived_and_reported(tmp_path: Path) -> None:
    """A short one out of generated minutes: a worker trades on the local exchange, its books agree, a page is made."""
    candles = minutes(1, 120 + 30 * 12)
    source = written(tmp_path / "btcusdt.csv", candles)
    tempo = Tempo(speed=30)
    history = judged("BTCUSDT", candles, source.name)
    choice = StrategyChoice("dca", (("every_minutes", "2"), ("notional", '"500"')))
    week = results_of(lived(tmp_path / "lives", source, history, choice, tempo), FEE_RATIO)
    assert week.run.decisions >= 8
    assert week.run.executions
    assert week.equity.values[0] == 10_000
    request, hours, halted = hours_of("dca", walk(1), rates_of(tmp_path))
    told = Told(request, hours, halted, week)
    write_page(tmp_path / "pages", told, tempo)
    write_index(tmp_path / "pages", [told])
    page = (tmp_path / "pages" / "dca.md").read_text(encoding="utf-8")
    assert "30 times as fast" in page.replace("\n", " ")
    assert "ended at" in page
    assert "(dca.md)" in (tmp_path / "pages" / "index.md").read_text(encoding="utf-8")


def test_without_the_data_it_says_which_are_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 64
    assert "lacks btctry_1h" in capsys.readouterr().err
