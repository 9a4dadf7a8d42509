"""Dead code is found, and a test does not keep it alive."""

from pathlib import Path

from lint.unused import unused


def test_what_nothing_calls_is_named(tmp_path: Path) -> None:
    (tmp_path / "planted.py").write_text(
        "class Desk:\n    def sell(self): ...\n\ndef open_up():\n    return Desk()\n\nopen_up()\n"
    )
    assert [line.partition(": ")[2] for line in unused([str(tmp_path)])] == ["unused method 'sell' (60% confidence)"]


def test_what_is_called_is_not(tmp_path: Path) -> None:
    (tmp_path / "planted.py").write_text("def open_up(): ...\n\nopen_up()\n")
    assert unused([str(tmp_path)]) == []
