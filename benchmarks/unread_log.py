"""The real log of a process, built line by line and written where nobody reads it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from btcbot.domain.secrets import Secret
from btcbot.observability.logs import LogObserver, start_logging
from btcbot.services.runtime import Runtime


@contextmanager
def unread_log(role: str, runtime: Runtime, secrets: tuple[Secret, ...] = ()) -> Iterator[LogObserver]:
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        observer = start_logging(
            role=role, instance_id=runtime.instance_id, config_hash="c0ffee", level="INFO", stream=nowhere,
            secrets=secrets, clock=runtime.clock,
        )  # fmt: skip
        try:
            yield observer
        finally:
            observer.stop()
