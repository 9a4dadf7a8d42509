"""One key, one signer: the second process that would sign with it is refused before it does."""

import os
import stat
from pathlib import Path

import pytest

from btcbot.domain.errors import ConfigurationError, UnsafeState
from btcbot.domain.secrets import Secret
from btcbot.services.key_lock import signing_alone

KEY = Secret("3e1b0c55-key-of-the-tests")


def test_a_key_is_refused_to_a_second_process_for_as_long_as_the_first_holds_it(tmp_path: Path) -> None:
    with signing_alone(tmp_path, KEY):
        with pytest.raises(ConfigurationError, match="need a key each"), signing_alone(tmp_path, KEY):
            raise AssertionError("two sign with one key")
        with signing_alone(tmp_path, Secret("another")):
            pass
    with signing_alone(tmp_path, KEY):
        pass


def test_the_file_says_nothing_of_the_key_and_the_other_role_may_open_it(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with signing_alone(tmp_path, KEY):
            (path,) = tmp_path.iterdir()
    finally:
        os.umask(before)
    assert path.name == f"key-{KEY.fingerprint()}.lock"
    assert path.read_bytes() == b""
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / f"key-{KEY.fingerprint()}.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnsafeState), signing_alone(tmp_path, KEY):
        raise AssertionError("a link was followed")
