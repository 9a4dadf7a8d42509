"""Money is exact in every test of the venue."""

import pytest

from btcbot.domain.money import use_money_context


@pytest.fixture(autouse=True)
def _money() -> None:
    use_money_context()
