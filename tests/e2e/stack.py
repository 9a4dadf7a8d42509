"""The whole main job in a directory of its own: sandbox, live and monitor under supervisord, as `make start` has it."""

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended."""

    code: int
    out: str
    err: str


class Stack:
    """One set of processes. Its places are short: socket paths have a limit."""

    def __init__(self, root: Path, ports: int, options: tuple[str, ...]) -> None:
        self.root = root
        self.var = root / "var"
        self._admin = f"http://127.0.0.1:{ports + 3}"
        self._daemon: subprocess.Popen[bytes] | None = None
        self._options = ("--root", str(root), "--ports", str(ports), *options)

    @property
    def live_db(self) -> Path:
        return self.var / "lib" / "live" / "live.db"

    @property
    def monitor_db(self) -> Path:
        return self.var / "lib" / "monitor" / "monitor.db"

    def up(self, command: str) -> Done:
        return run([sys.executable, str(CHECKOUT / "deploy" / "up"), command, *self._options], seconds=150)

    def start(self) -> Done:
        done = self.up("start")
        assert done.code == 0, f"up start failed ({done.code}):\n{done.out}\n{done.err}\n{self.last_log()}"
        return done

    def start_edited(self) -> None:
        """Start what `prepare` wrote and a person changed since."""
        self.start_daemon()
        self.until(lambda: self.ctl("status").out.count("RUNNING") >= 3, 60, "three programs running")
        self.until(lambda: self.btcbot("monitor", "health").code in (0, 1), 90, "both workers healthy")

    def start_daemon(self) -> None:
        """supervisord itself, as the image does."""
        self._daemon = subprocess.Popen(
            [str(BIN / "supervisord"), "-c", str(self.var / "supervisord.conf")], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, cwd="/",
        )  # fmt: skip

    def stop(self) -> Done:
        stopped = self.up("stop")
        if self._daemon is not None:
            self._daemon.wait(timeout=60)
            self._daemon = None
        return stopped

    def ctl(self, *words: str) -> Done:
        """supervisorctl, as an operator types it."""
        return run([str(BIN / "supervisorctl"), "-c", str(self.var / "supervisord.conf"), *words], seconds=90)

    def btcbot(self, role: str, *words: str, **changes: str) -> Done:
        """A command with a role's settings, some of them changed."""
        environment = self.settings(role) | changes
        return run([str(BIN / "btcbot"), *words], environment={"PATH": "/usr/bin:/bin", **environment}, seconds=90)

    def settings(self, role: str) -> dict[str, str]:
        lines = (self.var / "env" / f"{role}.env").read_text("utf-8").splitlines()
        return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))

    def state(self, program: str) -> str:
        """supervisord's word for it."""
        return self.ctl("status", program).out.split()[1]

    def pid(self, program: str) -> int:
        return int(self.ctl("pid", program).out)

    def record(self) -> list[dict[str, object]]:
        """The sandbox's whole record: the truth outside the bot."""
        entries: list[dict[str, object]] = []
        while True:
            with urllib.request.urlopen(f"{self._admin}/record?after={len(entries)}&limit=10000", timeout=30) as answer:
                page = json.load(answer)
            page = page["record"] if isinstance(page, dict) else page
            if not page:
                return entries
            entries.extend(page)

    def fault(self, name: str, **how: object) -> None:
        """Make the sandbox misbehave."""
        body = json.dumps({"fault": name, **how}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self._admin}/faults", data=body, headers=headers, method="POST")
        urllib.request.urlopen(request, timeout=30).close()

    def clear_faults(self) -> None:
        urllib.request.urlopen(urllib.request.Request(f"{self._admin}/faults", method="DELETE"), timeout=30).close()

    def rows(self, query: str, *values: object, database: Path | None = None) -> list[tuple[object, ...]]:
        """Read live's database beside its writer, without a lock of ours."""
        with closing(sqlite3.connect(f"file:{database or self.live_db}?mode=ro", uri=True, timeout=10)) as connection:
            return connection.execute(query, values).fetchall()

    def count(self, query: str, *values: object) -> int:
        if not self.live_db.exists():
            return 0  # live makes its database once the exchange has let its key in
        return int(str(self.rows(query, *values)[0][0]))

    def log(self, program: str) -> list[dict[str, object]]:
        """The JSON lines that a program wrote; a line that is not JSON fails the test."""
        path = self.var / "log" / f"{program}.log"
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]

    def last_log(self) -> str:
        logs = sorted((self.var / "log").glob("*.log"))
        return "\n".join(f"== {path.name}\n" + "\n".join(path.read_text("utf-8").splitlines()[-15:]) for path in logs)

    def until(self, true: Callable[[], object], seconds: float, what: str) -> None:
        """Wait for another process to get somewhere; the bound is generous, the wait ends as soon as it is there."""
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}\n{self.last_log()}"
            time.sleep(POLL_SECONDS)


@contextmanager
def stack(*options: str, changes: Mapping[str, Mapping[str, str]] | None = None) -> Iterator[Stack]:
    """A started stack, stopped and removed in the end. `changes`: variables by role, in place of the tracked ones."""
    root = Path(tempfile.mkdtemp(prefix="bb", dir="/tmp"))
    made = Stack(root, free_ports(), options)
    try:
        if changes:
            prepared = made.up("prepare")
            assert prepared.code == 0, prepared.err
            for role, variables in changes.items():
                change(made.var / "env" / f"{role}.env", variables)
            made.start_edited()
        else:
            made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(root, ignore_errors=True)


def change(path: Path, variables: Mapping[str, str]) -> None:
    """Edit an environment file as a person would."""
    lines = path.read_text("utf-8").splitlines()
    for name, value in variables.items():
        places = [index for index, line in enumerate(lines) if line.startswith(f"{name}=")]
        assert len(places) == 1, f"{name} stands {len(places)} times in {path}"
        lines[places[0]] = f"{name}={value}"
    path.write_text("\n".join(lines) + "\n", "utf-8")


def run(command: list[str], *, environment: Mapping[str, str] | None = None, seconds: float) -> Done:
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds, check=False, stdin=subprocess.DEVNULL,
        env=None if environment is None else dict(environment), cwd="/",
    )  # fmt: skip
    return Done(ended.returncode, ended.stdout, ended.stderr)


def free_ports() -> int:
    """Four neighbouring ports that nobody listens on; others who look at the same time begin elsewhere."""
    bases = range(21000, 32000, 10)
    begin = os.getpid() % len(bases)
    for base in (*bases[begin:], *bases[:begin]):
        with ExitStack() as probes:
            try:
                for port in range(base, base + 4):
                    probes.enter_context(closing(socket.socket())).bind(("127.0.0.1", port))
            except OSError:
                continue
            return base
    raise AssertionError("no free ports")
