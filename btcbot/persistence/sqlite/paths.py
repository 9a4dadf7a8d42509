"""What must hold of the files before they are trusted (reliability, section 4). Only `lstat`: nothing is opened."""

import os
import stat
from pathlib import Path

from btcbot.domain.errors import ConfigurationError
from btcbot.persistence.sqlite.errors import UnsafePath

LOG_SUFFIXES = ("-wal", "-shm")


def require_safe_directory(path: Path) -> None:
    """The state directory is a real directory of ours that nobody else can enter."""
    try:
        found = path.lstat()
    except FileNotFoundError as error:
        raise ConfigurationError(f"the database's directory {path} does not exist") from error
    except OSError as error:
        raise ConfigurationError(f"the database's directory {path} cannot be examined ({error.strerror})") from error
    if not stat.S_ISDIR(found.st_mode):
        raise UnsafePath(f"{path} is not a directory, or a symbolic link to one")
    _require_ours(path, found)


def require_safe_file(path: Path) -> os.stat_result | None:
    """A regular file of ours, reachable by one name only, or nothing where there is none."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnsafePath(f"{path} cannot be examined ({error.strerror})") from error
    require_plain(path, found)
    return found


def require_plain(path: Path, found: os.stat_result) -> None:
    """The same for a file that is already open."""
    if stat.S_ISLNK(found.st_mode):
        raise UnsafePath(f"{path} is a symbolic link")
    if not stat.S_ISREG(found.st_mode):
        raise UnsafePath(f"{path} is not a regular file")
    if found.st_nlink > 1:
        raise UnsafePath(f"{path} has {found.st_nlink} hard links, so another name leads to the same file")
    _require_ours(path, found)


def _require_ours(path: Path, found: os.stat_result) -> None:
    if found.st_uid != os.geteuid():
        raise UnsafePath(f"{path} belongs to user {found.st_uid}, this process runs as {os.geteuid()}")
    if found.st_mode & 0o077:
        raise UnsafePath(f"{path} has mode {stat.S_IMODE(found.st_mode):04o}, so others may use it")
