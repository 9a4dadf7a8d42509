"""One client of the feed: what it joined, as whom, and what goes out to it.

Frames are written straight to the transport, many at once: a batch for a hundred topics is one write. A client that
lets more than `BYTES_WAITING_MAX` pile up is dropped (protocol 9).
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from websockets.asyncio.server import ServerConnection
from websockets.protocol import State

BYTES_WAITING_MAX = 8 * 1024 * 1024
SEQUENCE_FIRST = 4_000_000
_TEXT = 0x81  # a final text frame; what a server sends is not masked

Topic = tuple[str, str]
"""Channel and event."""


@dataclass(slots=True)
class Subscription:
    sequence: int = SEQUENCE_FIRST  # the CS that was sent last
    is_served: bool = True  # acknowledged, and silent ever after, if not
    held: str | None = None  # a frame that lets the next one go first


class Connection:
    def __init__(self, socket: ServerConnection) -> None:
        self.socket = socket
        self.joined: dict[Topic, Subscription] = {}
        self.left: set[Topic] = set()
        self.account_id: int | None = None
        self.key_name = ""
        self.public_key = ""
        self.is_mute = False  # neither frames nor pings
        self.late: set[asyncio.Task[None]] = set()  # frames that a fault holds back
        self._waiting: list[bytes] = []

    def send(self, *frames: str) -> None:
        self.add(frames)
        self.flush()

    def add(self, frames: Iterable[str]) -> None:
        """Frames that go with the next `flush`."""
        self._waiting.extend(map(_frame, frames))

    def flush(self) -> None:
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        if self.is_mute or self.socket.state is not State.OPEN:
            return
        transport = self.socket.transport
        transport.write(b"".join(waiting))
        if transport.get_write_buffer_size() > BYTES_WAITING_MAX:
            transport.abort()

    def facts(self) -> dict[str, str]:
        """What a fault can be matched against."""
        return {"endpoint": "feed", "key": self.key_name}


def topic_facts(topic: Topic) -> dict[str, str]:
    """Channel, event, and the pair where the event names one."""
    channel, event = topic
    pair = event.rpartition("_")[0] if channel == "tradeview" else event
    return {"endpoint": "feed", "channel": channel, "event": event, "pair": pair}


def _frame(text: str) -> bytes:
    """A text as it goes over the wire (RFC 6455, section 5.2)."""
    payload = text.encode()
    size = len(payload)
    if size < 126:
        return bytes((_TEXT, size)) + payload
    if size < 1 << 16:
        return bytes((_TEXT, 126)) + size.to_bytes(2, "big") + payload
    return bytes((_TEXT, 127)) + size.to_bytes(8, "big") + payload
