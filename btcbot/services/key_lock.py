"""An API key signs for one process at a time: its stamps must rise over all processes (reliability S9, question D2).

Live and monitor cannot see each other's key, so each holds a file in the run directory that is named by the key's
fingerprint. The kernel's lock decides, as for databases: it ends with the process, and the file is never removed. It
knows of no other machine, and of no process that was given another run directory.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from btcbot.domain.errors import ConfigurationError, UnsafeState
from btcbot.domain.secrets import Secret

MODE = 0o660  # the other role's user shares the group


@contextmanager
def signing_alone(run_dir: Path, key: Secret) -> Iterator[None]:
    """Raises `ConfigurationError` where another process of this deployment signs with the same key."""
    path = run_dir / f"key-{key.fingerprint()}.lock"
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
        yield
    finally:
        os.close(descriptor)
