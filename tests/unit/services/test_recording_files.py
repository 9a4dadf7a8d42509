"""Recordings on disk: whole members, sealed names, what a kill leaves, and a disk that does not take any more."""

import errno
import gzip
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btcbot.domain.errors import ConfigurationError, LockHeld
from btcbot.domain.events import Event
from btcbot.services import recording_files
from btcbot.services.recording_files import (
    MEMBER_BYTES,
    MEMBER_SECONDS,
    RecordingFailed,
    RecordingFile,
    held_directory,
    recorded_bytes,
    recover,
)
from tests.unit.persistence.world import Witness
from tests.unit.services.world import HandClock

HOUR = datetime(2026, 11, 23, 5, 17, 9, tzinfo=UTC)
HEADER = b'{"v":1,"kind":"header","started_at":"2026-11-23T05:17:09+00:00"}\n'
STARTED_MS = 1_795_411_029_000
NAME = "btcturk-20261123T05.jsonl.gz"


def line(number: int) -> bytes:
    return b'{"at":%d,"kind":"frame","frame":[402,{}]}\n' % number


def begun(directory: Path, clock: HandClock | None = None) -> RecordingFile:
    return RecordingFile(directory, HOUR, HEADER, clock or HandClock())


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def text_of(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes())


def test_a_file_is_a_part_until_it_is_sealed(tmp_path: Path) -> None:
    file = begun(tmp_path)
    assert names(tmp_path) == [f"{NAME}.part"]
    file.write(line(1))
    file.seal()
    assert names(tmp_path) == [NAME]
    assert text_of(tmp_path / NAME) == HEADER + line(1)
    assert (file.lines, file.bytes) == (2, (tmp_path / NAME).stat().st_size)


def test_the_header_is_on_the_disk_at_once(tmp_path: Path) -> None:
    begun(tmp_path)
    assert text_of(tmp_path / f"{NAME}.part") == HEADER


def test_lines_wait_for_a_member_and_no_longer_than_seconds(tmp_path: Path) -> None:
    clock = HandClock()
    file = begun(tmp_path, clock)
    file.write(line(1))
    file.keep()
    assert text_of(tmp_path / f"{NAME}.part") == HEADER
    clock.passes(MEMBER_SECONDS)
    file.keep()
    assert text_of(tmp_path / f"{NAME}.part") == HEADER + line(1)
    file.write(b"x" * MEMBER_BYTES)
    assert text_of(tmp_path / f"{NAME}.part").endswith(b"x")


def test_the_second_file_of_an_hour_sorts_between_the_first_and_the_next_hour(tmp_path: Path) -> None:
    for _ in range(3):
        begun(tmp_path).seal()
    RecordingFile(tmp_path, HOUR.replace(hour=6), HEADER, HandClock()).seal()
    assert names(tmp_path) == [
        NAME, "btcturk-20261123T05_02.jsonl.gz", "btcturk-20261123T05_03.jsonl.gz", "btcturk-20261123T06.jsonl.gz",
    ]  # fmt: skip


def test_one_recorder_writes_into_a_directory(tmp_path: Path) -> None:
    with held_directory(tmp_path), pytest.raises(LockHeld), held_directory(tmp_path):
        raise AssertionError("two recorders hold it")
    with held_directory(tmp_path):
        pass


def test_a_directory_that_is_not_there_is_a_setting_to_correct(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError), held_directory(tmp_path / "missing"):
        raise AssertionError("there is nothing to hold")


# ------------------------------------------------------------------------------------------------ what a kill leaves


def killed(directory: Path, *members: bytes) -> bytes:
    """What is on the disk of a recorder that was killed after these members."""
    content = b"".join(gzip.compress(member, mtime=0) for member in (HEADER, *members))
    (directory / f"{NAME}.part").write_bytes(content)
    return content


@given(cut=st.integers(min_value=0, max_value=300))
def test_wherever_it_was_cut_the_whole_members_are_sealed(cut: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("cut")
    content = killed(directory, line(1) + line(2), line(3))
    (directory / f"{NAME}.part").write_bytes(content[:cut])
    recover(directory, Witness())
    ends = [len(gzip.compress(member, mtime=0)) for member in (HEADER, line(1) + line(2), line(3))]
    kept = [sum(ends[:count]) <= cut for count in (1, 2, 3)]
    if not kept[0]:
        assert names(directory) == []
        return
    lines = text_of(directory / NAME).splitlines(keepends=True)
    whole = [HEADER, *([line(1), line(2)] if kept[1] else []), *([line(3)] if kept[2] else [])]
    assert lines[:-1] == whole
    last_at = (STARTED_MS, 2, 3)[sum(kept) - 1]
    assert json.loads(lines[-1]) == {"at": last_at, "kind": "gap", "reason": "the recorder was killed"}


def test_a_member_that_does_not_end_a_line_is_not_whole(tmp_path: Path) -> None:
    killed(tmp_path, line(1), b'{"at":2,"kind":"fr')
    recover(tmp_path, Witness())
    assert text_of(tmp_path / NAME).splitlines(keepends=True)[:-1] == [HEADER, line(1)]


def test_rubbish_after_the_last_member_is_cut(tmp_path: Path) -> None:
    content = killed(tmp_path, line(1))
    (tmp_path / f"{NAME}.part").write_bytes(content + b"\0" * 4096)
    witness = Witness()
    recover(tmp_path, witness)
    assert text_of(tmp_path / NAME).splitlines(keepends=True)[:-1] == [HEADER, line(1)]
    ((event, fields),) = witness.seen
    assert (event, fields["bytes"], fields["bytes_lost"]) == (Event.RECORDING_RECOVERED, len(content), 4096)


def test_what_is_sealed_is_never_written_over(tmp_path: Path) -> None:
    begun(tmp_path).seal()
    before = (tmp_path / NAME).read_bytes()
    killed(tmp_path, line(1))
    recover(tmp_path, Witness())
    assert (tmp_path / NAME).read_bytes() == before
    assert names(tmp_path) == [NAME, "btcturk-20261123T05_02.jsonl.gz"]


def test_space_counts_what_is_sealed_and_what_is_not(tmp_path: Path) -> None:
    begun(tmp_path).seal()
    size = len(killed(tmp_path, line(1)))
    (tmp_path / "other.txt").write_bytes(b"not ours")
    assert recorded_bytes(tmp_path) == size + (tmp_path / NAME).stat().st_size


# --------------------------------------------------------------------------------------------- a disk that fails


@contextmanager
def full_disk(monkeypatch: pytest.MonkeyPatch, taken: int) -> Iterator[None]:
    """Takes so many bytes of the next write, and no more."""
    write = os.write

    def short(descriptor: int, content: bytes) -> int:
        if taken and len(content) > taken:
            return write(descriptor, content[:taken])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(recording_files.os, "write", short)
        yield


@pytest.mark.parametrize("taken", [0, 7])
def test_a_full_disk_ends_the_file_sealed_and_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    file = begun(tmp_path)
    file.write(line(1))
    with full_disk(monkeypatch, taken), pytest.raises(RecordingFailed, match="No space left"):
        file.seal()
    assert text_of(tmp_path / NAME) == HEADER
    file.write(line(2))
    file.keep()
    file.seal()
    assert text_of(tmp_path / NAME) == HEADER


def test_a_disk_that_does_not_sync_ends_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    file = begun(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(recording_files.os, "fsync", fail)
        with pytest.raises(RecordingFailed, match="cannot be sealed"):
            file.seal()
    recover(tmp_path, Witness())
    assert text_of(tmp_path / NAME).startswith(HEADER)


def test_room_is_left_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = begun(tmp_path)
    file.write(line(1))
    monkeypatch.setattr(recording_files, "FREE_BYTES_MIN", 2**60)
    with pytest.raises(RecordingFailed, match="are left on the disk"):
        file.seal()
    assert text_of(tmp_path / NAME) == HEADER


def test_a_disk_that_takes_seconds_ends_the_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = HandClock()
    file = begun(tmp_path, clock)
    file.write(line(1))
    compress = gzip.compress

    def slow(*given: object, **more: object) -> bytes:
        clock.passes(11)
        return compress(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(recording_files.gzip, "compress", slow)
    with pytest.raises(RecordingFailed, match="too slow"):
        file.seal()
    assert text_of(tmp_path / NAME) == HEADER + line(1)
