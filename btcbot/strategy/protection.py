"""Position rules: when a position is left, reduced or added to, whatever the signals say.

Declared beside the signals, and judged on every reading of the book, not only when a candle closes. Three kinds:

- stops (`StopLoss`, `TrailingStop`, `BreakEven`, `IndicatorStop`) are one price: the highest of them. All but the stop
  loss raise the `floor` of the stay, which never falls, not by a wider setting and not by a restart;
- `TakeProfit`, `HoldingTime` and `ScaleOut` ask for a sale of all or of a part;
- `ReEntry`, `ScaleIn` and `Pace` say when an entry has to wait.

What they remember is the `Stay`: a function of booked fills, and the floor. An indicator enters as a float and leaves
as a ratio, cut down to `RATIO_STEP` and held within bounds; a price is that ratio of money we paid.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from btcbot.domain.money import ZERO, Amount, Ratio, divide_down, plain, round_ratio
from btcbot.domain.position import Stay
from btcbot.domain.state import InstrumentState
from btcbot.strategy.language import Condition, Series

RATIO_STEPS = 10_000  # an indicator's share of a price is cut to a hundredth of a percent
RATIO_STEP = Decimal(1) / RATIO_STEPS
NOTHING = Ratio(ZERO)
FLOOR_STEP = Decimal("0.00000001")  # a floor is compared with, never ordered at
RUNGS_MAX = 10
ENTRIES_MAX = 50
SPAN_MAX = timedelta(days=365)


def ratio_down(value: float | None, ratio_max: Ratio) -> Ratio | None:
    """An indicator as a share between 0 and a limit, cut down to `RATIO_STEP`; nothing where it is no such number."""
    if value is None or isinstance(value, bool) or not math.isfinite(value) or value < 0:
        return None
    steps_max = int(ratio_max * RATIO_STEPS)
    numerator, denominator = value.as_integer_ratio()  # exact: a product of floats may round up
    return Ratio(min(numerator * RATIO_STEPS // denominator, steps_max) * RATIO_STEP)


@dataclass(frozen=True, slots=True)
class StopLoss:
    """Out once the best bid has fallen by a share of what the position cost on average, fees left aside."""

    ratio: Ratio

    def __post_init__(self) -> None:
        _require_share("a stop loss", self.ratio)

    def level(self, stay: Stay) -> Decimal | None:
        """A best bid that is not above this ends the position; nothing where there is none of our own making."""
        return None if stay.bought <= 0 else round_ratio(stay.paid * (1 - self.ratio), stay.bought)


@dataclass(frozen=True, slots=True)
class TrailingStop:
    """Out once the best bid has fallen by a share of the highest bid since the entry.

    With `from_gain`, it begins to trail once the bid has risen by that share of the average cost.
    """

    ratio: Ratio
    from_gain: Ratio = NOTHING

    def __post_init__(self) -> None:
        _require_share("a trailing stop", self.ratio)
        _require_gain("the gain that a trailing stop begins at", self.from_gain)

    def floor(self, stay: Stay, bid: Decimal) -> Decimal | None:
        if self.from_gain > 0 and not _has_gained(stay, bid, self.from_gain):
            return None
        return bid * (1 - self.ratio)


@dataclass(frozen=True, slots=True)
class BreakEven:
    """Once the bid has risen by `from_gain` of the average cost, nothing is sold below that cost and `keeps` of it.

    `keeps` should cover the fees of a way in and out, about half a percent on TRY pairs.
    """

    from_gain: Ratio
    keeps: Ratio = NOTHING

    def __post_init__(self) -> None:
        _require_gain("the gain that a break-even begins at", self.from_gain)
        if not 0 <= self.keeps < self.from_gain:
            raise ValueError(f"a break-even keeps from 0 up to below {self.from_gain}, not {self.keeps}")

    def floor(self, stay: Stay, bid: Decimal) -> Decimal | None:
        if not _has_gained(stay, bid, self.from_gain):
            return None
        return divide_down(stay.paid * (1 + self.keeps), stay.bought, FLOOR_STEP)


@dataclass(frozen=True, slots=True)
class IndicatorStop:
    """Out once the best bid is below the average cost by a share that an expression gives: `atr(14) * 2 / CLOSE`.

    The share is cut down and lies between `ratio_min` and `ratio_max`; where the expression is undefined it is
    `ratio_max`. The level follows the expression upwards only: a market that calms down tightens it, a wilder one
    leaves it. With `trails`, it is measured from the bid instead of the cost.
    """

    distance: Series
    ratio_min: Ratio
    ratio_max: Ratio
    trails: bool = False

    def __post_init__(self) -> None:
        _require_share("the widest distance of a stop", self.ratio_max)
        if not 0 < self.ratio_min <= self.ratio_max:
            raise ValueError(f"the narrowest distance of a stop is above 0 and up to {self.ratio_max}")

    def ratio(self, value: float | None) -> Ratio:
        cut = ratio_down(value, self.ratio_max)
        return self.ratio_max if cut is None else Ratio(max(cut, self.ratio_min))

    def floor(self, stay: Stay, bid: Decimal, value: float | None) -> Decimal | None:
        if self.trails:
            return bid * (1 - self.ratio(value))
        return None if stay.bought <= 0 else divide_down(
            stay.paid * (1 - self.ratio(value)), stay.bought, FLOOR_STEP
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rung:
    """At a bid that is `gain` above the average cost, sell `share` of all that was bought."""

    gain: Ratio
    share: Ratio


@dataclass(frozen=True, slots=True)
class TakeProfit:
    """A ladder of partial sales, lowest first. What was sold since the entry counts as its first rungs."""

    rungs: tuple[Rung, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.rungs) <= RUNGS_MAX:
            raise ValueError(f"a ladder has 1 to {RUNGS_MAX} rungs, not {len(self.rungs)}")
        gains = [rung.gain for rung in self.rungs]
        if gains != sorted(set(gains)) or gains[0] <= 0:
            raise ValueError("the gains of a ladder rise from rung to rung and are above 0")
        if any(rung.share <= 0 for rung in self.rungs) or sum((rung.share for rung in self.rungs), start=ZERO) > 1:
            raise ValueError("the shares of a ladder are above 0 and add up to 1 at most")

    def keeps(self, stay: Stay, bid: Decimal) -> tuple[Decimal, Rung] | None:
        """How much of the position is to be left at this bid, and the rung that says so; nothing below the first."""
        reached = [rung for rung in self.rungs if _has_gained(stay, bid, rung.gain)]
        if not reached:
            return None
        return stay.bought * (1 - sum((rung.share for rung in reached), start=ZERO)), reached[-1]


@dataclass(frozen=True, slots=True)
class HoldingTime:
    """Out once the position has been held for so long."""

    longest: timedelta

    def __post_init__(self) -> None:
        _require_span("a holding time", self.longest)


@dataclass(frozen=True, slots=True)
class ScaleOut:
    """Sell a share of what is held, once for each candle for which the condition is true."""

    when: Condition
    share: Ratio

    def __post_init__(self) -> None:
        _require_share("a share to sell", self.share)


@dataclass(frozen=True, slots=True)
class ReEntry:
    """How long an entry waits after a position was left; longer after one that lost money, fees included.

    It always waits for a candle that closed after the exit: one signal makes one entry. With `below_exit`, it also
    waits for an ask that is lower than the price of the exit by that share.
    """

    cooldown: timedelta = timedelta()
    cooldown_after_loss: timedelta = timedelta()
    below_exit: Ratio | None = None

    def __post_init__(self) -> None:
        if not all(timedelta() <= span <= SPAN_MAX for span in (self.cooldown, self.cooldown_after_loss)):
            raise ValueError(f"a cooldown is 0 to {SPAN_MAX}")
        if self.below_exit is not None and not 0 <= self.below_exit < 1:
            raise ValueError(f"a share below the exit is 0 up to below 1, not {self.below_exit}")

    def objection(self, stay: Stay, now: datetime, ask: Decimal, candle_closed_at: datetime) -> str | None:
        if stay.left_at is None or stay.is_open:
            return None
        lost = stay.left_result is not None and stay.left_result < 0
        wait = max(self.cooldown, self.cooldown_after_loss) if lost else self.cooldown
        since = now - stay.left_at
        if since < wait:
            return f"{since} have passed since the last exit{' at a loss' if lost else ''}, {wait} are to"
        if candle_closed_at <= stay.left_at:
            return "its candle closed before the last exit"
        if self.below_exit is not None and stay.left_price is not None:
            highest = stay.left_price * (1 - self.below_exit)
            if ask > highest:
                return f"the ask {plain(ask)} is above {plain(highest)}, {plain(self.below_exit)} below the last exit"
        return None


ON_A_NEW_CANDLE = ReEntry()


@dataclass(frozen=True, slots=True)
class ScaleIn:
    """Entries may follow the first one: at most so many in all, each at an ask that has moved on from the one before.

    `step` is that move as a share of the last entry's price: negative to buy only deeper, positive to buy only higher,
    zero to buy whenever the signal says so.
    """

    entries_max: int
    step: Ratio = NOTHING

    def __post_init__(self) -> None:
        if not 2 <= self.entries_max <= ENTRIES_MAX:
            raise ValueError(f"scaling in makes 2 to {ENTRIES_MAX} entries, not {self.entries_max}")
        if not -1 < self.step < 1:
            raise ValueError(f"a step is between -1 and 1, not {self.step}")

    def objection(self, stay: Stay, ask: Decimal) -> str | None:
        if stay.entries >= self.entries_max:
            return f"{stay.entries} entries make up the position, the limit is {self.entries_max}"
        if self.step == 0 or stay.last_bought_price is None:
            return None
        level = stay.last_bought_price * (1 + self.step)
        if (ask > level) if self.step < 0 else (ask < level):
            return f"the ask {plain(ask)} has not moved to {plain(level)}, {plain(self.step)} from the last entry"
        return None


@dataclass(frozen=True, slots=True)
class Pace:
    """Entries at least so far apart, by the exchange's time of the last one, and a budget for what is held.

    The budget counts what the buys of the position cost, without fees; sales give nothing back to it until the
    position was left as a whole.
    """

    every: timedelta
    budget: Amount

    def __post_init__(self) -> None:
        _require_span("a pace", self.every)
        if self.budget.number <= 0:
            raise ValueError(f"a budget is above 0, not {self.budget}")

    def objection(self, stay: Stay, now: datetime) -> str | None:
        if stay.last_bought_at is not None and now - stay.last_bought_at < self.every:
            return f"{now - stay.last_bought_at} have passed since the last buy, {self.every} are to"
        return None

    def left(self, stay: Stay) -> Amount:
        return Amount(max(self.budget.number - stay.paid, ZERO), self.budget.asset)


@dataclass(frozen=True, slots=True)
class Sale:
    """A wish to sell: all but what is kept."""

    keeps: Decimal
    reason: str
    price_min: Decimal | None = None  # what it is worth it at; a way out that protects has none

    @property
    def is_whole(self) -> bool:
        return self.keeps <= 0


@dataclass(frozen=True, slots=True)
class PositionRules:
    """The rules of one strategy; those left out do nothing."""

    stop_loss: StopLoss | None = None
    indicator_stop: IndicatorStop | None = None
    trailing: TrailingStop | None = None
    break_even: BreakEven | None = None
    take_profit: TakeProfit | None = None
    holding: HoldingTime | None = None
    scale_out: ScaleOut | None = None
    re_entry: ReEntry = ON_A_NEW_CANDLE
    scale_in: ScaleIn | None = None
    pace: Pace | None = None

    @property
    def has_stop(self) -> bool:
        """Whether a position is protected from its first moment on."""
        return any(rule is not None for rule in (self.stop_loss, self.indicator_stop)) or (
            self.trailing is not None and self.trailing.from_gain == 0
        )

    def expressions(self) -> Sequence[Series | Condition]:
        """What the rules read of the candles."""
        return (
            *(() if self.indicator_stop is None else (self.indicator_stop.distance,)),
            *(() if self.scale_out is None else (self.scale_out.when,)),
        )

    def stop_ratio(self, distance: float | None) -> Ratio | None:
        """How far below its price an entry is stopped out first: what sizing by risk divides by."""
        ratios = [
            *(() if self.stop_loss is None else (self.stop_loss.ratio,)),
            *(() if self.indicator_stop is None else (self.indicator_stop.ratio(distance),)),
            *(() if self.trailing is None or self.trailing.from_gain > 0 else (self.trailing.ratio,)),
        ]
        return min(ratios, default=None)

    def floor(self, stay: Stay, bid: Decimal, distance: float | None) -> Decimal | None:
        """What this reading raises the floor to, if it is higher."""
        floors = (
            None if self.trailing is None else self.trailing.floor(stay, bid),
            None if self.break_even is None else self.break_even.floor(stay, bid),
            None if self.indicator_stop is None else self.indicator_stop.floor(stay, bid, distance),
        )
        return max((floor for floor in floors if floor is not None), default=None)

    def level(self, held: InstrumentState, default_stop: StopLoss | None) -> Decimal | None:
        """A best bid that is not above this ends the position: the highest of all stops."""
        stay = held.stay
        if held.position <= 0 or not stay.is_open:
            return None
        stop_loss = self.stop_loss if self.has_stop else default_stop
        levels = (None if stop_loss is None else stop_loss.level(stay), stay.floor)
        return max((level for level in levels if level is not None), default=None)

    def sales(self, held: InstrumentState, bid: Decimal, now: datetime) -> Iterator[Sale]:
        """What the clock and the ladder ask for."""
        stay = held.stay
        if stay.opened_at is None:
            return
        if self.holding is not None and now - stay.opened_at >= self.holding.longest:
            yield Sale(ZERO, f"held since {stay.opened_at.isoformat()}, {self.holding.longest} is the longest")
        if self.take_profit is not None and (kept := self.take_profit.keeps(stay, bid)) is not None:
            keeps, rung = kept
            reason = f"the bid {plain(bid)} is {plain(rung.gain)} above cost: {plain(keeps)} is kept"
            yield Sale(keeps, reason, round_ratio(stay.paid * (1 + rung.gain), stay.bought))


NO_RULES = PositionRules()


def _has_gained(stay: Stay, bid: Decimal, gain: Ratio) -> bool:
    return stay.bought > 0 and bid * stay.bought >= stay.paid * (1 + gain)


def _require_share(what: str, ratio: Ratio) -> None:
    if not 0 < ratio < 1:
        raise ValueError(f"{what} is a share between 0 and 1, not {ratio}")


def _require_gain(what: str, ratio: Ratio) -> None:
    if not 0 <= ratio <= 10:
        raise ValueError(f"{what} is 0 to 10, not {ratio}")


def _require_span(what: str, span: timedelta) -> None:
    if not timedelta() < span <= SPAN_MAX:
        raise ValueError(f"{what} is above 0 and up to {SPAN_MAX}, not {span}")
