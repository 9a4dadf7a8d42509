"""One candle at a time: a program takes its state and a candle, and gives the new state with a value for each node.

Nothing that a state shows is changed in place, so a state can be kept, compared and gone back to. Shared parts of the
expressions are computed once for each candle. The candles of a longer interval are put together from those that come; a
candle of another pair is handed in with the first of ours that does not close before it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from btcbot.domain.market import Candle
from btcbot.strategy.language.layout import Layout
from btcbot.strategy.language.nodes import (
    CandleField,
    Expression,
    OfPair,
    OnTimeframe,
    Sample,
    in_order,
    node_of,
    required_interval,
)
from btcbot.strategy.language.steps import Memory
from btcbot.strategy.language.values import Bar, Value, bar_of, merged, opening_of
from btcbot.strategy.language.warm_up import OWN, Needs, candles_needed

CandlesByPair = Mapping[str, Sequence[Candle]]
NO_OTHERS: CandlesByPair = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Forming:
    """The candle of a longer interval that began last; its bar is gone once it closed."""

    opened_at: datetime
    bar: Bar | None
    is_whole: bool  # false where the first candle that was ever seen lay in the middle of it


@dataclass(frozen=True, slots=True, eq=False)
class ProgramState:
    """What a program remembers of some candles, and what it made of the last one.

    `others` are the states over other candles, of longer intervals and of other pairs, in the program's order.
    """

    candles: int
    values: tuple[Value, ...]
    memory: tuple[Memory, ...]
    others: tuple["ProgramState", ...] = ()
    forming: Forming | None = None

    def __eq__(self, other: object) -> bool:
        """Whether both remember the same; then no later candle can tell them apart."""
        return isinstance(other, ProgramState) and self.written() == other.written()

    def written(self) -> dict[str, Any]:
        """The state as plain facts, such as JSON can hold and `read` turns back, to the last bit."""
        written: dict[str, Any] = {
            "candles": self.candles,
            "values": list(self.values),
            "memory": [_written(memory) for memory in self.memory],
        }
        if self.others:
            written["others"] = [other.written() for other in self.others]
        if self.forming is not None:
            bar = None if self.forming.bar is None else list(self.forming.bar)
            written["forming"] = [self.forming.opened_at.isoformat(), bar, self.forming.is_whole]
        return written

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> "ProgramState":
        """The reverse of `written`. Raises `ValueError`, `TypeError` or `LookupError` for other facts."""
        forming = None
        if "forming" in written:
            opened_at, bar, is_whole = written["forming"]
            forming = Forming(datetime.fromisoformat(opened_at), None if bar is None else tuple(bar), is_whole)
        return cls(
            candles=written["candles"],
            values=tuple(written["values"]),
            memory=tuple(map(_read, written["memory"])),
            others=tuple(map(cls.read, written.get("others", ()))),
            forming=forming,
        )


class Program:
    """Expressions over the candles of one pair, put in an order in which each node finds its parts computed."""

    __slots__ = ("_blank", "_memory", "_needs", "_places", "_root_places", "_roots", "_samples", "_steps", "_streams")

    def __init__(self, *roots: Expression) -> None:
        """Raises `TypeError` for what is not an expression of the language."""
        self._roots = roots
        self._needs: dict[timedelta | None, Needs] = {}
        layout = Layout(in_order(roots))
        self._places, self._blank = layout.places, layout.blank
        self._steps, self._memory = tuple(layout.steps), tuple(layout.memory)
        # A root is found by being itself: to hash one means to hash the whole tree below it, for each candle.
        self._root_places = {id(root): self._places[node_of(root)] for root in roots}
        self._streams = _streams_of(layout.samples)
        self._samples = tuple(_sight_of(sample, self._streams) for sample in layout.samples)

    def initial(self) -> ProgramState:
        """Before the first candle: nothing remembered, nothing defined, not even constants: who looks sees nothing."""
        values = (None,) * (len(CandleField) + len(self._samples) + len(self._blank))
        return ProgramState(0, values, self._memory, tuple(stream.program.initial() for stream in self._streams))

    def step(
        self,
        state: ProgramState,
        candle: Candle,
        interval: timedelta | None = None,
        others: CandlesByPair = NO_OTHERS,
    ) -> ProgramState:
        """The state after one more candle.

        `interval` is that of the candles; only a program that looks at a longer one needs to know it. `others` holds
        the candles of other pairs that closed since the last step and not later than this one, oldest first.
        """
        return self.after(state, candle.opened_at, bar_of(candle), interval, others)

    def after(
        self,
        state: ProgramState,
        opened_at: datetime,
        bar: Bar,
        interval: timedelta | None,
        others: CandlesByPair = NO_OTHERS,
    ) -> ProgramState:
        """`step`, of a candle that has become floats."""
        streams = state.others
        if self._streams:
            streams = tuple(
                stream.after(other, opened_at, bar, interval, others)
                for stream, other in zip(self._streams, streams, strict=True)
            )
        values: list[Value] = [*bar, *(streams[number].values[place] for number, place in self._samples), *self._blank]
        memory = list(state.memory)
        for step in self._steps:
            step(values, memory)
        return ProgramState(state.candles + 1, tuple(values), tuple(memory), streams, state.forming)

    def value(self, state: ProgramState, expression: Expression) -> Value:
        """What the last candle made of one of the program's expressions, or of a part of one over the same candles."""
        return state.values[self.place_of(expression)]

    def place_of(self, expression: Expression) -> int:
        """Where in a state's values that of an expression lies."""
        place = self._root_places.get(id(expression))
        return self._places[node_of(expression)] if place is None else place

    def needs(self, interval: timedelta | None = None) -> Needs:
        """How many candles of each pair, ours under `OWN`, must have been seen. Raises as `candles_needed` does."""
        if interval not in self._needs:
            self._needs[interval] = candles_needed(self._roots, interval)
        return self._needs[interval]

    def seen(self, state: ProgramState) -> Needs:
        """How many candles of each pair have been seen, as `needs` counts them."""
        seen: dict[str | None, int] = {OWN: state.candles}
        for stream, other in zip(self._streams, state.others, strict=True):
            if isinstance(stream, _OtherPair):
                seen[stream.pair] = other.candles
        return seen

    def is_warm(self, state: ProgramState, interval: timedelta | None = None) -> bool:
        """Whether enough candles were seen of each pair for the values to be trusted."""
        seen = self.seen(state)
        return all(seen[pair] >= candles for pair, candles in self.needs(interval).items())


@dataclass(frozen=True, slots=True)
class _Timeframe:
    """The same pair's candles of a longer interval."""

    interval: timedelta
    program: Program

    def is_seen_by(self, sample: Sample) -> bool:
        return isinstance(sample, OnTimeframe) and sample.interval == self.interval

    def after(
        self, state: ProgramState, opened_at: datetime, bar: Bar, interval: timedelta | None, _others: CandlesByPair
    ) -> ProgramState:
        """With the candle in it, and with the longer one if this was its last. What began earlier is over by then."""
        interval = required_interval(self.interval, interval)
        start, forming = opening_of(opened_at, self.interval), state.forming
        if forming is not None and forming.bar is not None and forming.opened_at == start:
            forming = replace(forming, bar=merged(forming.bar, bar))
        else:
            state = self._closed(state)
            forming = Forming(start, bar, is_whole=forming is not None or opened_at == start)
        state = replace(state, forming=forming)
        return self._closed(state) if opened_at + interval >= start + self.interval else state

    def _closed(self, state: ProgramState) -> ProgramState:
        forming = state.forming
        if forming is None or forming.bar is None:
            return state
        if forming.is_whole:
            state = self.program.after(state, forming.opened_at, forming.bar, self.interval)
        return replace(state, forming=replace(forming, bar=None))


@dataclass(frozen=True, slots=True)
class _OtherPair:
    """The candles of another pair, of the same interval."""

    pair: str
    program: Program

    def is_seen_by(self, sample: Sample) -> bool:
        return isinstance(sample, OfPair) and sample.pair == self.pair

    def after(
        self, state: ProgramState, _opened_at: datetime, _bar: Bar, interval: timedelta | None, others: CandlesByPair
    ) -> ProgramState:
        for candle in others.get(self.pair, ()):
            state = self.program.step(state, candle, interval)
        return state


_Stream = _Timeframe | _OtherPair


def _streams_of(samples: Iterable[Sample]) -> tuple[_Stream, ...]:
    """The other candles that are looked at, each with one program for all that is seen of them."""
    frames: dict[timedelta, list[Expression]] = {}
    pairs: dict[str, list[Expression]] = {}
    for sample in samples:
        if isinstance(sample, OnTimeframe):
            frames.setdefault(sample.interval, []).append(sample.source)
        else:
            pairs.setdefault(sample.pair, []).append(sample.source)
    return (
        *(_Timeframe(interval, Program(*roots)) for interval, roots in frames.items()),
        *(_OtherPair(pair, Program(*roots)) for pair, roots in pairs.items()),
    )


def _sight_of(sample: Sample, streams: tuple[_Stream, ...]) -> tuple[int, int]:
    """The number of the stream that a sample looks at, and the place of what it sees there."""
    number = next(number for number, stream in enumerate(streams) if stream.is_seen_by(sample))
    return number, streams[number].program.place_of(sample.source)


def _written(memory: Memory) -> Any:
    """A memory as plain facts; of a list that is shared, the part that is this state's."""
    if not isinstance(memory, tuple):
        return memory
    if memory and isinstance(memory[0], list):
        items, end, depth, *rest = memory
        return {"past": items[end - depth : end], "rest": rest}
    return [_written(part) for part in memory]


def _read(written: Any) -> Memory:
    if isinstance(written, dict):
        depth = len(written["past"])
        return (list(written["past"]), depth, depth, *written["rest"])
    return tuple(map(_read, written)) if isinstance(written, list) else written
