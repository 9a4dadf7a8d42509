"""Writes docs/faults.md: every fault, what has to come of it, the tests that show it, and what is missing.

`python -m tests.faults.table` writes the page and names what is not shown yet; a test holds the page against `matrix`.
"""

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.faults.matrix import FIRST_ROWS, LAST_ROW, NOT_YET, ROWS, SHARED, STORIES, Group
from tests.faults.places import THIRTEEN

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = CHECKOUT / "docs" / "faults.md"
TEST_ID = re.compile(r"(?P<path>[\w/]+\.py)::(?P<name>\w+)(\[(?P<case>.+)\])?")
COLUMNS = ("| | what happens | what has to come of it | shown by |", "| --- | --- | --- | --- |")


def problems() -> list[str]:
    """Rows without a test or a reason, tests that are not there, and tests in several rows that do not say why."""
    claims = Counter(test for row in ROWS.values() for test in row.tests)
    stories = {f"{THIRTEEN}::{name}" for name in STORIES.values()}
    return [
        *(f"row {number} is missing" for number in range(1, LAST_ROW + 1) if number not in ROWS),
        *(f"row {number} is unknown" for number in ROWS if not 1 <= number <= LAST_ROW),
        *(f"row {number} has neither a test nor a reason" for number, row in ROWS.items()
          if not row.tests and number not in NOT_YET),
        *(f"row {number} names {test} twice" for number, row in ROWS.items()
          for test, times in Counter(row.tests).items() if times > 1),
        *(f"{test} stands in {times} rows and does not say why" for test, times in claims.items()
          if times > 1 and test not in SHARED),
        *(f"{test} is said to be shared and is not" for test in SHARED if claims[test] < 2),
        *(f"{test} does not exist" for test in sorted(claims.keys() | stories) if not exists(test)),
        *(f"{test} is not one of the stories" for test in tests_of(THIRTEEN) if f"{THIRTEEN}::{test}" not in stories),
    ]  # fmt: skip


def exists(test: str) -> bool:
    """Whether a file has a test of that name, and where a case is named, whether the case is spelt out in it."""
    match = TEST_ID.fullmatch(test)
    if match is None or not (CHECKOUT / match["path"]).is_file() or match["name"] not in tests_of(match["path"]):
        return False
    return match["case"] is None or match["case"] in words_of(match["path"])


@cache
def tests_of(path: str) -> tuple[str, ...]:
    functions = (node for node in ast.walk(_tree(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return tuple(function.name for function in functions if function.name.startswith("test_"))


@cache
def words_of(path: str) -> frozenset[str]:
    """Every text in a file."""
    constants = (node.value for node in ast.walk(_tree(path)) if isinstance(node, ast.Constant))
    return frozenset(value for value in constants if isinstance(value, str))


@cache
def _tree(path: str) -> ast.Module:
    return ast.parse((CHECKOUT / path).read_text(encoding="utf-8"))


def gaps() -> list[str]:
    """What the product or its tests do not hold yet."""
    return [f"{number} {ROWS[number].fault}: {missing}" for number, missing in sorted(NOT_YET.items())]


def page() -> str:
    lines = [
        "# What can go wrong", "",
        "Made from `tests/faults/matrix.py` by `python -m tests.faults.table`; a test holds it against the tests.", "",
        f"{len(ROWS) - len(NOT_YET)} of {len(ROWS)} rows are shown whole. A row with a dagger lacks something, which",
        "[the last section](#not-yet) names. `make fault-test` runs the long campaigns behind C and D.", "",
        *(line for group in Group for line in _table(group)),
        "## Thirteen stories that break other bots", "",
        f"Each is one test of `{THIRTEEN}`: a real worker against the local exchange, in virtual time.", "",
        "| story | test |", "| --- | --- |",
        *(f"| {story} | {name} |" for story, name in STORIES.items()), "",
        "## Tests in several rows", "",
        *(f"- `{test}`: {why}" for test, why in SHARED.items()), "",
        "## Not yet", "",
        *(f"- {gap}" for gap in gaps()), "",
    ]  # fmt: skip
    return "\n".join(lines)


def _table(group: Group) -> Iterator[str]:
    yield from (
        f"## {group}",
        "",
        "| | what happens | what has to come of it | shown by |",
        "| --- | --- | --- | --- |",
    )
    after = min((first for first in FIRST_ROWS.values() if first > FIRST_ROWS[group]), default=LAST_ROW + 1)
    for number in range(FIRST_ROWS[group], after):
        row = ROWS[number]
        mark = " †" if number in NOT_YET else ""
        tests = "<br>".join(_short(test) for test in row.tests) or "–"
        yield f"| {number}{mark} | {row.fault} | {row.outcome} | {tests} |"
    yield ""


def _short(test: str) -> str:
    """The file without its folders, and the test."""
    path, _, name = test.partition("::")
    return f"{path.rpartition('/')[2]}::{name}"


if __name__ == "__main__":
    if found := problems():
        raise SystemExit("\n".join(found))
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write("\n".join(["not yet:", *gaps(), ""]))
