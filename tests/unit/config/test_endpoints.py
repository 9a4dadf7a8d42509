"""Which exchange a URL leads to, and which URLs lead astray."""

import pytest

from btcbot.config.endpoints import endpoint, is_loopback
from btcbot.config.forms import Misfit
from btcbot.config.settings import load_profile
from btcbot.domain.errors import ConfigurationError
from tests.unit.config.environments import REAL_EXCHANGE, Ground

API, WS = endpoint("http", "https"), endpoint("ws", "wss")


@pytest.mark.parametrize(
    ("url", "authority", "loopback"),
    [
        ("https://api.btcturk.com", "api.btcturk.com", False),
        ("https://api.btcturk.com:8443", "api.btcturk.com:8443", False),
        ("https://btcturk.com", "btcturk.com", False),
        ("http://127.0.0.1:18080", "127.0.0.1:18080", True),
        ("http://127.255.0.9", "127.255.0.9", True),
        ("https://localhost:1", "localhost:1", True),
        ("http://[::1]:18080", "[::1]:18080", True),
    ],
)
def test_an_endpoint_is_taken_apart(url: str, authority: str, loopback: bool) -> None:
    found = API(url)
    assert (str(found), found.authority, found.is_loopback) == (url, authority, loopback)


@pytest.mark.parametrize(
    "url",
    [
        "", "api.btcturk.com", "//api.btcturk.com", "HTTPS://api.btcturk.com", "https://API.btcturk.com",
        "https://api.btcturk.com/", "https://api.btcturk.com/api", "https://api.btcturk.com?x", "https://api.btcturk.com#x",
        "https://user@api.btcturk.com", "https://user:pass@api.btcturk.com", "https://api.btcturk.com:", "https://:443",
        "https://api.btcturk.com:0", "https://api.btcturk.com:65536", "https://api.btcturk.com.", "https://.btcturk.com",
        "https://api.btcturk.com\n", " https://api.btcturk.com", "https://api.btcturk.com\\@x", "https://[::1", "ftp://127.0.0.1",
        "wss://api.btcturk.com", "ws://127.0.0.1", "https://api.bţcturk.com",
    ],
)  # fmt: skip
def test_there_is_one_way_to_write_an_endpoint(url: str) -> None:
    with pytest.raises(Misfit, match=r"https://HOST\[:PORT\] below btcturk.com, or http://HOST"):
        API(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.btcturk.co", "https://apibtcturk.com", "https://btcturk.com.example.org", "https://example.org",
        "https://10.0.0.1", "https://0.0.0.0", "https://128.0.0.1", "https://localhost.example.org", "https://127.1",
        "https://2130706433",
    ],
)  # fmt: skip
def test_beyond_loopback_there_is_one_exchange(url: str) -> None:
    with pytest.raises(Misfit, match=r"must be on loopback .* or below btcturk\.com"):
        API(url)


@pytest.mark.parametrize(("form", "url"), [(API, "http://api.btcturk.com"), (WS, "ws://ws-feed-pro.btcturk.com")])
def test_what_is_not_on_loopback_is_encrypted(form: type[object], url: str) -> None:
    with pytest.raises(Misfit, match=r"must begin with (https|wss):// because it is not on loopback"):
        form(url)


@pytest.mark.parametrize("host", ["127.0.0.256", "127.0.0", "::1", "LOCALHOST", "localhost.", "0177.0.0.1", ""])
def test_only_the_literal_host_is_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("name", sorted(REAL_EXCHANGE))
def test_sandbox_and_real_exchange_never_mix(ground: Ground, name: str) -> None:
    with pytest.raises(ConfigurationError, match="are partly on loopback: all or none"):
        load_profile(ground.monitor(**{name: REAL_EXCHANGE[name]}))


def test_time_is_real_at_the_real_exchange(ground: Ground) -> None:
    anchor = str(ground.root / "sandbox" / "clock_anchor")
    environ = ground.monitor(**REAL_EXCHANGE, BTCBOT_CLOCK_RATE="20", BTCBOT_CLOCK_ANCHOR_FILE=anchor)
    with pytest.raises(ConfigurationError, match=r"BTCBOT_CLOCK_RATE must be 1 unless .* are on loopback"):
        load_profile(environ)
