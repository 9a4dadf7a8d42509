"""Where a checkout keeps its files, and the lock that lets one command at a time change them."""

import contextlib
import fcntl
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import envfile
import rendering
from rendering import Places

from checkout.supervision import Supervisor
from checkout.terminal import CONFIGURATION, Problem

ROLES = ("sandbox", "monitor", "live")
LOCK_SECONDS_MAX = 120.0


@dataclass(frozen=True, slots=True)
class Checkout:
    """The files of one set of processes."""

    places: Places
    is_default: bool

    @classmethod
    def at(cls, root: Path | None) -> "Checkout":
        """The checkout we are in; with a root, its programs with that directory's var."""
        here = Path(__file__).resolve().parents[2]
        chosen = here if root is None else root.resolve()
        return cls(Places(here, chosen / "var"), is_default=chosen == here)

    @property
    def var(self) -> Path:
        return self.places.var

    @property
    def bin(self) -> Path:
        return self.places.checkout / ".venv" / "bin"

    @property
    def tracked(self) -> Path:
        return self.places.checkout / "deploy"

    @property
    def configuration(self) -> Path:
        return self.var / "supervisord.conf"

    @property
    def supervisor(self) -> Supervisor:
        return Supervisor(self.var / "run" / "supervisor.sock")

    def tracked_env(self, role: str) -> Path:
        return self.tracked / "env" / f"{role}.env"

    def env(self, role: str) -> Path:
        return self.var / "env" / f"{role}.env"

    def log(self, program: str) -> Path:
        return self.var / "log" / f"{program}.log"

    def variables(self, role: str) -> dict[str, str]:
        try:
            return envfile.read(self.env(role))
        except envfile.EnvFileError as error:
            raise Problem(f"{error}. Next: correct the file, or delete it to get a new one", CONFIGURATION) from None

    def with_sandbox(self) -> bool:
        return rendering.needs_sandbox(self.variables("live"), self.variables("monitor"))

    def command(self, role: str, *words: str) -> list[str]:
        """A btcbot command with the settings of a role."""
        interpreter, with_env = str(self.bin / "python3"), str(self.tracked / "with-env")
        return [interpreter, "-IB", with_env, str(self.env(role)), "--", str(self.bin / "btcbot"), *words]

    def supervisorctl(self) -> list[str]:
        """Bare `supervisorctl` finds the configuration of the checkout's own var; another root has to be named."""
        control = str(self.bin / "supervisorctl")
        return [control] if self.is_default else [control, "-c", str(self.configuration)]

    def up(self, command: str) -> str:
        """How a person calls `deploy/up` for these files."""
        words = [str(self.tracked / "up"), command]
        return shlex.join(words if self.is_default else [*words, "--root", str(self.var.parent)])

    def next_step(self, command: str) -> str:
        """The short way to say it, where there is one: `make` knows the checkout's own var only."""
        return f"make {command}" if self.is_default else self.up(command)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """No two commands prepare, start or stop the same processes at the same time."""
        self.var.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.var / "up.lock").open("a") as lock:
            deadline = time.monotonic() + LOCK_SECONDS_MAX
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise Problem("another `up` command is busy here. Next: wait for it, or end it") from None
                    time.sleep(0.1)
            yield
