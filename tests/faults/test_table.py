"""Every fault has a test that shows its outcome or a reason why none does, and the page says so."""

import subprocess
import sys

import pytest

from tests.faults import table
from tests.faults.matrix import ROWS


def test_every_row_is_shown_or_says_what_is_missing() -> None:
    assert table.problems() == []


def test_the_page_is_made_of_these_rows() -> None:
    assert table.PAGE.read_text(encoding="utf-8") == table.page(), "run `python -m tests.faults.table`"


@pytest.mark.parametrize(
    "test",
    [
        "tests/faults/test_table.py::test_that_is_not_there",
        "tests/faults/no_such_file.py::test_every_row_is_shown_or_says_what_is_missing",
        "tests/faults/test_submits.py::test_a_submit_that_goes_wrong[99 no such case]",
        "test_every_row_is_shown_or_says_what_is_missing",
    ],
)
def test_a_test_that_does_not_exist_is_noticed(test: str) -> None:
    assert not table.exists(test)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_named_test_is_collected() -> None:
    """As pytest itself finds them, cases included."""
    named = {test for row in ROWS.values() for test in row.tests}
    files = sorted({test.partition("::")[0] for test in named})
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *files],
        cwd=table.CHECKOUT, capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    collected = set(done.stdout.splitlines())
    without_cases = {line.partition("[")[0] for line in collected}
    assert sorted(test for test in named if test not in collected | without_cases) == []
