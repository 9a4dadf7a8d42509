"""Files of numbered lines, and where in them a number is found.

Only every `STRIDE`-th line's place is remembered: eight bytes for a thousand lines, however long the sandbox runs.
"""

from array import array
from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path

STRIDE = 1_024


class Segment:
    """Consecutive lines, from number `first` on."""

    def __init__(self, path: Path, first: int) -> None:
        self.path = path
        self.first = first
        self.count = 0
        self.end = 0  # bytes
        self._places = array("Q")

    @property
    def next(self) -> int:
        """The number that comes after the last one."""
        return self.first + self.count

    def add(self, length: int) -> None:
        """One more line of so many bytes."""
        if self.count % STRIDE == 0:
            self._places.append(self.end)
        self.count += 1
        self.end += length

    def lines(self, first: int, end: int, kinds: Collection[bytes] = ()) -> Iterator[tuple[int, bytes]]:
        """Number and text of the lines from `first` to before `end`; only of some kinds, if any is named."""
        first, end = max(first, self.first), min(end, self.next)
        if first >= end:
            return
        start = self.block_of(first)
        with open(self.path, "rb") as file:
            file.seek(self._places[(start - self.first) // STRIDE])
            for number, line in enumerate(islice(file, end - start), start):
                if number >= first and (not kinds or kind_of(line) in kinds):
                    yield number, line

    def block_of(self, number: int) -> int:
        """The first number that is read together with this one."""
        return self.first + (number - self.first) // STRIDE * STRIDE


def kind_of(line: bytes) -> bytes:
    """From the head of a line, which always looks the same."""
    start = line.find(b'"kind":"', 0, 64)
    return line[start + 8 : line.find(b'"', start + 8)] if start >= 0 else b""
