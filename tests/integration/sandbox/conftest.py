"""Each test has a sandbox of its own; sockets stay on loopback."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from btcbot.domain.money import use_money_context
from tests.integration.sandbox.playground import Playground, playing


@pytest.fixture(autouse=True)
def _money() -> None:
    use_money_context()


@pytest_asyncio.fixture
async def playground(tmp_path: Path) -> AsyncIterator[Playground]:
    use_money_context()
    async with playing(tmp_path / "sandbox") as opened:
        yield opened
