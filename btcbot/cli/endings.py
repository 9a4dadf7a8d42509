"""How a command ends: the exit code, one line for the person, and for workers one line in the JSON log.

Whatever is raised ends here. A traceback goes to the JSON log, where secrets are masked, and never to stderr. The
settings are imported when they are needed: `--help` and `version` do without.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from btcbot.config.settings import BtcbotError, ClockProfile, ConfigurationError, Secret
    from btcbot.observability.logs import LogObserver
    from btcbot.services.runtime import Runtime

OK: Final = 0
USAGE: Final = 64  # ExitCode.USAGE, known before the settings are imported
INTERRUPTED: Final = 130  # 128 + SIGINT, as shells have it
_UNKNOWN_HASH: Final = ""  # settings that did not load have none


class Desk:
    """What a command has at hand: the runtime and the log, built once, as soon as the settings allow.

    A command that is not a worker has no log; only a defect then gets its line.
    """

    def __init__(self, role: str, *, is_worker: bool) -> None:
        self.role = role
        self._is_worker = is_worker
        self._observer: LogObserver | None = None

    def open(
        self,
        clock: ClockProfile,
        *,
        config_hash: str,
        level: str,
        secrets: tuple[Secret, ...] = (),
        stream: TextIO | None = None,
    ) -> tuple[Runtime, LogObserver]:
        """Start the log, on stdout unless told otherwise."""
        from btcbot.observability.logs import start_logging
        from btcbot.services.runtime import build_runtime

        runtime = build_runtime(clock)
        self._observer = start_logging(
            role=self.role,
            instance_id=runtime.instance_id,
            config_hash=config_hash,
            level=level,
            stream=stream or sys.stdout,
            secrets=secrets,
            clock=runtime.clock,
        )
        return runtime, self._observer

    def close(self) -> None:
        """Write what the log still holds."""
        if self._observer is not None:
            self._observer.stop()
            self._observer = None

    def tell_refusal(self, error: BtcbotError) -> None:
        from btcbot.config.settings import Event

        if self._is_worker:
            self._opened().observed(Event.START_REFUSED, error=error, exit_code=int(error.exit_code))

    def tell_defect(self, error: Exception) -> None:
        from btcbot.config.settings import Event

        if not self._is_worker:
            # A one-shot command keeps its log to itself, but a defect without a traceback cannot be mended.
            self.close()
        self._opened().observed(Event.DEFECT_CAUGHT, error=error)

    def _opened(self) -> LogObserver:
        from btcbot.config.settings import REAL_TIME, environment, secrets_by_value

        if self._observer is None:
            self.open(REAL_TIME, config_hash=_UNKNOWN_HASH, level="INFO", secrets=secrets_by_value(environment()))
        assert self._observer is not None, "opening starts the log"
        return self._observer


def conclude(work: Callable[[Desk], int], role: str, *, is_worker: bool) -> int:
    """Do the work and return the exit code, having said what went wrong."""
    from btcbot.config.settings import BtcbotError, ExitCode

    desk = Desk(role, is_worker=is_worker)
    try:
        return int(work(desk))
    except BtcbotError as error:
        complain(str(error))
        desk.tell_refusal(error)
        return int(error.exit_code)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last line of defence: named here, told in full in the log
        complain(f"stopped by a defect ({type(error).__name__}). Next: report it with the log of this run.")
        desk.tell_defect(error)
        return int(ExitCode.CRASH)
    finally:
        desk.close()


def complain(message: str) -> None:
    """One line on stderr, whatever the message holds."""
    sys.stderr.write(f"btcbot: {' '.join(message.split())}\n")


def wrong_role(command: str, role: str, other: str) -> ConfigurationError:
    """The right program with the other role's environment."""
    from btcbot.config.settings import ConfigurationError

    return ConfigurationError(f"APP_ROLE is {role}, and `{command}` runs the other role; {role} runs as `{other}`")
