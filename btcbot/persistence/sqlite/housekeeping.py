"""What an open store does for itself between its other work: empty the log, keep its seal, look at its own schema."""

from datetime import datetime, timedelta

from btcbot.domain.events import Event
from btcbot.domain.ports import Clock, Observer
from btcbot.domain.profiles import Role
from btcbot.persistence.sqlite.database import LOG_BYTES_TOLD, Database
from btcbot.persistence.sqlite.errors import DamagedDatabase
from btcbot.persistence.sqlite.lock import DatabaseLock
from btcbot.persistence.sqlite.migrations.runner import SCHEMAS, expected_objects, objects
from btcbot.persistence.sqlite.opening import seal_of
from btcbot.persistence.sqlite.recorder import Recorder

SCHEMA_EVERY = timedelta(days=1)


class Housekeeping:
    def __init__(
        self, database: Database, recorder: Recorder, lock: DatabaseLock, role: Role, clock: Clock, observer: Observer
    ) -> None:
        self._database = database
        self._recorder = recorder
        self._lock = lock
        self._role = role
        self._clock = clock
        self._observer = observer
        self._is_long = False
        self._looked_at: datetime = clock.now()  # the start has just looked

    def tidy(self) -> None:
        """Between cycles. Raises `LogTooLong`, and `DamagedDatabase` where somebody altered the schema meanwhile."""
        if self._database.checkpoint():
            self._lock.keep(seal_of(self._recorder))
        self._tell_long_log()
        now = self._clock.now()
        if now - self._looked_at >= SCHEMA_EVERY:
            self._looked_at = now
            self._require_schema()

    def _tell_long_log(self) -> None:
        size = self._database.log_bytes()
        is_long = size >= LOG_BYTES_TOLD
        if is_long and not self._is_long:
            self._observer.observed(Event.DATABASE_LOG_LONG, bytes=size)
        self._is_long = is_long

    def _require_schema(self) -> None:
        schema = SCHEMAS[self._role]
        difference = objects(self._database) ^ expected_objects(schema, schema.number)
        if difference:
            names = ", ".join(sorted({name for _, name, _ in difference}))
            raise DamagedDatabase(f"the database was altered while it was open: {names}")
