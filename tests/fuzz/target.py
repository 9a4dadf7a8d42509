"""What a fuzz target is: bytes from outside, the reader they are for, and the one way in which it may say no."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from btcbot.domain.errors import BtcbotError

SAMPLES = Path(__file__).parents[1] / "contract" / "exchange" / "samples"
REGRESSIONS = Path(__file__).with_name("regressions")
MESSAGE_CHARACTERS_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Target:
    """`read` swallows the typed errors of its reader; whatever else leaves it is a finding.

    `cost` is about how many times dearer a run is than one of a plain parser: dear targets get fewer of them.
    """

    name: str
    read: Callable[[bytes], None]
    own_seeds: tuple[bytes, ...]
    cost: int = 1

    def seeds(self) -> tuple[bytes, ...]:
        """Where the search begins: good input, and everything that was a finding once."""
        kept = REGRESSIONS / self.name
        found = sorted(kept.iterdir()) if kept.is_dir() else []
        return (*self.own_seeds, *(path.read_bytes() for path in found))


def samples(folder: str, *starts: str) -> tuple[bytes, ...]:
    """Recorded payloads whose file's name begins so."""
    paths = sorted((SAMPLES / folder).iterdir())
    return tuple(path.read_bytes() for path in paths if not starts or path.name.startswith(starts))


def texts(*lines: str) -> tuple[bytes, ...]:
    return tuple(line.encode() for line in lines)


def with_prefixes(prefixes: Iterable[int], bodies: Iterable[bytes]) -> tuple[bytes, ...]:
    """Input whose first byte chooses among the reader's cases."""
    bodies = tuple(bodies)
    return tuple(bytes([prefix]) + body for prefix in prefixes for body in bodies)


def typed(read: Callable[[bytes], object], refusal: type[Exception] = BtcbotError) -> Callable[[bytes], None]:
    """A reader that may say no with this error, in few words whatever came."""

    def reader(data: bytes) -> None:
        try:
            read(data)
        except refusal as error:
            require_short(error)

    return reader


def require_short(error: Exception) -> None:
    assert len(str(error)) <= MESSAGE_CHARACTERS_MAX, "an error repeats what came"
