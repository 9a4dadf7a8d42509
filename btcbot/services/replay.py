"""Makes the decisions of a database again, and says where one comes out otherwise (design, G7).

What is stored is what was decided; the replay shows that the same state, snapshot and parameters still give it. It
begins where a whole state was stored and applies the stored events in their order. Each cycle is held against the hash
of its whole decision, against the signals and verdicts in the tables, and against what the cycle's own row says trading
stood at when it ended.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path

from btcbot.domain.errors import BtcbotError, UsageError
from btcbot.domain.market import MarketSnapshot, read_snapshot
from btcbot.domain.money import plain
from btcbot.domain.orders.intents import ApprovedOrderIntent
from btcbot.domain.signals import Signal
from btcbot.domain.state import StateEvent, TradingState
from btcbot.persistence.sqlite.errors import TamperedRecords
from btcbot.persistence.sqlite.recorder import json_text
from btcbot.persistence.sqlite.stored import CycleRecords
from btcbot.persistence.sqlite.story import NotOnRecord, Story, story_of, unpacked
from btcbot.risk.gate import Refused
from btcbot.services.decision import CyclePlan, DecisionParams, DecisionState, decide
from btcbot.services.replay_content import decision_hash
from btcbot.services.replay_tape import read_beginning, read_inputs
from btcbot.strategy.code import Code

UNREADABLE = (ValueError, TypeError, LookupError, ArithmeticError, BtcbotError)
SHOWN = 16  # characters of a hash
Stored = tuple[str | bool | Decimal | None, ...]  # a row as it is compared


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision made again, with what it was made on."""

    params: DecisionParams
    snapshot: MarketSnapshot
    plan: CyclePlan
    after: DecisionState  # what the cycle left to the next


@dataclass(frozen=True, slots=True)
class Replayed:
    """One cycle. Without `decided` there was nothing to decide on: `untold` says why."""

    number: int
    cycle_id: str
    decided: Decided | None
    differences: tuple[str, ...]
    untold: str | None = None


@dataclass(frozen=True, slots=True)
class Stretch:
    """Cycles in a row of which the same is to be said; what differs is that of the first, for others follow from it."""

    first: int
    last: int
    cycle_id: str  # of the first
    what: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What a replay came to."""

    first: int
    last: int
    equal: int
    different: tuple[Stretch, ...]
    untold: tuple[Stretch, ...]  # nothing was stored to decide on

    @property
    def is_clean(self) -> bool:
        return not self.different


def replay(path: Path, begin: str | None = None, end: str | None = None, code: Code | None = None) -> ReplayReport:
    """Replay the cycles from `begin` to `end`, ids or numbers, both included; all of them where nothing is said.

    Decisions of a strategy in Python need its `code`, the very same; without it they cannot be made again.

    Raises `OwnershipError` for what is not live's database, and `NotOnRecord` for a cycle that it does not have.
    """
    different: list[Stretch] = []
    untold: list[Stretch] = []
    equal = 0
    with story_of(path) as story:
        first, last = _bounds(story, begin, end)
        for cycle in replayed(story, first, last, code):
            if cycle.differences:
                _lengthen(different, cycle, cycle.differences, are_one=True)
            elif cycle.untold is not None:
                _lengthen(untold, cycle, (cycle.untold,), are_one=False)
            else:
                equal += 1
    return ReplayReport(first, last, equal, tuple(different), tuple(untold))


def _lengthen(stretches: list[Stretch], cycle: Replayed, what: tuple[str, ...], *, are_one: bool) -> None:
    """Add a cycle to the last stretch, if it goes on there: with the same to say, or with whatever where `are_one`."""
    last = stretches[-1] if stretches else None
    if last is not None and last.last == cycle.number - 1 and (are_one or last.what == what):
        stretches[-1] = replace(last, last=cycle.number)
    else:
        stretches.append(Stretch(cycle.number, cycle.number, cycle.cycle_id, what))


def replayed(story: Story, first: int, last: int, code: Code | None = None) -> Iterator[Replayed]:
    """Each cycle from `first` to `last`. What came before is replayed as far back as its state was stored."""
    player = _Player(code)
    for records in story.cycles(story.beginning(first) or first, last):
        cycle = player.play(records)
        if cycle.number >= first:
            yield cycle


class _Player:
    """Goes from cycle to cycle; knows the state as long as the records tell it."""

    def __init__(self, code: Code | None) -> None:
        self._code = code
        self._params: DecisionParams | None = None
        self._state: DecisionState | None = None

    def play(self, records: CycleRecords) -> Replayed:
        number, cycle_id = records.cycle.id, records.cycle.cycle_id
        if records.decision is None:
            self._state = None
            return Replayed(number, cycle_id, None, (), _why_untold(records))
        try:
            return self._decide(records)
        except UNREADABLE as error:
            self._state = None
            return Replayed(number, cycle_id, None, (f"its records cannot be read: {error}",))

    def _decide(self, records: CycleRecords) -> Replayed:
        cycle, decision = records.cycle, records.decision
        assert decision is not None, "a cycle without a decision is told apart before"
        inputs = read_inputs(decision.inputs)
        if decision.state is not None:
            beginning = read_beginning(decision.state)
            self._params, self._state = beginning.params, beginning.state
            if (code := beginning.params.strategy.code) is not None:
                if self._code is None or self._code.identity != code.identity:
                    self._state = None
                    return Replayed(cycle.id, cycle.cycle_id, None, (), _code_is_missing(code))
                strategy = replace(beginning.params.strategy, code=self._code)
                self._params = replace(beginning.params, strategy=strategy)
        if self._state is None or self._params is None:
            return Replayed(cycle.id, cycle.cycle_id, None, (), "the state before it is not known")
        if cycle.snapshot_id is None:
            raise TamperedRecords("a decision without a snapshot")
        snapshot = read_snapshot(unpacked(cycle.snapshot_id, records.packed_snapshot))
        plan = decide(_after(self._state, inputs.before), snapshot, self._params, cycle.cycle_id)
        self._state = _after(plan.state, inputs.after)
        differences = (*_differences(records, plan), *_standing_differences(records, self._state.trading))
        return Replayed(cycle.id, cycle.cycle_id, Decided(self._params, snapshot, plan, self._state), differences)


def _code_is_missing(code: Code) -> str:
    return (
        f"its strategy is code, {code.reference} with sha256 {code.digest[:SHOWN]}, and that is not what the settings "
        "name now"
    )


def _after(state: DecisionState, events: Iterable[StateEvent]) -> DecisionState:
    for event in events:
        state = state.after(event)
    return state


def _why_untold(records: CycleRecords) -> str:
    if records.cycle.outcome != "completed":
        return f"a {records.cycle.outcome}, not a decision of the strategy"
    return "what it was decided on was not kept: an older btcbot wrote it, or too much happened in it"


def _differences(records: CycleRecords, plan: CyclePlan) -> Iterator[str]:
    """Where the decision made again is not the one that was stored."""
    signals = tuple(
        (each.pair, each.direction, each.confidence, each.notional_number, each.notional_asset, each.reason)
        for each in records.signals
    )
    yield from _unlike("signal", signals, tuple(map(_signal, plan.signals)))
    verdicts = tuple(
        (each.decision_id, each.pair, each.side, each.is_approved, each.reasons) for each in records.verdicts
    )
    yield from _unlike("verdict", verdicts, tuple(map(_verdict, plan.verdicts)))
    decision = records.decision
    assert decision is not None, "a cycle without a decision is told apart before"
    again = decision_hash(plan, decision.inputs, decision.state)
    if again != decision.decision_hash:
        yield (
            f"the hash of the decision and its inputs was {decision.decision_hash[:SHOWN]}, again it is {again[:SHOWN]}"
        )


def _standing_differences(records: CycleRecords, trading: TradingState) -> Iterator[str]:
    """What trading stood at when the cycle ended, by its own row and by the replay."""
    cycle = records.cycle
    pairs = (
        ("equity", cycle.equity, trading.equity),
        ("equity_peak", cycle.equity_peak, trading.equity_peak),
        ("day_pnl", cycle.day_pnl, trading.day_pnl),
        ("day", cycle.day, trading.day),
        ("day_opening_pnl", cycle.day_opening_pnl, trading.day_opening_pnl),
        ("halted", cycle.halted, trading.halt_reason is not None),
        ("paused", cycle.paused, trading.is_paused),
    )
    for name, stored, again in pairs:
        if stored != again:
            yield f"{name} was {_told(stored)}, again it is {_told(again)}"


def _signal(signal: Signal) -> Stored:
    notional = signal.notional
    number, asset = (None, None) if notional is None else (notional.number, notional.asset)
    return signal.pair, str(signal.direction), repr(signal.confidence), number, asset, signal.reason


def _verdict(verdict: ApprovedOrderIntent | Refused) -> Stored:
    """As the run loop stores it; of an approved intent the hash knows the rest."""
    intent = verdict.intent
    reasons = () if isinstance(verdict, ApprovedOrderIntent) else verdict.named_reasons()
    return intent.decision_id, intent.pair, str(intent.side), not reasons, json_text(reasons)


def _unlike(what: str, stored: tuple[Stored, ...], again: tuple[Stored, ...]) -> Iterator[str]:
    """One line for each place; a missing one is said to be nothing."""
    for before, after in zip_longest(stored, again):
        if before != after:
            yield f"the {what} was {_told(before)}, again it is {_told(after)}"


def _told(fact: object) -> str:
    match fact:
        case None:
            return "nothing"
        case Decimal():
            return plain(fact)
        case tuple():
            return " ".join(_told(part) for part in fact if part is not None)
        case _:
            return str(fact)


def _bounds(story: Story, begin: str | None, end: str | None) -> tuple[int, int]:
    bounds = story.bounds()
    if bounds is None:
        raise NotOnRecord("this database holds no cycle yet")
    first, last = (
        bound if word is None else _number(story, word) for bound, word in zip(bounds, (begin, end), strict=True)
    )
    if first > last:
        raise UsageError(f"--from {first} comes after --to {last}")
    return first, last


def _number(story: Story, word: str) -> int:
    cycle = story.cycle(word)
    if cycle is None:
        raise NotOnRecord(f"there is no committed cycle {word[:40]!r}")
    return cycle.id
