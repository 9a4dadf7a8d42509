"""What one USDT cost in TRY at a moment: the newest price that is known by then. Nothing is ever invented.

The source is a file that a person names, or else what the database itself knows of USDTTRY: its own fills and the mids
that were decided on. A price counts for a week; before the first one and after that there is no rate, and a report says
so instead of a number.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice, zip_longest
from pathlib import Path

from btcbot.domain.errors import UsageError
from btcbot.domain.lots import NO_RATE
from btcbot.domain.money import MalformedNumber, parse
from btcbot.domain.times import iso_utc
from btcbot.persistence.sqlite.reading import Records, StoredPrice

RATE_PAIR = "USDTTRY"
AGE_MAX = timedelta(days=7)
_NEVER_STALE = datetime.max.replace(tzinfo=UTC) - AGE_MAX  # its week ends after the last day that can be written
FILE_ROWS_MAX = 2_000_000


@dataclass(frozen=True, slots=True)
class Rates:
    """TRY per USDT, each from its time to the next one's. `source` says to a person where it comes from."""

    source: str
    times: tuple[str, ...]  # rising, as the database writes them
    prices: tuple[Decimal, ...]  # `NO_RATE` from when one has become too old

    def at(self, time: str) -> Decimal:
        """The rate at a moment, or `NO_RATE`."""
        return self.column((time,))[0]

    def column(self, times: Sequence[str]) -> list[Decimal]:
        """The rate at each of some rising moments."""
        found: list[Decimal] = []
        place = 0
        while (start := len(found)) < len(times):
            place = bisect_right(self.times, times[start], place)
            end = bisect_left(times, self.times[place], start) if place < len(self.times) else len(times)
            found += [self.prices[place - 1] if place else NO_RATE] * (end - start)
        return found


def rates_from(prices: Iterable[StoredPrice], source: str) -> Rates:
    """Rates in the order of their times; of those at one moment, the last counts."""
    by_time = {iso_utc(price.at): price for price in sorted(prices, key=lambda price: price.at)}
    known: dict[str, Decimal] = {}
    for (time, price), newer in zip_longest(by_time.items(), islice(by_time.values(), 1, None)):
        known[time] = price.price
        if price.at < _NEVER_STALE and (newer is None or newer.at - price.at >= AGE_MAX):
            known[iso_utc(price.at + AGE_MAX)] = NO_RATE  # where the newer one is of that moment, it counts
    return Rates(source, tuple(known), tuple(known.values()))


def rates_of(records: Records, file: Path | None) -> Rates:
    """From the file where one is named, else from the database."""
    if file is not None:
        return rates_from(read_rates(file), f"from {file.name}")
    known = rates_from(records.prices(RATE_PAIR), f"from fills and snapshots of {RATE_PAIR} in the database")
    return known if known.times else Rates("unknown: no rate in the database, and no --rates FILE", (), ())


def read_rates(file: Path) -> list[StoredPrice]:
    """Lines of `time,price`: ISO 8601 with its offset (UTC without one) or a day, and TRY per USDT in plain digits.

    A first line of names is passed over. Anything else that cannot be read raises `UsageError` with its line.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the rates in {file} cannot be read ({error})") from error
    if len(lines) > FILE_ROWS_MAX:
        raise UsageError(f"{file} has {len(lines)} lines; {FILE_ROWS_MAX} are the most that are read")
    found = []
    for number, line in enumerate(lines, start=1):
        time, _, price = line.partition(",")
        if not line.strip() or (number == 1 and time.strip().casefold() == "time"):
            continue
        try:
            at = datetime.fromisoformat(time.strip())
            rate = parse(price.strip())
        except (ValueError, MalformedNumber) as error:
            raise UsageError(
                f"{file}, line {number}: {line[:60]!r} is not a time and a price, as in 2026-03-01,43.21"
            ) from error
        if rate <= 0:
            raise UsageError(f"{file}, line {number}: a price is above zero")
        found.append(StoredPrice(rate, at.replace(tzinfo=UTC) if at.tzinfo is None else at))
    return found
