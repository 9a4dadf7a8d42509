"""Databases that could be one file, run directories without room, and every trick a link can play."""

import os
from pathlib import Path

import pytest

from btcbot.config.paths import is_companion, is_same_file
from btcbot.config.settings import load_profile
from btcbot.domain.errors import ConfigurationError
from tests.unit.config.environments import Ground


def refusal(environ: dict[str, str]) -> str:
    with pytest.raises(ConfigurationError) as refused:
        load_profile(environ)
    return str(refused.value)


ONE_FILE = "STATE_DB_PATH and BTCBOT_PEER_STATE_DB_PATH are one file"


@pytest.mark.parametrize(
    "path",
    ["live.db", "./live.db", "/var/../live.db", "/var//live.db", "//var/live.db", "/var/live.db/",
     "/var/./live.db", "~/live.db",
     "/", "/var/lib/\x07.db", "/var/\udcff.db", "/" + "x" * 5000],
)  # fmt: skip
@pytest.mark.parametrize("name", ["STATE_DB_PATH", "BTCBOT_PEER_STATE_DB_PATH", "BTCBOT_RUN_DIR"])
def test_a_path_is_absolute_and_says_where_it_leads(ground: Ground, name: str, path: str) -> None:
    assert f"{name} " in refusal(ground.live(**{name: path}))


def test_the_same_text_is_the_same_file(ground: Ground) -> None:
    environ = ground.live()
    assert ONE_FILE in refusal(environ | {"BTCBOT_PEER_STATE_DB_PATH": environ["STATE_DB_PATH"]})


def test_a_linked_directory_leads_to_the_same_file(ground: Ground) -> None:
    (ground.root / "other").symlink_to(ground.root / "live")
    peer = str(ground.root / "other" / "live.db")
    assert ONE_FILE in refusal(ground.live(BTCBOT_PEER_STATE_DB_PATH=peer))


def test_a_linked_file_is_the_same_file(ground: Ground) -> None:
    own = ground.root / "live" / "live.db"
    own.write_bytes(b"")
    peer = ground.root / "monitor" / "monitor.db"
    peer.symlink_to(own)
    assert ONE_FILE in refusal(ground.live())
    peer.unlink()
    peer.hardlink_to(own)
    assert ONE_FILE in refusal(ground.live())
    assert ONE_FILE in refusal(ground.monitor())


def test_a_link_to_a_file_that_does_not_exist_yet_is_seen_through(ground: Ground) -> None:
    (ground.root / "monitor" / "monitor.db").symlink_to(ground.root / "live" / "live.db")
    assert ONE_FILE in refusal(ground.live())


def test_one_directory_under_two_names_is_seen_by_its_inode(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    # A bind mount: neither text nor resolution shows it. Here resolution is blinded, and the inodes are real.
    (ground.root / "other").symlink_to(ground.root / "live")
    monkeypatch.setattr(os.path, "realpath", str)
    assert is_same_file(ground.root / "live" / "new.db", ground.root / "other" / "new.db")
    assert not is_same_file(ground.root / "live" / "new.db", ground.root / "other" / "else.db")


def test_a_place_that_cannot_be_looked_into_is_judged_by_text(tmp_path: Path) -> None:
    assert not is_same_file(tmp_path / "a.db" / "x", tmp_path / "b.db" / "y")
    assert not is_same_file(Path("/proc/1/nowhere/a.db"), tmp_path / "a.db")


@pytest.mark.parametrize("suffix", [".lock", "-wal", "-shm", "-journal"])
def test_a_database_is_not_the_companion_of_the_other(ground: Ground, suffix: str) -> None:
    own = ground.root / "live" / "live.db"
    assert "one is a companion file of the other" in refusal(ground.live(BTCBOT_PEER_STATE_DB_PATH=f"{own}{suffix}"))
    assert is_companion(Path(f"{own}{suffix}"), own)


def test_a_start_makes_no_directories(ground: Ground) -> None:
    said = refusal(ground.live(STATE_DB_PATH=str(ground.root / "nowhere" / "live.db")))
    assert "STATE_DB_PATH is in a directory that does not exist" in said
    assert not (ground.root / "nowhere").exists()
    assert "BTCBOT_RUN_DIR does not exist" in refusal(ground.live(BTCBOT_RUN_DIR=str(ground.root / "nowhere")))


def test_the_peer_need_not_exist(ground: Ground) -> None:
    load_profile(ground.live(BTCBOT_PEER_STATE_DB_PATH="/nowhere/at/all/monitor.db"))


def test_the_own_database_is_no_link_and_no_directory(ground: Ground) -> None:
    own = ground.root / "live" / "live.db"
    own.symlink_to(ground.root / "live" / "real.db")
    assert "STATE_DB_PATH is a symbolic link: name the real file" in refusal(ground.live())
    own.unlink()
    own.mkdir()
    assert "STATE_DB_PATH is not a regular file" in refusal(ground.live())
    own.rmdir()
    (ground.root / "linked").symlink_to(ground.root / "live")
    said = refusal(ground.live(STATE_DB_PATH=str(ground.root / "linked" / "live.db")))
    assert "STATE_DB_PATH is in a directory that is a symbolic link: name the real one" in said
    (ground.root / "file").write_text("")
    said = refusal(ground.live(STATE_DB_PATH=str(ground.root / "file" / "live.db")))
    assert "STATE_DB_PATH is not in a directory" in said


def test_the_run_directory_has_room_for_its_sockets(ground: Ground) -> None:
    longest = "/control.sock"
    room = ground.root / ("r" * (107 - len(longest) - len(str(ground.root)) - 1))
    room.mkdir(mode=0o700)
    assert len(f"{room}{longest}") == 107
    load_profile(ground.live(BTCBOT_RUN_DIR=str(room)))
    tight = room.with_name(room.name + "r")
    tight.mkdir(mode=0o700)
    said = refusal(ground.live(BTCBOT_RUN_DIR=str(tight)))
    assert "BTCBOT_RUN_DIR is too long: its sockets have paths of 108 bytes, and 107 are possible" in said


def test_the_run_directory_is_a_directory_that_not_everybody_may_fill(ground: Ground) -> None:
    run_dir = ground.root / "run"
    run_dir.chmod(0o2770)
    load_profile(ground.live())
    run_dir.chmod(0o777)
    assert "BTCBOT_RUN_DIR is writable by everybody: chmod o-w" in refusal(ground.live())
    said = refusal(ground.live(BTCBOT_RUN_DIR=str(ground.root / "sandbox" / "live.key")))
    assert "BTCBOT_RUN_DIR is not a directory" in said


def test_settings_change_nothing(ground: Ground) -> None:
    def everything() -> list[tuple[str, int, int]]:
        return sorted((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in ground.root.rglob("*"))

    before = everything()
    load_profile(ground.live())
    load_profile(ground.monitor())
    refusal(ground.live(SAFE_MODE="?"))
    assert everything() == before
