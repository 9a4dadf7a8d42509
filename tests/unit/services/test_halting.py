"""The latch: a row or a file trips it, only a person's word opens it, and a crash in between leaves it shut."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from btcbot.domain.errors import UnsafeState
from btcbot.domain.events import Event
from btcbot.persistence.sqlite.live_store import LiveStore
from btcbot.services.halting import HALT_FILE, REASON_CHARACTERS_MAX, Halting, write_halt_file
from tests.unit.persistence.world import Witness
from tests.unit.services.world import opened


@dataclass
class Latch:
    store: LiveStore
    halting: Halting
    run_dir: Path
    witness: Witness

    @property
    def file(self) -> Path:
        return self.run_dir / HALT_FILE


@pytest.fixture
def latch(tmp_path: Path) -> Iterator[Latch]:
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    with opened(tmp_path / "live.db") as at:
        yield Latch(at.store, Halting(at.store, run_dir, at.witness), run_dir, at.witness)


def test_nothing_is_halted_at_first(latch: Latch) -> None:
    assert latch.halting.reason() is None


def test_a_file_trips_the_latch_and_the_row_holds_when_the_file_is_gone(latch: Latch) -> None:
    write_halt_file(latch.run_dir, "the monitor saw a difference")
    assert "the monitor saw a difference" in (latch.halting.reason() or "")
    latch.file.unlink()
    assert "the monitor saw a difference" in (latch.halting.reason() or "")
    assert Halting(latch.store, latch.run_dir, latch.witness).reason() is not None
    assert latch.witness.events().count(Event.HALT_LATCHED) == 1


def test_the_first_reason_is_the_one_to_read(latch: Latch) -> None:
    latch.halting.latch("first", "breaker")
    latch.halting.latch("second", "operator")
    write_halt_file(latch.run_dir, "third")
    assert latch.halting.reason() == "first"
    assert write_halt_file(latch.run_dir, "fourth").read_text() == "third\n"


def test_an_empty_file_halts(latch: Latch) -> None:
    latch.file.touch()
    assert latch.halting.reason() is not None


def _a_directory(path: Path) -> None:
    path.mkdir()


def _a_link_to_nothing(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


def _a_link_to_a_file(path: Path) -> None:
    path.with_name("elsewhere").write_text("text")
    path.symlink_to(path.with_name("elsewhere"))


def _a_pipe(path: Path) -> None:
    os.mkfifo(path)


def _not_text(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00")


@pytest.mark.parametrize("make", [_a_directory, _a_link_to_nothing, _a_link_to_a_file, _a_pipe, _not_text])
def test_whatever_stands_in_the_files_place_halts(latch: Latch, make: object) -> None:
    assert callable(make)
    make(latch.file)
    assert latch.halting.reason() is not None
    assert latch.store.halt() is not None


def test_a_lift_removes_file_and_latch(latch: Latch) -> None:
    write_halt_file(latch.run_dir, "why")
    latch.halting.reason()
    latch.halting.lift("looked at it", "operator")
    assert latch.halting.reason() is None
    assert not latch.file.exists()
    assert latch.witness.events()[-1] is Event.HALT_LIFTED


def test_a_crash_in_the_middle_of_a_lift_leaves_it_halted(latch: Latch, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file goes first, then the row: whichever the crash comes after, one of the two still says so."""
    write_halt_file(latch.run_dir, "why")
    latch.halting.reason()

    def dies(reason: str, by: str) -> None:
        assert not latch.file.exists()
        raise MemoryError

    with monkeypatch.context() as dying:
        dying.setattr(latch.store, "lift_halt", dies)
        with pytest.raises(MemoryError):
            latch.halting.lift("looked at it", "operator")
    assert latch.halting.reason() is not None


def test_a_file_that_cannot_be_removed_keeps_the_latch_shut(latch: Latch) -> None:
    latch.file.mkdir()
    latch.halting.reason()
    with pytest.raises(UnsafeState):
        latch.halting.lift("looked at it", "operator")
    assert latch.store.halt() is not None


def test_a_file_tripped_after_the_lift_halts_again(latch: Latch) -> None:
    latch.halting.latch("first", "breaker")
    latch.halting.lift("looked at it", "operator")
    write_halt_file(latch.run_dir, "again")
    assert "again" in (latch.halting.reason() or "")


def test_a_reason_is_one_short_line_and_readable_by_the_group(latch: Latch) -> None:
    path = write_halt_file(latch.run_dir, "a\nb\t" + "c" * 1000)
    assert path.read_text().startswith("a b ccc")
    assert len(path.read_text()) == REASON_CHARACTERS_MAX + 1
    assert path.stat().st_mode & 0o777 == 0o660


def test_a_run_directory_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnsafeState, match="cannot be written"):
        write_halt_file(tmp_path / "missing", "why")
