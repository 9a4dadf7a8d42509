"""The sandbox's directory: its API keys and the instant from which scaled clocks count."""

import base64
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from btcbot.domain.errors import ConfigurationError

ROLES = ("live", "monitor")
CLOCK_ANCHOR = "clock_anchor"
SECRET_BYTES = 32


class DirectoryNotReady(ConfigurationError):
    next_step = "run `btcbot sandbox init DIR` with the directory that BTCBOT_SANDBOX_DIR names"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key of the sandbox. Only live's may place and cancel orders."""

    name: str
    public: str
    secret: bytes = field(repr=False)

    @property
    def may_trade(self) -> bool:
        return self.name == "live"


def init_directory(path: Path, now: datetime, token: Callable[[int], bytes]) -> None:
    """Make the directory, a key pair for each role and the clock's anchor. What is there already stays as it is."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    for role in ROLES:
        _write_once(path / f"{role}.key", _guid(token(16)))
        _write_once(path / f"{role}.secret", base64.b64encode(token(SECRET_BYTES)).decode())
    _write_once(path / CLOCK_ANCHOR, now.isoformat())


def read_keys(path: Path) -> tuple[ApiKey, ...]:
    """The keys of an initialised directory."""
    try:
        return tuple(_read_key(path, role) for role in ROLES)
    except FileNotFoundError as error:
        raise DirectoryNotReady(f"the sandbox's directory {path} has no {Path(error.filename).name}") from error
    except (OSError, ValueError) as error:
        raise DirectoryNotReady(f"the keys in {path} cannot be read ({type(error).__name__})") from error


def _read_key(path: Path, role: str) -> ApiKey:
    public = (path / f"{role}.key").read_text(encoding="ascii").strip()
    secret = base64.b64decode((path / f"{role}.secret").read_text(encoding="ascii").strip(), validate=True)
    return ApiKey(role, public, secret)


def _guid(data: bytes) -> str:
    text = data.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:32]))


def _write_once(path: Path, text: str) -> None:
    """Whole or not at all, and never over what is there: a key that clients hold must not change."""
    if path.exists():
        return
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{text}\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
