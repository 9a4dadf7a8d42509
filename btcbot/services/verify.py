"""`btcbot verify`: a database file examined completely, by whoever may read it, without writing a byte of it.

A file whose process runs is not examined in place but as a copy of one moment, taken through SQLite into a temporary
directory. The process is not held up; only its log cannot be emptied while the copy is taken.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from btcbot.domain.errors import BtcbotError, ExitCode, OwnershipError
from btcbot.persistence.sqlite.archives import shelf_of
from btcbot.persistence.sqlite.copying import copy_of_running
from btcbot.persistence.sqlite.lock import is_locked, read_holder
from btcbot.persistence.sqlite.paths import require_safe_directory, require_safe_file
from btcbot.persistence.sqlite.verification import Examination, examine


class ChangedMeanwhile(BtcbotError):
    """A process opened the file while it was read: what was found says nothing."""

    exit_code = ExitCode.LOCKED
    next_step = "verify again: now that a process has it open, a copy is examined"


def verify(path: Path) -> tuple[Examination, tuple[str, ...]]:
    """The examination, and a line for each thing a person should know. Raises where nothing could be examined."""
    path = path.absolute()
    shelf = shelf_of(path)
    if not is_locked(path):
        before = _stamp(path)
        examination = examine(path, shelf)
        if is_locked(path) or _stamp(path) != before:
            raise ChangedMeanwhile(f"{path} was opened by another process while it was examined")
        return examination, tuple(_told(examination, "the file itself; nobody has it open"))
    require_safe_directory(path.parent)
    if require_safe_file(path) is None:
        raise OwnershipError(f"there is no database at {path}")
    holder = read_holder(path) or "a process that has not named itself"
    with tempfile.TemporaryDirectory(prefix="btcbot-verify-") as directory:
        copy = Path(directory) / path.name
        copy_of_running(path, copy)
        examination = examine(copy, shelf)
    return examination, tuple(_told(examination, f"a copy of this moment, for {holder} has the file open"))


def exit_code_of(examination: Examination) -> ExitCode:
    """Fine, or the code of the gravest problem: whose file it is and whether it is whole comes before what it says."""
    return examination.problems[0].exit_code if examination.problems else ExitCode.OK


def _told(examination: Examination, examined: str) -> Iterator[str]:
    yield f"examined: {examined}"
    ownership = examination.ownership
    if ownership is not None:
        yield (
            f"database: {ownership.role}'s, {ownership.db_uuid}, schema {ownership.schema}, deployment "
            f"{ownership.deployment_id}, made {ownership.created_at} by btcbot {ownership.created_by}"
        )
        yield f"chain: {examination.chain_sequence} links, the last is {examination.chain_hash}"
        yield f"rows: {', '.join(f'{count} {table}' for table, count in examination.rows)}"
    yield from (f"ok   {what}" for what in examination.passed)
    for problem in examination.problems:
        yield f"BAD  {problem}"
    if not examination.problems:
        yield "sound: nothing is wrong with it"


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
