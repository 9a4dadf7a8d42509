from collections.abc import Iterator
from pathlib import Path

import pytest

from btcbot.domain.money import use_money_context
from btcbot.domain.ports import Journal
from tests.contract.journal.journals import JOURNALS


@pytest.fixture(scope="session", autouse=True)
def money_context() -> None:
    use_money_context()


@pytest.fixture(params=JOURNALS)
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    with JOURNALS[request.param](tmp_path) as opened:
        yield opened
