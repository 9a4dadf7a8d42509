"""The shape of a JSON document: its keys, and the types of its values. Values do not count."""

import json
from collections.abc import Collection
from decimal import Decimal
from typing import Any

TYPES = {str: "text", bool: "truth", int: "number", Decimal: "number", type(None): "null"}


def shape_of(document: object, either: Collection[str] = ()) -> Any:
    """Objects by key, lists by the shapes that occur in them. Keys in `either` may hold null or something."""
    if isinstance(document, dict):
        return {key: "either" if key in either else shape_of(value, either) for key, value in document.items()}
    if isinstance(document, list):
        shapes = (json.dumps(shape_of(item, either), sort_keys=True) for item in document)
        return [json.loads(shape) for shape in sorted(set(shapes))]
    return TYPES[type(document)]


def has_shape_of(ours: object, theirs: object, either: Collection[str] = ()) -> bool:
    """Whether what we send could be theirs. A list of ours holds no shape that is not in theirs."""
    return _fits(shape_of(ours, either), shape_of(theirs, either))


def read(text: str | bytes) -> Any:
    """JSON without binary fractions."""
    return json.loads(text, parse_float=Decimal)


def _fits(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(_fits(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return all(any(_fits(one, other) for other in theirs) for one in ours)
    return bool(ours == theirs)
