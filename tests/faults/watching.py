"""Two ways to stop a process at a chosen moment: at the n-th line of the worker's source, and at its n-th system call.

Lines are counted from inside by `sys.settrace`. System calls are counted from outside by ptrace(2), which needs no
program and no compiler on the machine; a process may trace its own child unless it is sandboxed against that.
"""

import ctypes
import os
import platform
import signal
import struct
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

PACKAGE = str(Path(__file__).parents[2] / "btcbot")
NOT_THE_WORKER = (str(Path(PACKAGE) / "simulation"), str(Path(PACKAGE) / "sandbox"))
Line = tuple[str, int]


@dataclass
class Lines:
    """Counts the worker's executed lines; at line `last` it does `then` and counts no more."""

    last: int | None = None
    then: Callable[[], None] = lambda: None
    seen: int = 0
    when: dict[Line, list[int]] = field(default_factory=dict)  # per line, at which counts it was executed
    _is_ours: dict[CodeType, bool] = field(default_factory=dict)

    def start(self) -> None:
        sys.settrace(self._called)

    def _called(self, frame: FrameType, event: str, _: Any) -> Callable[..., Any] | None:
        code = frame.f_code
        is_ours = self._is_ours.get(code)
        if is_ours is None:
            file = code.co_filename
            is_ours = self._is_ours[code] = file.startswith(PACKAGE) and not file.startswith(NOT_THE_WORKER)
        return self._executed if is_ours else None

    def _executed(self, frame: FrameType, event: str, _: Any) -> Callable[..., Any] | None:
        if event != "line":
            return self._executed
        self.seen += 1
        if self.last is None:
            self.when.setdefault((frame.f_code.co_filename, frame.f_lineno), []).append(self.seen)
        elif self.seen == self.last:
            sys.settrace(None)
            self.then()
        return self._executed if self.last is None or self.seen < self.last else None


def kill_oneself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


# ------------------------------------------------------------------------------------------------------ system calls

PTRACE_TRACEME, PTRACE_SYSCALL, PTRACE_SETOPTIONS, PTRACE_GET_SYSCALL_INFO = 0, 24, 0x4200, 0x420E
TRACESYSGOOD, EXITKILL = 0x1, 0x100000
SYSCALL_STOP = signal.SIGTRAP | 0x80
ENTRY = 1
INFO_BYTES = 88
WRITING: Mapping[str, Mapping[int, str]] = {
    "x86_64": {
        1: "write", 18: "pwrite64", 20: "writev", 44: "sendto", 46: "sendmsg", 74: "fsync", 75: "fdatasync",
        76: "truncate", 77: "ftruncate", 82: "rename", 87: "unlink", 263: "unlinkat", 316: "renameat2",
    },
    "aarch64": {
        64: "write", 68: "pwrite64", 66: "writev", 206: "sendto", 211: "sendmsg", 82: "fsync", 83: "fdatasync",
        45: "truncate", 46: "ftruncate", 35: "unlinkat", 38: "renameat", 276: "renameat2",
    },
}  # fmt: skip
"""The calls that change what outlives a process, by machine and number."""


@dataclass
class Calls:
    """Runs a child that asked to be traced, and kills it as it enters writing call `last`: that one is not made."""

    last: int | None = None
    but_on: int = -1  # calls on this descriptor are the exchange's, not the worker's
    entered: list[tuple[str, int]] = field(default_factory=list)  # each call and its first argument, in order

    def trace(self, child: int) -> int:
        """The child's wait status."""
        names = WRITING[platform.machine()]
        os.waitpid(child, 0)
        _ptrace(PTRACE_SETOPTIONS, child, 0, TRACESYSGOOD | EXITKILL)
        deliver = 0
        while True:
            _ptrace(PTRACE_SYSCALL, child, 0, deliver)
            status = os.waitpid(child, 0)[1]
            if not os.WIFSTOPPED(status):
                return status
            deliver = os.WSTOPSIG(status)
            if deliver == SYSCALL_STOP:
                deliver = 0
                if self._entered(child, names) and len(self.entered) == self.last:
                    os.kill(child, signal.SIGKILL)
                    return os.waitpid(child, 0)[1]

    def _entered(self, child: int, names: Mapping[int, str]) -> bool:
        info = ctypes.create_string_buffer(INFO_BYTES)
        _ptrace(PTRACE_GET_SYSCALL_INFO, child, INFO_BYTES, ctypes.addressof(info))
        if info.raw[0] != ENTRY:
            return False
        number, first = struct.unpack_from("=QQ", info.raw, 24)
        if number not in names or first == self.but_on:
            return False
        self.entered.append((names[number], first))
        return True


def ask_to_be_traced() -> None:
    """In the child: from the next signal on its parent sees every system call."""
    _ptrace(PTRACE_TRACEME, 0, 0, 0)
    os.kill(os.getpid(), signal.SIGSTOP)


def _ptrace(request: int, pid: int, address: int, data: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
    libc.ptrace.restype = ctypes.c_long
    if libc.ptrace(request, pid, address, data) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"ptrace: {os.strerror(number)}")
