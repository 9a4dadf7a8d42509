"""What a replay needs of the worker, gathered between two commits and made durable by the later one.

A decision reads the snapshot, the parameters, and a state that every change reached as an event. The snapshot is stored
by its content; the events are kept here in their order, those before the decision apart from those after it. A whole
state with its parameters is kept where a replay may begin: at the first decision of a process, at the first after one
that was not committed, and once in so many cycles.

Nothing is written out before the orders have left: a cycle only remembers what it decided on.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from btcbot.domain.state import StateEvent
from btcbot.persistence.sqlite.unit_of_work import DecisionRecord
from btcbot.services.decision import CyclePlan, DecisionParams, DecisionState
from btcbot.services.replay_content import decision_hash
from btcbot.services.replay_facts import form_of, from_text, to_text

CYCLES_PER_STATE = 720  # an hour of 5-second cycles: no replay of one cycle is longer
EVENTS_MAX = 10_000  # between two commits; beyond, the next decision begins with a whole state
BEFORE, AFTER = "before", "after"


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where a replay may begin: all that a decision reads besides the market."""

    params: DecisionParams
    state: DecisionState


@dataclass(frozen=True, slots=True)
class Inputs:
    """The events of one cycle: since the last commit, and from the decision on."""

    before: tuple[StateEvent, ...]
    after: tuple[StateEvent, ...]


class DecisionTape:
    def __init__(self) -> None:
        self._since_commit: list[StateEvent] = []
        self._since_decision: list[StateEvent] = []
        self._beginning: Beginning | None = None
        self._plan: CyclePlan | None = None
        self._is_whole = False  # whether what was committed and what is gathered here tell the state
        self._cycles = 0

    def took(self, event: StateEvent) -> None:
        """One change of the trading state."""
        events = self._since_commit if self._plan is None else self._since_decision
        if len(events) < EVENTS_MAX:
            events.append(event)
        else:
            self._is_whole = False  # the next decision begins with a whole state

    def decided(self, state: DecisionState, plan: CyclePlan, params: DecisionParams) -> None:
        """One decision, and the state that it was made on."""
        if self._plan is not None or not self._is_whole or self._cycles >= CYCLES_PER_STATE:
            self._beginning = Beginning(params, state)
            self._since_commit.clear()
            self._since_decision.clear()
            self._is_whole = True
            self._cycles = 0
        self._plan = plan

    def record(self) -> DecisionRecord | None:
        """What the cycle's commit is to hold; nothing where more happened in it than is kept."""
        assert self._plan is not None, "there is a record of a decision only"
        if not self._is_whole:
            return None
        inputs = _inputs_text(self._since_commit, self._since_decision)
        state = None if self._beginning is None else to_text(Beginning, self._beginning)
        return DecisionRecord(decision_hash(self._plan, inputs, state), inputs, state)

    def committed(self) -> None:
        """Forget what is durable now."""
        self._since_commit.clear()
        self._since_decision.clear()
        self._beginning = self._plan = None
        self._cycles += 1


def read_beginning(text: str) -> Beginning:
    """The reverse of what `record` says of a state."""
    return from_text(Beginning, text)


def read_inputs(text: str | None) -> Inputs:
    """The reverse of what `record` says of inputs; no text is no event."""
    parts = {} if text is None else json.loads(text)
    form = form_of(StateEvent)
    before, after = (tuple(map(form.read, parts.get(name, ()))) for name in (BEFORE, AFTER))
    return Inputs(before, after)


def _inputs_text(before: Iterable[StateEvent], after: Iterable[StateEvent]) -> str | None:
    write = form_of(StateEvent).write
    parts = {name: [write(event) for event in events] for name, events in ((BEFORE, before), (AFTER, after)) if events}
    return json.dumps(parts, separators=(",", ":"), ensure_ascii=False) if parts else None
