"""A secret that cannot be printed, pickled or compared by accident."""

import hashlib
from typing import NoReturn


class Secret:
    """Holds a text; every way of showing it gives a mask. `reveal()` is the one door."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def fingerprint(self) -> str:
        """Twelve hexadecimal characters that tell two secrets apart and say nothing else."""
        return hashlib.sha256(self._text.encode()).hexdigest()[:12]

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled or copied")
