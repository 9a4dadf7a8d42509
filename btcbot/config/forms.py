"""How values are written: one strict form for each kind of setting, with the words that describe it.

The words serve the error message and the reference alike, so the two cannot differ. A message never repeats the value:
somebody may have pasted a secret into the wrong line.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Generic, NoReturn, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from btcbot.domain.money import parse, plain

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

PAIRS_MAX = 50
QUANTITIES_MAX = 200
PARAMS_CHARACTERS_MAX = 4096
PARAMS_MAX = 50
PATH_BYTES_MAX = 4095

# Digits with an optional point: no sign, exponent, comma, blank or leading zero, and no digits but 0 to 9.
_DECIMAL = re.compile(r"(?:0|[1-9][0-9]{0,19})(?:\.[0-9]{1,18})?", re.ASCII)
_COUNT = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_ASSET = re.compile(r"[A-Z0-9]{1,10}", re.ASCII)
_PAIR = re.compile(r"[A-Z0-9]{4,20}", re.ASCII)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*", re.ASCII)
_SIGNED_DECIMAL = re.compile(rf"-?(?:{_DECIMAL.pattern})", re.ASCII)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class Misfit(ValueError):
    """A value is not written as its form asks. The message completes "NAME …" and does not hold the value."""


@dataclass(frozen=True, slots=True)
class Form(Generic[T]):
    """One way to write a value: `words` complete "NAME must be …"; `read` raises `ValueError` for anything else."""

    words: str
    read: Callable[[str], T]

    def __call__(self, text: object) -> T:
        if text == "":
            raise Misfit(f"is empty and must be {self.words}")
        if not isinstance(text, str) or _UNPRINTABLE.search(text):
            raise Misfit(f"holds control characters or bytes that are not UTF-8, and must be {self.words}")
        try:
            return self.read(text)
        except Misfit:
            raise
        except ValueError:
            raise Misfit(f"must be {self.words}") from None


def one_of(*texts: str) -> Form[str]:
    """One of a few words, written exactly so."""
    return Form(" or ".join(texts) if len(texts) < 3 else f"one of {', '.join(texts)}", _matching(texts.__contains__))


def member_of(kind: type[E]) -> Form[E]:
    """One of an enumeration's values."""
    return Form(one_of(*kind).words, kind)


def boolean() -> Form[bool]:
    """Exactly `true` or `false`: `True`, `1` and `yes` are how somebody else's programs write it."""
    return Form("exactly true or false", _boolean)


def exactly(wanted: bool, why: str) -> Form[bool]:
    """A boolean that leaves no choice."""
    text = "true" if wanted else "false"
    return Form(f"exactly {text} ({why})", _matching_bool(text))


def decimal(low: str, high: str, places: int = 18) -> Form[Decimal]:
    """A plain decimal number within bounds."""
    return Form(
        f"a plain decimal number from {low} to {high}{_at_most(places)}", lambda text: _within(text, low, high, places)
    )


def seconds(low: str, high: str) -> Form[Decimal]:
    """A number of seconds, down to the millisecond."""
    form = decimal(low, high, places=3)
    return Form(f"seconds as {form.words}", form.read)


def count(low: int, high: int) -> Form[int]:
    """A whole number within bounds."""

    def read(text: str) -> int:
        if not _COUNT.fullmatch(text) or not low <= int(text) <= high:
            raise ValueError
        return int(text)

    return Form(f"a whole number from {low} to {high}", read)


def port() -> Form[int]:
    return count(1024, 65535)


def matching(pattern: str, words: str) -> Form[str]:
    """A text of a given shape."""
    return Form(words, _matching(re.compile(pattern, re.ASCII).fullmatch))


def pairs(count_max: int = PAIRS_MAX) -> Form[tuple[str, ...]]:
    def read(text: str) -> tuple[str, ...]:
        found = tuple(text.split(","))
        if len(found) > count_max or len(set(found)) != len(found) or not all(map(_PAIR.fullmatch, found)):
            raise ValueError
        return found

    return Form(
        f"1 to {count_max} different pairs of A-Z and 0-9, separated by commas without blanks (BTCTRY,ETHTRY)", read
    )


def quantities() -> Form[tuple[tuple[str, Decimal], ...]]:
    """A number for each of some assets, in the order of their names."""

    def read(text: str) -> tuple[tuple[str, Decimal], ...]:
        parts = [part.partition(":") for part in text.split(",")]
        found = {asset: _within(number, "0.00000001", "1000000000000", 18) for asset, _, number in parts}
        if len(found) != len(parts) or len(found) > QUANTITIES_MAX or not all(map(_ASSET.fullmatch, found)):
            raise ValueError
        return tuple(sorted(found.items()))

    return Form(
        "different assets with a plain decimal number above 0 each, separated by commas without blanks "
        "(BTC:0.005,ETH:0.1)",
        read,
    )


def absolute_path() -> Form[Path]:
    """A path that says where it leads: absolute, without `.`, `..`, doubled or trailing slashes."""

    def read(text: str) -> Path:
        path = Path(text)
        if not path.is_absolute() or str(path) != text or ".." in path.parts or text.startswith("//") or text == "/":
            raise ValueError
        if len(text.encode()) > PATH_BYTES_MAX:
            raise ValueError
        return path

    return Form("an absolute path without '.', '..', doubled or trailing slashes", read)


def market_source() -> Form[Path | None]:
    """Where the sandbox's market comes from; None is the generator."""
    path = absolute_path()
    return Form(
        f"`generator`, or the recorded file or directory as {path.words}",
        lambda text: None if text == "generator" else path.read(text),
    )


def zone() -> Form[str]:
    def read(text: str) -> str:
        if not _ZONE.fullmatch(text):
            raise ValueError
        try:
            return ZoneInfo(text).key
        except (ZoneInfoNotFoundError, OSError):  # an OSError: the name of a folder of zones
            raise ValueError from None

    return Form("a time zone of the IANA database, such as Europe/Istanbul", read)


def strategy_name() -> Form[str]:
    own = r"[a-z][a-z0-9_]{0,39}:[A-Za-z][A-Za-z0-9_]{0,39}"
    return matching(f"{_NAME.pattern}|{own}", "the name of a strategy, in a-z, 0-9 and _, or MODULE:NAME of your own")


def strategy_params() -> Form[tuple[tuple[str, str], ...]]:
    """A JSON object of scalars, as name and JSON text of each, sorted by name."""
    return Form(
        "a JSON object whose names are a-z, 0-9 and _, each once, and whose values are texts, booleans or plain "
        f"decimal numbers, in at most {PARAMS_CHARACTERS_MAX} characters",
        _params,
    )


def canonical(value: object) -> object:
    """A setting's value as texts and lists, the same for equal values: for the configuration hash and the reference."""
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case Decimal():
            return plain(value)
        case tuple():
            return [canonical(item) for item in value]
        case _:
            return str(value)


class _JsonNumber(str):
    """A number in a JSON text, kept as it was written."""

    __slots__ = ()


def _params(text: str) -> tuple[tuple[str, str], ...]:
    if len(text) > PARAMS_CHARACTERS_MAX:
        raise ValueError
    try:
        document = json.loads(
            text,
            object_pairs_hook=_Object,
            parse_int=_JsonNumber,
            parse_float=_JsonNumber,
            parse_constant=_refuse,
        )
    except RecursionError:
        raise ValueError from None
    if not isinstance(document, _Object) or len(document) > PARAMS_MAX:
        raise ValueError
    params = {name: _scalar(value) for name, value in document}
    if len(params) != len(document) or not all(map(_NAME.fullmatch, params)):
        raise ValueError
    return tuple(sorted(params.items()))


class _Object(list[tuple[str, object]]):
    """A JSON object with every member it was written with, so that a doubled name shows."""


def _scalar(value: object) -> str:
    match value:
        case _JsonNumber() if _SIGNED_DECIMAL.fullmatch(value):
            return plain(parse(value))
        case _JsonNumber():
            raise ValueError
        case bool() | str():
            return json.dumps(value)
        case _:
            raise ValueError


def _refuse(_constant: str) -> NoReturn:
    """NaN and the infinities, which JSON does not know and Python's reader does."""
    raise ValueError


def _matching(fits: Callable[[str], object]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not fits(text):
            raise ValueError
        return text

    return read


def _matching_bool(wanted: str) -> Callable[[str], bool]:
    def read(text: str) -> bool:
        if text != wanted:
            raise ValueError
        return text == "true"

    return read


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError
    return text == "true"


def _within(text: str, low: str, high: str, places: int) -> Decimal:
    if not _DECIMAL.fullmatch(text) or len(text.partition(".")[2]) > places:
        raise ValueError
    number = parse(text)
    if not parse(low) <= number <= parse(high):
        raise ValueError
    return number


def _at_most(places: int) -> str:
    return f" with at most {places} decimal places" if places < 18 else ""


def texts(items: Sequence[str]) -> str:
    """A list as a sentence has it: `A, B and C`."""
    return " and ".join(filter(None, (", ".join(items[:-1]), *items[-1:])))
