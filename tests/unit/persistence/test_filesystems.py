"""A database lies on a file system whose locks and syncs are known to hold, or it is not opened."""

from pathlib import Path

import pytest

from btcbot.domain.errors import ExitCode
from btcbot.persistence.sqlite import filesystems
from btcbot.persistence.sqlite.errors import UnknownFilesystem
from btcbot.persistence.sqlite.filesystems import TRUSTED, filesystem_of, require_trusted_filesystem
from btcbot.persistence.sqlite.lock import DatabaseLock, lock_path
from tests.unit.persistence.world import identity


def mounted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *mounts: tuple[Path, str]) -> None:
    """As the kernel lists them: optional fields before the dash, spaces in octal."""
    lines = [
        f"{number} 1 0:{number} / {str(point).replace(' ', chr(92) + '040')} rw,relatime shared:1 - {kind} source rw"
        for number, (point, kind) in enumerate(mounts, start=20)
    ]
    listing = tmp_path / "mountinfo"
    listing.write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(filesystems, "MOUNTS", listing)


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "9p", "virtiofs", "fuse.sshfs", "fuse.gcsfuse", "novel"])
def test_a_network_or_unknown_filesystem_is_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    state = tmp_path / "state of live"
    state.mkdir(mode=0o700)
    mounted(monkeypatch, tmp_path, (Path("/"), "ext4"), (state, kind))
    with pytest.raises(UnknownFilesystem, match=f"of the kind {kind}") as refusal:
        DatabaseLock.take(state / "live.db", identity())
    assert refusal.value.exit_code is ExitCode.OWNERSHIP
    assert "local disk" in str(refusal.value)
    assert not lock_path(state / "live.db").exists()


@pytest.mark.parametrize("kind", sorted(TRUSTED))
def test_a_local_one_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    mounted(monkeypatch, tmp_path, (Path("/"), "nfs"), (tmp_path, kind))
    require_trusted_filesystem(tmp_path)


def test_the_nearest_mount_counts_and_of_two_on_one_point_the_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    inner = tmp_path / "a"
    inner.mkdir()
    mounted(monkeypatch, tmp_path, (Path("/"), "ext4"), (tmp_path, "xfs"), (tmp_path, "nfs4"), (tmp_path / "ab", "zfs"))
    assert filesystem_of(inner) == "nfs4"


def test_where_the_system_does_not_tell_nothing_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filesystems, "MOUNTS", tmp_path / "none")
    with pytest.raises(UnknownFilesystem, match="unknown"):
        require_trusted_filesystem(tmp_path)


def test_this_machine_tells(tmp_path: Path) -> None:
    assert filesystem_of(tmp_path) in TRUSTED


def test_the_message_names_every_kind_that_is_taken() -> None:
    told = UnknownFilesystem.next_step
    assert all(kind in told for kind in TRUSTED - {"ext3", "ramfs"})
