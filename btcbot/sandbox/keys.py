"""The sandbox's directory: its API keys, what each may do, and the instant from which scaled clocks count.

Live and monitor have a key each, to one account. Further keys, to this or to other accounts, are made while the sandbox
runs; they lie in `accounts/` and are there again after a restart.
"""

import base64
import hashlib
import hmac
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from btcbot.domain.errors import ConfigurationError

ACCOUNT_ID = 5_869_906  # of live and monitor
CLOCK_ANCHOR = "clock_anchor"
ACCOUNTS = "accounts"
SECRET_BYTES = 32
KEYS_MAX = 10_000
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)


class DirectoryNotReady(ConfigurationError):
    next_step = "run `btcbot sandbox init DIR` with the directory that BTCBOT_SANDBOX_DIR names"


class Permission(StrEnum):
    """What can be ticked where the exchange makes a key (protocol 3), and READ, which ticks all that only looks."""

    ASSETS = "assets"  # Toplam Varlık
    TRADE = "trade"  # Al-Sat
    ACCOUNT = "account"  # Hesap
    WEBSOCKET = "websocket"
    READ = "read"


P = Permission
OPENED_BY: Mapping[str, frozenset[Permission]] = {
    "balances": frozenset({P.ASSETS, P.READ}),
    "submit": frozenset({P.TRADE}),
    "cancel": frozenset({P.TRADE}),
    "order": frozenset({P.TRADE, P.READ}),
    "open_orders": frozenset({P.TRADE, P.ASSETS, P.READ}),
    "all_orders": frozenset({P.TRADE, P.READ}),
    "user_trades": frozenset({P.ACCOUNT, P.READ}),
    "transfers_crypto": frozenset({P.ACCOUNT, P.READ}),
    "transfers_fiat": frozenset({P.ACCOUNT, P.READ}),
    "login": frozenset({P.WEBSOCKET}),
}
"""Any of these opens an endpoint; what is not here is opened by none (withdrawals, what needs the web login)."""

ROLES: Mapping[str, frozenset[Permission]] = {
    "live": frozenset({P.ASSETS, P.TRADE, P.ACCOUNT, P.WEBSOCKET}),
    "monitor": frozenset({P.READ, P.WEBSOCKET}),
}


@dataclass(frozen=True, slots=True)
class ApiKey:
    name: str
    public: str
    secret: bytes = field(repr=False)
    account_id: int
    permissions: frozenset[Permission]

    def permits(self, endpoint: str) -> bool:
        return not self.permissions.isdisjoint(OPENED_BY.get(endpoint, frozenset()))


class KeyRing:
    """All keys, by their public part. A new one is on disk before anybody can use it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._keys = {key.public: key for key in read_keys(directory)}

    def get(self, public: str) -> ApiKey | None:
        return self._keys.get(public)

    def named(self, name: str) -> ApiKey | None:
        return next((key for key in self._keys.values() if key.name == name), None)

    def of_account(self, account_id: int) -> list[ApiKey]:
        return [key for key in self._keys.values() if key.account_id == account_id]

    def make(self, name: str, account_id: int, permissions: Iterable[Permission]) -> ApiKey:
        """A key that comes from live's secret and its name: nothing else here is secret, and nothing is random."""
        assert is_name(name), "the name becomes that of a file"
        assert self.named(name) is None, "a key that clients hold must not change"
        live = (self._directory / "live.secret").read_bytes()
        public, secret = (hmac.new(live, f"{part} of {name}".encode(), hashlib.sha256) for part in ("key", "secret"))
        key = ApiKey(name, guid(public.digest()[:16]), secret.digest(), account_id, frozenset(permissions))
        folder = self._directory / ACCOUNTS
        folder.mkdir(mode=0o700, exist_ok=True)
        _write_once(folder / f"{name}.key", key.public)
        _write_once(folder / f"{name}.secret", base64.b64encode(key.secret).decode())
        about = {"account_id": account_id, "permissions": sorted(key.permissions)}
        _write_once(folder / f"{name}.json", json.dumps(about))
        self._keys[key.public] = key
        return key

    @property
    def is_full(self) -> bool:
        return len(self._keys) >= KEYS_MAX


def init_directory(path: Path, now: datetime, token: Callable[[int], bytes]) -> None:
    """Make the directory, a key pair for each role and the clock's anchor. What is there already stays as it is."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    for role in ROLES:
        _write_once(path / f"{role}.key", guid(token(16)))
        _write_once(path / f"{role}.secret", base64.b64encode(token(SECRET_BYTES)).decode())
    _write_once(path / CLOCK_ANCHOR, now.isoformat())


def read_keys(path: Path) -> tuple[ApiKey, ...]:
    """The keys of an initialised directory: live's, monitor's, and those that were made later."""
    try:
        roles = [_read_key(path, role, ACCOUNT_ID, permissions) for role, permissions in ROLES.items()]
        later = [_read_later_key(about) for about in sorted((path / ACCOUNTS).glob("*.json"))]
    except FileNotFoundError as error:
        raise DirectoryNotReady(f"the sandbox's directory {path} has no {Path(error.filename).name}") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DirectoryNotReady(f"the keys in {path} cannot be read ({type(error).__name__})") from error
    return (*roles, *later)


def is_name(text: str) -> bool:
    """Whether a key may be called so."""
    return _NAME.fullmatch(text) is not None


def guid(data: bytes) -> str:
    text = data.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:32]))


def _read_later_key(about: Path) -> ApiKey:
    document = json.loads(about.read_text(encoding="ascii"))
    permissions = frozenset(Permission(word) for word in document["permissions"])
    return _read_key(about.parent, about.stem, int(document["account_id"]), permissions)


def _read_key(path: Path, name: str, account_id: int, permissions: frozenset[Permission]) -> ApiKey:
    public = (path / f"{name}.key").read_text(encoding="ascii").strip()
    secret = base64.b64decode((path / f"{name}.secret").read_text(encoding="ascii").strip(), validate=True)
    return ApiKey(name, public, secret, account_id, permissions)


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
