"""with-env as the real program: what reaches the command, and what each kind of bad file gets."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

WITH_ENV = Path(__file__).resolve().parents[2] / "deploy" / "with-env"
SHOW_ENVIRONMENT = (sys.executable, "-IBc", "import json, os; print(json.dumps(dict(os.environ)))")
SECRET = "tr0ub4dor"


def with_env(*words: object, **inherited: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-IB", str(WITH_ENV), *(str(word) for word in words)]
    return subprocess.run(
        command, capture_output=True, text=True, env={"PATH": os.environ["PATH"], **inherited}, timeout=30
    )


def shown(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    assert done.returncode == 0, done.stderr
    # Python itself adds LC_CTYPE under the C locale.
    return {name: value for name, value in json.loads(done.stdout).items() if name != "LC_CTYPE"}


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    return tmp_path / "role.env"


def test_the_command_gets_what_the_file_says_and_nothing_else(env_file: Path) -> None:
    env_file.write_text("# a comment\n\n   \nAPP_ROLE=live\nEMPTY=\n")
    done = with_env(
        env_file,
        "--",
        *SHOW_ENVIRONMENT,
        LANG="C.UTF-8",
        TZ="UTC",
        BTCTURK_API_SECRET=SECRET,
        PYTHONWARNINGS="error",
        HOME="/x",
    )
    assert shown(done) == {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TZ": "UTC", "APP_ROLE": "live", "EMPTY": ""}


@pytest.mark.parametrize(
    "value",
    [
        "$HOME",
        "${PATH}",
        "`id`",
        '"quoted"',
        "'single'",
        "a=b=c",
        "a # b",
        r"a\nb",
        '{"fast": 12}',
        "%d",
        "ğüşİ₺",
        "a\tb",
    ],
)
def test_a_value_arrives_as_it_is_written(env_file: Path, value: str) -> None:
    env_file.write_text(f"VALUE={value}\n")
    assert shown(with_env(env_file, "--", *SHOW_ENVIRONMENT, LANG="C.UTF-8"))["VALUE"] == value


def test_the_file_wins_over_what_was_inherited(env_file: Path) -> None:
    env_file.write_text("TZ=Europe/Istanbul\n")
    assert shown(with_env(env_file, "--", *SHOW_ENVIRONMENT, TZ="UTC"))["TZ"] == "Europe/Istanbul"


def test_a_last_line_without_its_end_counts(env_file: Path) -> None:
    env_file.write_text("A=1\nB=2")
    assert shown(with_env(env_file, "--", *SHOW_ENVIRONMENT))["B"] == "2"


@pytest.mark.parametrize(
    ("bad_line", "complaint"),
    [
        (f"{SECRET}".encode(), "no '='"),
        (f"export KEY={SECRET}".encode(), "malformed name"),
        (f"KEY ={SECRET}".encode(), "malformed name"),
        (f" KEY={SECRET}".encode(), "malformed name"),
        (f"key={SECRET}".encode(), "malformed name"),
        (f"1KEY={SECRET}".encode(), "malformed name"),
        (f"K-Y={SECRET}".encode(), "malformed name"),
        (f"KİY={SECRET}".encode(), "malformed name"),
        (f"={SECRET}".encode(), "malformed name"),
        (f"  # {SECRET}".encode(), "no '='"),
        (f"\ufeffKEY={SECRET}".encode(), "malformed name"),
        (f"KEY={SECRET} ".encode(), "begins or ends with a blank"),
        (f"KEY= {SECRET}".encode(), "begins or ends with a blank"),
        (f"KEY={SECRET}\r".encode(), "carriage return"),
        (f"KEY={SECRET}\0".encode(), "control character"),
        (f"KEY={SECRET}\x1b[2J".encode(), "control character"),
        (f"KEY={SECRET}\u2028".encode(), "control character"),
        (b"KEY=" + SECRET.encode() + b"\xff", "not UTF-8"),
        (f"KEY={SECRET}".encode("utf-16-le"), "control character"),
        (f"FIRST={SECRET}".encode(), "a second time, first in line 1"),
    ],
)
def test_a_bad_line_is_named_without_its_value(env_file: Path, bad_line: bytes, complaint: str) -> None:
    env_file.write_bytes(b"FIRST=1\n" + bad_line + b"\nLAST=2\n")
    done = with_env(env_file, "--", *SHOW_ENVIRONMENT)
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.startswith(f"with-env: {env_file}:2: ")
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1
    assert SECRET not in done.stderr


@pytest.mark.parametrize("kind", ["missing", "directory", "pipe", "huge", "name too long"])
def test_a_file_that_cannot_be_read_is_a_configuration_error(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "role.env"
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "huge":
        path.write_bytes(b"#" * 70_000)
    elif kind == "name too long":
        path = tmp_path / ("x" * 300)
    done = with_env(path, "--", *SHOW_ENVIRONMENT)
    assert (done.returncode, done.stdout) == (78, "")
    assert str(path) in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_missing_command_is_127_and_one_that_cannot_run_126(env_file: Path, tmp_path: Path) -> None:
    env_file.write_text("A=1\n")
    plain = tmp_path / "plain"
    plain.write_text("text")
    assert with_env(env_file, "--", tmp_path / "nothing").returncode == 127
    assert with_env(env_file, "--", plain / "below").returncode == 127
    done = with_env(env_file, "--", plain)
    assert done.returncode == 126
    assert done.stderr == f"with-env: {plain}: cannot be executed: Permission denied\n"


@pytest.mark.parametrize("words", [[], ["FILE"], ["FILE", "--"], ["FILE", "true"], ["--", "FILE", "true"]])
def test_wrong_usage_is_64(env_file: Path, words: list[str]) -> None:
    env_file.write_text("A=1\n")
    done = with_env(*(env_file if word == "FILE" else word for word in words))
    assert done.returncode == 64
    assert done.stderr.startswith("with-env: usage: ")


def test_the_command_replaces_the_program_and_keeps_its_exit_code(env_file: Path) -> None:
    env_file.write_text("A=1\n")
    command = [
        sys.executable,
        "-IB",
        str(WITH_ENV),
        str(env_file),
        "--",
        sys.executable,
        "-c",
        "import os; print(os.getpid()); exit(73)",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.communicate(timeout=30)[0] == f"{process.pid}\n"
    assert process.returncode == 73
