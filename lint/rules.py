"""Calls that have one home: each rule names what is reserved, where it may be used, and why.

A rule looks at names as they resolve through a file's imports (`from time import time as t` is still `time.time`), and
at calls by the last part of the called name (`orders.JournaledOrder(...)`). Paths are relative to the project.
"""

import ast
import builtins
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True, slots=True)
class Rule:
    """`names` with all below them, and `calls`, are reserved for `homes`; the rule holds in files under `scope`."""

    name: str
    why: str
    names: frozenset[str] = frozenset()
    calls: frozenset[str] = frozenset()
    homes: frozenset[str] = frozenset()
    scope: tuple[str, ...] = ("btcbot",)

    def holds_in(self, path: PurePosixPath) -> bool:
        inside = any(path.is_relative_to(part) or path == PurePosixPath(f"{part}.py") for part in self.scope)
        return inside and not any(path.is_relative_to(home) for home in self.homes)


@dataclass(frozen=True, slots=True)
class Finding:
    path: PurePosixPath
    line: int
    rule: Rule
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}: {self.rule.why} [{self.rule.name}]"


RUNTIME = "btcbot/services/runtime.py"

RULES = (
    Rule(
        "clock",
        "take a Clock; the system's is read in services.runtime only",
        names=frozenset(
            {
                *(f"time.{name}{unit}" for name in ("time", "monotonic", "perf_counter") for unit in ("", "_ns")),
                *(
                    f"time.{name}{unit}"
                    for name in ("process_time", "thread_time", "clock_gettime")
                    for unit in ("", "_ns")
                ),
                *(f"time.{name}" for name in ("localtime", "gmtime", "ctime", "strftime")),
                *(f"datetime.datetime.{name}" for name in ("now", "utcnow", "today")),
                "datetime.date.today",
            }
        ),
        homes=frozenset({RUNTIME}),
    ),
    Rule(
        "sleep",
        "take a Sleeper; services.runtime alone sleeps",
        names=frozenset({"time.sleep", "asyncio.sleep", "anyio.sleep"}),
        homes=frozenset({RUNTIME}),
    ),
    Rule(
        "randomness",
        "take Ids, or simulation.chance, which is a function of its seed; randomness comes from services.runtime only",
        names=frozenset({"random", "secrets", "os.urandom", "os.getrandom", "numpy.random"}),
        homes=frozenset({RUNTIME}),
    ),
    Rule(
        "ids",
        "take Ids; they are minted in services.runtime only",
        names=frozenset({"uuid"}),
        homes=frozenset({RUNTIME}),
    ),
    Rule(
        "environment",
        "the environment is read in config.settings only; everything else gets a profile",
        names=frozenset({"os.environ", "os.environb", "os.getenv", "os.getenvb", "os.putenv", "os.unsetenv", "dotenv"}),
        homes=frozenset({"btcbot/config/settings.py"}),
    ),
    Rule(
        "threads",
        "one thread, one event loop: a second thread would need its own money context and database connection",
        names=frozenset({"threading", "_thread", "concurrent.futures", "asyncio.to_thread", "multiprocessing"}),
        calls=frozenset({"run_in_executor"}),
        homes=frozenset({"btcbot/persistence/sqlite/sealing.py", "btcbot/persistence/sqlite/stepped_copy.py"}),
    ),
    Rule(
        "subprocess",
        "btcbot starts no programs; supervisord does",
        names=frozenset(
            {
                "subprocess",
                "pty",
                "asyncio.create_subprocess_exec",
                "asyncio.create_subprocess_shell",
                *(f"os.{name}" for name in ("system", "popen", "fork", "forkpty", "posix_spawn", "posix_spawnp")),
                *(f"os.exec{kind}" for kind in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")),
                *(f"os.spawn{kind}" for kind in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")),
            }
        ),
    ),
    Rule(
        "code-from-data",
        "data never becomes code",
        names=frozenset({"pickle", "marshal", "shelve", "builtins", "eval", "exec", "compile", "__import__"}),
    ),
    Rule(
        "float-money",
        "money is Decimal from end to end",
        calls=frozenset({"float"}),
        scope=(
            "btcbot/domain/money",
            "btcbot/domain/orders",
            "btcbot/domain/ledger",
            "btcbot/risk",
            "btcbot/persistence",
        ),
    ),
    Rule(
        "private-calls",
        "only exchange.submit and exchange.cancel change anything at the exchange; everything else reads",
        calls=frozenset({"send_once"}),
        homes=frozenset({f"btcbot/exchange/{name}.py" for name in ("private", "submit", "cancel")}),
    ),
    Rule(
        "approved-by-the-gate",
        "only the risk gate approves an intent",
        calls=frozenset({"ApprovedOrderIntent"}),
        homes=frozenset({"btcbot/risk/gate.py"}),
    ),
    Rule(
        "journaled-by-a-journal",
        "only a journal says that an order is durable",
        calls=frozenset({"JournaledOrder"}),
        homes=frozenset({"btcbot/persistence/sqlite/journal.py", "btcbot/research/journal.py"}),
    ),
)


def findings(path: PurePosixPath, source: str) -> Iterator[Finding]:
    """What breaks a rule in one file."""
    rules = tuple(rule for rule in RULES if rule.holds_in(path))
    tree = ast.parse(source, filename=str(path))
    for line, name in _names(tree):
        for rule in rules:
            if _reserved(name, rule.names):
                yield Finding(path, line, rule, name)
    for line, name in _calls(tree):
        for rule in rules:
            if name in rule.calls:
                yield Finding(path, line, rule, f"{name}()")


def _reserved(name: str, names: frozenset[str]) -> bool:
    parts = name.split(".")
    return any(".".join(parts[: end + 1]) in names for end in range(len(parts)))


def _calls(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.lineno, node.func.id
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.lineno, node.func.attr


def _names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every imported or used name in full, each place once."""
    aliases: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
                top, _, _ = alias.name.partition(".")
                aliases[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"
                aliases[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute) and id(node) not in inner:
            name = _dotted(node, aliases)
            if name is not None:
                yield node.lineno, name


def _dotted(node: ast.expr, aliases: Mapping[str, str]) -> str | None:
    """The full name, if it was imported or is built in; a local name is nobody's business."""
    if isinstance(node, ast.Name):
        return aliases.get(node.id, node.id if hasattr(builtins, node.id) else None)
    if isinstance(node, ast.Attribute) and (owner := _dotted(node.value, aliases)) is not None:
        return f"{owner}.{node.attr}"
    return None
