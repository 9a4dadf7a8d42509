"""Errors say what happened, then what to do next.

They are divided by what one can do about them, not by where they arose: each class that reaches the command line
carries the exit code of its kind (design, section 6). Facts stay available as attributes; secrets never enter a
message.
"""

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What a finished process says about itself. supervisord restarts only after `CRASH`."""

    OK = 0
    USAGE = 64
    UNREACHABLE = 69
    CRASH = 70
    LOCKED = 73
    UNSAFE = 76
    OWNERSHIP = 77
    CONFIGURATION = 78


class BtcbotError(Exception):
    """Root of every error btcbot raises: what happened, then what to do next."""

    next_step: ClassVar[str] = "this is a defect; report it with the log of this run"
    exit_code: ClassVar[ExitCode] = ExitCode.CRASH

    def __str__(self) -> str:
        return f"{super().__str__()}. Next: {self.next_step}."


class ConfigurationError(BtcbotError):
    """A setting is missing, malformed or contradicts another. Nothing was written, nothing was sent."""

    exit_code = ExitCode.CONFIGURATION
    next_step = "correct the environment file of this role and start again"


class KeyRefused(ConfigurationError):
    """The exchange answered, and refused the API key."""

    next_step = "check BTCTURK_API_KEY and BTCTURK_API_SECRET, the key's permissions and its IP allow-list"


class LockHeld(BtcbotError):
    """Another process holds the lock of this database."""

    exit_code = ExitCode.LOCKED
    next_step = "stop the holder, or leave it running and do nothing"


class OwnershipError(BtcbotError):
    """The file is not this role's database: foreign, of the other role, damaged, or from a newer btcbot."""

    exit_code = ExitCode.OWNERSHIP
    next_step = "point STATE_DB_PATH at this role's own database, or at a path that does not exist yet"


class UnsafeState(BtcbotError):
    """The machine or the records are in a state in which trading would be a gamble."""

    exit_code = ExitCode.UNSAFE
    next_step = "read the message, mend what it names, then start again"


class ExchangeUnreachable(BtcbotError):
    """The exchange could not be reached, or what answered was not the exchange."""

    exit_code = ExitCode.UNREACHABLE
    next_step = "check the network, the BTCTURK_… endpoints and the exchange's status page, then try again"


class ReadFailed(BtcbotError):
    """The exchange answered a read, but not with what was asked for. Never taken for an empty answer."""

    exit_code = ExitCode.UNREACHABLE
    next_step = (
        "nothing is assumed; it is asked again, and if this stays, compare the message with the exchange's status page"
    )


class KeyInDoubt(ReadFailed):
    """Two private calls in a row were not let in. The one that may still be refused is kept for a cancel a while."""

    next_step = "check the key, its permissions, IP allow-list and this machine's clock; it is asked again in a minute"


class UsageError(BtcbotError):
    """The command line does not make sense."""

    exit_code = ExitCode.USAGE
    next_step = "see --help"


class TradeBlockedError(BtcbotError):
    """A submit was asked for while trading is not armed. Raised before any network I/O and never retried."""

    exit_code = ExitCode.UNSAFE
    next_step = "nothing was sent; lift what blocks trading, and the strategy decides afresh"


class FenceLost(BtcbotError):
    """This process is no longer the one writer of its database: the lock file or the epoch is somebody else's."""

    exit_code = ExitCode.LOCKED
    next_step = "find out who took over (the lock file names it); this process stops without sending"
