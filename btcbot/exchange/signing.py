"""Who we are, proven per request: HMAC over key and stamp (protocol, section 3).

Neither method, path nor body is signed, so whoever sees the headers within the window has a blank cheque: they go into
one request and nowhere else.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable

from btcbot.domain.errors import ConfigurationError
from btcbot.domain.profiles import Credentials
from btcbot.exchange.errors import StampsAhead

AHEAD_MS_MAX = 2_500  # half of what the exchange tolerates (reliability I7)
_CONTENT_TYPE = (b"Content-Type", b"application/json")


class Signer:
    """One per key: stamps rise strictly, whatever the clock does."""

    def __init__(self, credentials: Credentials, now_ms: Callable[[], int]) -> None:
        """`now_ms` is the exchange's time, as well as we know it. A secret not in base64 is a `ConfigurationError`."""
        self._key = credentials.key.reveal()
        self._now_ms = now_ms
        self._last = 0
        try:
            secret = base64.b64decode(credentials.secret.reveal(), validate=True)
            prefix = self._key.encode("ascii")
        except (binascii.Error, ValueError):
            # Not chained: the error below it would quote the secret.
            raise ConfigurationError("BTCTURK_API_SECRET is not base64, or BTCTURK_API_KEY is not ASCII") from None
        self._identity = (b"X-PCK", prefix)
        self._keyed = hmac.new(secret, prefix, hashlib.sha256)

    def stamp(self) -> int:
        """Milliseconds, later than every stamp before: two requests never share one (reliability S9)."""
        self._last = max(self._now_ms(), self._last + 1)
        return self._last

    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """For exactly one request, made at the last moment: the exchange takes a stamp for five seconds.

        Raises `StampsAhead` when the next stamp would lie further in the exchange's future than is safe.
        """
        ahead = self._last + 1 - self._now_ms()
        if ahead > AHEAD_MS_MAX:
            raise StampsAhead(ahead / 1000)
        stamp = b"%d" % self.stamp()
        return self._identity, (b"X-Stamp", stamp), (b"X-Signature", self._signature(stamp)), _CONTENT_TYPE

    def login_signature(self, nonce: int) -> str:
        """For the socket's login. The nonce is a constant, so this never changes: never logged (protocol 10.5)."""
        return self._signature(b"%d" % nonce).decode("ascii")

    @property
    def public_key(self) -> str:
        return self._key

    def _signature(self, message: bytes) -> bytes:
        mac = self._keyed.copy()  # the key and the first half of the message are in it already
        mac.update(message)
        return base64.b64encode(mac.digest())
