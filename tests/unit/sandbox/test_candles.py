"""When candles of each length begin and end, in UTC."""

from datetime import UTC, datetime

import pytest

from btcbot.sandbox.candles import following_ms, minutes_of, opening_ms


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000)


@pytest.mark.parametrize(
    ("resolution", "opened", "following"),
    [
        ("1", "2026-11-25T13:47:00", "2026-11-25T13:48:00"),
        ("5", "2026-11-25T13:45:00", "2026-11-25T13:50:00"),
        ("240", "2026-11-25T12:00:00", "2026-11-25T16:00:00"),
        ("1D", "2026-11-25T00:00:00", "2026-11-26T00:00:00"),
        ("1 day", "2026-11-25T00:00:00", "2026-11-26T00:00:00"),
        ("1 d", "2026-11-25T00:00:00", "2026-11-26T00:00:00"),
        ("1 w", "2026-11-23T00:00:00", "2026-11-30T00:00:00"),
        ("1440", "2026-11-25T00:00:00", "2026-11-26T00:00:00"),
        ("1W", "2026-11-23T00:00:00", "2026-11-30T00:00:00"),
        ("1M", "2026-11-01T00:00:00", "2026-12-01T00:00:00"),
    ],
)
def test_a_candle_begins_and_ends_on_its_border(resolution: str, opened: str, following: str) -> None:
    minutes = minutes_of(resolution)
    assert minutes is not None
    assert opening_ms(at("2026-11-25T13:47:59"), minutes) == at(opened)
    assert opening_ms(at(opened), minutes) == at(opened)
    assert following_ms(at(opened), minutes) == at(following)


@pytest.mark.parametrize("resolution", ["", "0", "1441", "-5", "1.5", "²", "1Y", "day"])
def test_other_resolutions_have_no_candles(resolution: str) -> None:
    assert minutes_of(resolution) is None


@pytest.mark.parametrize("minutes", ["80", "90"])
def test_odd_minutes_are_taken(minutes: str) -> None:
    assert minutes_of(minutes) == int(minutes)
