from pathlib import Path

import pytest

from btcbot.domain.errors import ExitCode
from btcbot.sandbox import scenario as module
from btcbot.sandbox.scenario import UnusableScenario, read_scenario

PAIRS = ("BTCTRY", "SOLTRY")
FAULT = '{"at_seconds": 60, "fault": {"fault": "silent_feed", "seconds": 1.5}}'
CLEAR = '{"at_seconds": 90.5, "clear": true}'
HALT = '{"at_seconds": 0, "halt_pair": "BTCTRY"}'


def _file(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("text", [f"[{FAULT}, {CLEAR}, {HALT}]", f"{FAULT}\n{CLEAR}\n\n{HALT}\n"])
def test_a_list_and_lines_say_the_same_and_are_played_in_the_order_of_time(tmp_path: Path, text: str) -> None:
    steps = read_scenario(_file(tmp_path / "s", text), PAIRS)
    assert [(step.number, str(step.at_seconds), step.deed) for step in steps] == [
        (3, "0", "halt_pair"), (1, "60", "fault"), (2, "90.5", "clear"),
    ]  # fmt: skip


def test_no_file_and_an_empty_one_have_no_steps(tmp_path: Path) -> None:
    assert read_scenario(None, PAIRS) == read_scenario(_file(tmp_path / "s", "\n"), PAIRS) == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{CLEAR}\n7", "entry 2 of the scenario is not an object"),
        ('{"at_seconds": 1}', "entry 1 .* one of fault, clear, halt_pair, resume_pair"),
        ('{"at_seconds": 1, "clear": true, "halt_pair": "BTCTRY"}', "entry 1 .* must have"),
        ('{"at_seconds": 1, "fault": {"fault": "quake"}}', "entry 1 .* no fault 'quake'"),
        ('{"at_seconds": 1, "clear": false}', "entry 1 .* clear is true"),
        ('{"at_seconds": 1, "halt_pair": "DOGETRY"}', "entry 1 .* halt_pair is one of BTCTRY, SOLTRY"),
        ('{"at_seconds": 1, "resume_pair": ["BTCTRY"]}', "entry 1 .* resume_pair is one of"),
        ('{"at_seconds": -1, "clear": true}', "entry 1 .* not negative"),
        ('{"at_seconds": "soon", "clear": true}', "entry 1 .* plain number"),
        ('{"clear": true}', "entry 1 .* plain number"),
        ('{"at_seconds": NaN, "clear": true}', "not JSON"),
        ("[1,", "not JSON"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_what_is_wrong_is_said_with_the_number_of_the_entry(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UnusableScenario, match=words) as refused:
        read_scenario(_file(tmp_path / "s", text), PAIRS)
    assert refused.value.exit_code is ExitCode.CONFIGURATION


def test_a_file_that_is_missing_or_endless_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnusableScenario, match="cannot be read"):
        read_scenario(tmp_path / "gone", PAIRS)
    monkeypatch.setattr(module, "BYTES_MAX", 10)
    with pytest.raises(UnusableScenario, match="longer than"):
        read_scenario(_file(tmp_path / "s", CLEAR), PAIRS)
