"""What every journal holds to, whatever it writes to: what may be reserved, and how an orphan gets its row.

Pure, so that the durable journal and the in-memory one of research cannot differ.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from btcbot.domain.errors import BtcbotError
from btcbot.domain.money import ZERO, Amount, Asset, plain, total
from btcbot.domain.orders.evidence import Evidence, Fill, Seen
from btcbot.domain.orders.intents import ApprovedOrderIntent, Intent, Purpose, Side
from btcbot.domain.orders.labels import Label, read_label
from btcbot.domain.orders.life import Step, advance
from btcbot.domain.orders.records import OrderRecord
from btcbot.domain.orders.states import ALARMS, OrderEvent, OrderState, next_state


@dataclass(frozen=True, slots=True)
class ReservationLimits:
    """The limits that are re-read in the transaction that reserves. For entries: an exit takes risk away."""

    exposure_max: Amount
    order_notional_max: Amount
    open_orders_max: int
    open_orders_per_instrument_max: int


class ReservationRefused(BtcbotError):
    """The transaction that would have reserved found that it may not. Nothing was written."""

    next_step = "nothing was sent; the strategy decides afresh"


class OrderUnknown(BtcbotError):
    """No order has this id."""


class AdoptionRefused(BtcbotError):
    """What was to be adopted is not an orphan of ours."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """What our fills add up to: base per pair, and the price of the last fill."""

    quantities: Mapping[str, Decimal] = field(default_factory=dict)
    last_prices: Mapping[str, Decimal] = field(default_factory=dict)

    def after(self, fill: Fill) -> "Holdings":
        sign = 1 if fill.side is Side.BUY else -1
        quantity = self.quantities.get(fill.pair, ZERO) + sign * fill.quantity
        return Holdings({**self.quantities, fill.pair: quantity}, {**self.last_prices, fill.pair: fill.price})

    def notional(self, currency: Asset) -> Amount:
        """All positions at the price of their last fill: no market is needed; the gate has judged by mark before."""
        parts = (max(quantity, ZERO) * self.last_prices[pair] for pair, quantity in self.quantities.items())
        return Amount(sum(parts, ZERO), currency)


def require_reservable(
    approved: ApprovedOrderIntent, unfinished: Sequence[OrderRecord], holdings: Holdings, limits: ReservationLimits
) -> None:
    """`ReservationRefused` where an unresolved order closes the pair, a limit is hit, or coins are not ours to sell.

    An entry is refused beside any unresolved order of its pair, an exit beside one of its own side (reliability 3.3).
    """
    wanted = approved.intent
    for order in unfinished:
        closes = wanted.purpose is Purpose.ENTRY or order.side is wanted.side
        if order.pair == wanted.pair and order.is_unresolved and closes:
            raise ReservationRefused(
                f"{wanted.pair} is closed for this {wanted.side}: order {order.client_order_id} is {order.state}"
            )
    if wanted.purpose is Purpose.ENTRY:
        _require_within_limits(approved, unfinished, holdings, limits)
    if wanted.side is Side.SELL:
        _require_ours_to_sell(wanted, unfinished, holdings)


def adopted(
    evidence: Evidence, order_id: str, deployment_id: str, currency: Asset, at: datetime,
    by_label: Callable[[str], OrderRecord | None],
) -> tuple[OrderRecord, OrderRecord, tuple[Step, ...], Label, Asset]:  # fmt: skip
    """The lost row, the order as it stands now, the steps between, its label and its base asset.

    A second order under a label that has a row gets one of its own, named by the label and the exchange's number: it
    is at the exchange, so it counts. Raises `AdoptionRefused` for anything but a listing of an order that bears a label
    of this deployment, and for one that may be the order of the row that there is.
    """
    if not isinstance(evidence, Seen):
        raise AdoptionRefused("an orphan is adopted from a listing of the exchange and from nothing else")
    venue = evidence.order
    label = read_label(venue.client_order_id)
    if label is None or label.deployment_id != deployment_id:
        raise AdoptionRefused(f"exchange order {venue.exchange_order_id} does not bear a label of ours")
    if not venue.pair.endswith(currency) or venue.pair == currency:
        raise AdoptionRefused(f"{venue.pair} is not quoted in {currency}, so its books cannot be kept")
    base = Asset(venue.pair.removesuffix(currency))
    first = by_label(str(label))
    if first is not None and first.exchange_order_id in (None, venue.exchange_order_id):
        raise AdoptionRefused(f"label {label} has a row; exchange order {venue.exchange_order_id} is taken for its own")
    name = str(label) if first is None else f"{label}+{venue.exchange_order_id}"
    why = "had no row" if first is None else f"so does {first.exchange_order_id}, which has its row"
    is_buy = venue.side is Side.BUY
    orphan = OrderRecord(
        order_id=order_id, client_order_id=name, decision_id=f"orphan/{name}", pair=venue.pair,
        side=venue.side, purpose=Purpose.ENTRY if is_buy else Purpose.EXIT, quantity=venue.quantity,
        price=venue.price,
        reservation=Amount(venue.price * venue.quantity, currency) if is_buy else Amount(venue.quantity, base),
        state=OrderState.ORPHAN, created_at=at, changed_at=at,
    )  # fmt: skip
    opened = next_state(OrderState.ORPHAN, OrderEvent.ADOPTED)
    adoption = Step(
        OrderState.ORPHAN, OrderEvent.ADOPTED, opened, (OrderState.ORPHAN, OrderEvent.ADOPTED) in ALARMS,
        f"exchange order {venue.exchange_order_id} bears our label, and {why}",
    )  # fmt: skip
    order, steps, _ = advance(replace(orphan, state=opened), evidence, at)
    return orphan, order, (adoption, *steps), label, base


def _require_within_limits(
    approved: ApprovedOrderIntent, unfinished: Sequence[OrderRecord], holdings: Holdings, limits: ReservationLimits
) -> None:
    wanted = approved.intent
    if not wanted.notional <= limits.order_notional_max:
        raise ReservationRefused(f"a notional of {wanted.notional} is above {limits.order_notional_max}")
    if len(unfinished) >= limits.open_orders_max:
        raise ReservationRefused(f"{len(unfinished)} orders are open, the limit is {limits.open_orders_max}")
    of_pair = sum(order.pair == wanted.pair for order in unfinished)
    if of_pair >= limits.open_orders_per_instrument_max:
        raise ReservationRefused(
            f"{of_pair} orders of {wanted.pair} are open, the limit is {limits.open_orders_per_instrument_max}"
        )
    if wanted.side is Side.BUY:
        currency = limits.exposure_max.asset
        working = total((_left_to_pay(order) for order in unfinished if order.side is Side.BUY), currency)
        exposure = holdings.notional(currency) + working + approved.reservation
        if not exposure <= limits.exposure_max:
            raise ReservationRefused(f"an exposure of {exposure} is above {limits.exposure_max}")


def _require_ours_to_sell(wanted: Intent, unfinished: Sequence[OrderRecord], holdings: Holdings) -> None:
    """The bot sells only what its own fills bought, and nothing twice."""
    position = holdings.quantities.get(wanted.pair, ZERO)
    sells = (order for order in unfinished if order.pair == wanted.pair and order.side is Side.SELL)
    selling = sum((order.left for order in sells), ZERO)
    if selling + wanted.quantity > position:
        raise ReservationRefused(
            f"{plain(wanted.quantity)} {wanted.instrument.base} are not ours to sell: the position is "
            f"{plain(position)}, {plain(selling)} of it for sale already"
        )


def _left_to_pay(order: OrderRecord) -> Amount:
    """The whole reservation of a buy less what its fills have paid at most; what was bought counts as position."""
    return Amount(order.reservation.number - order.filled * order.price, order.reservation.asset)
