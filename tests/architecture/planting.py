"""A copy of the tree to spoil: what a rule forbids is planted in it, checked, and taken out again."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Tree:
    """A copy of the package, its lint rules and its contracts."""

    root: Path

    @classmethod
    def copied_to(cls, root: Path) -> "Tree":
        for folder in ("btcbot", "lint"):
            shutil.copytree(PROJECT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(PROJECT / ".importlinter", root)
        return cls(root)

    @contextmanager
    def with_planted(self, plants: dict[str, str]) -> Iterator[None]:
        """Each line is put at the end of its file (a missing file is made) for as long as the block runs."""
        before = {path: path.read_text() if path.exists() else None for path in map(self.root.joinpath, plants)}
        try:
            for path, line in zip(before, plants.values(), strict=True):
                path.write_text(f"{before[path] or ''}\n{line}\n")
            yield
        finally:
            for path, text in before.items():
                if text is None:
                    path.unlink()
                else:
                    path.write_text(text)

    def contract(self, *names: str) -> subprocess.CompletedProcess[str]:
        """The verdict of import-linter on these contracts, or on all."""
        command = [
            *(sys.executable, "-c", "from importlinter.cli import lint_imports_command as check; check()"),
            *("--no-logo", "--cache-dir", str(self.root / ".cache")),
            *(part for name in names for part in ("--contract", name)),
        ]
        return subprocess.run(command, cwd=self.root, capture_output=True, text=True, timeout=60)
