"""`btcbot record`: what the public feed says, to files that the sandbox replays.

Every file begins with a connection of its own, and so with a whole book and the last trades of every pair: at the turn
of the hour the connection is made anew. What may be missing in between is said by a `gap` line, never left to be
guessed. A recorder holds no key and asks for nothing private.
"""

import asyncio
import json
import signal
from datetime import UTC, datetime, timedelta
from itertools import cycle

from btcbot.domain.errors import ConfigurationError, ExchangeUnreachable, ExitCode, ReadFailed
from btcbot.domain.events import Event
from btcbot.domain.ports import Clock, Observer
from btcbot.domain.profiles import RecordProfile
from btcbot.market_data.tape import PublicTape
from btcbot.services.recording_files import RecordingFile, held_directory, recorded_bytes, recover
from btcbot.services.running import run_beside
from btcbot.services.runtime import Runtime

TICK_SECONDS = 1.0
CHECK_SECONDS = 5.0  # a book or the trades of one pair over REST, this often, in turn
WAIT_SECONDS = 10.0  # between tries to reach the exchange at the start
FIRST_BOOKS_SECONDS_MAX = 10.0  # from a connection to every pair's whole book
REPAIRS_PERIOD_SECONDS = 600.0  # a connection made anew because of what it brought, at most this often
HOUR = timedelta(hours=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LINE_ENDS = bytes.maketrans(b"\r\n", b"  ")  # between tokens; within a JSON string there are none


async def run_record(profile: RecordProfile, runtime: Runtime, observer: Observer, build: str) -> ExitCode:
    """Record until SIGTERM, until the time is over or until the space is used up."""
    with held_directory(profile.directory):
        recover(profile.directory, observer)
        if recorded_bytes(profile.directory) >= profile.bytes_max:
            raise ConfigurationError(f"{profile.directory} holds recordings of BTCBOT_RECORD_BYTES_MAX already")
        recorder = Recorder(profile, runtime, observer, build)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, recorder.stop, number.name)
        loop.add_signal_handler(signal.SIGHUP, lambda: None)
        await recorder.run()
    return ExitCode.OK


class Recorder:
    """Listens to the tape and writes it down."""

    def __init__(self, profile: RecordProfile, runtime: Runtime, observer: Observer, build: str) -> None:
        self._profile = profile
        self._clock: Clock = runtime.clock
        self._sleeper = runtime.sleeper
        self._observer = observer
        self._build = build
        self._tape = PublicTape(profile.endpoints, profile.pairs, self, runtime.clock, runtime.sleeper, observer)
        self._rules: dict[str, bytes] = {}  # each pair's row of the exchange's rules, digit for digit
        self._file: RecordingFile | None = None
        self._sealed_bytes = recorded_bytes(profile.directory)
        self._at_ms = 0
        self._hour: datetime | None = None  # of the open file
        self._connected_at: float | None = None
        self._repaired_at: float | None = None
        self._loss = ""  # why the connection is given up, while it is
        self._ending = asyncio.Event()
        self._reason = ""

    def stop(self, reason: str) -> None:
        """End soon, with everything sealed."""
        self._reason = self._reason or reason
        self._loss = f"the recording ends: {self._reason}"
        self._ending.set()

    async def run(self) -> None:
        """Until `stop`. Raises `RecordingFailed` when the disk does not take it, with all sealed that was written."""
        try:
            await run_beside(self._end(), (self._record(), self._limit()))
        finally:
            self._seal()
            await self._tape.aclose()
        self._observer.observed(Event.RECORDING_ENDED, reason=self._reason, bytes=self._sealed_bytes)

    # ------------------------------------------------------------------------------------------ what the tape tells

    def connected(self) -> None:
        self._connected_at = self._clock.monotonic()
        self._loss = ""
        if self._file is None:
            self._open()

    def heard(self, frame: bytes) -> None:
        self._write(b'{"at":%d,"kind":"frame","frame":%s}\n' % (self._now_ms(), frame.translate(_LINE_ENDS)))

    def missed(self, what: str) -> None:
        self._repair(what)

    def lost(self) -> None:
        self._connected_at = None
        self._gap(self._loss or "the connection was lost")
        if self._is_hour_over():
            self._seal()

    # ------------------------------------------------------------------------------------------------- the recorder

    async def _end(self) -> None:
        await self._ending.wait()

    async def _limit(self) -> None:
        if self._profile.duration is not None:
            await self._sleeper.sleep(self._profile.duration.total_seconds())
            self.stop("the time is over")

    async def _record(self) -> None:
        await self._get_rules()
        await run_beside(self._keep(), (self._tape.run(), self._check()))

    async def _get_rules(self) -> None:
        """The rules of all pairs, however long it takes."""
        while True:
            try:
                await self._refresh_rules()
                break
            except (ExchangeUnreachable, ReadFailed) as error:
                self._observer.observed(Event.EXCHANGE_UNREACHABLE, detail=str(error), waits_seconds=WAIT_SECONDS)
                await self._sleeper.sleep(WAIT_SECONDS)
        missing = [pair for pair in self._profile.pairs if pair not in self._rules]
        if missing:
            raise ConfigurationError(f"BTCBOT_PAIRS names {', '.join(missing)}, which the exchange does not list")

    async def _refresh_rules(self) -> None:
        self._rules |= await self._tape.rules()

    async def _keep(self) -> None:
        """What has to happen by the clock: lines to the disk, the turn of the hour, what never came."""
        while True:
            await self._sleeper.sleep(TICK_SECONDS)
            if self._file is not None:
                self._file.keep()
            if self._sealed_bytes + (self._file.bytes if self._file else 0) >= self._profile.bytes_max:
                self.stop("the recordings have reached their size")
            if self._is_hour_over():
                await self._turn()
            elif silent := self._overdue():
                self._repair(f"no whole book of {', '.join(silent[:5])}")

    def _overdue(self) -> tuple[str, ...]:
        """Pairs whose whole book this connection should have brought by now."""
        if self._connected_at is None or self._clock.monotonic() - self._connected_at <= FIRST_BOOKS_SECONDS_MAX:
            return ()
        return self._tape.silent_pairs()

    async def _turn(self) -> None:
        """A new hour, a new connection, a new file; with the rules as they are by now, if they can be had."""
        try:
            await self._refresh_rules()
        except (ExchangeUnreachable, ReadFailed) as error:
            self._observer.observed(Event.REQUEST_FAILED, what="exchange info", error=str(error))
        if self._connected_at is None:
            self._seal()
        else:
            self._loss = "a new hour begins with a new connection"
            self._tape.reconnect()

    async def _check(self) -> None:
        """Books and trades over REST, in turn: what a replay can hold the feed against, and the taker's side."""
        for pair, what in cycle([(pair, what) for pair in self._profile.pairs for what in ("book", "trades")]):
            try:
                data = await (self._tape.book(pair) if what == "book" else self._tape.trades(pair))
            except (ExchangeUnreachable, ReadFailed) as error:
                self._observer.observed(Event.REQUEST_FAILED, what=what, pair=pair, error=str(error))
            else:
                self._write(
                    b'{"at":%d,"kind":"%s","pair":"%s","data":%s}\n'
                    % (self._now_ms(), what.encode(), pair.encode(), data.translate(_LINE_ENDS))
                )
            await self._sleeper.sleep(CHECK_SECONDS)

    def _repair(self, reason: str) -> None:
        """Begin anew because a frame may be missing; not again and again, for the exchange may just be like that."""
        now = self._clock.monotonic()
        if self._repaired_at is None or now - self._repaired_at > REPAIRS_PERIOD_SECONDS:
            self._repaired_at = now
            self._loss = reason
            self._tape.reconnect()

    # ---------------------------------------------------------------------------------------------------- the files

    def _open(self) -> None:
        now = self._clock.now()
        self._hour = now.replace(minute=0, second=0, microsecond=0)
        header = {
            "v": 1, "kind": "header", "started_at": now.isoformat(), "pairs": list(self._profile.pairs),
            "build": self._build,
        }  # fmt: skip
        rows = b",".join(self._rules[pair] for pair in self._profile.pairs)
        line = json.dumps(header, separators=(",", ":")).encode().removesuffix(b"}")
        line += b',"exchange_info":{"symbols":[%s]}}\n' % rows.translate(_LINE_ENDS)
        self._file = RecordingFile(self._profile.directory, now, line, self._clock)
        self._observer.observed(Event.RECORDING_OPENED, path=str(self._file.path))

    def _seal(self) -> None:
        file, self._file = self._file, None
        if file is None:
            return
        file.seal()
        self._sealed_bytes += file.bytes
        self._observer.observed(Event.RECORDING_SEALED, path=str(file.path), bytes=file.bytes, lines=file.lines)

    def _gap(self, reason: str) -> None:
        self._observer.observed(Event.RECORDING_GAPPED, reason=reason)
        text = json.dumps({"at": self._now_ms(), "kind": "gap", "reason": reason}, separators=(",", ":"))
        self._write(text.encode() + b"\n")

    def _write(self, line: bytes) -> None:
        if self._file is not None:
            self._file.write(line)

    def _is_hour_over(self) -> bool:
        return self._file is not None and self._hour is not None and self._clock.now() - self._hour >= HOUR

    def _now_ms(self) -> int:
        """Within a recording, time never goes back."""
        self._at_ms = max(self._at_ms, (self._clock.now() - _EPOCH) // timedelta(milliseconds=1))
        return self._at_ms
