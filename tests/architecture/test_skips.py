"""A skip that nobody explained fails the run."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.planting import PROJECT

SKIPPED = "import pytest\n@pytest.mark.skip(reason='too late')\ndef test_it(): pass\ndef test_other(): pass\n"
WHOLE_FILE = "import pytest\npytest.skip('no such engine', allow_module_level=True)\n"
EXPECTED = "import pytest\n@pytest.mark.xfail(reason='known')\ndef test_it(): assert False\n"


def run(folder: Path, allowed: str, *options: str, **sources: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(PROJECT / "tests" / "conftest.py", folder)
    (folder / "skips.txt").write_text(allowed)
    for name, source in sources.items():
        (folder / f"test_{name}.py").write_text(source)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=50)


@pytest.mark.parametrize("options", [(), ("-n", "1")], ids=["alone", "distributed"])
def test_an_unexplained_skip_fails_the_run(tmp_path: Path, options: tuple[str, ...]) -> None:
    ended = run(tmp_path, "# none\n", *options, one=SKIPPED, file=WHOLE_FILE, expected=EXPECTED)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    _, _, report = ended.stdout.partition("skipped, and not on the list in skips.txt")
    assert "test_one.py::test_it: " in report
    assert "test_file.py: " in report
    assert "test_expected.py::test_it: " in report
    assert "test_other" not in report


def test_a_skip_on_the_list_passes(tmp_path: Path) -> None:
    ended = run(tmp_path, "test_one.py::test_it | the exchange is closed on Sundays\n", one=SKIPPED)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_a_list_without_a_reason_is_refused(tmp_path: Path) -> None:
    ended = run(tmp_path, "test_one.py::test_it\n", one=SKIPPED)
    assert ended.returncode == 4
    assert "gives no reason" in ended.stderr
