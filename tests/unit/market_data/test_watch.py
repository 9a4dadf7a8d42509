"""Levels that wake the run loop."""

from decimal import Decimal

from btcbot.market_data.watch import LevelWatch


def test_a_level_speaks_once_when_the_bid_is_not_above_it() -> None:
    heard: list[str] = []
    watch = LevelWatch()
    watch.watch({"BTCTRY": Decimal(100), "ETHTRY": Decimal(50)}, lambda: heard.append("crossed"))
    for pair, bid in (("BTCTRY", Decimal("100.01")), ("BTCTRY", None), ("SOLTRY", Decimal(1))):
        watch.see(pair, bid)
    assert heard == []
    watch.see("BTCTRY", Decimal(100))
    watch.see("BTCTRY", Decimal(99))
    assert heard == ["crossed"]
    watch.see("ETHTRY", Decimal(1))
    assert len(heard) == 2


def test_a_new_watch_replaces_the_old_one() -> None:
    heard: list[str] = []
    watch = LevelWatch()
    watch.watch({"BTCTRY": Decimal(100)}, lambda: heard.append("old"))
    watch.watch({}, lambda: heard.append("new"))
    watch.see("BTCTRY", Decimal(1))
    assert heard == []
