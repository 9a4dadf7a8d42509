import pytest

from btcbot.sandbox.limits import COUNTED_MAX, LIMITS, Policy, RateLimits


def test_who_exceeds_a_window_is_shut_out_for_its_length() -> None:
    limits = RateLimits()
    assert all(limits.charge("balances", "ip", "1", 1_000) is None for _ in range(120))
    exceeded = limits.charge("balances", "ip", "1", 31_000)
    assert exceeded is not None
    assert (exceeded.retry_after, exceeded.limit.period, exceeded.limit.policy) == (60, "1m", "ip")
    again = limits.charge("balances", "ip", "1", 90_500)
    assert again is not None
    assert again.retry_after == 1
    assert limits.charge("balances", "ip", "1", 91_000) is None


def test_a_window_begins_with_its_first_request_and_ends_after_its_period() -> None:
    limits = RateLimits()
    for start in (5_000, 65_000):
        assert all(limits.charge("balances", "ip", "1", start + n) is None for n in range(120))


def test_one_address_does_not_pay_for_another() -> None:
    limits = RateLimits()
    for _ in range(121):
        limits.charge("balances", "one", None, 0)
    assert limits.charge("balances", "two", None, 0) is None


def test_an_account_pays_from_every_address_unless_accounts_are_not_counted() -> None:
    for are_counted, expected in ((True, Policy.ACCOUNT), (False, None)):
        limits = RateLimits(are_accounts_counted=are_counted)
        broken = [limits.charge("submit", f"ip{n}", "1", 0) for n in range(11)]
        assert (broken[-1].limit.policy if broken[-1] else None) == expected


def test_the_limit_that_lasts_longest_is_named() -> None:
    limits = RateLimits()
    for second in range(30):
        for _ in range(10):
            assert limits.charge("submit", "ip", "1", second * 1_000) is None
    exceeded = limits.charge("submit", "ip", "1", 30_000)
    assert exceeded is not None
    assert (exceeded.limit.count, exceeded.limit.seconds, exceeded.retry_after) == (300, 60, 60)


def test_daily_candles_count_for_their_whole_host() -> None:
    limits = RateLimits()
    for n in range(10):
        assert all(limits.charge("graph", "ip", None, n) is None for _ in range(59))
    assert all(limits.charge("ohlcs", "ip", None, 10) is None for _ in range(10))
    exceeded = limits.charge("ohlcs", "ip", None, 11)
    assert exceeded is not None
    assert (exceeded.limit.count, exceeded.limit.period) == (600, "10m")


def test_what_has_no_limit_is_never_refused() -> None:
    limits = RateLimits()
    assert all(limits.charge("server_time", "ip", None, 0) is None for _ in range(5_000))


def test_addresses_whose_window_is_over_are_forgotten() -> None:
    limits = RateLimits()
    for n in range(COUNTED_MAX):
        limits.charge("connect", f"ip{n}", None, 0)
    assert limits.charge("connect", "late", None, 60_000) is None
    assert len(limits._counters["connect"][0].windows) == 1


@pytest.mark.parametrize(
    ("endpoint", "rules"),
    [
        ("submit", {(300, 60), (10, 1)}), ("cancel", {(300, 60), (10, 1)}), ("order", {(900, 60), (30, 1)}),
        ("open_orders", {(300, 60)}), ("user_trades", {(120, 60)}), ("transfers_fiat", {(90, 60)}),
        ("ticker", {(600, 60)}), ("orderbook", {(180, 60)}), ("graph", {(600, 600)}), ("connect", {(15, 60)}),
    ],
)  # fmt: skip
def test_the_table_is_the_published_one(endpoint: str, rules: set[tuple[int, int]]) -> None:
    assert {(limit.count, limit.seconds) for limit in LIMITS[endpoint]} == rules
    counted = {limit.policy for limit in LIMITS[endpoint]}
    assert counted == (set(Policy) if endpoint in ("submit", "cancel", "order") else {Policy.IP})
