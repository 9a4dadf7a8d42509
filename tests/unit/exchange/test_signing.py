import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btcbot.domain.errors import ConfigurationError
from btcbot.domain.profiles import Credentials
from btcbot.domain.secrets import Secret
from btcbot.exchange.errors import StampsAhead
from btcbot.exchange.signing import AHEAD_MS_MAX, Signer
from tests.unit.exchange.builders import CREDENTIALS, PRIVATE_KEY, PUBLIC_KEY

STAMP = 1735689600000


@pytest.mark.parametrize(
    ("key", "secret", "signature"),
    [
        (PUBLIC_KEY, PRIVATE_KEY, "mDSrvYrUYbe6EgpZl1u/dqei/PHEe8S5tPmX0P2WsTk="),
        ("test-public-key", "dGVzdC1zZWNyZXQta2V5LWZvci11bml0LXRlc3Rz", "7gyFGcOS+qnq46h/rl83VtpaEAsh8Th3Z3lQrF7g2I0="),
    ],
)
def test_the_published_vectors_come_out(key: str, secret: str, signature: str) -> None:
    signer = Signer(Credentials(Secret(key), Secret(secret)), lambda: STAMP)
    assert dict(signer.headers()) == {
        b"X-PCK": key.encode(),
        b"X-Stamp": str(STAMP).encode(),
        b"X-Signature": signature.encode(),
        b"Content-Type": b"application/json",
    }


def test_the_login_vector_comes_out() -> None:
    signer = Signer(CREDENTIALS, lambda: STAMP)
    assert signer.login_signature(3000) == "gBucg4zPoqkwo42heyvE5QsSonnSnZGVKBMJOQNF/uc="


@given(st.lists(st.integers(min_value=STAMP - 86_400_000, max_value=STAMP + 86_400_000), min_size=1, max_size=200))
def test_stamps_rise_whatever_the_clock_does(readings: list[int]) -> None:
    clock = iter(readings)
    signer = Signer(CREDENTIALS, lambda: next(clock))
    stamps = [signer.stamp() for _ in readings]
    assert all(before < after for before, after in itertools.pairwise(stamps))
    assert all(stamp >= reading for stamp, reading in zip(stamps, readings, strict=True))


def test_the_header_carries_the_stamp_that_was_signed() -> None:
    fixed = Signer(CREDENTIALS, lambda: STAMP)
    fixed.headers()
    second = dict(fixed.headers())
    assert second[b"X-Stamp"] == str(STAMP + 1).encode()
    assert second[b"X-Signature"] == dict(Signer(CREDENTIALS, lambda: STAMP + 1).headers())[b"X-Signature"]


def test_nothing_is_signed_for_a_moment_far_in_the_future_of_the_exchange() -> None:
    """A stamp may only rise: once the clock was measured wrongly, signing waits until time has caught up."""
    now = STAMP + 60_000
    signer = Signer(CREDENTIALS, lambda: now)
    signer.headers()
    now = STAMP
    with pytest.raises(StampsAhead) as refusal:
        signer.headers()
    assert refusal.value.seconds == pytest.approx(60, abs=0.01)
    now = STAMP + 60_000 - AHEAD_MS_MAX + 10
    signer.headers()


@pytest.mark.parametrize("secret", ["not base64!", "abc", "ğ"])
def test_a_secret_that_is_not_base64_is_refused_without_being_shown(secret: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        Signer(Credentials(Secret(PUBLIC_KEY), Secret(secret)), lambda: STAMP)
    assert secret not in str(refusal.value)
    assert refusal.value.__cause__ is None
    assert refusal.value.__suppress_context__


def test_neither_key_nor_secret_is_shown_by_a_signer() -> None:
    shown = repr(Signer(CREDENTIALS, lambda: STAMP))
    assert PUBLIC_KEY not in shown
    assert PRIVATE_KEY not in shown
