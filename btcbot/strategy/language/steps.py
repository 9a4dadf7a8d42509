"""One node as a function of what was computed before it and of what it remembers.

A step reads `values` at its inputs' places and writes its own; left alone, that stays undefined. What it remembers lies
in its slot of `memory`. Both lists belong to one candle: a step replaces what is in a slot and never changes it.

The one exception is the past of a series, which several windows share: a list that only grows, of which a state owns
the part up to its own end. Whoever went back to an older state finds the list longer than that, and goes on with a
copy. So a candle costs the same however long the windows are, and a state still never changes.
"""

from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import Any

from btcbot.strategy.language.exact import root_of, sum_of, whole
from btcbot.strategy.language.nodes import VALUE_MAX, Connective, Extremum, Operator, Relation
from btcbot.strategy.language.values import Value, relation

Memory = Any  # a value, or a tuple of numbers, values and lists whose shape its step alone knows
Step = Callable[[list[Value], list[Memory]], None]
Numbers = list[Any]  # `values` where only numbers can be, for the arithmetic on them


INITIAL_EXTREME: Memory = ((), None, 0)  # no block yet
# Sums, what they are divided by, and the scale: none yet, so that the first one is a finer one.
INITIAL_SUM: Memory = (0, 0, -1)
INITIAL_SUMS: Memory = (0, 0, 0, -1)


def arithmetic(at: int, left: int, right: int, operator: Operator) -> Step:
    """Each operator in a function of its own: an operation takes less time than calling one."""
    low, high = -VALUE_MAX, VALUE_MAX

    def add(values: Numbers, _memory: list[Memory]) -> None:
        one, other = values[left], values[right]
        if one is not None and other is not None and low <= (result := one + other) <= high:
            values[at] = result

    def subtract(values: Numbers, _memory: list[Memory]) -> None:
        one, other = values[left], values[right]
        if one is not None and other is not None and low <= (result := one - other) <= high:
            values[at] = result

    def multiply(values: Numbers, _memory: list[Memory]) -> None:
        one, other = values[left], values[right]
        if one is not None and other is not None and low <= (result := one * other) <= high:
            values[at] = result

    def divide(values: Numbers, _memory: list[Memory]) -> None:
        one, other = values[left], values[right]
        if one is not None and other and low <= (result := one / other) <= high:
            values[at] = result

    def larger(values: Numbers, _memory: list[Memory]) -> None:
        one, other = values[left], values[right]
        if one is not None and other is not None:
            values[at] = other if other > one else one  # noqa: FURB136 - a call costs more

    def smaller(values: Numbers, _memory: list[Memory]) -> None:
        one, other = values[left], values[right]
        if one is not None and other is not None:
            values[at] = other if other < one else one  # noqa: FURB136

    steps: Mapping[Operator, Step] = {
        Operator.ADD: add, Operator.SUBTRACT: subtract, Operator.MULTIPLY: multiply, Operator.DIVIDE: divide,
        Operator.LARGER: larger, Operator.SMALLER: smaller,
    }  # fmt: skip
    return steps[operator]


def comparison(at: int, left: int, right: int, name: Relation) -> Step:
    holds = relation(name)

    def step(values: Numbers, _memory: list[Memory]) -> None:
        one, other = values[left], values[right]
        if one is not None and other is not None:
            values[at] = holds(one, other)

    return step


def both(at: int, left: int, right: int, connective: Connective) -> Step:
    def conjunction(values: list[Value], _memory: list[Memory]) -> None:
        one, other = values[left], values[right]
        if one is not None and other is not None:
            values[at] = one and other

    def disjunction(values: list[Value], _memory: list[Memory]) -> None:
        one, other = values[left], values[right]
        if one is not None and other is not None:
            values[at] = one or other

    return conjunction if connective is Connective.AND else disjunction


def negation(at: int, source: int) -> Step:
    def step(values: list[Value], _memory: list[Memory]) -> None:
        value = values[source]
        if value is not None:
            values[at] = not value

    return step


def choice(at: int, condition: int, chosen: int, otherwise: int) -> Step:
    def step(values: list[Value], _memory: list[Memory]) -> None:
        holds = values[condition]
        if holds is not None:
            values[at] = values[chosen if holds else otherwise]

    return step


def smoothed(at: int, source: int, slot: int, alpha: float) -> Step:
    """Remembers the average."""

    def step(values: Numbers, memory: list[Memory]) -> None:
        value = values[source]
        if value is not None:
            before = memory[slot]
            values[at] = memory[slot] = value if before is None else before + alpha * (value - before)

    return step


def crossed(at: int, rising: int, other: int, slot: int) -> Step:
    """Remembers which side it was on."""

    def step(values: Numbers, memory: list[Memory]) -> None:
        one, two = values[rising], values[other]
        if one is None or two is None:
            memory[slot] = None
            return
        was_above = memory[slot]
        memory[slot] = above = one > two
        if was_above is not None:
            values[at] = above and not was_above

    return step


def lasting(at: int, condition: int, slot: int, candles: int) -> Step:
    """Remembers for how many candles in a row the condition has been known, and for how many it held."""

    def step(values: list[Value], memory: list[Memory]) -> None:
        holds = values[condition]
        if holds is None:
            memory[slot] = (0, 0)
            return
        known, held = memory[slot]
        known, held = min(known + 1, candles), min(held + 1, candles) if holds else 0
        memory[slot] = (known, held)
        if known == candles:
            values[at] = held == candles

    return step


def since(at: int, condition: int, slot: int, within: int) -> Step:
    """Remembers how long ago the condition held, up to a candle beyond what counts."""

    def step(values: list[Value], memory: list[Memory]) -> None:
        holds = values[condition]
        memory[slot] = candles = 0 if holds else min(memory[slot] + 1, within + 1)
        if holds is not None and candles <= within:
            values[at] = float(candles)

    return step


def accumulated(at: int, source: int, slot: int) -> Step:
    """Remembers the exact sum and its scale."""

    def step(values: Numbers, memory: list[Memory]) -> None:
        value = values[source]
        if value is None:
            return
        total, scale = memory[slot]
        number, finer = whole(value)
        if finer > scale:
            total, scale = total << (finer - scale), finer
        total += number << (scale - finer)
        memory[slot] = (total, scale)
        values[at] = sum_of(1, total, 0, scale)

    return step


# ------------------------------------------------------------------------------------------------ looking into the past


def initial_past(depth: int) -> Memory:
    """Before the first candle: as many undefined values as a window may reach back to."""
    return ([None] * depth, depth, depth, 0)


def past(source: int, slot: int, depth: int) -> Step:
    """Remembers the values up to an end, and how many of the last ones are defined."""
    kept_max = _kept_max(depth)

    def step(values: list[Value], memory: list[Memory]) -> None:
        items, end, _, defined = memory[slot]
        if end != len(items) or end >= kept_max:
            items, end = items[end - depth : end], depth
        value = values[source]
        items.append(value)
        memory[slot] = (items, end + 1, depth, 0 if value is None else defined + 1)

    return step


def initial_exact_past(depth: int) -> Memory:
    return ([0] * depth, depth, depth, 0, 0)


def exact_past(source: int, slot: int, depth: int) -> Step:
    """Remembers the values as whole numbers up to an end, how many of the last ones are defined, and their scale."""
    kept_max = _kept_max(depth)

    def step(values: Numbers, memory: list[Memory]) -> None:
        items, end, _, defined, scale = memory[slot]
        if end != len(items) or end >= kept_max:
            items, end = items[end - depth : end], depth
        value = values[source]
        if value is None:
            items.append(0)
            memory[slot] = (items, end + 1, depth, 0, scale)
            return
        number, denominator = value.as_integer_ratio()  # `whole`, without the call
        finer = denominator.bit_length() - 1
        if finer > scale:
            items, end = [item << (finer - scale) for item in items[end - depth : end]], depth
            scale = finer
        items.append(number << (scale - finer))
        memory[slot] = (items, end + 1, depth, defined + 1, scale)

    return step


def previous(at: int, candles: int, past_slot: int) -> Step:
    back = candles + 1

    def step(values: list[Value], memory: list[Memory]) -> None:
        items, end, _, _ = memory[past_slot]
        values[at] = items[end - back]

    return step


def extreme(at: int, extremum: Extremum, period: int, past_slot: int, slot: int) -> Step:
    """Remembers the extremes of the last whole block from its end backwards, of the block under way, and its length.

    A window is the end of one block and the beginning of the next: two values to compare, whatever the period (van
    Herk's way). The lowest is the highest below zero.
    """
    sign = 1.0 if extremum is Extremum.HIGHEST else -1.0

    def step(values: Numbers, memory: list[Memory]) -> None:
        items, end, _, defined = memory[past_slot]
        if not defined:
            memory[slot] = INITIAL_EXTREME
            return
        backwards, running, length = memory[slot]
        value = sign * items[end - 1]
        if not length or value > running:
            running = value
        length += 1
        if length == period:
            best = running
            memory[slot] = (
                tuple(accumulate((sign * item for item in reversed(items[end - period : end])), max)),
                None,
                0,
            )
        else:
            memory[slot] = (backwards, running, length)
            if defined < period:
                return
            best = backwards[period - length - 1]
            if running > best:
                best = running
        values[at] = sign * best + 0.0  # one zero: which of two came first is not the value's business

    return step


def mean(at: int, period: int, past_slot: int, slot: int, *, is_divided: bool) -> Step:
    """The mean or the total. Remembers the exact sum of the window, what to divide it by, and the scale of both."""
    count = period if is_divided else 1
    low, high = -VALUE_MAX, VALUE_MAX

    def step(values: list[Value], memory: list[Memory]) -> None:
        items, end, _, defined, scale = memory[past_slot]
        if not defined:
            memory[slot] = INITIAL_SUM
            return
        total, divisor, coarser = memory[slot]
        if coarser != scale:
            total, divisor = total << (scale - coarser), count << scale
        total += items[end - 1]
        if defined > period:
            total -= items[end - 1 - period]
        memory[slot] = (total, divisor, scale)
        if defined >= period and low <= (value := total / divisor) <= high:
            values[at] = value

    return step


def weighted_mean(at: int, period: int, past_slot: int, slot: int) -> Step:
    """Remembers the exact sum of the window, that of each value times its place, what to divide by, and the scale."""
    return _placed(at, period, past_slot, slot, 0, 1, period * (period + 1) // 2)


def slope(at: int, period: int, past_slot: int, slot: int) -> Step:
    """Remembers what a weighted mean does."""
    return _placed(at, period, past_slot, slot, -6 * (period + 1), 12, period * (period * period - 1))


def _placed(at: int, period: int, past_slot: int, slot: int, of_total: int, of_placed: int, count: int) -> Step:
    """So many times the sum of the window and so many times that of each value times its place, divided."""
    low, high = -VALUE_MAX, VALUE_MAX

    def step(values: list[Value], memory: list[Memory]) -> None:
        items, end, _, defined, scale = memory[past_slot]
        if not defined:
            memory[slot] = INITIAL_SUMS
            return
        total, placed, divisor, coarser = memory[slot]
        if coarser != scale:
            total, placed, divisor = total << (scale - coarser), placed << (scale - coarser), count << scale
        newest = items[end - 1]
        if defined > period:  # everything moves one place down; the oldest, at place 1, falls out
            placed += newest * period - total
            total += newest - items[end - 1 - period]
        else:
            placed += newest * defined
            total += newest
        memory[slot] = (total, placed, divisor, scale)
        if defined >= period:
            value = (of_total * total + of_placed * placed) / divisor
            if low <= value <= high:
                values[at] = value

    return step


def deviation(at: int, period: int, past_slot: int, slot: int) -> Step:
    """Remembers the exact sum of the window, that of the squares, what to divide by, and the scale."""
    count = period * period

    def step(values: list[Value], memory: list[Memory]) -> None:
        items, end, _, defined, scale = memory[past_slot]
        if not defined:
            memory[slot] = INITIAL_SUMS
            return
        total, squares, divisor, coarser = memory[slot]
        if coarser != scale:
            finer = scale - coarser
            total, squares, divisor = total << finer, squares << (2 * finer), count << (2 * scale)
        newest = items[end - 1]
        if defined > period:
            oldest = items[end - 1 - period]
            total += newest - oldest
            squares += newest * newest - oldest * oldest
        else:
            total += newest
            squares += newest * newest
        memory[slot] = (total, squares, divisor, scale)
        if defined >= period:
            values[at] = root_of((period * squares - total * total), divisor)

    return step


def _kept_max(depth: int) -> int:
    """How long the past grows before its beginning is cut off: long enough that the cutting costs next to nothing."""
    return depth + depth // 4 + 16
