"""`python -m tests.unit.strategy.language.table` writes the table of docs/strategy-language.md, from the docstrings."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import get_type_hints

from btcbot.strategy.language import Series, operators
from tests.architecture.planting import PROJECT

PAGE = PROJECT / "docs" / "strategy-language.md"
BEGIN = "<!-- words: made of the docstrings of btcbot.strategy.language.operators -->\n"
END = "<!-- end of words -->\n"
PARTS = ("Formula", "Warm-up", "Source")


def words() -> Iterator[str]:
    """The functions of the language, in the order in which they are written."""
    for name, value in vars(operators).items():
        if inspect.isfunction(value) and value.__module__ == operators.__name__:
            yield name


def parts_of(word: str) -> dict[str, str]:
    """A docstring's first line, under "", and its named lines. Raises `ValueError` where one is missing or empty."""
    lines = inspect.getdoc(getattr(operators, word)).splitlines()
    named = {
        name: line.removeprefix(f"{name}: ") for name in PARTS for line in lines if line.startswith(f"{name}: ")
    }  # fmt: skip
    if set(named) != set(PARTS):
        raise ValueError(f"{word} does not say its {', '.join(sorted(set(PARTS) - set(named)))}")
    return {"": lines[0].rstrip("."), **named}


def gives(word: str) -> str:
    kind = get_type_hints(getattr(operators, word))["return"]
    if hasattr(kind, "_fields"):
        return ", ".join(f"`.{name}`" for name in kind._fields)
    return "a series" if kind is Series else "a condition"


def table() -> str:
    rows = ["| word | meaning | formula | warm-up | source | gives |", "|---|---|---|---|---|---|"]
    for word in words():
        signature = ", ".join(
            name if each.default is each.empty else f"{name}={each.default}"
            for name, each in inspect.signature(getattr(operators, word)).parameters.items()
        )
        parts = parts_of(word)
        columns = (f"`{word}({signature})`", parts[""], *(parts[name] for name in PARTS), gives(word))
        rows.append(f"| {' | '.join(column.replace('|', chr(92) + '|') for column in columns)} |")
    return "\n".join(rows) + "\n"


def page_with(text: str, words_table: str) -> str:
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{words_table}{END}{after}"


def main(page: Path = PAGE) -> None:
    page.write_text(page_with(page.read_text(encoding="utf-8"), table()), encoding="utf-8")


if __name__ == "__main__":
    main()
