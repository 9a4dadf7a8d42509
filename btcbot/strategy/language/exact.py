"""Sums over a window without any rounding, and the one float that is nearest to what they come to.

A float is a whole number of some power of two. Sums are kept as whole numbers of 2^-`scale`, with a scale fine enough
for every value so far: adding what comes and taking away what leaves are exact, however long a process has run. Only
the result is rounded, once, and Python rounds a quotient of whole numbers correctly. A value is therefore a function of
its window alone: neither a restart nor the way in which the sums were kept can change its last bit.
"""

import math
from collections.abc import Callable, Mapping

from btcbot.strategy.language.nodes import Statistic
from btcbot.strategy.language.values import bounded


def whole(value: float) -> tuple[int, int]:
    """A number and the scale at which it is whole: `value == number / 2**scale`."""
    number, denominator = value.as_integer_ratio()
    return number, denominator.bit_length() - 1


# What is made of so many values, of their exact sum, of another one, and of the scale of both. The other sum is that of
# the squares for a deviation; for a weighted mean and a slope that of each value times its place, 1 for the oldest.
Finish = Callable[[int, int, int, int], float | None]


def mean(count: int, total: int, _other: int, scale: int) -> float | None:
    return bounded(total / (count << scale))


def sum_of(_count: int, total: int, _other: int, scale: int) -> float | None:
    try:
        return bounded(total / (1 << scale))
    except OverflowError:
        return None


def weighted_mean(count: int, _total: int, placed: int, scale: int) -> float | None:
    return bounded(placed / ((count * (count + 1) // 2) << scale))


def slope(count: int, total: int, placed: int, scale: int) -> float | None:
    return bounded((12 * placed - 6 * (count + 1) * total) / ((count * (count * count - 1)) << scale))


def deviation(count: int, total: int, squares: int, scale: int) -> float | None:
    """The root of the variance, which is exact before it is rounded and so never below zero."""
    return root_of(count * squares - total * total, (count * count) << (2 * scale))


def root_of(number: int, divisor: int) -> float | None:
    """The root of a quotient; nothing where the quotient is beyond every float, as of values that are no prices."""
    try:
        return math.sqrt(number / divisor)
    except OverflowError:
        return None


FINISHES: Mapping[Statistic, Finish] = {
    Statistic.MEAN: mean, Statistic.TOTAL: sum_of, Statistic.WEIGHTED_MEAN: weighted_mean, Statistic.SLOPE: slope,
    Statistic.DEVIATION: deviation,
}  # fmt: skip
