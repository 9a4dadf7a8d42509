import base64
import random
import re
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from btcbot.domain.errors import ExitCode
from btcbot.sandbox.keys import DirectoryNotReady, init_directory, read_keys

NOW = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


def test_a_directory_gets_keys_secrets_and_an_anchor_that_nobody_else_can_read(tmp_path: Path) -> None:
    init_directory(tmp_path / "s", NOW, random.Random(1).randbytes)
    names = sorted(path.name for path in (tmp_path / "s").iterdir())
    assert names == ["clock_anchor", "live.key", "live.secret", "monitor.key", "monitor.secret"]
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "s").iterdir()} == {0o600}
    assert datetime.fromisoformat((tmp_path / "s" / "clock_anchor").read_text().strip()) == NOW


def test_keys_look_like_the_exchanges(tmp_path: Path) -> None:
    init_directory(tmp_path, NOW, random.Random(1).randbytes)
    public = (tmp_path / "live.key").read_text().strip()
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", public)
    assert len(base64.b64decode((tmp_path / "live.secret").read_text().strip())) == 32


def test_what_is_there_stays(tmp_path: Path) -> None:
    init_directory(tmp_path, NOW, random.Random(1).randbytes)
    (tmp_path / "monitor.key").unlink()
    before = (tmp_path / "live.key").read_bytes()
    init_directory(tmp_path, datetime(2027, 1, 1, tzinfo=UTC), random.Random(2).randbytes)
    assert (tmp_path / "live.key").read_bytes() == before
    assert (tmp_path / "monitor.key").exists()
    assert (tmp_path / "clock_anchor").read_text().startswith("2026")


def test_only_lives_key_may_trade_and_no_secret_shows(tmp_path: Path) -> None:
    init_directory(tmp_path, NOW, random.Random(1).randbytes)
    live, monitor = read_keys(tmp_path)
    assert (live.permits("submit"), monitor.permits("submit")) == (True, False)
    assert repr(live.secret) not in repr(live)


@pytest.mark.parametrize("spoiled", ["live.key", "monitor.secret"])
def test_a_missing_or_spoiled_key_is_a_configuration_error(tmp_path: Path, spoiled: str) -> None:
    init_directory(tmp_path, NOW, random.Random(1).randbytes)
    (tmp_path / spoiled).write_bytes(b"\xff!")
    with pytest.raises(DirectoryNotReady):
        read_keys(tmp_path)
    (tmp_path / spoiled).unlink()
    with pytest.raises(DirectoryNotReady, match=re.escape(spoiled)) as refused:
        read_keys(tmp_path)
    assert refused.value.exit_code is ExitCode.CONFIGURATION
