import pytest

from btcbot.domain.money import use_money_context


@pytest.fixture(scope="session", autouse=True)
def money_context() -> None:
    use_money_context()
