import json
import os
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from btcbot.domain.errors import ConfigurationError, FenceLost, LockHeld
from btcbot.persistence.sqlite.errors import UnsafePath
from btcbot.persistence.sqlite.lock import DatabaseLock, Holder, Stage, is_locked, lock_path, read_holder, start_ticks
from tests.unit.persistence.world import identity


@pytest.fixture
def db_path(tmp_path: Path) -> Path:
    return tmp_path / "live.db"


def holder(db_path: Path, **changes: object) -> Holder:
    """What this very process would write."""
    lock = DatabaseLock.take(db_path, identity())
    lock.write_holder("db-uuid")
    lock.mark_open()
    found = read_holder(db_path)
    lock.mark_closing()
    lock.release()
    assert found is not None
    return replace(found, **changes)  # type: ignore[arg-type]


def write(db_path: Path, left: Holder) -> None:
    lock_path(db_path).write_text(json.dumps(asdict(left)))


def test_the_first_to_take_it_has_it(db_path: Path) -> None:
    lock = DatabaseLock.take(db_path, identity())
    assert is_locked(db_path)
    with pytest.raises(LockHeld, match="not named itself yet"):
        DatabaseLock.take(db_path, identity(instance_id="instance-2"))
    lock.write_holder("db-uuid")
    with pytest.raises(
        LockHeld, match=rf"process {os.getpid()} \(live, instance instance-1\) on .*, started 2026-03-01"
    ):
        DatabaseLock.take(db_path, identity(instance_id="instance-2"))
    lock.release()
    assert not is_locked(db_path)
    DatabaseLock.take(db_path, identity()).release()


def test_taking_it_writes_nothing_but_an_empty_file(db_path: Path) -> None:
    lock = DatabaseLock.take(db_path, identity())
    assert lock_path(db_path).read_bytes() == b""
    assert lock_path(db_path).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in db_path.parent.iterdir()] == ["live.db.lock"]
    lock.release()
    assert lock_path(db_path).read_bytes() == b""


def test_the_text_names_the_holder_through_all_stages(db_path: Path) -> None:
    lock = DatabaseLock.take(db_path, identity())
    lock.write_holder("db-uuid")
    stages = []
    for step in (lambda: None, lock.mark_open, lock.mark_closing, lock.release):
        step()
        found = read_holder(db_path)
        assert found is not None
        assert (found.pid, found.role, found.db_uuid, found.start_ticks) == (
            os.getpid(), "live", "db-uuid", start_ticks(os.getpid()),
        )  # fmt: skip
        stages.append(found.stage)
    assert stages == [Stage.OPENING, Stage.HELD, Stage.CLOSING, Stage.RELEASED]
    assert not is_locked(db_path)


def test_an_orderly_end_is_told_from_every_other(db_path: Path) -> None:
    with_text = holder(db_path)
    for stage, is_unclean in (
        (Stage.HELD, True),
        (Stage.OPENING, True),
        (Stage.CLOSING, True),
        (Stage.RELEASED, False),
    ):
        write(db_path, replace(with_text, stage=stage, pid=2**22 - 1))
        lock = DatabaseLock.take(db_path, identity())
        assert lock.was_unclean is is_unclean
        assert lock.previous is not None
        lock.release()


@pytest.mark.parametrize(
    "text", [b"{", b"[]", b"4711\n", b"\xff\xfe", b'{"stage": "held"}', b"[" * 20_000]
)  # fmt: skip
def test_a_text_that_explains_nothing_is_an_unclean_end(db_path: Path, text: bytes) -> None:
    lock_path(db_path).write_bytes(text)
    lock_path(db_path).chmod(0o600)
    lock = DatabaseLock.take(db_path, identity())
    assert lock.was_unclean
    assert lock.previous is None
    assert read_holder(db_path) is None
    lock.release()
    assert lock_path(db_path).read_bytes() == text


@pytest.mark.parametrize("changes", [{"pid": "1"}, {"pid": -1}, {"pid": 0}, {"pid": True}, {"start_ticks": None}])
def test_a_text_that_names_no_process_is_an_unclean_end(db_path: Path, changes: dict[str, object]) -> None:
    write(db_path, holder(db_path, **changes))
    lock = DatabaseLock.take(db_path, identity())
    assert (lock.was_unclean, lock.previous) == (True, None)
    lock.release()


def test_a_living_process_named_in_the_text_refuses(db_path: Path) -> None:
    parent = os.getppid()
    write(db_path, holder(db_path, pid=parent, start_ticks=start_ticks(parent)))
    with pytest.raises(LockHeld, match=f"process {parent} .* still runs"):
        DatabaseLock.take(db_path, identity())
    assert not is_locked(db_path)


@pytest.mark.parametrize(
    "changes",
    [{"start_ticks": 1}, {"boot_id": "another boot"}, {"pid_namespace": "another"}, {"stage": Stage.RELEASED}],
)
def test_the_guard_judges_the_whole_identity(db_path: Path, changes: dict[str, object]) -> None:
    """A reused process number, another boot, a namespace that it cannot see, an end that was orderly: no refusal."""
    parent = os.getppid()
    write(db_path, holder(db_path, **{"pid": parent, "start_ticks": start_ticks(parent), **changes}))
    DatabaseLock.take(db_path, identity()).release()


def test_a_lock_file_that_was_replaced_is_noticed(db_path: Path) -> None:
    lock = DatabaseLock.take(db_path, identity())
    lock.require_held()
    lock_path(db_path).rename(db_path.with_name("elsewhere"))
    with pytest.raises(FenceLost, match="removed or replaced"):
        lock.require_held()
    lock_path(db_path).touch(mode=0o600)
    with pytest.raises(FenceLost, match="removed or replaced"):
        lock.require_held()
    lock.release()
    with pytest.raises(FenceLost, match="was released"):
        lock.require_held()
    lock.release()


def test_a_hard_link_made_later_is_noticed(db_path: Path) -> None:
    lock = DatabaseLock.take(db_path, identity())
    os.link(lock_path(db_path), db_path.with_name("another-name"))
    with pytest.raises(FenceLost):
        lock.require_held()
    lock.release()


def test_unsafe_lock_files_are_refused(db_path: Path) -> None:
    path = lock_path(db_path)
    target = db_path.with_name("target")
    target.touch(mode=0o600)
    path.symlink_to(target)
    with pytest.raises(UnsafePath, match="cannot be opened"):
        DatabaseLock.take(db_path, identity())
    path.unlink()
    os.link(target, path)
    with pytest.raises(UnsafePath, match="2 hard links"):
        DatabaseLock.take(db_path, identity())
    path.unlink()
    os.mkfifo(path, 0o600)
    with pytest.raises(UnsafePath, match="not a regular file"):
        DatabaseLock.take(db_path, identity())
    path.unlink()
    path.touch()
    path.chmod(0o644)
    with pytest.raises(UnsafePath, match="mode 0644"):
        DatabaseLock.take(db_path, identity())
    path.unlink()
    path.mkdir()
    with pytest.raises(UnsafePath):
        DatabaseLock.take(db_path, identity())


def test_an_unsafe_directory_is_refused_before_the_lock_is_made(tmp_path: Path) -> None:
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o755)
    with pytest.raises(UnsafePath, match="mode 0755"):
        DatabaseLock.take(open_to_all / "live.db", identity())
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(private)
    with pytest.raises(UnsafePath, match="symbolic link"):
        DatabaseLock.take(tmp_path / "link" / "live.db", identity())
    with pytest.raises(ConfigurationError, match="does not exist"):
        DatabaseLock.take(tmp_path / "nowhere" / "live.db", identity())
    assert [*open_to_all.iterdir(), *private.iterdir()] == []


def test_nobody_holds_what_is_not_there(db_path: Path) -> None:
    assert not is_locked(db_path)
    assert read_holder(db_path) is None
    assert not lock_path(db_path).exists()
