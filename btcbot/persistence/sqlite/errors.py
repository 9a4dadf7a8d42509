"""What can go wrong with a database file, divided by what one can do about it."""

from btcbot.domain.errors import BtcbotError, OwnershipError, UnsafeState


class DamagedDatabase(OwnershipError):
    """This role's database, and not whole any more: truncated, bits flipped, triggers dropped, its log missing."""

    next_step = "do not write to it; put the last verified backup in its place, or point STATE_DB_PATH at a new path"


class LostDatabase(OwnershipError):
    """There was a database here, and it is gone. A new one would take bought coins for coins that were always there."""

    next_step = "put the database back; to begin anew on purpose, remove the lock file beside it as well"


class ArchiveMissing(UnsafeState):
    """A sealed archive that a database names is not where archives are kept: beside it, in `archives`."""

    next_step = "put the archive back into the directory `archives` beside the database, from wherever it is copied to"


class OlderCopy(OwnershipError):
    """The file is an older state of the database that was last open here: a backup put in its place, or a copy."""

    next_step = (
        "put the newer file back; if it is lost, `btcbot restore` puts a backup in its place: epochs go on, and live "
        "starts halted"
    )


class NewerSchema(OwnershipError):
    """The file was written by a later btcbot."""

    next_step = "start the newer btcbot that wrote it; an older one cannot read it"


class ForeignDeployment(OwnershipError):
    """This role's database, yet of another deployment, another API key or another exchange."""

    next_step = "use the settings it was made with, or point STATE_DB_PATH at a path that does not exist yet"


class UnsafePath(OwnershipError):
    """The database, its lock or their directory could be reached or replaced by somebody else."""

    next_step = "use a directory of this user's own with mode 0700, and in it plain files with mode 0600 and no links"


class UnknownFilesystem(UnsafePath):
    """The database would lie where a lock or a sync may not mean anything: on a network, or on nobody knows what."""

    next_step = (
        "put the database on a local disk: bcachefs, btrfs, ext2 to ext4, f2fs, jfs, reiserfs, xfs, zfs, a container's "
        "overlay, or tmpfs for a trial"
    )


class TamperedRecords(UnsafeState):
    """The records contradict their own hash chain."""

    next_step = "do not trade on these records; compare them with a verified backup and with the exchange's history"


class DatabaseBlocked(UnsafeState):
    """Nothing was written: another program holds the database, or the disk is full. A later try may succeed."""

    next_step = "close other programs that hold the database, make room on its disk, then start again"


class DatabaseFailed(UnsafeState):
    """The disk failed under a write. Whether it was kept is unknown, so the store takes no more; the process ends."""

    next_step = "look at the disk and the kernel's log; the next start finds out what was kept"


class LogTooLong(UnsafeState):
    """The log cannot be moved into the file, because another program goes on reading, and has grown without end."""

    next_step = "find the program that holds the database open (`fuser` names it), end it, then start again"


class RecordRefused(BtcbotError):
    """The database refused a row: a key that exists, a cross-role write, a change of what is append-only."""
