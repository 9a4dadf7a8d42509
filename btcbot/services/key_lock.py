"""An API key signs for one process at a time: its stamps must rise over all processes (reliability S9, question D2).

Live and monitor cannot see each other's key, so each holds a file in the run directory that is named by the key's
fingerprint. The kernel's lock decides, as for databases: it ends with the process, and the file is never removed. It
knows of no other machine, and of no process that was given another run directory.

The file's text is the role that signs with the key, and stays: a monitor that is given live's key is refused although
live does not run, before it writes or asks anything (reliability, row 98). A new key has a new file.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from btcbot.domain.errors import ConfigurationError, UnsafeState
from btcbot.domain.profiles import Role
from btcbot.domain.secrets import Secret

MODE = 0o660  # the other role's user shares the group
TEXT_BYTES_MAX = 64


class KeyOfAnotherRole(ConfigurationError):
    """The API key signs, or signed, for the other role. Nothing was written, nothing was sent."""

    next_step = (
        "give each role a key of its own, live's to trade and the monitor's to read only; if the key was given to "
        "another role on purpose, stop both and remove the named file"
    )


@contextmanager
def signing_alone(run_dir: Path, key: Secret, role: Role) -> Iterator[None]:
    """Raises `ConfigurationError` where another process of this deployment signs with the same key, or may have."""
    path = _path(run_dir, key)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, MODE)
    except OSError as error:
        raise UnsafeState(f"the lock file of the API key, {path}, cannot be opened ({error.strerror})") from error
    try:
        if os.fstat(descriptor).st_uid == os.geteuid():
            os.fchmod(descriptor, MODE)  # whatever the umask
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(
                "BTCTURK_API_KEY is in use by another process of this deployment; live and monitor need a key each"
            ) from None
        if not _require_role(path, _text(descriptor), role):
            os.pwrite(descriptor, f"{role}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def require_key_of(run_dir: Path, key: Secret, role: Role) -> None:
    """For what signs beside a running worker: `KeyOfAnotherRole` where the key is known to be. Changes nothing."""
    path = _path(run_dir, key)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    except OSError as error:
        raise UnsafeState(f"the lock file of the API key, {path}, cannot be opened ({error.strerror})") from error
    try:
        _require_role(path, _text(descriptor), role)
    finally:
        os.close(descriptor)


def _path(run_dir: Path, key: Secret) -> Path:
    return run_dir / f"key-{key.fingerprint()}.lock"


def _text(descriptor: int) -> str:
    return os.pread(descriptor, TEXT_BYTES_MAX, 0).decode(errors="replace").strip()


def _require_role(path: Path, said: str, role: Role) -> bool:
    """Whether the file names this role; nobody yet is fine as well."""
    if said not in ("", role):
        whose = f"{said}'s" if said in tuple(Role) else "not known to be this role's"
        raise KeyOfAnotherRole(f"BTCTURK_API_KEY is {whose}, and this process is {role}: {path} says so")
    return said == role
