"""Who gets in (protocol 3): addresses that were not shut out, with a signature of a known key that may do it."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.responses import Response

from btcbot.sandbox.answers import failure, page, unauthorized
from btcbot.sandbox.keys import ApiKey, KeyRing
from btcbot.sandbox.profiles import VenueProfile

STAMP_TOLERANCE_MS = 5_000
STAMP_DIGITS_MAX = 18
BLOCK_MS = 600_000  # how long an address stays shut out; nobody says how long the exchange does it (D5)
ADDRESSES_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Caller:
    key: ApiKey

    @property
    def account_id(self) -> int:
        return self.key.account_id


@dataclass(frozen=True, slots=True)
class TurnedAway:
    reason: str
    answer: Response


class Admission:
    """Remembers the last stamp of each key and the refusals of each address."""

    def __init__(self, keys: KeyRing, profile: VenueProfile) -> None:
        self._keys = keys
        self._profile = profile
        self._stamps: dict[str, int] = {}
        self._refusals: dict[str, int] = {}  # in a row, by address
        self._shut_until_ms: dict[str, int] = {}

    def key(self, public: str) -> ApiKey | None:
        return self._keys.get(public)

    def is_shut_out(self, ip: str, now_ms: int) -> bool:
        """Whether the edge lets nothing of an address through."""
        until_ms = self._shut_until_ms.get(ip)
        if until_ms is not None and now_ms >= until_ms:
            del self._shut_until_ms[ip]
            return False
        return until_ms is not None

    def signed(self, public: str, message: str, signature: str) -> Caller | None:
        """The caller whose key signed a message; nobody if it did not."""
        key = self._keys.get(public)
        return Caller(key) if key is not None and _is_signed(key, message, signature) else None

    def admit(self, headers: Mapping[str, str], ip: str, endpoint: str, now_ms: int) -> Caller | TurnedAway:
        """Whoever is turned away once too often in a row is shut out from then on."""
        verdict = self._judged(headers, endpoint, now_ms)
        if isinstance(verdict, Caller):
            self._refusals.pop(ip, None)
        elif verdict.answer.status_code == 401:
            self._count(ip, now_ms)
        return verdict

    def _judged(self, headers: Mapping[str, str], endpoint: str, now_ms: int) -> Caller | TurnedAway:
        public, stamp, signature = (headers.get(name) for name in ("x-pck", "x-stamp", "x-signature"))
        if not public or not stamp or not signature:
            return self._refused("Headers are missing")
        if self._keys.get(public) is None:
            return self._refused("Invalid Public key")
        is_number = stamp.isascii() and stamp.isdigit() and len(stamp) <= STAMP_DIGITS_MAX
        if not is_number or abs(now_ms - int(stamp)) > STAMP_TOLERANCE_MS:
            return self._refused("Invalid Nonce")
        caller = self.signed(public, public + stamp, signature)
        if caller is None:
            return self._refused("Invalid Signature")
        if not caller.key.permits(endpoint):
            return self._refused("Invalid Request")
        if self._profile.are_stamps_strict:
            last = self._stamps.get(public, 0)
            if int(stamp) <= last:
                message = f"Nonce must be greater than {last}. You provided {stamp}."
                return TurnedAway(message, failure(message, 1037))
            self._stamps[public] = int(stamp)
        return caller

    def _refused(self, reason: str) -> TurnedAway:
        return TurnedAway(reason, unauthorized(reason, is_successful=self._profile.is_refusal_successful))

    def _count(self, ip: str, now_ms: int) -> None:
        if len(self._refusals) >= ADDRESSES_MAX:
            self._refusals.clear()
        self._refusals[ip] = self._refusals.get(ip, 0) + 1
        most = self._profile.refusals_until_block
        if most is not None and self._refusals[ip] >= most:
            del self._refusals[ip]
            if len(self._shut_until_ms) >= ADDRESSES_MAX:
                self._shut_until_ms.clear()
            self._shut_until_ms[ip] = now_ms + BLOCK_MS


def shut_out() -> Response:
    return page(403)


def _is_signed(key: ApiKey, message: str, signature: str) -> bool:
    expected = hmac.new(key.secret, message.encode(), hashlib.sha256).digest()
    try:
        given = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(expected, given)
