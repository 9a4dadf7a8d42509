"""What a report says, against blotters that were worked out by hand, and against the same history fill by fill."""

from dataclasses import fields, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from btcbot.domain.errors import UsageError
from btcbot.domain.lots import LotMethod
from btcbot.domain.money import ZERO
from btcbot.domain.periods import Calendar, Grouping
from btcbot.persistence.sqlite import reading
from btcbot.persistence.sqlite.reading import FillColumns, open_records
from btcbot.services.accounting import Accountant
from btcbot.services.accounting_csv import accounting_rows
from btcbot.services.report import Money, Report, ReportWish, make_report, read_wish
from btcbot.services.report_rates import rates_of
from btcbot.services.report_text import report_document, report_text
from tests.unit.services.told_history import Told, tell

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
BLOTTER = """
    1 2026-03-01T10:00:00 BTCTRY buy  2 @ 100 4 1
    2 2026-03-01T20:00:00 BTCTRY sell 1 @ 120 2 1
    3 2026-03-01T22:00:00 BTCTRY sell 1 @ 130 2 1
    4 2026-03-02T10:00:00 ETHTRY buy  4 @ 50  1 1
    5 2026-03-02T11:00:00 ETHTRY sell 1 @ 40  1 1
"""


def wish(told: Told, by: Grouping = Grouping.PAIR, **changes: object) -> ReportWish:
    return replace(ReportWish(told.path, Calendar(by)), **changes)  # type: ignore[arg-type]


def report(told: Told, by: Grouping = Grouping.PAIR, **changes: object) -> Report:
    return make_report(wish(told, by, **changes), NOW)


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return tell(tmp_path / "live.db", BLOTTER)


def realised(made: Report) -> dict[str, Decimal]:
    return {line.name: line.realised.in_try for line in made.lines}


def test_by_pair_results_are_after_fees_and_tax(told: Told) -> None:
    made = report(told)
    # 250 less 6 of charges less 205 that both coins cost; 40 less 2 less a quarter of 202.
    assert realised(made) == {"BTCTRY": 39, "ETHTRY": Decimal("-12.5")}
    assert made.total.realised.in_try == Decimal("26.5")
    assert (made.total.fees, made.total.taxes) == (10, 5)
    [held] = made.positions
    assert (held.pair, held.quantity, held.cost.in_try, held.mark_from) == ("ETHTRY", 3, Decimal("151.5"), "last fill")


def test_days_are_those_of_istanbul(told: Told) -> None:
    made = report(told, Grouping.DAY)
    assert realised(made) == {"2026-03-01": Decimal("14.5"), "2026-03-02": 12}
    assert made.lines[0].unrealised.in_try == 120 - Decimal("102.5")  # one coin was left, last traded at 120
    assert made.lines[1].unrealised.in_try == made.total.unrealised.in_try
    assert list(realised(report(told, Grouping.YEAR)).values()) == [Decimal("26.5")]


def test_only_the_days_asked_for_count_and_earlier_ones_give_their_lots(told: Told) -> None:
    calendar = Calendar(Grouping.PAIR, date(2026, 3, 2), date(2026, 3, 2))
    assert realised(report(told, calendar=calendar)) == {"BTCTRY": Decimal("24.5"), "ETHTRY": Decimal("-12.5")}
    first = report(told, calendar=Calendar(Grouping.DAY, None, date(2026, 3, 1)))
    assert (realised(first), first.fills) == ({"2026-03-01": Decimal("14.5")}, 2)
    assert not first.differences


def test_average_cost_is_another_way_to_the_same_sum(told: Told) -> None:
    told.book("6 2026-03-02T12:00:00 ETHTRY buy 3 @ 60 1 1")
    told.book("7 2026-03-02T13:00:00 ETHTRY sell 3 @ 60 0 0")
    by_lots, by_average = report(told), report(told, method=LotMethod.AVERAGE)
    assert realised(by_lots)["ETHTRY"] == Decimal("-12.5") + 180 - Decimal("151.5")
    assert realised(by_average)["ETHTRY"] == Decimal("-12.5") + 180 - Decimal("166.75")
    for made in (by_lots, by_average):
        assert made.total.realised.in_try + made.total.unrealised.in_try == Decimal("26.5") + 180 - Decimal("151.5") - 2


def test_a_tax_on_sales_is_taken_off_each_sale(told: Told) -> None:
    made = report(told, tax_rate=Decimal("0.01"))
    assert realised(made)["BTCTRY"] == 39 - Decimal("2.5")
    assert made.total.taxes == 5 + Decimal("2.9")


def test_positions_count_at_the_last_stored_mid_and_say_its_age(told: Told) -> None:
    told.see("2026-03-02T10:30:00", ETHTRY="70")
    assert report(told).positions[0].mark == 40  # the fill is newer
    told.see("2026-03-03T10:00:00", ETHTRY="60")
    made = report(told)
    assert (made.positions[0].mark, made.positions[0].mark_from) == (60, "snapshot")
    assert made.total.unrealised.in_try == 180 - Decimal("151.5")
    assert "snapshot, 2 h ago" in report_text(made)


def test_without_a_rate_there_is_no_usdt(told: Told) -> None:
    made = report(told)
    assert made.total.realised.in_usdt.is_nan()
    assert "USDT/TRY unknown: no rate in the database, and no --rates FILE" in report_text(made)
    assert report_document(made)["total"]["realised"] == {"try": "26.5", "usdt": None}  # type: ignore[index]


def test_in_usdt_both_sides_count_at_the_rate_of_their_own_time(told: Told, tmp_path: Path) -> None:
    rates = tmp_path / "rates.csv"
    rates.write_text("time,price\n2026-03-01,40\n2026-03-01T19:00:00Z,50\n")
    made = report(told, rates_file=rates)
    # 117 and 127 at 50, for what had cost 205 at 40: a profit in TRY, a loss in USDT.
    assert made.lines[0].realised == Money(Decimal(39), Decimal("2.34") + Decimal("2.54") - Decimal("5.125"))
    assert made.rates == "from rates.csv"


def test_fills_of_usdttry_are_a_source_of_rates(told: Told) -> None:
    told.book("6 2026-03-01T09:00:00 USDTTRY buy 1 @ 41 0 0")
    assert report(told).lines[0].realised.in_usdt == Decimal("0.95121952")  # 117 / 41 + 127 / 41 - 205 / 41


def test_a_rate_counts_for_a_week(told: Told, tmp_path: Path) -> None:
    rates = tmp_path / "rates.csv"
    rates.write_text("2026-02-22T11:00:00,40\n")
    assert report(told, rates_file=rates).total.realised.in_usdt.is_nan()


def test_a_pair_in_usdt_is_seen_in_try_at_the_rates_of_its_fills(tmp_path: Path) -> None:
    told = tell(
        tmp_path / "live.db",
        "1 2026-03-01T10:00:00 BTCUSDT buy 1 @ 10 0 0\n2 2026-03-01T12:00:00 BTCUSDT sell 1 @ 11 0.5 0",
    )
    rates = tmp_path / "rates.csv"
    rates.write_text("2026-03-01T10:00:00,40\n2026-03-01T12:00:00,50\n")
    made = report(told, rates_file=rates)
    assert made.lines[0].realised == Money(Decimal(525 - 400), Decimal("0.5"))
    assert (made.lines[0].bought, made.lines[0].fees) == (400, 25)
    assert report(told).lines[0].realised.in_try.is_nan()


@pytest.mark.parametrize("text", ["2026-03-01", "yesterday,40", "2026-03-01,4e1", "2026-03-01,0", "2026-03-01,40,50"])
def test_a_file_of_rates_is_understood_or_refused(told: Told, tmp_path: Path, text: str) -> None:
    rates = tmp_path / "rates.csv"
    rates.write_text(text)
    with pytest.raises(UsageError, match="line 1"):
        report(told, rates_file=rates)


def test_the_books_agree(told: Told) -> None:
    made = report(told)
    assert made.is_in_order
    assert made.are_books_compared
    assert "Books agree" in report_text(made)


def test_a_difference_with_the_ledger_is_shown_line_by_line(told: Told) -> None:
    told.enter("fee", "TRY", "-3", "trade/99")
    told.enter("trade", "XRP", "1", "trade/99")
    made = report(told)
    assert not made.is_in_order
    text = report_text(made)
    assert "fee TRY: -10 from fills, -13 in the ledger, off by -3" in text
    assert "trade XRP: 0 from fills, 1 in the ledger, off by 1" in text


def test_a_very_long_ledger_is_compared_only_on_demand(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("btcbot.services.report.BOOKS_ROWS_MAX", 3)
    assert "--books does it" in report_text(report(told))
    assert report(told, compare_books=True).are_books_compared


def test_what_was_sold_without_having_been_bought_is_in_no_result(tmp_path: Path) -> None:
    told = tell(
        tmp_path / "live.db",
        """
        1 2026-03-01T10:00:00 BTCTRY buy  2 @ 100 0 0
        2 2026-03-01T11:00:00 BTCTRY sell 3 @ 110 3 0
        3 2026-03-01T12:00:00 BTCTRY sell 1 @ 110 1 0
        4 2026-03-01T13:00:00 BTCTRY buy  5 @ 100 0 0
        """,
    )
    for method in LotMethod:
        made = report(told, method=method)
        [oversold] = made.oversold
        assert (oversold.quantity, oversold.proceeds) == (2, 218)
        assert made.lines[0].realised.in_try == 20 - 2
        assert made.positions[0].quantity == 5
        assert not made.is_in_order
        assert "OVERSOLD BTCTRY: 2 BTC were sold that no fill had bought; the 218.00 TRY" in report_text(made)


def test_an_empty_database_makes_an_empty_report(tmp_path: Path) -> None:
    made = report(tell(tmp_path / "live.db"))
    assert (made.fills, made.lines, made.is_in_order) == (0, (), True)
    assert "no fills" in report_text(made)


@pytest.mark.parametrize("by", list(Grouping))
def test_a_report_fits_a_terminal(told: Told, by: Grouping) -> None:
    told.book("6 2026-03-02T12:00:00 BTCTRY buy 12.34567891 @ 4234567.89 123456.12345678 24691.22469135")
    lines = report_text(report(told, by)).splitlines()
    assert max(map(len, lines)) <= 120
    assert all(line.isascii() and line == line.rstrip() for line in lines)


def random_history(seed: int) -> str:
    chance = Random(seed)
    lines = []
    for trade in range(1, 91):
        minute, pair = chance.randrange(3 * 24 * 60), chance.choice(("BTCTRY", "ETHTRY", "USDTTRY"))
        quantity, price = chance.randrange(1, 10**9), chance.randrange(100, 10**6)
        at = f"2026-03-{1 + minute // 1440:02}T{minute // 60 % 24:02}:{minute % 60:02}:00"
        side = chance.choice(("buy", "buy", "sell"))
        fee = Decimal(chance.randrange(10**9)).scaleb(-8)
        lines.append(
            f"{trade} {at} {pair} {side} {Decimal(quantity).scaleb(-8):f} @ {Decimal(price).scaleb(-2):f} {fee:f} 0.01"
        )
    return "\n".join(lines)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("method", list(LotMethod))
def test_runs_come_to_the_same_as_fill_by_fill_to_the_last_digit(
    seed: int, method: LotMethod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tell(tmp_path / "live.db", random_history(seed))
    monkeypatch.setattr(reading, "SLICE_ROWS", 17)
    made = report(told, method=method, tax_rate=Decimal("0.0003"))
    rows = list(accounting_rows(wish(told, method=method, tax_rate=Decimal("0.0003"))))
    sums = {line.name: ZERO for line in made.lines}
    held = dict(sums)
    for row in rows:
        pair, position, result = row[4], row[17], row[16]
        assert isinstance(pair, str)
        assert isinstance(position, Decimal)
        held[pair] = position
        sums[pair] += result if isinstance(result, Decimal) else ZERO
    assert sums == realised(made)
    assert {name: number for name, number in held.items() if number} == {
        position.pair: position.quantity for position in made.positions
    }
    by_day = report(told, Grouping.DAY, method=method, tax_rate=Decimal("0.0003"))
    assert by_day.total.realised.in_try == made.total.realised.in_try
    assert not made.differences


def books(told: Told, rates: Path, method: LotMethod, fills_at_once: int) -> dict[str, tuple[object, object, object]]:
    """Totals and holdings of each pair by day, and what went through its books."""
    records = open_records(told.path)
    accountant = Accountant(
        Calendar(Grouping.DAY), method, Decimal("0.0003"), rates_of(records, rates), records.assets, records.assigned()
    )
    for fills in records.fills():
        for start in range(0, len(fills.times), fills_at_once):
            accountant.take(
                FillColumns(
                    *(getattr(fills, column.name)[start : start + fills_at_once] for column in fields(FillColumns))
                )
            )
    accountant.close()
    return {
        pair: (book.totals, book.holdings, (book.moved, book.flow, book.fees, book.taxes))
        for pair, book in accountant.books.items()
    }


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("method", list(LotMethod))
def test_every_period_is_the_same_one_fill_at_a_time_in_both_currencies(
    seed: int, method: LotMethod, tmp_path: Path
) -> None:
    told = tell(tmp_path / "live.db", random_history(seed))
    for day, pair in ((1, "BTCTRY"), (2, "ETHTRY"), (2, "XRPTRY")):
        told.assign(f"2026-03-0{day}T21:00:00 {pair} 3.00000001 @ 1234.56")
    rates = tmp_path / "rates.csv"
    rates.write_text("2026-03-01,41.23\n2026-03-02T07:31:00,43.19\n2026-03-02T21:00:00,39.97\n")
    one_by_one = books(told, rates, method, 1)
    assert one_by_one == books(told, rates, method, 1000)
    assert len(one_by_one) == 4


@pytest.mark.parametrize(
    "said",
    [{"by": "week"}, {"method": "lifo"}, {"tax_rate": "1"}, {"tax_rate": "-0.1"}, {"tax_rate": "3%"},
     {"first": date(2026, 3, 2), "last": date(2026, 3, 1)}],
)  # fmt: skip
def test_what_was_typed_is_understood_or_refused(said: dict[str, object], tmp_path: Path) -> None:
    usual = {"by": "day", "first": None, "last": None, "method": "fifo", "tax_rate": "0.0003"}
    assert read_wish(tmp_path, **usual, rates_file=None, compare_books=False).tax_rate == Decimal("0.0003")  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        read_wish(tmp_path, **{**usual, **said}, rates_file=None, compare_books=False)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------------ assigned coins


@pytest.mark.parametrize("rows", [1, 20_000])
def test_assigned_coins_are_lots_at_what_they_counted_as(
    told: Told, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    """Ten coins between a buy and its sales: first in, first out, they go last; nothing of the ledger differs."""
    monkeypatch.setattr(reading, "SLICE_ROWS", rows)
    told.assign("2026-03-01T15:00:00 BTCTRY 10 @ 110")
    told.assign("2026-03-02T12:00:00 XRPTRY 5 @ 7")
    told.book("6 2026-03-02T13:00:00 BTCTRY sell 4 @ 150 0 0")
    made = report(told)
    assert realised(made) == {"BTCTRY": 39 + 4 * (150 - 110), "ETHTRY": Decimal("-12.5"), "XRPTRY": 0}
    assert {held.pair: (held.quantity, held.cost.in_try) for held in made.positions} == {
        "BTCTRY": (6, 660), "ETHTRY": (3, Decimal("151.5")), "XRPTRY": (5, 35),
    }  # fmt: skip
    assert (made.oversold, made.differences, made.is_in_order, made.fills) == ((), (), True, 6)
    by_day = report(told, Grouping.DAY)
    assert sum(realised(by_day).values()) == made.total.realised.in_try
    assert by_day.total.unrealised.in_try == made.total.unrealised.in_try


def test_without_the_assignment_they_would_have_been_oversold(told: Told) -> None:
    told.book("6 2026-03-02T13:00:00 BTCTRY sell 4 @ 150 0 0")
    assert [each.quantity for each in report(told).oversold] == [4]


def test_the_accounting_file_has_a_line_for_each_assignment(told: Told) -> None:
    told.assign("2026-03-01T15:00:00 BTCTRY 10 @ 110")
    told.book("6 2026-03-02T13:00:00 BTCTRY sell 4 @ 150 0 0")
    rows = list(accounting_rows(wish(told)))
    assert [row[0] for row in rows] == ["1", "ASSIGNED1", "2", "3", "4", "5", "6"]
    given, sold = rows[1], rows[-1]
    assert (given[5], given[6], given[14], given[17]) == ("assigned", 10, 1100, 12)
    assert (sold[13], sold[14], sold[16], sold[17]) == ("ASSIGNED1x4", 440, 160, 6)
    told.assign("2026-03-03T15:00:00 BTCTRY 1 @ 110")
    assert [row[0] for row in accounting_rows(wish(told))][-1] == "ASSIGNED2"


PARTLY_ASSIGNED = """
    1 2026-03-01T10:00:00 BTCTRY buy  1   @ 100 2 0
    2 2026-03-01T12:00:00 BTCTRY sell 1.5 @ 120 3 0
"""


@pytest.mark.parametrize(("method", "result", "left"), [(LotMethod.FIFO, "36", "51"), (LotMethod.AVERAGE, "33", "48")])
def test_coins_that_were_assigned_are_sold_at_what_they_were_counted_as(
    tmp_path: Path, method: LotMethod, result: str, left: str
) -> None:
    """Worked out by hand: 177 came in. First out go 90 and half of 102; on the average, three quarters of 192."""
    told = tell(tmp_path / "live.db", PARTLY_ASSIGNED)
    assert report(told, method=method).oversold
    told.assign("2026-03-01T09:00:00 BTCTRY 1 @ 90")
    made = report(told, method=method)
    assert realised(made) == {"BTCTRY": Decimal(result)}
    assert [(each.quantity, each.cost.in_try) for each in made.positions] == [(Decimal("0.5"), Decimal(left))]
    assert made.is_in_order, "no trade moved them, so the books agree"
    assert (made.total.fills, made.total.bought) == (2, Decimal(100))


def test_what_is_assigned_between_fills_comes_between_their_lots_and_without_any_is_held(tmp_path: Path) -> None:
    told = tell(tmp_path / "live.db", PARTLY_ASSIGNED)
    told.assign("2026-03-01T11:00:00 BTCTRY 1 @ 90")
    told.assign("2026-03-02T11:00:00 ETHTRY 2 @ 50")
    made = report(told)
    # First out go 102 and half of 90.
    assert realised(made)["BTCTRY"] == Decimal(30)
    held = {each.pair: (each.quantity, each.cost.in_try, each.unrealised.in_try) for each in made.positions}
    assert held["BTCTRY"] == (Decimal("0.5"), Decimal(45), Decimal(15))
    assert held["ETHTRY"] == (Decimal(2), Decimal(100), ZERO)
    assert realised(report(told, Grouping.DAY)) == {"2026-03-01": Decimal(30), "2026-03-02": ZERO}
