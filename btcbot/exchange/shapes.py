"""What a JSON document looks like, apart from what it says: names, kinds, nesting. For the conformance check.

The client itself tolerates what it does not know; here every difference counts, an additional field as well. A
difference names a place and two kinds and never a value, so that it can be shown to anybody.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum

NAME_CHARACTERS_MAX = 40
TOLD_MAX = 12  # differences of one document that are told one by one
_DECIMAL = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?", re.ASCII)
_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+", re.ASCII)


class Kind(StrEnum):
    """Of one value. Text that is a number is a kind of its own."""

    NULL = "null"
    FLAG = "true or false"
    WHOLE = "a whole number"
    NUMBER = "a number with a point"
    DECIMAL = "decimal text"
    COMMA = "decimal text with a comma"
    TEXT = "text"
    LIST = "a list"
    OBJECT = "an object"


@dataclass(frozen=True, slots=True)
class Shape:
    """Which kinds a value may have; what an object holds by name, and what a list holds."""

    kinds: frozenset[Kind]
    fields: Mapping[str, "Shape"] = field(default_factory=dict)
    item: "Shape | None" = None
    is_optional: bool = False

    def or_null(self) -> "Shape":
        return replace(self, kinds=self.kinds | {Kind.NULL})

    def maybe(self) -> "Shape":
        """A field that is missing at times."""
        return replace(self, is_optional=True)


def kind_of(value: object) -> Kind:
    """Of a value as `read_json` gives it, where a number with a point or an exponent is a `Decimal`."""
    match value:
        case None:
            return Kind.NULL
        case bool():
            return Kind.FLAG
        case int():
            return Kind.WHOLE
        case Decimal():
            return Kind.NUMBER
        case str() if _DECIMAL.fullmatch(value):
            return Kind.DECIMAL
        case str() if _COMMA.fullmatch(value):
            return Kind.COMMA
        case str():
            return Kind.TEXT
        case list():
            return Kind.LIST
        case _:
            return Kind.OBJECT


def differences(shape: Shape, document: object) -> tuple[str, ...]:
    """Where a document is not of this shape, each kind of place once, with how often it was found."""
    found = Counter(_differences(shape, document, ""))
    told = [what if count == 1 else f"{what} ({count} times)" for what, count in found.most_common(TOLD_MAX)]
    if len(found) > TOLD_MAX:
        told.append(f"and {len(found) - TOLD_MAX} more differences")
    return tuple(told)


def _differences(shape: Shape, value: object, place: str) -> Iterator[str]:
    kind = kind_of(value)
    if kind not in shape.kinds:
        yield f"{place or 'the document'} is {kind} instead of {' or '.join(sorted(shape.kinds))}"
    elif isinstance(value, list) and shape.item is not None:
        for item in value:
            yield from _differences(shape.item, item, f"{place}[]")
    elif isinstance(value, dict):
        for name, expected in shape.fields.items():
            if name in value:
                yield from _differences(expected, value[name], _under(place, name))
            elif not expected.is_optional:
                yield f"{_under(place, name)} is missing"
        for name in value.keys() - shape.fields.keys():
            yield f"{_under(place, name)} is new: {kind_of(value[name])}"


def _under(place: str, name: str) -> str:
    shown = "".join(character if character.isprintable() else "?" for character in name[:NAME_CHARACTERS_MAX])
    return f"{place}.{shown}" if place else shown
