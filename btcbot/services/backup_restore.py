"""`btcbot restore`: a backup in the place of a database, or the same as a drill that leaves nothing behind."""

import tempfile
from pathlib import Path

from btcbot.domain.profiles import CommonProfile
from btcbot.persistence.sqlite.copying import copy_at_rest
from btcbot.persistence.sqlite.lock import DatabaseLock
from btcbot.persistence.sqlite.restoring import restore
from btcbot.persistence.sqlite.verification import examine
from btcbot.services.identity import identity_of, writer_of
from btcbot.services.runtime import Runtime


def drill(source: Path, runtime: Runtime) -> tuple[str, ...]:
    """Restore to a temporary place and examine it there. Raises the first problem; a line on each thing otherwise."""
    source = source.absolute()
    began = runtime.clock.monotonic()
    with tempfile.TemporaryDirectory(prefix="btcbot-drill-") as directory:
        copy = Path(directory) / "restored.db"
        copy_at_rest(source, copy)
        found = examine(copy)
    took = runtime.clock.monotonic() - began
    for problem in found.problems:
        raise problem
    return (
        f"drill: {source.name} can be restored; it took {took:.1f} s with every check, and nothing was kept",
        f"chain: {found.chain_sequence} links, the last is {found.chain_hash}",
        f"rows: {', '.join(f'{count} {table}' for table, count in found.rows)}",
    )


def restore_backup(source: Path, common: CommonProfile, runtime: Runtime, build: str) -> tuple[str, ...]:
    """Put the backup in the place of this role's database. Raises `LockHeld` while a process has that open."""
    source, path = source.absolute(), common.state_db_path
    lock = DatabaseLock.take(path, identity_of(common, runtime, build))
    try:
        done = restore(source, examine(source), path, lock, writer_of(common, runtime, build), runtime.clock)
    finally:
        lock.release()
    return (
        f"restored: {done.path} is {source.name}, from epoch {done.epoch} on, link {done.sequence}",
        f"aside: {done.aside or 'nothing; there was no file'}",
        "next: start live; it is halted until `btcbot resume --reason TEXT`, after a clean reconciliation",
    )
