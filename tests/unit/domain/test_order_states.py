"""The table of an order's life, read as a table."""

import pytest

from btcbot.domain.orders.states import (
    ALARMS,
    MOVES,
    TERMINAL,
    TRANSITIONS,
    UNRESOLVED,
    WORKING,
    Defect,
    IllegalTransition,
    OrderEvent,
    OrderState,
    next_state,
)

S, E = OrderState, OrderEvent
STARTS = {S.INTENT, S.ORPHAN}  # a decision begins one, a stranger with our label the other


def test_every_state_has_a_row_and_a_way_in() -> None:
    ways_in = {after for before, row in MOVES.items() for after in row.values() if after is not before}
    assert set(MOVES) == set(S) == ways_in | STARTS


def test_every_event_is_used() -> None:
    assert {event for row in MOVES.values() for event in row} == set(E)


def test_the_matrix_is_total() -> None:
    assert set(TRANSITIONS) == set(S)
    for row in TRANSITIONS.values():
        assert set(row) == set(E)
        assert all(isinstance(cell, S | Defect) for cell in row.values())


@pytest.mark.parametrize("state", S)
@pytest.mark.parametrize("event", E)
def test_a_cell_is_a_state_or_its_defect(state: OrderState, event: OrderEvent) -> None:
    if event in MOVES[state]:
        assert next_state(state, event) is MOVES[state][event]
        return
    with pytest.raises(IllegalTransition) as illegal:
        next_state(state, event)
    assert illegal.value.state is state
    assert illegal.value.event is event
    assert illegal.value.defect is TRANSITIONS[state][event]


def test_every_state_is_terminal_unresolved_or_working() -> None:
    assert sorted([*TERMINAL, *UNRESOLVED, *WORKING]) == sorted(S)


def test_only_an_intent_becomes_sending_and_nothing_becomes_an_intent() -> None:
    assert [before for before, row in MOVES.items() if S.SENDING in row.values()] == [S.INTENT]
    assert [before for before, row in MOVES.items() if S.INTENT in row.values()] == []


def test_only_evidence_leads_out_of_unknown() -> None:
    ways_out = {event for event, after in MOVES[S.UNKNOWN].items() if after is not S.UNKNOWN}
    seen = {E.SEEN_OPEN, E.SEEN_PARTIAL, E.SEEN_CLOSED, E.TRADED}
    assert ways_out == {E.ACCEPTED, E.ACCEPTED_OTHERWISE, E.ABSENCE_PROVEN} | seen


def test_an_order_is_over_only_from_closing_or_without_ever_resting() -> None:
    for before, row in MOVES.items():
        for after in row.values():
            if after in (S.FILLED, S.CANCELED) and before is not after:
                assert before is S.CLOSING


def test_every_state_but_an_orphan_takes_a_sighting_a_trade_and_a_restart() -> None:
    for state in set(S) - {S.ORPHAN}:
        for event in (E.SEEN_OPEN, E.SEEN_PARTIAL, E.SEEN_CLOSED, E.TRADED, E.RESTARTED):
            assert isinstance(TRANSITIONS[state][event], S), (state, event)


def test_what_contradicts_a_belief_rings_a_bell() -> None:
    sightings = {E.SEEN_OPEN, E.SEEN_PARTIAL, E.SEEN_CLOSED, E.TRADED}
    for state in (S.INTENT, S.NOT_SENT, S.REJECTED, S.ABSENT_SEALED):
        assert {(state, event) for event in sightings} <= ALARMS
    assert {(S.CANCELED, E.TRADED), (S.FILLED, E.TRADED), (S.ORPHAN, E.ADOPTED)} <= ALARMS
    assert {(S.CANCELED, E.REAPPEARED), (S.FILLED, E.REAPPEARED)} <= ALARMS
    mistaken = {E.ACCEPTED_OTHERWISE, E.ANSWERED_FOR_ANOTHER}
    assert {(S.SENDING, event) for event in mistaken} <= ALARMS
    expected = {(state, event) for state, event in ALARMS if event not in mistaken}
    assert not any(state in (S.SENDING, S.UNKNOWN, S.TURNED_DOWN, *WORKING - {S.ORPHAN}) for state, _ in expected)
    assert all(event in MOVES[state] for state, event in ALARMS)


def test_the_error_names_state_event_and_defect() -> None:
    with pytest.raises(IllegalTransition, match="state unknown cannot take cancel_sent"):
        next_state(S.UNKNOWN, E.CANCEL_SENT)
