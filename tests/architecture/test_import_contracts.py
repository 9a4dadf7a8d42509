"""The contracts of .importlinter hold on the real tree, cover every package, and each breaks when it should."""

import configparser
from typing import NamedTuple

import pytest

from lint.may_import import MayImportContract
from tests.architecture.planting import PROJECT, Tree


class Plant(NamedTuple):
    contract: str
    file: str
    line: str
    says: tuple[str, ...] | str  # parts of the report
    also: tuple[str, str] | None = None  # the other half of a cycle or a chain


def row(contract: str, package: str, *forbidden: str) -> Plant:
    """All of these at once: the report must name each."""
    return Plant(
        f"row-{contract}",
        f"btcbot/{package}/planted.py",
        "\n".join(f"import btcbot.{name}" for name in forbidden),
        tuple(f"btcbot.{package}.planted may not import btcbot.{name} (l." for name in forbidden),
    )


CLIENT = ("signing", "mappers", "public", "account", "submit", "cancel", "http")

ROWS = [
    row("cli", "cli", "config.paths", "sandbox.faults", "domain", "exchange", "persistence", "execution", "strategy"),
    row("config", "config", "services", "exchange", "persistence", "cli"),
    row("services", "services", "config", "exchange", "simulation", "sandbox", "research", "dashboard"),
    row("domain", "domain", "services", "strategy", "persistence", "config", "observability"),
    row("strategy", "strategy", "risk", "services", "market_data", "observability"),
    row("risk", "risk", "strategy", "services", "execution", "config"),
    row("exchange", "exchange", "observability", "persistence", "market_data", "config"),
    row("market-data", "market_data", "observability", "persistence", "services", "execution"),
    row("execution", "execution", "persistence", "services", "market_data", "risk"),
    row("persistence", "persistence", "observability", "services", "config", "exchange"),
    row("observability", "observability", "services", "persistence"),
    row("simulation", "simulation", "exchange", "exchange.wire", "sandbox", "services"),
    row("sandbox", "sandbox", *(f"exchange.{name}" for name in CLIENT), "services", "persistence"),
    Plant(
        "mirror-follows-the-public-feed", "btcbot/sandbox/mirror.py", "import btcbot.exchange.account",
        "btcbot.sandbox.mirror may not import btcbot.exchange.account (l.",
    ),
    row("research", "research", "services.run_loop", "persistence", "execution", "exchange"),
    row("dashboard", "dashboard", "persistence", "exchange", "execution", "market_data"),
]  # fmt: skip

NEVERS = [
    Plant("never-cli", "btcbot/services/planted.py", "import btcbot.cli", "btcbot.services.planted -> btcbot.cli"),
    Plant(
        "never-cli", "btcbot/dashboard/planted.py", "from btcbot import cli", "btcbot.dashboard.planted -> btcbot.cli"
    ),
    Plant(
        "never-domain-sibling", "btcbot/domain/planted.py", "import btcbot.risk", "btcbot.domain.planted -> btcbot.risk"
    ),
    Plant(
        "never-decisions-reach-io", "btcbot/risk/planted.py", "import btcbot.persistence", "btcbot.risk is not allowed"
    ),
    Plant(
        "never-decisions-reach-io",
        "btcbot/strategy/planted.py",
        "import btcbot.domain.planted",
        "btcbot.strategy is not allowed to import btcbot.exchange",
        also=("btcbot/domain/planted.py", "import btcbot.exchange"),
    ),
    Plant(
        "never-exchange-reaches-persistence",
        "btcbot/exchange/planted.py",
        "import btcbot.domain.planted",
        "btcbot.exchange is not allowed to import btcbot.persistence",
        also=("btcbot/domain/planted.py", "import btcbot.persistence"),
    ),
    Plant(
        "never-persistence-reaches-decisions",
        "btcbot/persistence/planted.py",
        "import btcbot.domain.planted",
        "btcbot.persistence is not allowed to import btcbot.execution",
        also=("btcbot/domain/planted.py", "import btcbot.execution"),
    ),
    *(
        Plant("never-sql-elsewhere", "btcbot/services/planted.py", line, f"btcbot.services.planted -> {module}")
        for line, module in (
            ("import sqlite3", "sqlite3"),
            ("from peewee import Model", "peewee"),
            ("from playhouse.sqlite_ext import JSONField", "playhouse"),
            ("import importlib", "importlib"),
            ("from importlib.util import find_spec", "importlib"),
        )
    ),
    Plant(
        "never-cycles",
        "btcbot/strategy/planted.py",
        "import btcbot.risk.planted",
        "btcbot.",
        also=("btcbot/risk/planted.py", "import btcbot.strategy.planted"),
    ),
    Plant(
        "never-cycles",
        "btcbot/domain/planted.py",
        "import btcbot.domain.planted_too",
        "btcbot.domain",
        also=("btcbot/domain/planted_too.py", "import btcbot.domain.planted"),
    ),
]

DETAILS = [
    *(
        Plant(contract, file, f"import {door}", f"-> {door}")
        for contract, door, files in (
            (
                "submit-has-one-caller",
                "btcbot.exchange.submit",
                (
                    "btcbot/execution/disarmed.py",
                    "btcbot/execution/planted.py",
                    "btcbot/market_data/planted.py",
                    "btcbot/exchange/planted.py",
                ),
            ),
            (
                "cancel-has-two-callers",
                "btcbot.exchange.cancel",
                ("btcbot/execution/noop.py", "btcbot/services/planted.py", "btcbot/exchange/planted.py"),
            ),
        )
        for file in files
    ),
    *(
        Plant("monitor-cannot-trade", file, line, says)
        for file, line, says in (
            ("btcbot/services/monitor_wiring.py", "import btcbot.exchange.submit", "import btcbot.exchange.submit"),
            ("btcbot/services/monitor_wiring.py", "import btcbot.execution.live", "import btcbot.execution.live"),
            ("btcbot/services/health.py", "import btcbot.exchange.cancel", "import btcbot.exchange.cancel"),
            ("btcbot/execution/noop.py", "import btcbot.execution.live", "import btcbot.exchange.submit"),
            ("btcbot/observability/feed.py", "import btcbot.execution.disarmed", "import btcbot.exchange.cancel"),
        )
    ),
    *(
        Plant("nothing-else-reaches-submit", file, line, says)
        for file, line, says in (
            ("btcbot/research/planted.py", "import btcbot.execution.live", "import btcbot.exchange.submit"),
            ("btcbot/services/decision.py", "import btcbot.execution.live", "import btcbot.execution.live"),
        )
    ),
    Plant(
        "nothing-else-reaches-submit",
        "btcbot/market_data/planted.py",
        "import btcbot.exchange.planted",
        "btcbot.market_data is not allowed to import btcbot.exchange.cancel",
        also=("btcbot/exchange/planted.py", "import btcbot.exchange.cancel"),
    ),
    *(
        Plant("decision-core", "btcbot/services/decision.py", f"import {name}", f"may not import {name}")
        for name in ("btcbot.services.runtime", "btcbot.persistence", "btcbot.market_data", "btcbot.observability")
    ),
    *(
        Plant("decision-is-pure", file, f"import {name}", f"-> {name}")
        for file, name in (
            ("btcbot/services/decision.py", "asyncio"),
            ("btcbot/simulation/planted.py", "socket"),
            ("btcbot/domain/planted.py", "os"),
            ("btcbot/risk/planted.py", "logging"),
            ("btcbot/strategy/planted.py", "pathlib"),
        )
    ),
    *(
        Plant("one-http-client", file, f"import {name}", f"-> {name}")
        for file, name in (
            ("btcbot/exchange/submit.py", "httpx"),
            ("btcbot/sandbox/planted.py", "httpx"),
            ("btcbot/exchange/http.py", "httpcore"),
        )
    ),
]

PLANTS = ROWS + NEVERS + DETAILS


def contracts() -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser()
    parser.read(PROJECT / ".importlinter")
    prefix = "importlinter:contract:"
    return {name.removeprefix(prefix): dict(parser[name]) for name in parser.sections() if name.startswith(prefix)}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    return Tree.copied_to(tmp_path_factory.mktemp("tree"))


def test_every_contract_is_kept(tree: Tree) -> None:
    verdict = tree.contract()
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr
    assert f"Contracts: {len(contracts())} kept, 0 broken." in verdict.stdout


def test_every_package_has_a_row() -> None:
    packages = {path.parent.name for path in (PROJECT / "btcbot").glob("*/__init__.py")}
    rows = {fields["modules"] for name, fields in contracts().items() if name.startswith("row-")}
    assert rows == {f"btcbot.{package}" for package in packages}


def test_every_contract_has_something_planted_against_it() -> None:
    assert {plant.contract for plant in PLANTS} == set(contracts())


@pytest.mark.parametrize(
    "plant", PLANTS, ids=lambda plant: f"{plant.contract}: {plant.file}: {plant.line.splitlines()[0]}"
)
def test_a_planted_import_breaks_its_contract(tree: Tree, plant: Plant) -> None:
    with tree.with_planted({plant.file: plant.line, **dict([plant.also] if plant.also else [])}):
        verdict = tree.contract(plant.contract)
    assert verdict.returncode == 1, verdict.stdout + verdict.stderr
    assert "0 kept, 1 broken." in verdict.stdout
    report = " ".join(verdict.stdout.split())
    for part in [plant.says] if isinstance(plant.says, str) else plant.says:
        assert part in report


def test_a_row_that_names_a_missing_module_is_an_error_not_a_pass(tree: Tree) -> None:
    text = (tree.root / ".importlinter").read_text()
    (tree.root / ".importlinter").write_text(text.replace("modules = btcbot.risk\n", "modules = btcbot.rsik\n"))
    try:
        verdict = tree.contract("row-risk")
    finally:
        (tree.root / ".importlinter").write_text(text)
    assert verdict.returncode != 0
    assert "btcbot.rsik" in verdict.stdout + verdict.stderr
    assert MayImportContract.type_name == "may_import"
