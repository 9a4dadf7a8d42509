"""The control socket's verbs: what an operator may ask of a running live, each journaled and answered."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Protocol

from btcbot.domain.control import ControlAnswer, ControlRequest
from btcbot.domain.errors import BtcbotError
from btcbot.domain.events import Event
from btcbot.domain.orders.evidence import AbsenceProven
from btcbot.domain.orders.states import OrderState
from btcbot.domain.ports import Ids, Observer
from btcbot.observability.control import ask
from btcbot.persistence.sqlite.live_store import LiveStore
from btcbot.services.halting import Halting
from btcbot.services.run_dir import CONTROL_SOCKET
from btcbot.services.trading_book import TradingBook

OPERATOR = "operator"


async def send_command(run_dir: Path, verb: str, args: Mapping[str, str], ids: Ids) -> ControlAnswer:
    """Ask the running live worker; raises a `BtcbotError` with the next step when none listens."""
    return await ask(run_dir / CONTROL_SOCKET, ControlRequest(ids.new(), verb, dict(args)))


class Flattens(Protocol):
    async def flatten(self, reason: str, by: str) -> tuple[bool, str]: ...


class Assigns(Protocol):
    async def assign(self, asset: str, quantity: str, reason: str, by: str) -> str: ...


class ControlDesk:
    """Answers control requests. `reconcile` returns what is not clean, so that a resume can be refused with reasons."""

    def __init__(
        self,
        store: LiveStore,
        book: TradingBook,
        halting: Halting,
        reconcile: Callable[[], Awaitable[tuple[str, ...]]],
        changed: Callable[[], None],
        observer: Observer,
        flattening: Flattens,
        assigning: Assigns,
    ) -> None:
        self._store = store
        self._book = book
        self._halting = halting
        self._reconcile = reconcile
        self._changed = changed
        self._observer = observer
        self._flattening = flattening
        self._assigning = assigning

    async def answer(self, request: ControlRequest) -> ControlAnswer:
        self._observer.observed(Event.CONTROL_COMMAND_RECEIVED, verb=request.verb, request_id=request.id)
        reason = str(request.args.get("reason", "")).strip()
        if not reason:
            return ControlAnswer(request.id, False, "a reason is required", "repeat the command with --reason TEXT")
        match request.verb:
            case "halt":
                self._halting.latch(reason, OPERATOR)
                message, next_step = "halted: no submit leaves until a person resumes; cancels go on", ""
            case "pause":
                self._store.set_paused(True, OPERATOR, reason)
                self._observer.observed(Event.PAUSED, reason=reason, by=OPERATOR)
                message, next_step = "paused: no new entries; exits and cancels go on", "btcbot resume --reason TEXT"
            case "resume":
                return await self._resume(request.id, reason)
            case "seal":
                return self._seal(request.id, str(request.args.get("order", "")), reason)
            case "flatten":
                return await self._flatten(request.id, reason)
            case "assign":
                return await self._assign(request, reason)
            case _:
                return ControlAnswer(
                    request.id, False, f"there is no verb {request.verb[:40]!r}",
                    "use halt, pause, resume, flatten, assign or seal",
                )  # fmt: skip
        self._changed()
        return ControlAnswer(request.id, True, message, next_step)

    async def _resume(self, request_id: str, reason: str) -> ControlAnswer:
        seen = self._store.halts()
        try:
            open_points = await self._reconcile()
            if self._store.halts() > seen:
                open_points = (*open_points, f"halted anew meanwhile: {self._halting.reason()}")
            if not open_points and self._halting.reason() is not None:
                self._halting.lift(reason, OPERATOR)
        except BtcbotError as error:
            open_points = (str(error),)
        if open_points:
            return ControlAnswer(
                request_id, False, "not resumed, the reconciliation is not clean: " + "; ".join(open_points),
                "settle these points, then resume again",
            )  # fmt: skip
        if self._store.is_paused():
            self._store.set_paused(False, OPERATOR)
        self._observer.observed(Event.RESUMED, reason=reason, by=OPERATOR)
        self._changed()
        return ControlAnswer(request_id, True, "resumed after a clean reconciliation", "")

    async def _flatten(self, request_id: str, reason: str) -> ControlAnswer:
        try:
            is_flat, message = await self._flattening.flatten(reason, OPERATOR)
        except BtcbotError as error:
            return _refused(request_id, error)
        self._changed()
        next_step = "btcbot resume --reason TEXT, when it should trade again"
        if not is_flat:
            next_step = "look at the exchange and sell the rest by hand, or resume and flatten again"
        return ControlAnswer(request_id, is_flat, message, next_step)

    async def _assign(self, request: ControlRequest, reason: str) -> ControlAnswer:
        asset, quantity = str(request.args.get("asset", "")), str(request.args.get("quantity", ""))
        try:
            message = await self._assigning.assign(asset, quantity, reason, OPERATOR)
        except BtcbotError as error:
            return _refused(request.id, error)
        self._changed()
        return ControlAnswer(request.id, True, message, "")

    def _seal(self, request_id: str, order_id: str, reason: str) -> ControlAnswer:
        """A person's proof that an unknown order never arrived (reliability 3.3, manual sealing)."""
        order = self._book.by_label(order_id) or next(
            (o for o in self._book.unfinished() if o.order_id == order_id), None
        )
        if order is None or order.state is not OrderState.UNKNOWN:
            return ControlAnswer(
                request_id, False, f"{order_id[:40]!r} names no unknown order",
                "give the order's id or label, as the log and the table order_heads have it",
            )  # fmt: skip
        self._book.record(order.order_id, AbsenceProven(f"{OPERATOR}: {reason}"))
        self._changed()
        return ControlAnswer(request_id, True, f"order {order.client_order_id} is sealed as absent", "")


def _refused(request_id: str, error: BtcbotError) -> ControlAnswer:
    return ControlAnswer(request_id, False, str(error.args[0]) if error.args else str(error), error.next_step)
