"""A container engine, the image built from this checkout, and containers that are removed again.

The machine's own engine is used where it can get the base image. Elsewhere engine.sh makes a private one with a
stand-in for that image. Where neither works the tests fail: they are skipped only when a person says DOCKER_TESTS=off.
"""

import json
import os
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
BASE_IMAGE = "python:3.13-slim-trixie"
IMAGE = "btcbot-test"
ENGINE_SECONDS_MAX = 900.0
BUILD_SECONDS_MAX = 900.0
# What pip takes from the machine: how a registry is reached. Folders of this machine mean nothing in a build.
PIP_SETTINGS = ("index-url", "trusted-host", "cert", "timeout", "default-timeout", "retries")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.docker)
            # Packages, a base image and a build may come first.
            item.add_marker(pytest.mark.timeout(ENGINE_SECONDS_MAX + BUILD_SECONDS_MAX + 300))
            if os.environ.get("DOCKER_TESTS") == "off":
                item.add_marker(pytest.mark.skip(reason="DOCKER_TESTS=off"))


@dataclass(frozen=True)
class Engine:
    """The docker command against one engine."""

    host: str | None

    def docker(self, *words: str, seconds_max: float = 120, check: bool = True) -> subprocess.CompletedProcess[str]:
        environment = dict(os.environ)
        if self.host:
            environment["DOCKER_HOST"] = self.host
            environment.pop("DOCKER_CONTEXT", None)
        if words[0] == "build" and not self._has_buildx(environment):
            environment["DOCKER_BUILDKIT"] = "0"
        done = subprocess.run(
            ["docker", *words], capture_output=True, text=True, errors="replace", env=environment, timeout=seconds_max
        )
        if check and done.returncode:
            pytest.fail(
                f"docker {' '.join(words[:3])} … ended with {done.returncode}:\n{(done.stdout + done.stderr)[-6000:]}"
            )
        return done

    @staticmethod
    def _has_buildx(environment: dict[str, str]) -> bool:
        asked = subprocess.run(["docker", "buildx", "version"], capture_output=True, env=environment, timeout=60)
        return asked.returncode == 0


@dataclass(frozen=True)
class Container:
    engine: Engine
    name: str

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A command inside, as an operator types it."""
        return self.engine.docker("exec", self.name, *words, check=check)

    def inspect(self, template: str) -> str:
        return self.engine.docker("inspect", "--format", template, self.name).stdout.strip()

    def logs(self) -> tuple[list[str], list[str]]:
        """The lines on stdout and on stderr."""
        done = self.engine.docker("logs", self.name)
        return done.stdout.splitlines(), done.stderr.splitlines()

    def states(self) -> dict[str, str]:
        """What `supervisorctl status` says of each program; nothing while it cannot be asked."""
        lines = [line.split() for line in self.run("supervisorctl", "status", check=False).stdout.splitlines()]
        return {words[0]: words[1] for words in lines if len(words) > 1 and words[1].isupper()}

    def wait_for(self, what: str, true: Callable[[], bool], seconds_max: float) -> None:
        deadline = time.monotonic() + seconds_max
        while not true():
            if time.monotonic() > deadline:
                out, err = self.logs()
                tail = "\n".join([*out[-25:], "--- stderr", *err[-25:]])
                pytest.fail(f"{what}: not within {seconds_max:.0f} s; {self.states()}\n{tail}")
            time.sleep(0.5)

    def wait_until_running(self, *programs: str, seconds_max: float = 120) -> None:
        self.wait_for(
            f"{', '.join(programs)} running",
            lambda: [self.states().get(program) for program in programs] == ["RUNNING"] * len(programs),
            seconds_max,
        )

    def wait_until_healthy(self, seconds_max: float = 120) -> None:
        self.wait_for("healthy", self.is_healthy, seconds_max)

    def is_healthy(self) -> bool:
        """The image's own health check, asked now."""
        command = json.loads(
            self.engine.docker("inspect", "--format", "{{json .Config.Healthcheck.Test}}", self.name).stdout
        )
        assert command[0] == "CMD"
        return self.run(*command[1:], check=False).returncode == 0


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    own = _own_engine()
    if own is not None:
        yield own
        return
    work = _work_directory()
    try:
        made = subprocess.run(
            [HERE / "engine.sh", work, BASE_IMAGE],
            capture_output=True,
            text=True,
            timeout=ENGINE_SECONDS_MAX,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        pytest.fail(f"no container engine within {ENGINE_SECONDS_MAX:.0f} s. {ADVICE}")
    if made.returncode:
        pytest.fail(f"no container engine: {made.stderr.strip()}. {ADVICE}")
    yield Engine(made.stdout.splitlines()[-1].partition("=")[2])
    with open(work / "pid") as pid:
        os.kill(int(pid.read()), 15)


ADVICE = "Install docker, or run as root on Debian, or leave these tests out knowingly with DOCKER_TESTS=off"


def _own_engine() -> Engine | None:
    """The machine's engine, when it answers and has, or can fetch, the base image."""
    engine = Engine(None)
    try:
        if engine.docker("info", check=False, seconds_max=30).returncode:
            return None
        for question in (("image", "inspect", BASE_IMAGE), ("pull", "--quiet", BASE_IMAGE)):
            if engine.docker(*question, check=False, seconds_max=300).returncode == 0:
                return engine
    except (FileNotFoundError, subprocess.TimeoutExpired):
        pass
    return None


def _work_directory() -> Path:
    """Kept between runs, for the base image and the build cache; private, because its name can be known."""
    work = Path(tempfile.gettempdir()) / f"btcbot-docker-{os.getuid()}"
    work.mkdir(mode=0o711, exist_ok=True)
    status = work.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
        pytest.fail(f"{work} is not a private directory of ours; remove it")
    return work


@pytest.fixture(scope="session")
def image(engine: Engine) -> str:
    """The image, built from the tracked Dockerfile as it is."""
    arguments = [word for pair in _registry_settings() for word in ("--build-arg", pair)]
    engine.docker("build", "--tag", IMAGE, *arguments, str(PROJECT), seconds_max=BUILD_SECONDS_MAX)
    return IMAGE


def _registry_settings() -> list[str]:
    """pip's settings of this machine as build arguments, as far as they mean something elsewhere."""
    found = {name: os.environ[name] for name in PROXIES if name in os.environ}
    listed = subprocess.run(
        [shutil.which("python3") or "python3", "-m", "pip", "config", "list"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    for line in listed.stdout.splitlines():
        key, _, value = line.partition("=")
        setting, value = key.rpartition(".")[2], value.strip("'\"")
        if setting in PIP_SETTINGS and not value.startswith(("/", "file:")):
            found[f"PIP_{setting.replace('-', '_').upper()}"] = value
    return [f"{name}={value}" for name, value in found.items()]


@pytest.fixture
def volume(engine: Engine) -> Iterator[str]:
    name = engine.docker("volume", "create").stdout.strip()
    yield name
    engine.docker("volume", "rm", "--force", name)


@pytest.fixture
def start(engine: Engine, image: str, volume: str) -> Iterator[Callable[..., Container]]:
    """Starts containers; they are gone after the test."""
    started: list[Container] = []

    def run(*options: str, command: Sequence[str] = ()) -> Container:
        name = f"btcbot-test-{os.getpid()}-{len(started)}-{volume[:8]}"
        started.append(Container(engine, name))
        engine.docker("run", "--detach", "--name", name, *options, image, *command)
        return started[-1]

    yield run
    for container in started:
        engine.docker("rm", "--force", "--volumes", container.name, check=False)
