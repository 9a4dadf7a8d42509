"""Writes docs/exchange-coverage.md: every endpoint and frame, and who of us knows it.

`python -m tests.contract.coverage_table` writes the page; a test holds it against the code. Cells are read off the
code: the client's column from the paths it asks for and the frames it reads, the sandbox's from its routes and from the
frames its modules write, samples from their file names. Tests are named in `coverage_rows` and have to exist. An empty
cell needs a reason there, and so does a sample that the sandbox does not produce.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import cast
from unittest.mock import MagicMock

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from btcbot.exchange import wire
from btcbot.exchange.frame_text import SHAPES
from btcbot.sandbox.desk import Desk
from btcbot.sandbox.graph_api import GraphApi
from btcbot.sandbox.private_api import PrivateApi
from btcbot.sandbox.profiles import DOCUMENTED
from btcbot.sandbox.public_api import PublicApi
from tests.contract.coverage_rows import ENDPOINTS, FRAMES, NOT_PRODUCED, REASONS, Row

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = CHECKOUT / "docs" / "exchange-coverage.md"
SAMPLES = Path(__file__).with_name("exchange") / "samples"
CLIENT = ("btcbot/exchange", "btcbot/market_data")
PRODUCERS = ("tests/integration/sandbox", "tests/contract/exchange")
COLUMNS = ("client", "sandbox", "samples", "tests")

# ------------------------------------------------------------------------------------------------------ from the code


def _nobody(_request: object) -> None:
    """Answers nothing; nobody asks."""


async def _nobody(_request: Request) -> Response:
    """Nobody asks."""
    return Response()


class _Listing:
    """A desk that only writes down which routes it is asked for."""

    def __init__(self) -> None:
        self.routes: list[str] = []

    def public(self, path: str, *_work: object) -> Route:
        self.routes.append(f"GET {_without_names(path)}")
        return Route(path, _nobody)

    def private(self, path: str, methods: Mapping[str, tuple[str, object]]) -> Route:
        open_to_keys = [method for method, (name, _) in methods.items() if name != "web_login"]
        self.routes += [f"{method} {_without_names(path)}" for method in open_to_keys]
        return Route(path, _nobody)


@cache
def sandbox_routes() -> tuple[str, ...]:
    """`web_login` is left out: a key cannot do anything there, and the sandbox only says so."""
    listing = _Listing()
    desk = cast(Desk, listing)
    nothing = MagicMock()
    for face in (PublicApi(nothing, nothing, DOCUMENTED), PrivateApi(nothing), GraphApi(nothing, DOCUMENTED)):
        face.routes(desk)
    return tuple(listing.routes)


@cache
def client_calls() -> Mapping[str, tuple[str, ...]]:
    """For each endpoint, the methods that ask for it."""
    calls: dict[str, list[str]] = {}
    for path in sorted(file for folder in CLIENT for file in (CHECKOUT / folder).glob("*.py")):
        for where, text, verb in _addresses(ast.parse(path.read_text(encoding="utf-8"))):
            calls.setdefault(f"{verb} {text}", []).append(f"{path.stem}.{where}")
    return {endpoint: tuple(dict.fromkeys(methods)) for endpoint, methods in calls.items()}


def _addresses(tree: ast.Module) -> Iterator[tuple[str, str, str]]:
    """Where an address is asked for, the address, and the HTTP method that stands beside it."""
    for holder in ast.walk(tree):
        if not isinstance(holder, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for call in (node for node in ast.walk(holder) if isinstance(node, ast.Call)):
            words = [_text(argument) for argument in call.args]
            verb = next((word for word in words if word in ("POST", "DELETE")), "GET")
            for word in words:
                if word is not None and word.startswith(("/api/", "/v1/")):
                    yield from ((holder.name, each, verb) for each in _spelled_out(_without_names(word)))


def _text(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return None


def _spelled_out(path: str) -> tuple[str, ...]:
    """One address is made of a kind of money."""
    kinds = "/api/v1/users/transactions/{}"
    return tuple(kinds.replace("{}", kind) for kind in ("crypto", "fiat")) if path == kinds else (path,)


def _without_names(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


def client_frame(kind: int) -> str:
    sent = {wire.SUBSCRIBE: wire.SubscribeFrame, wire.LOGIN: wire.LoginFrame}
    shapes = [shapes[kind] for shapes in (sent, SHAPES) if kind in shapes]
    return ", ".join(shape.__name__ for shape in shapes)


def sandbox_frame(kind: int) -> str:
    """The modules of the feed that have to do with a type."""
    modules = sorted((CHECKOUT / "btcbot" / "sandbox").glob("feed*.py"))
    return ", ".join(path.stem for path in modules if re.search(rf"\b{kind}\b", path.read_text(encoding="utf-8")))


def all_samples() -> tuple[str, ...]:
    return tuple(sorted(f"{path.parent.name}/{path.stem}" for path in SAMPLES.glob("*/*.json")))


@cache
def produced() -> Mapping[str, str]:
    """For each sample that a test of the sandbox names, that test's file."""
    found: dict[str, str] = {}
    for path in sorted(file for folder in PRODUCERS for file in (CHECKOUT / folder).glob("*.py")):
        words = {
            node.value.removesuffix(".json")
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        for sample in all_samples():
            if words & {sample, sample.removeprefix("ws/")}:
                found.setdefault(sample, path.name)
    return found


# ------------------------------------------------------------------------------------------------------ the page


def cells(row: Row) -> Mapping[str, str]:
    """What stands in a row, by column."""
    kind = row.what.split()[0]
    is_frame = kind.isdigit()
    samples = [name for name in all_samples() if any(fnmatch(name, pattern) for pattern in row.samples)]
    return {
        "client": client_frame(int(kind)) if is_frame else ", ".join(client_calls().get(row.what, ())),
        "sandbox": sandbox_frame(int(kind)) if is_frame else "yes" if row.what in sandbox_routes() else "",
        "samples": str(len(samples)) if samples else "",
        "tests": "<br>".join(test.rpartition("/")[2] for test in row.tests),
    }


def problems() -> list[str]:
    """Everything that is neither covered nor excused, and every excuse that is not needed any more."""
    rows = (*ENDPOINTS, *FRAMES)
    known = {row.what for row in rows}
    empty = {(row.what, column) for row in rows for column in COLUMNS if not cells(row)[column]}
    numbers = {row.what.split()[0] for row in FRAMES}
    patterns = [pattern for row in rows for pattern in row.samples]
    missing = set(all_samples()) - produced().keys()
    return [
        *(f"{what} has no {column} and no reason" for what, column in sorted(empty - REASONS.keys())),
        *(f"{what} has a {column}, and a reason for having none" for what, column in sorted(REASONS.keys() - empty)),
        *(f"the sandbox serves {route}, which is in no row" for route in sandbox_routes() if route not in known),
        *(f"the client asks for {call}, which is in no row" for call in client_calls() if call not in known),
        *(f"frame {kind} is in no row" for kind in SHAPES if str(kind) not in numbers),
        *(f"{name} is in no row" for name in all_samples() if not any(fnmatch(name, each) for each in patterns)),
        *(f"{name} is not produced, and has no reason" for name in sorted(missing - NOT_PRODUCED.keys())),
        *(f"{name} is produced, and has a reason for not being" for name in sorted(NOT_PRODUCED.keys() - missing)),
        *(f"{test} does not exist" for row in rows for test in row.tests if not _exists(test)),
    ]


def _exists(test: str) -> bool:
    path, _, name = test.partition("::")
    file = CHECKOUT / path
    return file.is_file() and re.search(rf"def {name}\(", file.read_text(encoding="utf-8")) is not None


def page() -> str:
    lines = [
        "# What we know of the exchange", "",
        "Made from the code by `python -m tests.contract.coverage_table`; a test holds it against the code.", "",
        *_table("Endpoints", ENDPOINTS), *_table("Frames of the feed", FRAMES),
        "## Empty on purpose", "",
        *(f"- {what}, {column}: {reason}" for (what, column), reason in REASONS.items()), "",
        "## Samples", "",
        "Each is read by `tests/contract/exchange/test_samples.py`. The sandbox says the same in the same shape:", "",
        "| sample | shown in |", "| --- | --- |",
        *(f"| {name} | {produced().get(name) or f'not: {NOT_PRODUCED[name]}'} |" for name in all_samples()), "",
    ]  # fmt: skip
    return "\n".join(lines)


def _table(title: str, rows: tuple[Row, ...]) -> Iterator[str]:
    yield from (f"## {title}", "", f"| | {' | '.join(COLUMNS)} |", f"| --- {'| --- ' * len(COLUMNS)}|")
    for row in rows:
        yield f"| {row.what} | {' | '.join(cells(row)[column] or '–' for column in COLUMNS)} |"
    yield ""


if __name__ == "__main__":
    if found := problems():
        raise SystemExit("\n".join(found))
    PAGE.write_text(page(), encoding="utf-8")
