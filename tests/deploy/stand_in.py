"""A checkout whose btcbot is a small stand-in, and a few questions about files and processes."""

import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
DEPLOY = PROJECT / "deploy"

# A btcbot that does what deploy/ relies on and no more. The environment steers it: the env files are the only way in.
STAND_IN = """#!{python} -I
import json, os, pathlib, signal, socket, sys, time

words, environ = sys.argv[1:], os.environ

def log(event, **fields):
    print(json.dumps({{"time": "2026-01-02T03:04:05.678Z", "level": "INFO", "event": event, **fields}}), flush=True)

def stay(name):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    log(name + "_started", pid=os.getpid(), variables=len(environ))
    while True:
        time.sleep(0.05)

if words[:2] == ["sandbox", "init"]:
    directory = pathlib.Path(words[2])
    for name in ("live.key", "live.secret", "monitor.key", "monitor.secret", "clock_anchor"):
        path = directory / name
        if not path.exists():
            path.write_text("made\\n")
            path.chmod(0o600)
elif words == ["sandbox"]:
    ports = [int(environ["BTCBOT_SANDBOX_%s_PORT" % name]) for name in ("API", "GRAPH", "WS", "ADMIN")]
    listeners = [socket.create_server(("127.0.0.1", port)) for port in ports]
    stay("sandbox")
elif words == ["run"]:
    if environ["BTCBOT_LOG_LEVEL"] == "BROKEN":
        print("btcbot: BTCBOT_LOG_LEVEL is wrong. Next: correct it.", file=sys.stderr)
        sys.exit(78)
    alive = pathlib.Path(environ["BTCBOT_RUN_DIR"], "alive")
    alive.write_text("")
    try:
        stay("live")
    finally:
        alive.unlink()
elif words == ["health", "--watch"]:
    stay("monitor")
elif words == ["health"]:
    heartbeat, patience = pathlib.Path(environ["BTCBOT_RUN_DIR"], "alive"), 20
    while not heartbeat.exists() and patience:
        time.sleep(0.05)
        patience -= 1
    alive = heartbeat.exists()
    print("OK" if alive else "FAIL live's heartbeat is missing")
    sys.exit(0 if alive else 2)
else:
    sys.exit(64)
"""


@dataclass(frozen=True)
class StandInCheckout:
    """A copy of deploy/ beside a virtual environment whose btcbot is the stand-in."""

    root: Path
    ports: int

    @property
    def var(self) -> Path:
        return self.root / "var"

    def command(self, *words: str) -> list[str]:
        return [str(self.root / ".venv/bin/python3"), str(self.root / "deploy/up"), *words]

    def up(self, *words: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*words), capture_output=True, text=True, timeout=timeout, check=False)

    def start(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Quickly: supervisord counts a program as started when it was spawned."""
        return self.up("start", "--ports", str(self.ports), "--startsecs", "0", *words)

    def remove(self) -> None:
        """End what still runs here, at once, and delete the files."""
        ours = str(self.root).encode()
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if ours in (entry / "cmdline").read_bytes():
                    os.kill(int(entry.name), signal.SIGKILL)
        shutil.rmtree(self.root, ignore_errors=True)

    def pids(self) -> dict[str, int]:
        """The running programs' process ids."""
        lines = [line.split() for line in self.supervisorctl("status").stdout.splitlines()]
        return {words[0]: int(words[3].rstrip(",")) for words in lines if words[1] == "RUNNING"}

    def supervisorctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        """As an operator calls it: bare, from anywhere."""
        command = [str(self.root / ".venv/bin/supervisorctl"), *words]
        return subprocess.run(command, capture_output=True, text=True, cwd="/", timeout=60, check=False)


def is_alive(pid: int) -> bool:
    """A process that ended and waits for its parent is not alive."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def replace_in(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def free_ports() -> int:
    """The first of four neighbouring ports that are free now."""
    for _ in range(100):
        with contextlib.ExitStack() as held:
            probes = [held.enter_context(socket.socket()) for _ in range(4)]
            probes[0].bind(("127.0.0.1", 0))
            base = int(probes[0].getsockname()[1])
            with contextlib.suppress(OSError, OverflowError):
                for offset, probe in enumerate(probes[1:], start=1):
                    probe.bind(("127.0.0.1", base + offset))
                return base
    raise AssertionError("no four neighbouring ports are free")


def make_stand_in_checkout(root: Path) -> StandInCheckout:
    root.mkdir(parents=True, exist_ok=True)
    shutil.copytree(DEPLOY, root / "deploy", ignore=shutil.ignore_patterns("__pycache__"))
    real, binaries = Path(sys.prefix), root / ".venv" / "bin"
    binaries.mkdir(parents=True)
    shutil.copy(real / "pyvenv.cfg", root / ".venv")
    (root / ".venv" / "lib").symlink_to(real / "lib")
    python = binaries / "python3"
    python.symlink_to((real / "bin" / "python3").resolve())
    # Through the shell, as installers do when the path of the interpreter has a blank or is long.
    (binaries / "supervisorctl").write_text(
        f"""#!/bin/sh\n'''exec' "{python}" -I "$0" "$@"\n' '''\nfrom supervisor.supervisorctl import main\nmain()\n"""
    )
    body = STAND_IN.format(python=python).replace(
        f"#!{python} -I\n", f"""#!/bin/sh\n'''exec' "{python}" -I "$0" "$@"\n' '''\n"""
    )
    (binaries / "btcbot").write_text(body)
    for name in ("supervisorctl", "btcbot"):
        (binaries / name).chmod(stat.S_IRWXU)
    return StandInCheckout(root, free_ports())
