"""Facts as JSON and back, exact to the last digit: what a replay is fed must be what the worker was fed.

A form is made of a type once and serves both ways, so that writing and reading cannot drift apart. Decimals are text
with the exponent they had, instants ISO text, durations microseconds; a fact is an object of its fields, without those
that hold their default, so that a later field needs no change to what was written before. Where several kinds of fact
may stand, the object says which it is.
"""

import dataclasses
import json
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

from btcbot.strategy.code import Code, not_loaded
from btcbot.strategy.language import Condition, Node, ProgramState, Series

T = TypeVar("T")
KIND = "is"
_NATIVE = frozenset({bool, int, float, str, types.NoneType})
_MICROSECOND = timedelta(microseconds=1)
_UNION_OF: Mapping[Any, Any] = {Series: Node, Condition: Node}  # an expression may be any of the language's nodes


@dataclass(frozen=True, slots=True)
class Form:
    """How values of one type are written and read."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


def to_text(kind: type[T] | Any, value: T) -> str:
    """A value of this type as JSON; equal values give equal text."""
    return json.dumps(form_of(kind).write(value), separators=(",", ":"), ensure_ascii=False)


def from_text(kind: type[T], text: str) -> T:
    """The reverse of `to_text`. Raises `ValueError`, `TypeError` or `LookupError` for another text."""
    value: T = form_of(kind).read(json.loads(text))
    return value


def form_of(kind: Any) -> Form:
    """The form of a type, as its annotation names it; made once."""
    return _form_of(_UNION_OF.get(kind, kind))


@cache
def _form_of(kind: Any) -> Form:
    if isinstance(kind, NewType):
        return form_of(kind.__supertype__)
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _form_of_union(parts)
    if origin is tuple:
        return _form_of_tuple(parts)
    if origin is frozenset:
        each = form_of(parts[0])
        return Form(lambda items: sorted(map(each.write, items)), lambda items: frozenset(map(each.read, items)))
    if origin is not None and issubclass(origin, Mapping):
        return _form_of_mapping(*parts)
    if kind in _NATIVE:
        return Form(lambda value: value, lambda value: value)
    if kind is Decimal:
        return Form(str, Decimal)
    if kind is timedelta:
        return Form(lambda span: span // _MICROSECOND, lambda count: count * _MICROSECOND)
    if kind in (datetime, date):
        return Form(lambda moment: moment.isoformat(), kind.fromisoformat)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return Form(lambda member: member.value, kind)
    if kind is ProgramState:  # its memories are of many shapes, which it knows itself
        return Form(ProgramState.written, ProgramState.read)
    if kind is Code:
        return _FORM_OF_CODE
    if dataclasses.is_dataclass(kind):
        return _form_of_fact(kind)
    raise TypeError(f"{kind} has no form in records")


def _form_of_union(kinds: tuple[Any, ...]) -> Form:
    others = tuple(kind for kind in kinds if kind is not types.NoneType)
    if all(kind in _NATIVE for kind in others):
        return Form(lambda value: value, lambda value: value)
    if len(others) == 1:
        form = form_of(others[0])
        return Form(
            lambda value: None if value is None else form.write(value),
            lambda value: None if value is None else form.read(value),
        )
    by_name = {kind.__name__: kind for kind in others}

    def write(value: Any) -> Any:
        return {KIND: type(value).__name__, **form_of(type(value)).write(value)}

    def read(fields: dict[str, Any]) -> Any:
        return form_of(by_name[fields[KIND]]).read({name: part for name, part in fields.items() if name != KIND})

    return Form(write, read)


def _form_of_tuple(parts: tuple[Any, ...]) -> Form:
    if len(parts) == 2 and parts[1] is Ellipsis:
        each = form_of(parts[0])
        return Form(lambda items: [each.write(item) for item in items], lambda items: tuple(map(each.read, items)))
    forms = tuple(map(form_of, parts))
    return Form(
        lambda items: [form.write(item) for form, item in zip(forms, items, strict=True)],
        lambda items: tuple(form.read(item) for form, item in zip(forms, items, strict=True)),
    )


def _form_of_mapping(key: Any, value: Any) -> Form:
    """Keys are text; their order is kept, since a sum may be taken over the values."""
    names, values = form_of(key), form_of(value)
    return Form(
        lambda items: {names.write(name): values.write(item) for name, item in items.items()},
        lambda items: {names.read(name): values.read(item) for name, item in items.items()},
    )


def _form_of_fact(kind: Any) -> Form:
    hints = get_type_hints(kind)
    fields = tuple((field, form_of(hints[field.name])) for field in dataclasses.fields(kind) if field.init)

    def write(fact: Any) -> dict[str, Any]:
        held = ((field, form, getattr(fact, field.name)) for field, form in fields)
        return {field.name: form.write(value) for field, form, value in held if not _is_default(field, value)}

    def read(written: dict[str, Any]) -> Any:
        known = {field.name for field, _ in fields}
        if not known.issuperset(written):
            raise ValueError(f"{kind.__name__} has no {', '.join(sorted(written.keys() - known))}")
        return kind(**{field.name: form.read(written[field.name]) for field, form in fields if field.name in written})

    return Form(write, read)


# Records name code and never hold it: whoever reads them finds it again by its identity, or cannot call it.
_FORM_OF_CODE = Form(
    lambda code: [code.reference, code.digest, code.params, code.candles],
    lambda written: Code(written[0], written[1], written[2], written[3], not_loaded),
)


def _is_default(field: "dataclasses.Field[Any]", value: Any) -> bool:
    """Whether a field may be left out. A zero is not left out for a zero with other digits."""
    if field.default is not dataclasses.MISSING:
        default = field.default
    elif field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    else:
        return False
    return bool(value == default) and repr(value) == repr(default)
