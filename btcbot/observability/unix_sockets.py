"""Unix sockets of the run directory: who may open them, what becomes of a stale one, how much a peer may cost us.

- A socket file left by a dead process is replaced; one that somebody still listens on is refused.
- The file never has more rights than asked for, not even between `bind` and `chmod`.
- However many peers connect, at most `peers_max` are served; the others are closed at once.
"""

import asyncio
import errno
import os
import socket
import stat
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from btcbot.domain.errors import BtcbotError, ConfigurationError
from btcbot.domain.feed import LINE_BYTES_MAX

PATH_BYTES_MAX = 107  # sun_path is 108 bytes with its final zero
BACKLOG = 16
FIRST_LINE_SECONDS = 5.0  # a peer that has not said what it wants by then is closed
CLOSE_SECONDS = 1.0

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class NobodyListens(BtcbotError):
    """The socket file is missing, or left by a process that is gone, or not ours to open."""

    next_step = "see whether the process behind it runs (supervisorctl status), and that BTCBOT_RUN_DIR is the same"


class PeerWentAway(BtcbotError):
    """The other end closed the connection, or did not answer in time."""

    next_step = "look at the log of the other process, then ask again"


def require_short(path: Path) -> None:
    """Refuse a path that the kernel cannot hold: it would be cut off, or fail with an obscure error."""
    length = len(os.fsencode(path))
    if length > PATH_BYTES_MAX:
        raise ConfigurationError(
            f"the socket path {path} is {length} bytes long and may have {PATH_BYTES_MAX}: shorten BTCBOT_RUN_DIR"
        )


@asynccontextmanager
async def listening(path: Path, mode: int, peers_max: int, serve: Serve) -> AsyncIterator[None]:
    """Listen on `path` while the block runs; then close, end every peer, and remove the file if it is still ours."""
    loop = asyncio.get_running_loop()
    peers: set[asyncio.Task[None]] = set()
    is_closing = False

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if is_closing or len(peers) >= peers_max:
            writer.transport.abort()
            return
        peer = loop.create_task(_serve_one(serve, reader, writer))
        peers.add(peer)
        peer.add_done_callback(peers.discard)

    listener, inode = _bind(path, mode)
    try:
        server = await asyncio.start_unix_server(accept, sock=listener, limit=LINE_BYTES_MAX)
        try:
            yield
        finally:
            is_closing = True
            server.close()
            for peer in peers:
                peer.cancel()
            if peers:
                await asyncio.wait(tuple(peers), timeout=CLOSE_SECONDS)
    finally:
        listener.close()
        _remove_own(path, inode)


async def _serve_one(serve: Serve, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with suppress(OSError):  # the peer went away, or took too long, which is its right
            await serve(reader, writer)
    finally:
        writer.transport.abort()


async def connect(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open the socket; `NobodyListens` when that cannot be done."""
    require_short(path)
    try:
        return await asyncio.open_unix_connection(path, limit=LINE_BYTES_MAX)
    except OSError as error:
        raise NobodyListens(f"nobody listens on {path} ({error.strerror or type(error).__name__})") from error


async def read_line(reader: asyncio.StreamReader) -> bytes | None:
    """One whole line of at most 64 KiB; nothing when the peer closed, cut a line off, or sent a longer one."""
    try:
        line = await reader.readuntil(b"\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
        return None
    return line if len(line) <= LINE_BYTES_MAX else None


def is_same_user(writer: asyncio.StreamWriter) -> bool:
    """Whether the peer runs as our own user, or as root, by the kernel's word."""
    peer = writer.get_extra_info("socket")
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return uid in (0, os.geteuid())


def _bind(path: Path, mode: int) -> tuple[socket.socket, int]:
    require_short(path)
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(listener.fileno(), mode)  # the file is created with these rights, less the umask
        listener.bind(os.fspath(path))
        path.chmod(mode)
        listener.listen(BACKLOG)
        listener.setblocking(False)
        return listener, path.stat().st_ino
    except OSError as error:
        listener.close()
        raise ConfigurationError(f"the socket {path} cannot be opened ({error.strerror})") from error


def _remove_own(path: Path, inode: int) -> None:
    with suppress(FileNotFoundError):
        if path.stat().st_ino == inode:
            path.unlink()


def _remove_stale(path: Path) -> None:
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigurationError(f"the socket {path} cannot be looked at ({error.strerror})") from error
    if not stat.S_ISSOCK(kind):
        raise ConfigurationError(f"{path} exists and is not a socket; btcbot does not remove what it did not make")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        outcome = probe.connect_ex(os.fspath(path))
    if outcome != errno.ECONNREFUSED:
        raise ConfigurationError(f"another process listens on {path}; each deployment has its own BTCBOT_RUN_DIR")
    path.unlink(missing_ok=True)
