"""Days, months and years as people count them: in Istanbul, whatever the clock of the machine says."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

ISTANBUL = ZoneInfo("Europe/Istanbul")
ALL = "all"
_FAR = datetime(9999, 1, 1, tzinfo=UTC)


class Grouping(StrEnum):
    PAIR = "pair"
    DAY = "day"
    MONTH = "month"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class Period:
    """From its first moment to before `ends_at`. Without a name it lies before all that was asked for."""

    name: str | None
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Calendar:
    """Whole days from `first` to `last`, both included, cut as the grouping says; open where nothing was said."""

    grouping: Grouping
    first: date | None = None
    last: date | None = None

    @property
    def starts_at(self) -> datetime | None:
        return None if self.first is None else midnight(self.first)

    @property
    def ends_at(self) -> datetime | None:
        return None if self.last is None else midnight(self.last + timedelta(days=1))

    def period(self, moment: datetime) -> Period:
        """The period that a moment before `ends_at` lies in."""
        starts_at = self.starts_at
        if starts_at is not None and moment < starts_at:
            return Period(None, starts_at)
        day = moment.astimezone(ISTANBUL).date()
        match self.grouping:
            case Grouping.PAIR:
                return Period(ALL, _FAR)
            case Grouping.DAY:
                return Period(day.isoformat(), midnight(day + timedelta(days=1)))
            case Grouping.MONTH:
                return Period(f"{day:%Y-%m}", midnight((day.replace(day=1) + timedelta(days=32)).replace(day=1)))
            case Grouping.YEAR:
                return Period(f"{day:%Y}", midnight(date(day.year + 1, 1, 1)))


def midnight(day: date) -> datetime:
    """The first moment of a day in Istanbul."""
    return datetime(day.year, day.month, day.day, tzinfo=ISTANBUL).astimezone(UTC)


def istanbul(moment: datetime) -> str:
    """A moment as people there write it, to the millisecond, with its offset."""
    return moment.astimezone(ISTANBUL).isoformat(timespec="milliseconds")
