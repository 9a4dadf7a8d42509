"""The commands of a user's first strategy, as docs/strategies.md has them: what is run is what is read."""

from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "strategies.md"
BLOCK = "```sh first-strategy\n"


def commands() -> list[str]:
    text = PAGE.read_text("utf-8")
    assert text.count(BLOCK) == 1
    return text.split(BLOCK)[1].split("```")[0].splitlines()
