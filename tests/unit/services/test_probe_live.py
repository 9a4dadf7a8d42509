"""What keeps a probe from placing its order before anything is asked, and how large that order is."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from btcbot.domain.errors import ConfigurationError
from btcbot.domain.instruments import Instrument
from btcbot.domain.money import Asset, Price, use_money_context
from btcbot.risk.rules import RULES, price_is_within_collar
from btcbot.services.probe import ProbeWish
from btcbot.services.probe_live import probe_and_place
from btcbot.services.probe_order import FAR_RULES, careful_quantity, price_is_far_below_market
from btcbot.services.runtime import Runtime
from tests.unit.persistence.world import Witness
from tests.unit.services.world import PAIR, HandClock, live_profile

WISH = ProbeWish(PAIR, listen_seconds=1)


class Nobody:
    """Neither sleeps nor mints: nothing may come that far."""

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing is waited for")

    def new(self) -> str:
        raise AssertionError("nothing is begun")


RUNTIME = Runtime(HandClock(), Nobody(), Nobody(), "0" * 32)


@pytest.mark.parametrize("switch", ["safe_mode", "kill_switch"])
async def test_settings_that_do_not_arm_refuse(tmp_path: Path, switch: str) -> None:
    profile = live_profile(tmp_path, {switch: True})
    with pytest.raises(ConfigurationError, match="settings that arm"):
        await probe_and_place(profile, WISH, RUNTIME, Witness(), "test")
    assert list(tmp_path.iterdir()) == []


async def test_a_pair_that_is_not_traded_refuses(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="ETHTRY"):
        await probe_and_place(live_profile(tmp_path), replace(WISH, pair="ETHTRY"), RUNTIME, Witness(), "test")
    assert list(tmp_path.iterdir()) == []


def test_every_rule_but_the_collar_judges_the_far_order() -> None:
    assert [rule.judge for rule in FAR_RULES] == [
        price_is_far_below_market if rule.judge is price_is_within_collar else rule.judge for rule in RULES
    ]
    assert [(rule.control, rule.purposes) for rule in FAR_RULES] == [(rule.control, rule.purposes) for rule in RULES]


@pytest.mark.parametrize(
    ("quote", "listed", "price", "least"),
    [("TRY", "100", "1856720", "106"), ("USDT", "10", "43344", "10.6"), ("TRY", "150", "0.5", "159")],
)
def test_the_smallest_careful_amount_is_a_little_above_what_the_gate_wants(
    quote: str, listed: str, price: str, least: str
) -> None:
    use_money_context()
    instrument = Instrument(
        "XY", Asset("X"), Asset(quote), Decimal("0.1"), Decimal("0.00000001"), Decimal(1), Decimal(10**7),
        Decimal(listed), is_trading=True,
    )  # fmt: skip
    quantity = careful_quantity(instrument, Price(Decimal(price)))
    assert quantity % instrument.lot_step == 0
    assert Decimal(least) <= quantity * Decimal(price) <= Decimal(least) + 2 * instrument.lot_step * Decimal(price)
