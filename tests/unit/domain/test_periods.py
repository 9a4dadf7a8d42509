"""Periods begin and end at midnight in Istanbul."""

from datetime import UTC, date, datetime

import pytest

from btcbot.domain.periods import Calendar, Grouping, istanbul, midnight

EVENING = datetime(2026, 2, 28, 20, 59, 59, 999000, tzinfo=UTC)  # 23:59:59.999 in Istanbul
MARCH = datetime(2026, 2, 28, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    ("grouping", "before", "after", "ends_at"),
    [
        (Grouping.PAIR, "all", "all", datetime(9999, 1, 1, tzinfo=UTC)),
        (Grouping.DAY, "2026-02-28", "2026-03-01", MARCH),
        (Grouping.MONTH, "2026-02", "2026-03", MARCH),
        (Grouping.YEAR, "2026", "2026", datetime(2026, 12, 31, 21, tzinfo=UTC)),
    ],
)
def test_a_moment_belongs_to_the_day_that_istanbul_has(
    grouping: Grouping, before: str, after: str, ends_at: datetime
) -> None:
    calendar = Calendar(grouping)
    assert calendar.period(EVENING).name == before
    assert calendar.period(MARCH).name == after
    assert calendar.period(EVENING).ends_at == ends_at


def test_days_are_included_from_the_first_to_the_last() -> None:
    calendar = Calendar(Grouping.MONTH, date(2026, 3, 1), date(2026, 3, 31))
    assert (calendar.starts_at, calendar.ends_at) == (MARCH, datetime(2026, 3, 31, 21, tzinfo=UTC))
    assert calendar.period(EVENING).name is None
    assert calendar.period(EVENING).ends_at == MARCH


def test_december_is_followed_by_january() -> None:
    last = datetime(2026, 12, 31, 20, tzinfo=UTC)
    assert Calendar(Grouping.MONTH).period(last).ends_at == midnight(date(2027, 1, 1))


def test_a_moment_is_written_with_its_offset() -> None:
    assert istanbul(MARCH) == "2026-03-01T00:00:00.000+03:00"
