"""Every rule of lint.rules holds in the package, fires on what it forbids, and lets its home be."""

from pathlib import Path, PurePosixPath

import pytest

from lint.__main__ import main
from lint.rules import RULES, findings
from tests.architecture.planting import PROJECT

CYCLE = "btcbot/services/run_loop.py"

FORBIDDEN = [
    ("clock", CYCLE, "import time\nstarted = time.monotonic()"),
    ("clock", CYCLE, "from time import time as now"),
    ("clock", CYCLE, "import datetime as dt\nnow = dt.datetime.now(dt.UTC)"),
    ("clock", "btcbot/persistence/sqlite/lock.py", "from datetime import UTC, datetime\nnow = datetime.now(UTC)"),
    ("clock", "btcbot/sandbox/server.py", "from datetime import date\ntoday = date.today()"),
    ("sleep", CYCLE, "import asyncio\nasync def rest(): await asyncio.sleep(1)"),
    ("sleep", "btcbot/exchange/http.py", "from time import sleep"),
    ("randomness", CYCLE, "import random"),
    ("randomness", "btcbot/exchange/http.py", "from random import uniform"),
    ("randomness", "btcbot/simulation/generator.py", "import random\ngenerator = random.Random(1)"),
    ("randomness", CYCLE, "import os\nnonce = os.urandom(8)"),
    ("randomness", "btcbot/sandbox/keys.py", "import secrets"),
    ("ids", CYCLE, "import uuid"),
    ("ids", "btcbot/persistence/sqlite/journal.py", "from uuid import uuid4"),
    ("environment", "btcbot/cli/main.py", "import os\nrole = os.environ['APP_ROLE']"),
    ("environment", "btcbot/observability/logs.py", "from os import getenv"),
    ("environment", "btcbot/config/profiles.py", "import os\nhome = os.getenv('HOME')"),
    ("threads", CYCLE, "import threading"),
    ("threads", CYCLE, "from concurrent.futures import ThreadPoolExecutor"),
    ("threads", CYCLE, "import asyncio\nasync def f(): await asyncio.to_thread(print)"),
    ("threads", CYCLE, "async def f(loop): await loop.run_in_executor(None, print)"),
    ("subprocess", CYCLE, "import subprocess"),
    ("subprocess", "btcbot/cli/main.py", "import os\nos.execv('/bin/true', ['true'])"),
    ("subprocess", CYCLE, "from asyncio import create_subprocess_exec"),
    ("code-from-data", CYCLE, "eval('1')"),
    ("code-from-data", CYCLE, "import pickle"),
    ("code-from-data", "btcbot/persistence/sqlite/unit.py", "module = __import__('sqlite3')"),
    ("float-money", "btcbot/domain/money.py", "near = float('0.1')"),
    ("float-money", "btcbot/domain/orders/life.py", "near = float('0.1')"),
    ("float-money", "btcbot/domain/ledger.py", "near = float('0.1')"),
    ("float-money", "btcbot/risk/rules.py", "near = float('0.1')"),
    ("float-money", "btcbot/persistence/sqlite/fields.py", "near = float('0.1')"),
    ("private-calls", "btcbot/execution/live.py", "async def f(channel): await channel.send_once('POST')"),
    ("private-calls", "btcbot/exchange/account.py", "async def f(self): await self._channel.send_once('POST')"),
    ("approved-by-the-gate", CYCLE, "from btcbot.domain.orders import ApprovedOrderIntent\nApprovedOrderIntent(1)"),
    (
        "approved-by-the-gate",
        "btcbot/execution/live.py",
        "from btcbot.domain import orders\norders.ApprovedOrderIntent(1)",
    ),
    ("journaled-by-a-journal", "btcbot/execution/live.py", "JournaledOrder(1)"),
    ("journaled-by-a-journal", "btcbot/persistence/sqlite/unit_of_work.py", "JournaledOrder(1)"),
]

ALLOWED = [
    ("btcbot/services/runtime.py", "import time, uuid, os, asyncio\nnow = time.time()\nuuid.uuid4()\nos.urandom(8)"),
    ("btcbot/config/settings.py", "import os\nrole = os.environ['APP_ROLE']"),
    ("btcbot/strategy/indicators.py", "near = float('0.1')"),
    ("btcbot/risk/gate.py", "ApprovedOrderIntent(1)"),
    ("btcbot/persistence/sqlite/journal.py", "JournaledOrder(1)"),
    ("btcbot/research/journal.py", "JournaledOrder(1)"),
    (CYCLE, "from datetime import datetime, timedelta\ndef later(clock): return clock.now() + timedelta(seconds=1)"),
    (CYCLE, "def keep(order: 'JournaledOrder') -> 'ApprovedOrderIntent': return order.approved"),
    (CYCLE, "def masked(secrets: tuple[str, ...]) -> int: return len(secrets)"),
    (CYCLE, "import re\npattern = re.compile('[A-Z]+')"),
]


def test_no_file_breaks_a_rule() -> None:
    found = [
        str(finding)
        for path in sorted(PROJECT.joinpath("btcbot").rglob("*.py"))
        for finding in findings(PurePosixPath(path.relative_to(PROJECT).as_posix()), path.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(("rule", "path", "source"), FORBIDDEN)
def test_a_planted_violation_is_found(rule: str, path: str, source: str) -> None:
    assert rule in {finding.rule.name for finding in findings(PurePosixPath(path), source)}


@pytest.mark.parametrize(("path", "source"), ALLOWED)
def test_a_home_may_do_what_others_may_not(path: str, source: str) -> None:
    assert [str(finding) for finding in findings(PurePosixPath(path), source)] == []


def test_every_rule_has_something_planted_against_it() -> None:
    assert {rule for rule, _, _ in FORBIDDEN} == {rule.name for rule in RULES}


def test_the_command_names_place_and_rule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "btcbot").mkdir()
    (tmp_path / "btcbot" / "planted.py").write_text("import os\nos.environ\n")
    monkeypatch.chdir(tmp_path)
    assert main(["btcbot"]) == 1
    assert capsys.readouterr().out.startswith(
        "btcbot/planted.py:2: os.environ: the environment is read in config.settings"
    )
