"""The label of an order (`newOrderClientId`): ours by its look, derived from the row, never random.

`BB-<deployment>-<epoch>-<sequence>-<check>`, epoch and sequence in base 36, at most 32 characters of A–Z, 0–9 and
hyphen. The exchange does not enforce uniqueness (reliability, finding 1), so the label finds orders; it never makes a
send safe.
"""

import hashlib
import re
from dataclasses import dataclass

LENGTH_MAX = 32
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_FORM = re.compile(r"BB-([A-Z0-9]{2,8})-([0-9A-Z]{1,6})-([0-9A-Z]{1,8})-([0-9A-Z]{2})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Label:
    deployment_id: str  # two to eight of A–Z and 0–9
    epoch: int
    sequence: int

    def __str__(self) -> str:
        body = f"BB-{self.deployment_id}-{_base36(self.epoch)}-{_base36(self.sequence)}"
        text = f"{body}-{_check(body)}"
        assert len(text) <= LENGTH_MAX, "a label fits the exchange's field"
        return text


def read_label(text: str | None) -> Label | None:
    """The label in this form with right check digits, or nothing: somebody else's order."""
    form = _FORM.fullmatch(text or "")
    if form is None:
        return None
    deployment_id, epoch, sequence, check = form.groups()
    if check != _check(form.string[: form.start(4) - 1]):
        return None
    return Label(deployment_id, int(epoch, 36), int(sequence, 36))


def _base36(number: int) -> str:
    assert number >= 0, "epochs and sequences count up from zero"
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
        if number == 0:
            return digits


def _check(body: str) -> str:
    return _base36(int.from_bytes(hashlib.sha256(body.encode("ascii")).digest()[:4]) % 1296).rjust(2, "0")
