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
        self._keyed = hmac.new(secret, prefix, hashlib.sha256)

    def stamp(self) -> int:
        """Milliseconds, later than every stamp before: two requests never share one (reliability S9)."""
        self._last = max(self._now_ms(), self._last + 1)
        return self._last

    def headers(self) -> dict[str, str]:
        """For exactly one request, made at the last moment: the exchange takes a stamp for five seconds."""
        stamp = str(self.stamp())
        return {
            "X-PCK": self._key,
            "X-Stamp": stamp,
            "X-Signature": self._signature(stamp),
            "Content-Type": "application/json",
        }

    def login_signature(self, nonce: int) -> str:
        """For the socket's login. The nonce is a constant, so this never changes: never logged (protocol 10.5)."""
        return self._signature(str(nonce))

    @property
    def public_key(self) -> str:
        return self._key

    def _signature(self, message: str) -> str:
        mac = self._keyed.copy()
        mac.update(message.encode("ascii"))
        return base64.b64encode(mac.digest()).decode("ascii")
