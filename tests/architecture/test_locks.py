"""The locks cover what the project asks for, with hashes, and say nothing of where files come from."""

import re
import tomllib

import pytest

from tests.architecture.planting import PROJECT

PINNED = re.compile(
    r"(?P<name>[a-z0-9-]+)==(?P<version>[0-9][0-9a-z.+]*)"
    r"(?: ; [^\\\n]+)?"
    r"(?: \\\n    --hash=sha256:[0-9a-f]{64})+\n"
)


def pins(lock: str) -> dict[str, str]:
    """Name and version of each entry; a line that is not part of one is an error."""
    text = (PROJECT / "requirements" / lock).read_text(encoding="utf-8")
    assert PINNED.sub("", text) == ""
    return {match["name"]: match["version"] for match in PINNED.finditer(text)}


def asked_for(*groups: str) -> set[str]:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = project["project"]["dependencies"] + project["build-system"]["requires"]
    for group in groups:
        wanted += [line for line in project["dependency-groups"][group] if isinstance(line, str)]
    return {re.split(r"[^A-Za-z0-9-]", line, maxsplit=1)[0] for line in wanted}


@pytest.mark.parametrize(("lock", "groups"), [("run.lock", ["build"]), ("dev.lock", ["build", "dev"])])
def test_a_lock_pins_by_hash_all_that_is_asked_for(lock: str, groups: list[str]) -> None:
    assert asked_for(*groups) <= set(pins(lock))


def test_tests_run_on_the_versions_that_ship() -> None:
    assert pins("run.lock").items() <= pins("dev.lock").items()
