"""Money is exact here too."""

import pytest

from btcbot.domain.money import use_money_context


@pytest.fixture(autouse=True)
def _money() -> None:
    use_money_context()
