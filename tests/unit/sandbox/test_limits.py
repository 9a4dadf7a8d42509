from btcbot.sandbox.limits import RateLimits


def test_a_window_begins_with_the_first_request_and_ends_after_its_period() -> None:
    limits = RateLimits()
    assert all(limits.charge("balances", "ip", "1", 1_000) is None for _ in range(120))
    exceeded = limits.charge("balances", "ip", "1", 31_000)
    assert exceeded is not None
    assert (exceeded.retry_after, exceeded.limit.period, exceeded.limit.policy) == (30, "1m", "ip")
    assert limits.charge("balances", "ip", "1", 61_000) is None


def test_one_address_does_not_pay_for_another() -> None:
    limits = RateLimits()
    for _ in range(121):
        limits.charge("balances", "one", None, 0)
    assert limits.charge("balances", "two", None, 0) is None


def test_the_limit_that_lasts_longest_is_named() -> None:
    limits = RateLimits()
    for second in range(30):
        for _ in range(10):
            assert limits.charge("submit", "ip", "1", second * 1_000) is None
    exceeded = limits.charge("submit", "ip", "1", 30_000)
    assert exceeded is not None
    assert (exceeded.limit.count, exceeded.limit.seconds, exceeded.retry_after) == (300, 60, 30)


def test_what_has_no_limit_is_never_refused() -> None:
    limits = RateLimits()
    assert all(limits.charge("server_time", "ip", None, 0) is None for _ in range(5_000))
