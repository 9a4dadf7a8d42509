from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from btcbot.domain.money import parse, plain, use_money_context
from btcbot.simulation.listings import text_of_steps
from tests.unit.simulation.scripted import BTC_TRY


def test_a_price_off_the_grid_has_no_ticks() -> None:
    assert BTC_TRY.ticks(parse("3712281")) == 3712281
    assert BTC_TRY.ticks(parse("3712281.5")) is None


def test_trailing_zeros_do_not_take_a_number_off_its_grid() -> None:
    assert BTC_TRY.ticks(parse("3712281.00")) == 3712281
    assert BTC_TRY.lots(parse("0.5000")) == 50


@given(st.integers(min_value=0, max_value=10**18), st.integers(min_value=0, max_value=8))
def test_the_text_of_steps_is_the_plain_text_of_the_number(steps: int, decimals: int) -> None:
    use_money_context()
    assert text_of_steps(steps, decimals) == plain(Decimal(steps).scaleb(-decimals))
