"""Joins, leaves and data of one channel: moments are given, nothing is sent."""

from btcbot.market_data.subscriptions import AGAIN_MAX, AGAIN_PERIOD_SECONDS, Subscriptions

BOOK, TICKER = ("obdiff", "BTCTRY"), ("ticker", "BTCTRY")


def joined(now: float = 0.0) -> Subscriptions:
    subscriptions = Subscriptions([BOOK, TICKER])
    subscriptions.joined_all(now)
    return subscriptions


def test_without_a_connection_there_is_nothing() -> None:
    subscriptions = Subscriptions([BOOK])
    assert not subscriptions.served(BOOK, 1)
    assert not subscriptions.again(BOOK, 1)
    assert not subscriptions.left(BOOK, 1)
    assert subscriptions.silent_seconds(99) == 0


def test_a_join_without_data_is_overdue_after_five_seconds() -> None:
    subscriptions = joined()
    subscriptions.served(TICKER, 1)
    assert subscriptions.overdue(5) == []
    assert subscriptions.overdue(5.1) == [BOOK]
    assert subscriptions.hopeless(5.1) == []


def test_data_ends_the_waiting_and_is_news_only_after_a_repeated_join() -> None:
    subscriptions = joined()
    assert not subscriptions.served(BOOK, 1)
    assert subscriptions.again(BOOK, 2)
    assert not subscriptions.served(BOOK, 2.1)  # on its way before the leave was heard
    assert subscriptions.left(BOOK, 2.2)
    assert subscriptions.served(BOOK, 2.3)
    assert not subscriptions.served(BOOK, 2.4)
    assert subscriptions.hopeless(60) == []


def test_a_leave_is_sent_once_and_a_join_only_after_it_was_heard() -> None:
    subscriptions = joined()
    assert not subscriptions.left(BOOK, 0)  # nobody left
    assert subscriptions.again(BOOK, 1)
    assert not subscriptions.again(BOOK, 1)
    assert subscriptions.left(BOOK, 1.2)
    assert not subscriptions.left(BOOK, 1.3)
    assert not subscriptions.again(BOOK, 1.4)  # its data are still to come


def test_a_leave_that_nobody_heard_and_a_second_join_without_data_are_hopeless() -> None:
    unheard = joined()
    unheard.again(BOOK, 1)
    assert unheard.hopeless(5.9) == []
    assert unheard.hopeless(6.1) == [BOOK]
    unanswered = joined()
    unanswered.again(BOOK, 1)
    unanswered.left(BOOK, 2)
    assert unanswered.hopeless(7.1) == [BOOK]
    unanswered.joined_all(8)
    assert unanswered.hopeless(8) == []


def test_beginning_anew_is_bounded() -> None:
    subscriptions = joined()
    for number in range(AGAIN_MAX):
        assert subscriptions.again(BOOK, number)
        subscriptions.left(BOOK, number)
        subscriptions.served(BOOK, number)
    assert not subscriptions.again(BOOK, AGAIN_MAX)
    assert subscriptions.again(BOOK, AGAIN_PERIOD_SECONDS + 0.5)


def test_silence_is_told_by_channel_and_of_all() -> None:
    subscriptions = joined()
    subscriptions.served(BOOK, 1)
    subscriptions.served(TICKER, 8)
    assert subscriptions.silent(12, 10) == [BOOK]
    assert subscriptions.silent_seconds(12) == 4
    subscriptions.lost()
    assert subscriptions.silent(99, 10) == []
