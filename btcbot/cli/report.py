"""`btcbot report`: what trading earned, as text, as JSON or as a CSV for accounting."""

import json
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from btcbot.cli.endings import Desk
from btcbot.cli.explain import database
from btcbot.cli.process import prepare_worker
from btcbot.config.settings import REAL_TIME, UsageError

DIFFERS = 1


@dataclass(frozen=True, slots=True)
class Said:
    """The options as they were typed."""

    db: str | None
    by: str
    first: str | None
    last: str | None
    method: str
    tax_rate: str
    rates: str | None
    csv: str | None
    excel_tr: bool
    force: bool
    books: bool
    as_json: bool


def report(_desk: Desk, said: Said) -> int:
    """Print the report, or write the CSV; 1 when the books differ or something was sold that was never bought."""
    prepare_worker()
    if (said.excel_tr or said.force) and said.csv is None:
        raise UsageError("--excel-tr and --force belong to --csv FILE")
    if said.csv is not None and said.as_json:
        raise UsageError("--csv and --json exclude each other")
    path = database(said.db)
    from btcbot.services import runtime
    from btcbot.services.report import make_report, read_wish
    from btcbot.services.report_text import report_document, report_text

    wish = read_wish(
        path, by=said.by, first=_day("--from", said.first), last=_day("--to", said.last), method=said.method,
        tax_rate=said.tax_rate, rates_file=None if said.rates is None else Path(said.rates), compare_books=said.books,
    )  # fmt: skip
    if said.csv is not None:
        from btcbot.services.accounting_csv import write_accounting

        target = Path(said.csv)
        written = write_accounting(wish, target, for_turkish_excel=said.excel_tr, overwrite=said.force)
        sys.stdout.write(f"{written} fills in {target}\n")
        return 0
    made = make_report(wish, runtime.build_runtime(REAL_TIME).clock.now())
    sys.stdout.write(json.dumps(report_document(made)) + "\n" if said.as_json else report_text(made))
    return 0 if made.is_in_order else DIFFERS


def _day(option: str, text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{option} must be a day as in 2026-03-01") from error
