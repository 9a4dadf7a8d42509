"""JSON lines on stdout, one event a line. Logging decides nothing, never raises, and never makes the process wait.

- A line is built where the event happens and written by a listener thread of the standard library. The queue between
  them is bounded: when nobody takes our output, lines are dropped and counted, and the count is told with the next line
  that gets through.
- Everything goes one way: our events, warnings, uncaught exceptions, failures of the event loop, and what libraries
  have to say. So the mask for secrets has one place.
"""

import io
import logging
import logging.handlers
import os
import queue
import select
import sys
from collections.abc import Mapping
from contextlib import suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, TextIO

from pythonjsonlogger.json import JsonFormatter

from btcbot.domain.events import Event
from btcbot.domain.ports import Clock
from btcbot.domain.secrets import Secret
from btcbot.domain.times import iso_utc
from btcbot.observability.field_values import plain, plain_fields, told_traceback
from btcbot.observability.masking import Mask

QUEUE_LINES_MAX = 10_000
STOP_SECONDS = 2.0  # of real time: how long a stop waits for whoever takes our output

OURS: Final = "btcbot"
LIBRARIES = (
    "asyncio", "concurrent.futures", "httpcore", "httpx", "peewee", "py.warnings", "stamina", "uvicorn",
    "uvicorn.access", "uvicorn.error", "websockets", "websockets.client", "websockets.server",
)  # fmt: skip
DEFECTS_FROM = frozenset({"asyncio", "py.warnings"})  # what they report is a mistake of ours

TOLD_BY_EVENTS = frozenset({"cycle_id", "db_fingerprint"})  # an event may know them better than its surroundings

current_cycle: ContextVar[str | None] = ContextVar("current_cycle", default=None)

_DEBUG = frozenset({Event.HEALTH_CHECKED, Event.REQUEST_RETRIED})
_WARNING = frozenset(
    {
        Event.LIBRARY_REPORTED, Event.LOG_LINES_DROPPED, Event.UNCLEAN_STOP_DETECTED, Event.CANCEL_REPEATED,
        Event.DATABASE_LOG_LONG, Event.ENGINE_DEFECT_KNOWN, Event.RECORDS_UNBLOCKED,
        Event.STRATEGY_FAILED,
        Event.FOREIGN_ORDER_SEEN, Event.SUBMIT_BLOCKED, Event.PAUSED, Event.EXCHANGE_UNREACHABLE, Event.REQUEST_FAILED,
        Event.RATE_LIMITED, Event.STREAM_LOST, Event.SUBSCRIPTION_SILENT, Event.BOOK_GAPPED,
        Event.BOOK_NUMBERS_RELAXED, Event.FRAME_REFUSED, Event.FEED_READER_DROPPED, Event.FEED_LOST,
        Event.COINS_ASSIGNED, Event.FEE_DIFFERED, Event.FLATTEN_BEGUN, Event.FLATTEN_ENDED,
        Event.CONTROL_REQUEST_REFUSED, Event.HEALTH_CHANGED, Event.SANDBOX_REQUEST_REFUSED,
    }
)  # fmt: skip
_ERROR = frozenset(
    {
        Event.START_REFUSED, Event.DEFECT_CAUGHT, Event.RECORDS_BLOCKED, Event.CANCEL_LEFT_UNRECORDED,
        Event.CYCLE_FAILED, Event.STRATEGY_MISSING, Event.ORDER_ADOPTED, Event.ORDERS_LEFT_OPEN,
        Event.RECONCILIATION_FAILED, Event.LEDGER_MISMATCHED, Event.HALT_TRIPPED, Event.HALT_LATCHED, Event.HALTED,
        Event.CLOCK_OFFSET_EXCEEDED, Event.KEY_REFUSED, Event.EXIT_REFUSED,
        Event.PRIVATE_CALLS_STOPPED,
    }
)  # fmt: skip


def level_of(event: Event) -> int:
    """How loud an event is; what no table names is told at INFO."""
    if event in _ERROR:
        return logging.ERROR
    if event in _WARNING:
        return logging.WARNING
    return logging.DEBUG if event in _DEBUG else logging.INFO


class LogObserver:
    """An `Observer` that writes what it is told as JSON lines. From `database_opened` on, they name the database."""

    def __init__(self, handler: "_LineHandler", listener: "_Listener") -> None:
        self._handler = handler
        self._listener = listener
        self._logger = logging.getLogger(OURS)

    def observed(self, event: Event, **fields: object) -> None:
        if event is Event.DATABASE_OPENED:
            self.bind(db_fingerprint=fields.get("db_fingerprint"))
        level = level_of(event)
        if self._logger.isEnabledFor(level):
            self._logger.log(level, "", extra={"btcbot_event": event, "btcbot_fields": fields})

    def bind(self, **fields: object) -> None:
        """Put these fields on every line from now on, ours and the libraries'."""
        self._handler.lines.constants = {**self._handler.lines.constants, **plain_fields(fields)}

    @property
    def lines_dropped(self) -> int:
        """How many lines were never written, because nobody took our output or they could not be built."""
        return self._handler.dropped

    def crashed(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """The last resort: what nobody caught is a line too. stderr gets no traceback: it could hold anything."""
        self._logger.critical(
            "", exc_info=(kind, error, trace), extra={"btcbot_event": Event.DEFECT_CAUGHT, "btcbot_fields": {}}
        )
        self.stop()

    def stop(self) -> None:
        """Write what is waiting, for a bounded time. What is told after this is not written."""
        with suppress(queue.Full):
            self._handler.tell_dropped()
        self._listener.stop()


def start_logging(
    *,
    role: str,
    instance_id: str,
    config_hash: str,
    level: str,
    stream: TextIO,
    secrets: tuple[Secret, ...],
    clock: Clock | None = None,
) -> LogObserver:
    """Take over the process's logging: the root handler, warnings and uncaught exceptions.

    With a `clock`, lines bear its time and so agree with what the process writes down elsewhere, whatever its rate.
    """
    lines = _Lines(
        Mask(secrets),
        {
            "process_role": role, "process_instance_id": instance_id, "cycle_id": None, "config_hash": config_hash,
            "db_fingerprint": None,
        },
        clock,
    )  # fmt: skip
    waiting: queue.Queue[logging.LogRecord | None] = queue.Queue(QUEUE_LINES_MAX)
    handler = _LineHandler(waiting, lines)
    listener = _Listener(waiting, _Sink(stream))
    _route_everything_to(handler, level)
    listener.start()
    observer = LogObserver(handler, listener)
    sys.excepthook = observer.crashed
    return observer


def _route_everything_to(handler: logging.Handler, level: str) -> None:
    root = logging.getLogger()
    for logger in (root, *map(logging.getLogger, (OURS, *LIBRARIES))):
        for former in tuple(logger.handlers):
            logger.removeHandler(former)
        logger.propagate = True
        logger.setLevel(logging.WARNING)
    logging.getLogger(OURS).setLevel(level)
    root.addHandler(handler)
    logging.captureWarnings(True)


class _Lines(JsonFormatter):
    """A record becomes one masked line of JSON."""

    def __init__(self, mask: Mask, constants: Mapping[str, object], clock: Clock | None) -> None:
        super().__init__()
        self.constants = constants
        self._mask = mask
        self._clock = clock

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = {**self._frame(record), **self.constants, "cycle_id": current_cycle.get()}
        for name, value in self._own_fields(record).items():
            fields[name if name in TOLD_BY_EVENTS or name not in fields else f"{name}_"] = value
        return self._mask(self.serialize_log_record(fields))

    def _frame(self, record: logging.LogRecord) -> dict[str, object]:
        now = datetime.fromtimestamp(record.created, UTC) if self._clock is None else self._clock.now()
        return {"time": iso_utc(now), "level": record.levelname, "event": str(_event_of(record))}

    def _own_fields(self, record: logging.LogRecord) -> dict[str, object]:
        own: Mapping[str, object] | None = getattr(record, "btcbot_fields", None)
        if own is None:
            own = {"logger": record.name, "message": record.getMessage()}
        fields = plain_fields(own)
        error = record.exc_info[1] if record.exc_info else own.get("error")
        if isinstance(error, BaseException):
            fields["error"] = plain(error)
            if _event_of(record) in (Event.DEFECT_CAUGHT, Event.LIBRARY_REPORTED):
                fields["traceback"] = told_traceback(error)
        return fields


def _event_of(record: logging.LogRecord) -> Event:
    ours: Event | None = getattr(record, "btcbot_event", None)
    if ours is not None:
        return ours
    return Event.DEFECT_CAUGHT if record.name in DEFECTS_FROM else Event.LIBRARY_REPORTED


class _LineHandler(logging.handlers.QueueHandler):
    """Builds the line and hands it over; a full queue drops it and counts."""

    def __init__(self, waiting: "queue.Queue[logging.LogRecord | None]", lines: _Lines) -> None:
        super().__init__(waiting)
        self.lines = lines
        self.dropped = 0
        self._told = 0

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return _bearing(self.lines.format(record))

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.tell_dropped()
            self.queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1

    def tell_dropped(self) -> None:
        """Say how many lines were dropped since this was last said; `queue.Full` when even that does not fit."""
        if self.dropped > self._told:
            record = logging.makeLogRecord(
                {
                    "name": OURS, "levelno": logging.WARNING, "levelname": "WARNING",
                    "btcbot_event": Event.LOG_LINES_DROPPED,
                    "btcbot_fields": {"lines": self.dropped - self._told, "lines_in_all": self.dropped},
                }
            )  # fmt: skip
            self.queue.put_nowait(_bearing(self.lines.format(record)))
            self._told = self.dropped

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is the standard library's
        """A record that cannot become a line is counted; the standard library would print it, secrets and all."""
        self.dropped += 1


def _bearing(line: str) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": line})


class _Listener(logging.handlers.QueueListener):
    """Writes lines as they come; its stop is bounded, since whoever takes our output may have stopped taking it."""

    def __init__(self, waiting: "queue.Queue[logging.LogRecord | None]", sink: "_Sink") -> None:
        super().__init__(waiting)
        self._waiting = waiting
        self._sink = sink

    def handle(self, record: logging.LogRecord) -> None:
        self._sink.write(f"{record.msg}\n")

    def stop(self) -> None:
        thread, self._thread = self._thread, None
        if thread is None:
            return
        try:
            self._waiting.put(None, timeout=STOP_SECONDS)
        except queue.Full:
            return
        thread.join(STOP_SECONDS)


class _Sink:
    """Where lines go. Writes to the descriptor itself: a buffered stream that blocks would block our exit as well."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        try:
            self._descriptor: int | None = stream.fileno()
        except (io.UnsupportedOperation, AttributeError):
            self._descriptor = None

    def write(self, line: str) -> None:
        """A stream that is closed or broken swallows the line: there is nobody left to tell."""
        try:
            if self._descriptor is None:
                self._stream.write(line)
            else:
                self._write_all(self._descriptor, line.encode("utf-8", "replace"))
        except (OSError, ValueError):
            return

    def _write_all(self, descriptor: int, rest: bytes) -> None:
        while rest:
            try:
                rest = rest[os.write(descriptor, rest) :]
            except BlockingIOError:
                select.select((), (descriptor,), ())
