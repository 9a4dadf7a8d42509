"""A sandbox in a process and on a core of its own, with a handle that asks it what it uses."""

import asyncio
import gc
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil
from figures import pin
from unread_log import unread_log

from btcbot.domain.money import use_money_context
from btcbot.domain.profiles import ClockProfile, SandboxProfile
from btcbot.sandbox.keys import init_directory
from btcbot.sandbox.server import open_sandbox
from btcbot.services.runtime import build_runtime, run


@dataclass(frozen=True, slots=True)
class Usage:
    cpu_seconds: float
    rss_bytes: int  # after a collection of garbage


class LocalExchange:
    """The handle on the other process: a line each way, as JSON."""

    def __init__(self, process: "subprocess.Popen[str]", directory: Path) -> None:
        self._process = process
        self.directory = directory
        self.api_port, self.graph_port, self.ws_port, self.admin_port = self._heard()

    def usage(self) -> Usage:
        assert self._process.stdin is not None, "opened with a pipe"
        self._process.stdin.write("usage\n")
        self._process.stdin.flush()
        return Usage(*self._heard())

    def _heard(self) -> Any:
        assert self._process.stdout is not None, "opened with a pipe"
        return json.loads(self._process.stdout.readline())


@contextmanager
def local_exchange(
    directory: Path, pairs: Sequence[str], *, rate: int = 1, source: Path | None = None, core: int = 1
) -> Iterator[LocalExchange]:
    init_directory(directory, datetime.now(UTC), random.Random(0).randbytes)
    command = (sys.executable, __file__, str(directory), ",".join(pairs), str(rate), str(source or ""), str(core))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield LocalExchange(process, directory)
        finally:
            process.terminate()


def profile_of(directory: Path, pairs: Sequence[str], rate: int, source: Path | None) -> SandboxProfile:
    anchor = datetime.fromisoformat((directory / "clock_anchor").read_text().strip())
    return SandboxProfile(
        directory=directory, source=source, seed=1, speed=Decimal(1), pairs=tuple(pairs),
        clock=ClockProfile(Decimal(rate), anchor if rate > 1 else None), api_port=0, graph_port=0, ws_port=0,
        admin_port=0, log_level="INFO",
    )  # fmt: skip


async def _serve(profile: SandboxProfile) -> None:
    runtime = build_runtime(profile.clock)
    with unread_log("sandbox", runtime) as observer:
        async with open_sandbox(profile, runtime.clock, runtime.sleeper, observer) as sandbox:
            asyncio.get_running_loop().add_reader(sys.stdin.fileno(), _told)
            _tell([sandbox.api_port, sandbox.graph_port, sandbox.ws_port, sandbox.admin_port])
            await sandbox.moving


def _told() -> None:
    if sys.stdin.readline().strip() != "usage":
        os._exit(0)  # whoever measured is gone
    gc.collect()
    process = psutil.Process()
    times = process.cpu_times()
    _tell([times.user + times.system, process.memory_info().rss])


def _tell(document: object) -> None:
    print(json.dumps(document), flush=True)


if __name__ == "__main__":
    where, pairs, rate, source, core = sys.argv[1:]
    pin(int(core))
    use_money_context()
    chosen = profile_of(Path(where), pairs.split(","), int(rate), Path(source) if source else None)
    run(lambda: _serve(chosen), chosen.clock)
