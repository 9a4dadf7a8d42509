"""One key, one signer: the second process that would sign with it is refused before it does."""

import os
import stat
from pathlib import Path

import pytest

from btcbot.domain.errors import ConfigurationError, UnsafeState
from btcbot.domain.profiles import Role
from btcbot.domain.secrets import Secret
from btcbot.services.key_lock import KeyOfAnotherRole, require_key_of, signing_alone

KEY = Secret("3e1b0c55-key-of-the-tests")
LIVE, MONITOR = Role.LIVE, Role.MONITOR


def test_a_key_is_refused_to_a_second_process_for_as_long_as_the_first_holds_it(tmp_path: Path) -> None:
    with signing_alone(tmp_path, KEY, LIVE):
        with pytest.raises(ConfigurationError, match="need a key each"), signing_alone(tmp_path, KEY, LIVE):
            raise AssertionError("two sign with one key")
        with signing_alone(tmp_path, Secret("another"), MONITOR):
            pass
    with signing_alone(tmp_path, KEY, LIVE):
        pass


def test_the_file_says_nothing_of_the_key_and_the_other_role_may_open_it(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with signing_alone(tmp_path, KEY, LIVE):
            (path,) = tmp_path.iterdir()
    finally:
        os.umask(before)
    assert path.name == f"key-{KEY.fingerprint()}.lock"
    assert path.read_bytes() == b"live\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_a_key_stays_the_key_of_the_role_that_signed_with_it(tmp_path: Path) -> None:
    """98: live need not run for the monitor to be refused its key, and nothing changes by the refusal."""
    path = tmp_path / f"key-{KEY.fingerprint()}.lock"
    require_key_of(tmp_path, KEY, MONITOR)
    assert not path.exists()
    with signing_alone(tmp_path, KEY, LIVE):
        pass
    for _ in range(2):
        with pytest.raises(KeyOfAnotherRole, match=f"is live's, and this process is monitor: {path}"):
            signing_alone(tmp_path, KEY, MONITOR).__enter__()
        with pytest.raises(KeyOfAnotherRole):
            require_key_of(tmp_path, KEY, MONITOR)
    require_key_of(tmp_path, KEY, LIVE)
    with signing_alone(tmp_path, KEY, LIVE):
        assert path.read_bytes() == b"live\n"


def test_a_key_of_which_the_file_says_nothing_known_is_nobodys(tmp_path: Path) -> None:
    path = tmp_path / f"key-{KEY.fingerprint()}.lock"
    path.write_bytes(b"\xff liv")
    with pytest.raises(KeyOfAnotherRole, match="not known to be this role's"):
        signing_alone(tmp_path, KEY, LIVE).__enter__()


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / f"key-{KEY.fingerprint()}.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnsafeState), signing_alone(tmp_path, KEY, LIVE):
        raise AssertionError("a link was followed")
