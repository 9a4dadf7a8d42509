"""The venue profiles as a person reads them: the open question, and what is answered otherwise than by `documented`."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum

from btcbot.sandbox.profiles import DOCUMENTED, HISTORIC, PROFILES


def told() -> str:
    """A line for each profile, in their order."""
    rows = [
        (profile.name, profile.question or "-", ", ".join(_differences(DOCUMENTED, profile)) or "the likelier answers")
        for profile in (*PROFILES.values(), *HISTORIC.values())
    ]
    name_width, question_width = (max(len(row[column]) for row in rows) for column in (0, 1))
    return "".join(f"{name:{name_width}}  {question:{question_width}}  {changes}\n" for name, question, changes in rows)


def _differences(usual: object, other: object) -> Iterator[str]:
    """`field=value` of all that differs, also in what they are made of."""
    assert is_dataclass(other), "profiles are made of dataclasses"
    for field in fields(other):
        before, after = getattr(usual, field.name), getattr(other, field.name)
        if field.name in ("name", "question") or before == after:
            continue
        if is_dataclass(after):
            yield from _differences(before, after)
        else:
            yield f"{field.name}={_word(after)}"


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value.value if isinstance(value, Enum) else value)
