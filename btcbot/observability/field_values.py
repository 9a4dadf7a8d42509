"""What a log field may hold: any value becomes plain JSON, bounded, exact where it is money, and never an error."""

import math
import traceback
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum

from btcbot.domain.times import iso_utc
from btcbot.observability.masking import MASK, carries_secrets

TEXT_CHARACTERS_MAX = 4_096
TRACEBACK_CHARACTERS_MAX = 8_192
ITEMS_MAX = 100
DEPTH_MAX = 5


def plain_fields(values: Mapping[str, object]) -> dict[str, object]:
    """Every field as plain JSON; one whose name says that it carries a secret is masked unread."""
    return {name: MASK if carries_secrets(name) else plain(value) for name, value in values.items()}


def plain(value: object, depth: int = 0) -> object:
    """`value` as JSON can hold it. Decimals are text, what is not finite is null, and long things are cut."""
    match value:
        case None | bool() | int():
            return value.value if isinstance(value, Enum) else value
        case Enum():
            return plain(value.value, depth)
        case str():
            return cut(value, TEXT_CHARACTERS_MAX)
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return format(value, "f") if value.is_finite() else None
        case datetime():
            return iso_utc(value)
        case date():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case bytes() | bytearray() | memoryview():
            return f"{len(value)} bytes"  # never what is in them: it may be a request
        case BaseException():
            return cut(f"{type(value).__name__}: {_shown(value)}", TEXT_CHARACTERS_MAX)
        case _:
            return _plain_composite(value, depth)


def told_traceback(error: BaseException) -> str:
    """Where an exception came from, without the values of local names; the end is what matters, so the start is cut."""
    text = "".join(traceback.format_exception(error))
    return text if len(text) <= TRACEBACK_CHARACTERS_MAX else f"… {text[-TRACEBACK_CHARACTERS_MAX:]}"


def cut(text: str, characters_max: int) -> str:
    if len(text) <= characters_max:
        return text
    return f"{text[:characters_max]}… ({len(text)} characters)"


def _plain_composite(value: object, depth: int) -> object:
    if depth >= DEPTH_MAX:
        return f"a {type(value).__name__} too deep to show"
    match value:
        case Mapping():
            pairs = list(value.items())[:ITEMS_MAX]
            return {
                cut(_shown(key), TEXT_CHARACTERS_MAX): MASK if carries_secrets(_shown(key)) else plain(item, depth + 1)
                for key, item in pairs
            }
        case Sequence() | AbstractSet():
            return [plain(item, depth + 1) for item in list(value)[:ITEMS_MAX]]
        case _ if is_dataclass(value) and type(value).__str__ is object.__str__:
            return {field.name: plain(getattr(value, field.name), depth + 1) for field in fields(value)}
        case _:
            return cut(_shown(value), TEXT_CHARACTERS_MAX)


def _shown(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a value that cannot show itself must not silence the event it belongs to
        return f"a {type(value).__name__} that cannot be shown"
