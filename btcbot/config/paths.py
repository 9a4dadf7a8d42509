"""Whether places are usable, and whether two paths are one file. Nothing is opened, made or changed here."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

SOCKETS = ("feed.sock", "control.sock", "health.sock")
SOCKET_BYTES_MAX = 107  # what a Unix socket's address holds, without its closing zero

# What SQLite and the lock put beside a database.
_COMPANIONS = (".lock", "-wal", "-shm", "-journal")


def database_problems(name: str, path: Path) -> Iterator[str]:
    """What keeps this path from being a database of ours. Its directory must exist: a start makes no directories."""
    parent = _looked_at(path.parent)
    if isinstance(parent, str):
        yield f"{name} is in a directory that {parent}"
        return
    if stat.S_ISLNK(parent.st_mode):
        yield f"{name} is in a directory that is a symbolic link: name the real one"
    elif not stat.S_ISDIR(parent.st_mode):
        yield f"{name} is not in a directory"
    found = _looked_at(path)
    if not isinstance(found, str):
        if stat.S_ISLNK(found.st_mode):
            yield f"{name} is a symbolic link: name the real file"
        elif not stat.S_ISREG(found.st_mode):
            yield f"{name} is not a regular file"


def is_same_file(one: Path, other: Path) -> bool:
    """Whether two paths may lead to one file: as text, resolved, by device and inode, or by directory and name.

    The file need not exist. A place that this user may not look into is judged by text and resolution only.
    """
    if one == other or os.path.realpath(one) == os.path.realpath(other):
        return True
    if (here := _identity(one)) is not None and here == _identity(other):
        return True
    folder = _identity(one.parent)
    return one.name == other.name and folder is not None and folder == _identity(other.parent)


def is_companion(one: Path, other: Path) -> bool:
    """Whether one path is where the other's lock file or SQLite's own files go."""
    return any(
        is_same_file(database.with_name(database.name + suffix), file)
        for database, file in ((one, other), (other, one))
        for suffix in _COMPANIONS
    )


def run_dir_problems(name: str, path: Path) -> Iterator[str]:
    """What keeps this path from being the run directory."""
    found = _looked_at(path, follow=True)
    if isinstance(found, str):
        yield f"{name} {found}"
    elif not stat.S_ISDIR(found.st_mode):
        yield f"{name} is not a directory"
    elif found.st_mode & stat.S_IWOTH:
        yield f"{name} is writable by everybody: chmod o-w"
    longest = max(len(os.fsencode(path / socket)) for socket in SOCKETS)
    if longest > SOCKET_BYTES_MAX:
        yield f"{name} is too long: its sockets have paths of {longest} bytes, and {SOCKET_BYTES_MAX} are possible"


def directory_problems(name: str, path: Path) -> Iterator[str]:
    found = _looked_at(path, follow=True)
    if isinstance(found, str):
        yield f"{name} {found}"
    elif not stat.S_ISDIR(found.st_mode):
        yield f"{name} is not a directory"


def recording_problems(name: str, path: Path) -> Iterator[str]:
    """What keeps this path from being a recorded file, or a directory of recordings."""
    found = _looked_at(path, follow=True)
    if not isinstance(found, str) and stat.S_ISDIR(found.st_mode):
        if not os.access(path, os.R_OK | os.X_OK):
            yield f"{name} cannot be read by this user"
    else:
        yield from file_problems(name, path)


def file_problems(name: str, path: Path) -> Iterator[str]:
    """What keeps this path from being a file that can be read."""
    found = _looked_at(path, follow=True)
    if isinstance(found, str):
        yield f"{name} {found}"
    elif not stat.S_ISREG(found.st_mode):
        yield f"{name} is not a regular file"
    elif not os.access(path, os.R_OK):
        yield f"{name} cannot be read by this user"


def _looked_at(path: Path, *, follow: bool = False) -> os.stat_result | str:
    """What is there, or in words why that cannot be said."""
    try:
        return path.stat() if follow else path.lstat()
    except FileNotFoundError:
        return "does not exist"
    except OSError as error:
        return f"cannot be looked at ({error.strerror})"


def _identity(path: Path) -> tuple[int, int] | None:
    found = _looked_at(path, follow=True)
    return None if isinstance(found, str) else (found.st_dev, found.st_ino)
