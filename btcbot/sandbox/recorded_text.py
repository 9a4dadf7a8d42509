"""Recorded files as lines of text, packed or plain. What cannot be read, first line or last, is one error."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from btcbot.simulation.replay import UnusableRecord


@contextmanager
def opened_text(path: Path) -> Iterator[TextIO]:
    """The file's text as long as this is open; what goes wrong with the file inside is an `UnusableRecord`."""
    try:
        with _opened(path) as lines:
            yield lines
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception) -> UnusableRecord:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return UnusableRecord(f"the recorded file {path} cannot be read ({reason})")


def _opened(path: Path) -> TextIO:
    if path.name.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return open(path, encoding="utf-8", newline="")
