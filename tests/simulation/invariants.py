"""What must hold after every step (reliability 3.4), held against the venue's own truth."""

from decimal import Decimal

from btcbot.domain.money import ZERO, parse
from btcbot.domain.orders.intents import Side
from btcbot.domain.orders.journaling import Holdings
from btcbot.domain.orders.records import JournaledOrder
from btcbot.domain.orders.states import TERMINAL, OrderState
from btcbot.persistence.sqlite.chain import verify_chain
from btcbot.persistence.sqlite.live_store import LiveStore
from btcbot.simulation.orders import Order
from tests.simulation.exchange import ACCOUNT, Network

S = OrderState


def before_a_submit(order: JournaledOrder, store: LiveStore, blocks: tuple[str, ...], exposure_max: Decimal) -> None:
    """S2, S7 and S8, at the last moment before the wire."""
    assert blocks == (), f"S8: a submit is about to leave although {blocks}"
    assert store.halt() is None, "S8: a submit is about to leave while trading is halted"
    row = store.journal.get(order.order_id)
    assert row.state is S.SENDING, f"S7: {row.client_order_id} leaves while it is {row.state} in the journal"
    if row.side is Side.BUY:
        history = store.history()
        held = Holdings()
        for fill in store.fills():
            held = held.after(fill)
        working = sum(
            (o.reservation.number - o.filled * o.price for o in history.orders if o.side is Side.BUY), start=ZERO
        )
        exposure = held.notional(row.reservation.asset).number + working
        assert exposure <= exposure_max, f"S2: an exposure of {exposure}"


def after_a_step(store: LiveStore, network: Network) -> None:
    """S1, S3, S4, S5, S6 and S7."""
    database = store._database
    assert all(count == 1 for count in network.accepted.values()), "S1: a label was accepted twice"
    assert len(set(network.wire)) == len(network.wire), "S7: an order was sent twice"
    rows = database.execute(
        "SELECT client_order_id, state, filled, EXISTS (SELECT 1 FROM order_history AS steps "
        "WHERE steps.order_id = orders.order_id AND steps.after = 'sending') "
        "FROM orders JOIN order_heads USING (order_id)"
    )
    ours = {label: (OrderState(state), parse(filled), bool(was_sent)) for label, state, filled, was_sent in rows}
    for label in network.wire:
        assert ours[label][2], f"S7: {label} left and was never SENDING"
    for venue_order in network.venue.orders.values():
        label = venue_order.accepted.client_order_id
        assert label in ours, f"S3: {label} is at the venue and has no row"
        state, filled, _ = ours[label]
        if state in TERMINAL:
            _agrees(state, filled, venue_order)
    traded = {match.trade_id for match in network.venue.matches}
    booked = [trade for (trade,) in database.execute("SELECT trade_id FROM fills")]
    assert len(booked) == len(set(booked)), "S6: a trade was booked twice"
    assert set(booked) <= traded, "S6: a trade was booked that never was"
    is_over = all(state in TERMINAL for state, _, _ in ours.values())
    if is_over and network.pending == 0 and store.ledger_opened_at() is not None:
        ledger_is_exact(store, network)


def _agrees(state: OrderState, filled: Decimal, order: Order) -> None:
    """S4: what we hold for over is over there, with the same amount."""
    label = order.accepted.client_order_id
    assert state in (S.FILLED, S.CANCELED), f"S4: {label} is {state} here, and the venue took it"
    assert not order.is_open, f"S4: {label} is {state} here and open at the venue"
    assert filled == order.filled, f"S4: {label} has {filled} filled here and {order.filled} at the venue"


def ledger_is_exact(store: LiveStore, network: Network) -> None:
    ours = {asset: number for asset, number in store.ledger_balances().items() if number}
    totals = network.venue.accounts[ACCOUNT].totals
    assert ours == {asset: number for asset, number in totals.items() if number}, "S5: the ledger is off"


def chain_is_whole(store: LiveStore) -> None:
    """S11."""
    verify_chain(store._database, store.db_uuid)
