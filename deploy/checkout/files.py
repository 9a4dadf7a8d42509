"""Writing files so that a reader sees all of one or nothing of it."""

from pathlib import Path


def write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, "utf-8")
    part.replace(path)


def link(path: Path, target: Path) -> None:
    """`path` leads to `target`."""
    path.parent.mkdir(exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    part.symlink_to(target)
    part.replace(path)
