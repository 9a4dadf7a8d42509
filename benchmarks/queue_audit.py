"""The sandbox's record, gone through: was anybody filled before his turn?

At no time may an order have been filled as a maker while an earlier one at the same price, or one at a better price,
was there to be filled. The orders of whoever took are passed over: an account does not trade with itself.
"""

from bisect import insort
from dataclasses import dataclass, field
from decimal import Decimal

import httpx

RECORD_KINDS = ("order_accepted", "order_matched", "order_canceled", "order_closed")
LINES_PER_ANSWER = 10_000


@dataclass
class Audit:
    """The record, gone through: who was in which queue when somebody was filled."""

    queues: dict[tuple[str, str], list[tuple[Decimal, int]]] = field(default_factory=dict)  # best price, then id
    places: dict[int, tuple[tuple[str, str], tuple[Decimal, int]]] = field(default_factory=dict)
    left: dict[int, Decimal] = field(default_factory=dict)
    account: dict[int, int] = field(default_factory=dict)
    fills: int = 0
    between_clients: int = 0
    violations: list[str] = field(default_factory=list)

    def take(self, line: dict[str, object]) -> None:
        kind = line["kind"]
        if kind == "order_matched":
            self._matched(line)
        elif kind == "order_accepted" and line["method"] == "limit":
            self._accepted(line)
        elif kind in ("order_canceled", "order_closed"):
            self._leave(int(str(line["order_id"])))

    def _accepted(self, line: dict[str, object]) -> None:
        order_id, side = int(str(line["order_id"])), str(line["side"])
        price = Decimal(str(line["price"]))
        place = (-price if side == "buy" else price, order_id)
        queue = (str(line["pair"]), side)
        insort(self.queues.setdefault(queue, []), place)
        self.places[order_id] = (queue, place)
        self.left[order_id] = Decimal(str(line["quantity"]))
        self.account[order_id] = int(str(line["account_id"]))

    def _matched(self, line: dict[str, object]) -> None:
        order_id = int(str(line["order_id"]))
        if line["liquidity"] == "maker":
            self.fills += 1
            counter = int(str(line.get("counter_order_id", 0)))
            self.between_clients += counter != 0
            queue, place = self.places[order_id]
            for other in self.queues[queue]:
                if other >= place:
                    break
                if other[1] != counter and self.account[other[1]] != self.account.get(counter):
                    self.violations.append(f"{line['pair']} {line['side']}: {order_id} was filled before {other[1]}")
                    break
        self.left[order_id] -= Decimal(str(line["quantity"]))
        if self.left[order_id] <= 0:
            self._leave(order_id)

    def _leave(self, order_id: int) -> None:
        found = self.places.pop(order_id, None)
        if found is not None:
            self.queues[found[0]].remove(found[1])


def audited(admin_port: int) -> Audit:
    """The whole record of a sandbox, read over its admin port."""
    audit, after = Audit(), 0
    with httpx.Client(base_url=f"http://127.0.0.1:{admin_port}", trust_env=False, timeout=60) as http:
        while True:
            kinds = "&".join(f"kind={kind}" for kind in RECORD_KINDS)
            answer = http.get(f"/record?after={after}&limit={LINES_PER_ANSWER}&{kinds}")
            lines = answer.json()
            for line in lines:
                audit.take(line)
            until = int(answer.headers["X-Looked-Until"])
            if not lines and until <= after:
                return audit
            after = until
