"""Keeps secrets out of what we write: every text form in which one could appear, and the fields that carry them."""

import base64
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

from btcbot.domain.secrets import Secret

MASK = "***"
CHARACTERS_MIN = 6  # a shorter form would blot out ordinary text; settings refuse secrets that short
CARRIERS = re.compile(r"secret|password|token|authorization|signature|x-?pck|x-?stamp|api_?key|cookie", re.IGNORECASE)


class Mask:
    """Replaces each secret in a text: as it is, encoded for a URL, and in base64, alone or inside a longer text."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        forms = {form for secret in secrets for form in _forms(secret.reveal()) if len(form) >= CHARACTERS_MIN}
        longest_first = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def __call__(self, text: str) -> str:
        return self._pattern.sub(MASK, text) if self._pattern else text

    def __repr__(self) -> str:
        return f"Mask({MASK})"  # the pattern is made of secrets


def carries_secrets(field: str) -> bool:
    """Whether a field of this name is masked whatever it holds: headers, signatures, keys."""
    return CARRIERS.search(field) is not None


def _forms(secret: str) -> Iterable[str]:
    exact = secret.encode()
    decoded = _decoded(secret)
    plain = [secret, quote(secret, safe=""), quote_plus(secret), exact.hex(), decoded.hex()]
    plain += [decoded.decode("utf-8", "ignore"), *_base64_cores(exact), *_base64_cores(decoded)]
    for form in plain:
        yield form
        yield json.dumps(form)[1:-1]  # as it stands in a JSON line
        yield json.dumps(form, ensure_ascii=False)[1:-1]


def _decoded(secret: str) -> bytes:
    """BtcTurk's secret is itself base64: what signs is the bytes behind it."""
    try:
        return base64.b64decode(secret, validate=True)
    except ValueError:
        return b""


def _base64_cores(payload: bytes) -> Iterable[str]:
    """What base64 shows of `payload` wherever it starts in a longer text: the characters that are its bits alone."""
    if not payload:
        return
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + payload).decode().rstrip("=")
        whole = (before + len(payload)) * 8 // 6  # characters made of known bits only
        core = encoded[(before * 8 + 5) // 6 : whole]
        yield core
        yield core.replace("+", "-").replace("/", "_")
