"""An exit that the exchange turns down is decided on anew in every cycle. It is sent anew with growing pauses.

The first refusal of its kind costs nothing: the next cycle tries with what was learnt. From the second of the same kind
on the pause doubles, up to a limit, so that a suspended pair gets a try now and then and no storm (faults 43 and 88).
While exits of a pair are refused, nothing more of it is bought.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from btcbot.domain.events import Event
from btcbot.domain.orders.intents import Purpose
from btcbot.domain.orders.records import OrderRecord
from btcbot.domain.orders.states import OrderState
from btcbot.domain.ports import Clock, Observer

PAUSE = timedelta(seconds=10)  # after the second refusal of one kind
PAUSE_MAX = timedelta(minutes=5)
_REFUSED = (OrderState.TURNED_DOWN, OrderState.REJECTED)


@dataclass(frozen=True, slots=True)
class _Refusals:
    """Of one pair, all for the same reason, one after the other."""

    reason: str
    times: int
    next_at: datetime


class ExitPatience:
    def __init__(self, clock: Clock, observer: Observer) -> None:
        self._clock = clock
        self._observer = observer
        self._refused: dict[str, _Refusals] = {}

    def learn(self, order: OrderRecord) -> None:
        """What became of an order that was placed. A reason is told when it is new."""
        if order.purpose is not Purpose.EXIT:
            return
        if order.state not in _REFUSED:
            if order.exchange_order_id is not None:
                self._refused.pop(order.pair, None)
            return
        before = self._refused.get(order.pair)
        times = before.times + 1 if before is not None and before.reason == order.reason else 1
        pause = timedelta() if times == 1 else min(PAUSE * 2 ** min(times - 2, 10), PAUSE_MAX)
        self._refused[order.pair] = _Refusals(order.reason, times, self._clock.now() + pause)
        if times == 1:
            self._observer.observed(
                Event.EXIT_REFUSED, order_id=order.order_id, pair=order.pair, reason=order.reason,
                note="tried again with growing pauses; nothing more of it is bought meanwhile",
            )  # fmt: skip

    def forget(self, pair: str) -> None:
        """Nothing of it is held any more."""
        self._refused.pop(pair, None)

    def holds_back(self, pair: str) -> bool:
        """Whether an exit of a pair has to wait."""
        refused = self._refused.get(pair)
        return refused is not None and self._clock.now() < refused.next_at

    def is_refused(self, pair: str) -> bool:
        """Whether the last exit of a pair was refused."""
        return pair in self._refused

    def told(self) -> dict[str, str]:
        """For whoever watches: each pair with what the exchange says."""
        return {
            pair: f"{refused.reason}, {refused.times} in a row, tried again at {refused.next_at.isoformat()}"
            for pair, refused in sorted(self._refused.items())
        }
