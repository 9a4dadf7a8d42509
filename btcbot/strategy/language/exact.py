"""Sums over a window without any rounding, and the one float that is nearest to what they come to.

A float is a whole number of some power of two. Sums are kept as whole numbers of 2^-`scale`, with a scale fine enough
for every value so far: adding what comes and taking away what leaves are exact, however long a process has run. Only
the result is rounded, once, and Python rounds a quotient of whole numbers correctly. A value is therefore a function of
its window alone: neither a restart nor the way in which the sums were kept can change its last bit.
"""

import math

from btcbot.strategy.language.nodes import Statistic
from btcbot.strategy.language.values import bounded


def whole(value: float) -> tuple[int, int]:
    """A number and the scale at which it is whole: `value == number / 2**scale`."""
    number, denominator = value.as_integer_ratio()
    return number, denominator.bit_length() - 1


def statistic_of(statistic: Statistic, count: int, total: int, other: int, scale: int) -> float | None:
    """The statistic of so many values.

    `total` is their sum; `other` is the sum of their squares for a deviation, and for a weighted mean or a slope the
    sum of each times its place, 1 for the oldest.
    """
    match statistic:
        case Statistic.MEAN:
            return total / (count << scale)
        case Statistic.TOTAL:
            return bounded(total / (1 << scale))
        case Statistic.WEIGHTED_MEAN:
            return other / ((count * (count + 1) // 2) << scale)
        case Statistic.SLOPE:
            rise, run = 12 * other - 6 * (count + 1) * total, count * (count * count - 1)
            return bounded(rise / (run << scale))
        case Statistic.DEVIATION:
            return deviation(count, total, other, scale)


def deviation(count: int, total: int, squares: int, scale: int) -> float | None:
    """The root of the variance, which is exact before it is rounded and so never below zero."""
    try:
        return math.sqrt((count * squares - total * total) / ((count * count) << (2 * scale)))
    except OverflowError:  # a variance beyond every float: of values that are no prices
        return None
