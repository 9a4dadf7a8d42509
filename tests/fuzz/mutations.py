"""Documents with something wrong in them: cut, doubled, retyped. Blind bytes rarely pass a JSON reader; these do."""

import json
import random
from collections.abc import Callable

ODD: tuple[object, ...] = (
    None, True, False, 0, -1, 3, 2**31, 2**63, -(2**63) - 1, 10**40, 0.5, 1e300, "", " ", "0", "-0", "1e5", "1E-7",
    "1,5", "1.2.3", "NaN", "Infinity", "٣", "\x00", "\ud800", "x" * 300, "9" * 40, "0." + "0" * 40 + "1", "BTCTRY",
    "Untouched", "buy", [], {}, [[]], [0, 0], {"": None}, [[["1", "2"]]],
)  # fmt: skip
LITERALS = (b"NaN", b"-Infinity", b"1e999999999", b"-0.0", b"1E400", b"9" * 5_000, b"[" * 2_000, b'{"a":' * 2_000)


def mutated(data: bytes, chance: random.Random) -> bytes:
    """A neighbour of some bytes: of their JSON, or that of one of their lines, or of the bytes themselves."""
    if chance.random() < 0.15:
        return _cut(data, chance)
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return _with_a_line_mutated(data, chance)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        document = _changed(document, chance)
    text = json.dumps(document).encode()
    if chance.random() < 0.1:
        number = chance.choice(LITERALS)
        text = text.replace(json.dumps(chance.choice(ODD)).encode(), number, 1) if chance.random() < 0.5 else number
    return text


def _with_a_line_mutated(data: bytes, chance: random.Random) -> bytes:
    """JSON may begin anywhere in a line: behind a time, a choosing byte."""
    lines = data.split(b"\n")
    place = chance.randrange(len(lines))
    line = lines[place]
    begins = [start for start in (line.find(b"{"), line.find(b"[")) if start >= 0]
    if not begins or (len(lines) == 1 and min(begins) == 0):
        return _cut(data, chance)
    start = min(begins)
    lines[place] = line[:start] + mutated(line[start:], chance)
    return b"\n".join(lines)


def _changed(document: object, chance: random.Random) -> object:
    """One place of the document is another one now."""
    if isinstance(document, dict) and document and chance.random() < 0.85:
        name = chance.choice(list(document))
        return chance.choice(_OF_OBJECTS)(document, name, chance)
    if isinstance(document, list) and document and chance.random() < 0.85:
        place = chance.randrange(len(document))
        return chance.choice(_OF_LISTS)(document, place, chance)
    return chance.choice(ODD)


def _within_object(document: dict[str, object], name: str, chance: random.Random) -> object:
    return document | {name: _changed(document[name], chance)}


def _without_member(document: dict[str, object], name: str, chance: random.Random) -> object:
    return {each: value for each, value in document.items() if each != name}


def _renamed_member(document: dict[str, object], name: str, chance: random.Random) -> object:
    return {chance.choice((each.lower(), f"{each}2")) if each == name else each: v for each, v in document.items()}


def _swapped_member(document: dict[str, object], name: str, chance: random.Random) -> object:
    return document | {name: document[chance.choice(list(document))]}


def _within_list(document: list[object], place: int, chance: random.Random) -> object:
    return [*document[:place], _changed(document[place], chance), *document[place + 1 :]]


def _without_item(document: list[object], place: int, chance: random.Random) -> object:
    return [*document[:place], *document[place + 1 :]]


def _repeated_item(document: list[object], place: int, chance: random.Random) -> object:
    return [*document, *[document[place]] * chance.choice((1, 2, 200))]


_OF_OBJECTS: tuple[Callable[[dict[str, object], str, random.Random], object], ...] = (
    _within_object, _within_object, _within_object, _without_member, _renamed_member, _swapped_member,
)  # fmt: skip
_OF_LISTS: tuple[Callable[[list[object], int, random.Random], object], ...] = (
    _within_list, _within_list, _within_list, _without_item, _repeated_item,
)  # fmt: skip


def _cut(data: bytes, chance: random.Random) -> bytes:
    """Bytes left out, put in, or turned."""
    place = chance.randrange(len(data) + 1)
    match chance.randrange(4):
        case 0:
            return data[:place]
        case 1:
            return data[:place] + data[chance.randrange(place, len(data) + 1) :]
        case 2:
            return data[:place] + chance.randbytes(chance.randrange(1, 5)) + data[place:]
        case _:
            turned = bytes([data[place] ^ (1 << chance.randrange(8))]) if place < len(data) else b"{"
            return data[:place] + turned + data[place + 1 :]
