"""The instant at which btcbot's time and real time agree, shared as a file by all processes of one sandbox."""

import os
import re
import stat
from datetime import UTC, datetime
from pathlib import Path

from btcbot.config.forms import Misfit

_BYTES_MAX = 64
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|\+00:00)", re.ASCII)
_WORDS = "one line with a UTC instant such as 2026-01-31T09:30:00Z"


def read_anchor(name: str, path: Path) -> datetime:
    """The instant in the file; `Misfit` names the variable, and what to do about a file that is not there."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise Misfit(f"{name}: not a regular file")
            if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise Misfit(f"{name}: the file is writable by others: chmod go-w")
            raw = os.read(descriptor, _BYTES_MAX)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise Misfit(f"{name}: the file does not exist; `btcbot sandbox init DIR` makes it") from None
    except OSError as error:
        raise Misfit(f"{name}: the file cannot be read ({error.strerror})") from None
    text = raw.decode("ascii", "replace").removesuffix("\n")
    if not _INSTANT.fullmatch(text):
        raise Misfit(f"{name}: the file must hold {_WORDS}")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        raise Misfit(f"{name}: the file must hold {_WORDS}") from None
