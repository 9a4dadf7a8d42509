"""The two structures in which orders wait, against sorted lists."""

from hypothesis import given
from hypothesis import strategies as st

from btcbot.domain.money import ZERO, parse
from btcbot.domain.orders.intents import Side
from btcbot.simulation.fees import RATES
from btcbot.simulation.happenings import Method, OrderAccepted
from btcbot.simulation.orders import Order
from btcbot.simulation.resting import Resting, WaitingStops
from tests.unit.simulation.scripted import PAIR, TRY

STEPS = st.lists(st.tuples(st.booleans(), st.integers(1, 6)), max_size=30)  # add at a price, or take the n-th away


def _order(order_id: int, side: Side, ticks: int) -> Order:
    accepted = OrderAccepted(order_id, 1, PAIR, side, Method.LIMIT, parse("1"), parse("1"), ZERO, "", 0)
    return Order(accepted, RATES[TRY], ticks, ticks, 100, ZERO, 0)


@given(st.sampled_from(Side), STEPS)
def test_resting_orders_are_found_by_price_and_then_by_time(side: Side, steps: list[tuple[bool, int]]) -> None:
    resting, known = Resting(side), list[Order]()
    sign = -1 if side is Side.BUY else 1
    for number, (is_new, value) in enumerate(steps):
        if is_new:
            known.append(_order(number, side, value))
            resting.add(known[-1])
        elif value <= len(known):
            resting.remove(known.pop(value - 1))
        wanted = sorted(known, key=lambda order: (sign * order.ticks, order.accepted.order_id))
        assert [order for price in resting.prices() for order in resting.at(price)] == wanted
        assert resting.best == (wanted[0].ticks if wanted else None)
        assert bool(resting) == bool(wanted)
        assert resting.prices(3) == [price for price in resting.prices() if sign * price <= sign * 3]
        assert {order.accepted.order_id for _, order in resting.lasts()} == {
            max(order.accepted.order_id for order in known if order.ticks == price) for price in resting.prices()
        }


@given(st.sampled_from(Side), STEPS)
def test_stops_are_reached_in_the_order_of_a_moving_price(side: Side, steps: list[tuple[bool, int]]) -> None:
    waiting, known = WaitingStops(side), list[Order]()
    sign = 1 if side is Side.BUY else -1
    for number, (is_new, value) in enumerate(steps):
        if is_new:
            known.append(_order(number, side, value))
            waiting.add(known[-1])
        elif value <= len(known):
            waiting.remove(known.pop(value - 1))
        for price in range(8):
            reached = [order for order in known if sign * order.stop_ticks <= sign * price]
            first = min(reached, key=lambda order: (sign * order.stop_ticks, order.accepted.order_id), default=None)
            assert waiting.reached(price) is first
        assert bool(waiting) == bool(known)
