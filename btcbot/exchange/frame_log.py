"""Keeps every frame of a connection with the moment at which it came: what a look at the feed is read off from."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from btcbot.domain.conformance import Verdict
from btcbot.domain.ports import Clock, Sleeper
from btcbot.exchange import known_shapes
from btcbot.exchange.conformance import Notebook
from btcbot.exchange.errors import Malformed
from btcbot.exchange.json_text import read_json
from btcbot.exchange.shapes import differences

ANSWER_SECONDS_MAX = 5.0  # for a welcome, an acknowledgement, a first frame
POLL_SECONDS = 0.1
FRAMES_MAX = 20_000

Body = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Heard:
    """One frame."""

    at: float
    kind: int
    body: Body


class FrameLog:
    """Listens to a stream, and keeps what it hears."""

    def __init__(self, clock: Clock, sleeper: Sleeper) -> None:
        self._clock = clock
        self._sleeper = sleeper
        self.frames: list[Heard] = []
        self.malformed = 0
        self.connections = 0
        self.connected_at: float | None = None

    def connected(self) -> None:
        self.connections += 1
        self.connected_at = self._clock.monotonic()

    def lost(self) -> None:
        self.connected_at = None

    def frame(self, text: bytes) -> None:
        try:
            document = read_json(text)
        except Malformed:
            document = None
        match document:
            case [int(kind), dict(body)] if len(self.frames) < FRAMES_MAX:
                self.frames.append(Heard(self._clock.monotonic(), kind, body))
            case _:
                self.malformed += 1

    def of(self, kind: int, since: int = 0, **fields: object) -> list[Heard]:
        """Frames of a kind, from a place on, whose fields are these."""
        return [
            heard
            for heard in self.frames[since:]
            if heard.kind == kind and all(heard.body.get(name) == value for name, value in fields.items())
        ]

    async def until(self, is_there: Callable[[], object], seconds: float = ANSWER_SECONDS_MAX) -> bool:
        """Wait for something to be heard."""
        deadline = self._clock.monotonic() + seconds
        while not is_there():
            if self._clock.monotonic() >= deadline:
                return False
            await self._sleeper.sleep(POLL_SECONDS)
        return True

    def judge_shapes(self, notebook: Notebook, names: Mapping[int, str]) -> None:
        """A finding for each kind of frame, over all frames of that kind."""
        for kind, name in names.items():
            bodies = [heard.body for heard in self.frames if heard.kind == kind]
            if not bodies:
                notebook.unseen(f"frame {kind}, {name}", "none came")
                continue
            found = Counter(what for body in bodies for what in differences(known_shapes.FRAMES[kind], body))
            detail = "; ".join(f"{what} in {count} of {len(bodies)}" for what, count in found.items())
            notebook.judge(f"frame {kind}, {name}", not found, detail or f"{len(bodies)} came")
        strange = Counter(heard.kind for heard in self.frames if heard.kind not in known_shapes.FRAMES)
        for kind, count in strange.items():
            notebook.note(f"frame {kind}", Verdict.DIFFERS, f"an unknown type came {count} times")
        if self.malformed:
            notebook.note("frames", Verdict.DIFFERS, f"{self.malformed} were not a list of type and object")
