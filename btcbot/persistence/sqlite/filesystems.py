"""On which file systems a database may lie: those whose locks and syncs are known to hold (reliability, section 4).

A network file system may grant one lock twice and acknowledge what it has not written; one that nobody named here is
not trusted either. The kernel's own list of mounts is asked, never a name or a path.
"""

import re
from pathlib import Path

from btcbot.persistence.sqlite.errors import UnknownFilesystem

# Local, journaled or in memory, with locks that belong to the file. `overlay` is what a container's own files lie on.
TRUSTED = frozenset({
    "bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "overlay", "ramfs", "reiserfs", "tmpfs", "xfs", "zfs",
})  # fmt: skip
MOUNTS = Path("/proc/self/mountinfo")
_ESCAPED = re.compile(r"\\([0-7]{3})")


def require_trusted_filesystem(directory: Path) -> None:
    """`UnknownFilesystem` unless the directory lies on one of `TRUSTED`."""
    kind = filesystem_of(directory)
    if kind not in TRUSTED:
        raise UnknownFilesystem(
            f"{directory} lies on a file system of the kind {kind}, which is not known to keep locks and syncs"
        )


def filesystem_of(directory: Path) -> str:
    """The kind of the mount that a directory lies on; `unknown` where the system does not tell."""
    try:
        lines = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        place = directory.resolve(strict=True)
    except OSError:
        return "unknown"
    kind, depth = "unknown", -1
    for line in lines:
        fields, _, rest = line.partition(" - ")
        point = Path(_ESCAPED.sub(lambda code: chr(int(code[1], 8)), fields.split(" ")[4]))
        # Of two mounts on one point, the later one hides the earlier.
        if place.is_relative_to(point) and len(point.parts) >= depth:
            kind, depth = rest.split(" ")[0], len(point.parts)
    return kind
