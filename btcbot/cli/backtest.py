"""`btcbot backtest`: a strategy over recorded candles, as text, as JSON or as a report with a plot."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from btcbot.cli.endings import Desk
from btcbot.cli.process import prepare_worker


@dataclass(frozen=True, slots=True)
class Said:
    """The options as they were typed."""

    strategy: str
    path: str | None
    data: list[str]
    params: str | None
    capital: str
    limits: list[str]
    rates: str | None
    is_to_its_end: bool
    report: str | None
    as_json: bool


def backtest(_desk: Desk, said: Said) -> int:
    """Try it and say what came of it."""
    prepare_worker()
    from btcbot.cli.strategies import strategy_path
    from btcbot.research.limits import changed_limits, shipped_limits
    from btcbot.research.pages import write_report
    from btcbot.research.request import (
        Request,
        capital_of,
        choice_of,
        read_histories,
        read_rates,
        to_its_end,
        tried,
    )
    from btcbot.research.tables import document_of, text_of
    from btcbot.services.strategy_loading import find_recipe

    capital, histories = capital_of(said.capital), read_histories(said.data)
    shipped = shipped_limits(capital.asset, (history.pair for history in histories))
    request = Request(
        recipe=find_recipe(said.strategy, strategy_path(said.path)),
        strategy=choice_of(said.strategy, said.params),
        histories=histories,
        capital=capital,
        limits=changed_limits(shipped, said.limits),
        rates=None if said.rates is None else read_rates(Path(said.rates)),
    )
    results = tried(to_its_end(request) if said.is_to_its_end else request)
    if said.report is not None:
        write_report(Path(said.report), request, results)
    sys.stdout.write(json.dumps(document_of(results)) + "\n" if said.as_json else text_of(results))
    return 0
