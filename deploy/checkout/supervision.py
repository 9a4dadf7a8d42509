"""Talking to a supervisord over its control socket, with the standard library only."""

import contextlib
import http.client
import socket
import xmlrpc.client
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ANSWER_SECONDS_MAX = 10.0
SHUTTING_DOWN = 6  # supervisord's fault code SHUTDOWN_STATE


class NotAnswering(Exception):
    """No supervisord answers at the socket."""


@dataclass(frozen=True, slots=True)
class Program:
    """What supervisord knows of one program."""

    name: str
    state: str
    pid: int
    exit_code: int
    description: str

    @property
    def is_running(self) -> bool:
        return self.state == "RUNNING"

    @property
    def has_given_up(self) -> bool:
        """Whether waiting is pointless: supervisord does not start it again by itself."""
        return self.state in ("FATAL", "EXITED", "UNKNOWN")


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=ANSWER_SECONDS_MAX)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, _host: Any) -> http.client.HTTPConnection:
        return _UnixConnection(self._path)


class Supervisor:
    """One supervisord. Every call raises `NotAnswering` when it is not there or does not answer in time."""

    def __init__(self, control_socket: Path) -> None:
        self._socket = control_socket

    def _call(self, method: str, *arguments: object) -> Any:
        # A connection for each call: it survives a restart of supervisord, and nothing is kept open while we wait.
        try:
            with xmlrpc.client.ServerProxy("http://localhost", transport=_UnixTransport(str(self._socket))) as server:
                return getattr(server.supervisor, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == SHUTTING_DOWN:
                raise NotAnswering(f"{self._socket}: it is shutting down") from None
            raise
        except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
            raise NotAnswering(f"{self._socket}: {error}") from None

    def pid(self) -> int:
        return int(self._call("getPID"))

    def programs(self) -> list[Program]:
        return [
            Program(
                str(info["name"]),
                str(info["statename"]),
                int(info["pid"]),
                int(info["exitstatus"]),
                str(info["description"]),
            )
            for info in self._call("getAllProcessInfo")
        ]

    def start(self, name: str) -> None:
        """Ask for a start without waiting; one that runs or starts already is left as it is."""
        with contextlib.suppress(xmlrpc.client.Fault):
            self._call("startProcess", name, False)

    def shutdown(self) -> None:
        """Stop all programs, then supervisord. Returns at once."""
        self._call("shutdown")
