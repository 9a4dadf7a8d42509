"""No commit spans an await: nothing in persistence is asynchronous, and nobody else opens a transaction."""

import ast
from pathlib import Path

PROJECT = Path(__file__).parents[3]
ASYNCHRONOUS = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await)


def test_nothing_in_persistence_waits_for_anything_else() -> None:
    files = list((PROJECT / "btcbot" / "persistence").rglob("*.py"))
    assert len(files) > 20
    for file in files:
        nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        assert not [node for node in nodes if isinstance(node, ASYNCHRONOUS)], file


def test_transactions_are_opened_in_persistence_only() -> None:
    for file in (PROJECT / "btcbot").rglob("*.py"):
        if file.is_relative_to(PROJECT / "btcbot" / "persistence"):
            continue
        assert ".transaction(" not in file.read_text(encoding="utf-8"), file
