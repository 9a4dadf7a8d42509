"""Whether this process's SQLite has the WAL-reset defect (reliability, finding 11).

Two connections that write and checkpoint one log at the same moment can lose a commit there. This bot has one writer
for a file, by a kernel lock, and one connection in it, by an assertion that holds in production; a second writer is
refused or fenced before its next commit. So the defect cannot be reached, and is told.
"""

import sqlite3

Version = tuple[int, int, int]
MENDED: tuple[Version, ...] = ((3, 44, 6), (3, 50, 7), (3, 51, 3))  # the first of their line; all later lines have it


def has_reset_defect(version: Version = sqlite3.sqlite_version_info) -> bool:
    """Of a line that was mended, from that release on it is gone; in all others up to the newest line it is there."""
    return version < MENDED[-1] and not any(
        version[:2] == mended[:2] and version >= mended for mended in MENDED[:-1]
    )  # fmt: skip
