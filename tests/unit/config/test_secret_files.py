"""A secret file is private, one line, and never quoted; in every form that it must not have it is refused."""

import os
from pathlib import Path

import pytest

from btcbot.config.settings import load_profile
from btcbot.domain.errors import ConfigurationError
from tests.unit.config.environments import API_KEY, API_SECRET, Ground


def refusal(environ: dict[str, str]) -> str:
    with pytest.raises(ConfigurationError) as refused:
        load_profile(environ)
    said = str(refused.value)
    assert API_KEY not in said
    assert API_SECRET not in said
    return said


def key_of(environ: dict[str, str]) -> str:
    return load_profile(environ).common.credentials.key.reveal()


@pytest.mark.parametrize("ending", ["", "\n"])
@pytest.mark.parametrize("mode", [0o400, 0o600])
def test_a_private_file_gives_its_one_line(ground: Ground, mode: int, ending: str) -> None:
    ground.secret("live.key", f"{API_KEY}{ending}", mode)
    assert key_of(ground.live()) == API_KEY


@pytest.mark.parametrize(
    "key", ["100%sure-of-it", "'quoted'and\"so\"", "#hash#hash", "şifre-çok-gizli", "a=b&c;d$e`f\\g"]
)
def test_a_secret_with_odd_characters_works_unchanged(ground: Ground, key: str) -> None:
    ground.secret("live.key", key)
    assert key_of(ground.live()) == key
    assert key_of(ground.live(BTCTURK_API_KEY_FILE=None, BTCTURK_API_KEY=key)) == key


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "the file is empty"),
        ("\n", "the file is empty"),
        ("short", "the file is shorter than 8 characters"),
        (f"{API_KEY}\n\n", "the file must be one line of text without blanks"),
        (f"{API_KEY}\r\n", "the file must be one line of text without blanks"),
        (f"{API_KEY}\nsecond\n", "the file must be one line of text without blanks"),
        (f" {API_KEY}", "the file must be one line of text without blanks"),
        (f"{API_KEY}\x00", "the file must be one line of text without blanks"),
        (b"\xff\xfe" + API_KEY.encode(), "the file is not UTF-8 text"),
        ("x" * 4097, "the file is longer than 4096 bytes"),
        ("x" * 100_000, "the file is longer than 4096 bytes"),
    ],
)
def test_a_file_that_is_not_one_secret_is_refused(ground: Ground, content: str | bytes, said: str) -> None:
    ground.secret("live.key", content)
    assert f"BTCTURK_API_KEY_FILE: {said}" in refusal(ground.live())


def test_the_longest_secret_fits(ground: Ground) -> None:
    ground.secret("live.key", "x" * 4096 + "\n")
    assert key_of(ground.live()) == "x" * 4096


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o700, 0o500, 0o4600, 0o440])
def test_a_file_that_others_may_read_is_refused(ground: Ground, mode: int) -> None:
    ground.secret("live.secret", API_SECRET, mode)
    assert f"BTCTURK_API_SECRET_FILE: the file has mode {mode:04o}: chmod 600" in refusal(ground.live())


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777])
def test_a_directory_that_others_may_fill_is_refused(ground: Ground, mode: int) -> None:
    (ground.root / "sandbox").chmod(mode)
    assert "the file's directory is writable by others: chmod go-w" in refusal(ground.live())


def test_a_link_is_refused(ground: Ground) -> None:
    link = ground.root / "sandbox" / "link.key"
    link.symlink_to("live.key")
    assert "BTCTURK_API_KEY_FILE: the file is a symbolic link" in refusal(ground.live(BTCTURK_API_KEY_FILE=str(link)))


def test_what_is_no_file_is_refused_without_waiting(ground: Ground) -> None:
    pipe = ground.root / "sandbox" / "pipe.key"
    os.mkfifo(pipe, 0o600)
    assert "BTCTURK_API_KEY_FILE: not a regular file" in refusal(ground.live(BTCTURK_API_KEY_FILE=str(pipe)))
    directory = str(ground.root / "sandbox")
    assert "BTCTURK_API_KEY_FILE: not a regular file" in refusal(ground.live(BTCTURK_API_KEY_FILE=directory))
    assert "BTCTURK_API_KEY_FILE: the file does not exist" in refusal(ground.live(BTCTURK_API_KEY_FILE="/no/such.key"))
    assert "BTCTURK_API_KEY_FILE must be an absolute path" in refusal(ground.live(BTCTURK_API_KEY_FILE="live.key"))
    assert "BTCTURK_API_KEY_FILE is empty" in refusal(ground.live(BTCTURK_API_KEY_FILE=""))


def test_a_file_of_another_user_is_refused(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    somebody = Path(ground.root / "sandbox" / "live.key").stat().st_uid + 12345
    real = os.fstat

    def of_somebody(descriptor: int) -> os.stat_result:
        found = real(descriptor)
        return os.stat_result([*found[:4], somebody, *found[5:10]])

    monkeypatch.setattr("btcbot.config.secret_files.os.fstat", of_somebody)
    assert "BTCTURK_API_KEY_FILE: the file belongs to another user" in refusal(ground.live())


def test_exactly_one_form_is_set(ground: Ground) -> None:
    assert "BTCTURK_API_KEY and BTCTURK_API_KEY_FILE are both set: remove one" in refusal(
        ground.live(BTCTURK_API_KEY=API_KEY)
    )
    assert "BTCTURK_API_SECRET is not set, and neither is BTCTURK_API_SECRET_FILE" in refusal(
        ground.live(BTCTURK_API_SECRET_FILE=None)
    )


@pytest.mark.parametrize(
    "text", ["not-base64-at-all", "c2VjcmV0LW9mLXRoZS10ZXN0cw=", "c2VjcmV0LW9mLXRoZS10ZXN0cw", "şşşşşşşş"]
)
def test_the_secret_is_base64(ground: Ground, text: str) -> None:
    ground.secret("live.secret", text)
    said = refusal(ground.live())
    assert "BTCTURK_API_SECRET_FILE: the file does not hold base64" in said
    assert text not in said
    assert "BTCTURK_API_SECRET: it does not hold base64" in refusal(
        ground.live(BTCTURK_API_SECRET_FILE=None, BTCTURK_API_SECRET=text)
    )


def test_key_and_secret_are_two_things(ground: Ground) -> None:
    ground.secret("live.key", API_SECRET)
    assert "BTCTURK_API_KEY and BTCTURK_API_SECRET are the same text" in refusal(ground.live())


# --------------------------------------------------------------------------------------------------- the clock anchor


@pytest.mark.parametrize(
    "text",
    ["", "now", "2026-01-31", "2026-01-31 09:30:00Z", "2026-01-31T09:30:00", "2026-01-31T09:30:00+03:00",
     "2026-02-30T00:00:00Z",
     "2026-01-31T09:30:00Z\n\n", "2026-01-31T09:30:00Z 20", "1769851800", "2026-01-31T09:30:00Z" * 9,
     "٢٠٢٦-01-31T09:30:00Z"],
)  # fmt: skip
def test_an_anchor_is_one_instant(ground: Ground, text: str) -> None:
    path = ground.secret("clock_anchor", text)
    said = refusal(ground.live(BTCBOT_CLOCK_RATE="20", BTCBOT_CLOCK_ANCHOR_FILE=str(path)))
    assert "BTCBOT_CLOCK_ANCHOR_FILE: the file must hold one line with a UTC instant such as" in said


@pytest.mark.parametrize(
    "text", ["2026-01-31T09:30:00.123456+00:00\n", "2026-01-31T09:30:00.5Z", "2026-01-31T09:30:00+00:00"]
)
def test_an_anchor_may_have_a_fraction(ground: Ground, text: str) -> None:
    path = ground.secret("clock_anchor", text)
    load_profile(ground.live(BTCBOT_CLOCK_RATE="20", BTCBOT_CLOCK_ANCHOR_FILE=str(path)))


def test_an_anchor_is_a_file_that_others_cannot_move(ground: Ground) -> None:
    path = ground.secret("clock_anchor", "2026-01-31T09:30:00Z", 0o666)
    rate = {"BTCBOT_CLOCK_RATE": "20"}
    assert "the file is writable by others" in refusal(ground.live(**rate, BTCBOT_CLOCK_ANCHOR_FILE=str(path)))
    missing = refusal(ground.live(**rate, BTCBOT_CLOCK_ANCHOR_FILE="/nowhere"))
    assert "BTCBOT_CLOCK_ANCHOR_FILE: the file does not exist; `btcbot sandbox init DIR` makes it" in missing
    link = ground.root / "sandbox" / "link"
    link.symlink_to(path)
    assert "cannot be read" in refusal(ground.live(**rate, BTCBOT_CLOCK_ANCHOR_FILE=str(link)))
    assert "not a regular file" in refusal(ground.live(**rate, BTCBOT_CLOCK_ANCHOR_FILE=str(ground.root / "run")))
