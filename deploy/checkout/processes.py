"""The processes: starting supervisord, finding those that are left, and ending all of them."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import envfile

from checkout.places import Checkout
from checkout.supervision import NotAnswering, Supervisor
from checkout.terminal import Problem
from checkout.var_directory import PORTS

# The sum of all stopwaitsecs, with some air: supervisord stops one program after the other.
STOP_SECONDS_MAX = 100.0


def is_answering(supervisor: Supervisor) -> bool:
    try:
        supervisor.pid()
    except NotAnswering:
        return False
    return True


def refuse_leftovers(checkout: Checkout) -> None:
    if left := leftovers(checkout):
        raise Problem(
            f"processes of an earlier start are still there without their supervisord: {numbers(left)}. "
            f"Next: end them with `{checkout.next_step('stop')}`"
        )


def refuse_taken_ports(checkout: Checkout) -> None:
    """A port of ours that somebody else holds is found before anything starts, and named."""
    wanted: dict[int, str] = {}
    if checkout.with_sandbox():
        sandbox = checkout.variables("sandbox")
        wanted |= {int(sandbox[name]): name for name in PORTS if sandbox.get(name, "").isdigit()}
    for role in ("live", "monitor"):
        port = checkout.variables(role).get("BTCBOT_METRICS_PORT", "")
        if port.isdigit():
            wanted[int(port)] = f"{role}'s BTCBOT_METRICS_PORT"
    taken = [f"{port} ({name})" for port, name in sorted(wanted.items()) if is_taken(port)]
    if taken:
        raise Problem(
            f"another process has 127.0.0.1 port {', '.join(taken)}. Next: stop it, or pass --ports BASE to use others"
        )


def is_taken(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port that only waits for its last connections to fade is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            return True
        return False


def launch(checkout: Checkout) -> subprocess.Popen[bytes]:
    """supervisord, in a session of its own: the terminal's Ctrl-C is ours to handle, not its children's."""
    with (checkout.var / "log" / "supervisord.out").open("wb") as out:
        return subprocess.Popen(
            [checkout.bin / "python3", "-I", "-m", "supervisor.supervisord", "-c", checkout.configuration],
            env=envfile.environment({}, os.environ) | {"TMPDIR": str(checkout.var / "run")},
            cwd=checkout.var,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def stop_all(checkout: Checkout, daemon: subprocess.Popen[bytes] | None) -> bool:
    """Everything ended, cleanly where it can be; whether there was anything to end. Raises if something survives."""
    ours = {daemon.pid} if daemon is not None else set()
    try:
        supervisor = checkout.supervisor
        ours |= {supervisor.pid(), *(program.pid for program in supervisor.programs() if program.pid)}
        supervisor.shutdown()
    except NotAnswering:
        # No supervisord, or one that does not talk any more: its processes are found by what they run with.
        ours |= leftovers(checkout)
        for pid in ours:
            send(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS_MAX
    while left := survivors(ours, daemon):
        if time.monotonic() > deadline:
            for pid in left:
                send(pid, signal.SIGKILL)
            raise Problem(f"processes {numbers(left)} did not end within {STOP_SECONDS_MAX:.0f} s and were killed")
        time.sleep(0.1)
    if left := leftovers(checkout):
        raise Problem(f"processes {numbers(left)} are still there. Next: look at them with ps, and stop again")
    return bool(ours)


def survivors(pids: set[int], daemon: subprocess.Popen[bytes] | None) -> set[int]:
    if daemon is not None:
        daemon.poll()  # reaps it, when it is our child
    return {pid for pid in pids if is_alive(pid)}


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        # A process that ended and waits to be reaped by somebody else is gone for us.
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return not Path("/proc/self").exists()


def send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def leftovers(checkout: Checkout) -> set[int]:
    """Processes that run with this var/: supervisord by its configuration, the others by their run directory or keys.

    Only a system with /proc can tell; elsewhere none are found, and a taken port is what stops the next start.
    """
    marks = {
        f"BTCBOT_RUN_DIR={checkout.var / 'run'}".encode(),
        f"BTCBOT_SANDBOX_DIR={checkout.var / 'lib' / 'sandbox'}".encode(),
    }
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            is_daemon = b"supervisor.supervisord" in words and os.fsencode(checkout.configuration) in words
            is_lasting = not {b"run", b"--watch", b"sandbox"}.isdisjoint(words)
            is_ours = is_daemon or (is_lasting and not marks.isdisjoint((entry / "environ").read_bytes().split(b"\0")))
        except OSError:
            continue
        if is_ours:
            found.add(int(entry.name))
    return found


def numbers(pids: set[int]) -> str:
    return ", ".join(str(pid) for pid in sorted(pids))
