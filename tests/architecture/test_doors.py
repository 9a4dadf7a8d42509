"""What a package shows at its door, and the one place where an order leaves."""

import ast
from pathlib import Path

import pytest

from tests.architecture.planting import PROJECT

PACKAGE = PROJECT / "btcbot"
DOORS = sorted(PACKAGE.rglob("__init__.py"))


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports(tree: ast.AST) -> list[str]:
    return [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]


def calls(tree: ast.AST, name: str) -> list[int]:
    """Lines where something of this name is called, plainly or as an attribute."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and (
            (isinstance(node.func, ast.Name) and node.func.id == name)
            or (isinstance(node.func, ast.Attribute) and node.func.attr == name)
        )
    ]


@pytest.mark.parametrize("door", DOORS, ids=lambda door: str(door.parent.relative_to(PROJECT)))
def test_a_package_says_what_it_is_for(door: Path) -> None:
    sentence = ast.get_docstring(parsed(door))
    assert sentence
    assert sentence.endswith(".")


def test_every_folder_with_code_is_a_package() -> None:
    assert {path.parent for path in PACKAGE.rglob("*.py")} == {door.parent for door in DOORS}


@pytest.mark.parametrize("package", ["services", "execution"])
def test_a_door_that_must_not_let_a_submit_through_imports_nothing(package: str) -> None:
    assert imports(parsed(PACKAGE / package / "__init__.py")) == []


def test_one_line_sends_an_order() -> None:
    """Only execution.live imports exchange.submit (a contract); there, one line calls it; and it sends one request."""
    assert len(calls(parsed(PACKAGE / "execution" / "live.py"), "submit")) == 1
    assert len(calls(parsed(PACKAGE / "exchange" / "submit.py"), "send_once")) == 1
