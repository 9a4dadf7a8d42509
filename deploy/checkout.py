"""btcbot from a checkout: what `make run`, `make start` and `make stop` do.

All that is written goes to `var/` (private, ignored by git): copies of the environment files with absolute paths, the
sandbox's keys, the databases, the logs, the sockets. Nothing needs root, and every wait ends.
"""

import argparse
import contextlib
import fcntl
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from types import FrameType
from typing import NoReturn

import envfile
import rendering
from log_lines import Follower, compact, last_lines
from rendering import LIVE, MONITOR, SANDBOX, Places
from supervision import NotAnswering, Program, Supervisor

FAILED, USAGE, CONFIGURATION = 1, 64, 78

ROLES = ("sandbox", "monitor", "live")
PROGRAMS = (SANDBOX, MONITOR, LIVE)
FOLLOWED = ("state-listener", MONITOR, LIVE)
PORTS = ("BTCBOT_SANDBOX_API_PORT", "BTCBOT_SANDBOX_GRAPH_PORT", "BTCBOT_SANDBOX_WS_PORT", "BTCBOT_SANDBOX_ADMIN_PORT")

START_SECONDS_MAX = 120.0
DAEMON_SECONDS_MAX = 20.0
# The sum of all stopwaitsecs, with some air: supervisord stops one program after the other.
STOP_SECONDS_MAX = 100.0
HEALTH_SECONDS_MAX = 30.0
# supervisord counts a start as good after this long. The image has longer times, see deploy/supervisord.conf.
START_SECONDS = 5
HEALTHY = (0, 1)

# Of a unix socket's path, without the closing zero; macOS has 4 bytes less.
SOCKET_PATH_BYTES_MAX = 107 if sys.platform.startswith("linux") else 103
# supervisord binds its socket under a temporary name first: the name, a dot and its process id.
LONGEST_SOCKET_NAME = "supervisor.sock.4194304"


class Problem(Exception):
    """What went wrong and what to do next, in plain words, with the exit code."""

    def __init__(self, message: str, exit_code: int = FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Interrupted(Exception):
    """Somebody asked us to end: Ctrl-C, a closed terminal or SIGTERM."""


# ------------------------------------------------------------------------------------------------------------- command


def main(arguments: list[str]) -> int:
    """Run the command. Results on stdout, narration on stderr, one exit code per kind of failure."""
    options = parse_options(arguments)
    os.umask(0o077)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        return COMMANDS[options.command](Checkout.of(options), options)
    except Problem as problem:
        say(f"up: {problem}")
        return problem.exit_code
    except rendering.RenderingError as error:
        say(f"up: {error}")
        return CONFIGURATION
    except OSError as error:
        say(f"up: {error}")
        return FAILED
    except Interrupted:
        return 130


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Interrupted


def say(text: str) -> None:
    """Narration. A reader that went away is no reason to fail."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"up: {message}. Next: see `up --help`\n")


def parse_options(arguments: list[str]) -> argparse.Namespace:
    parser = _Parser(
        prog="up",
        description="btcbot from a checkout: the sandbox exchange, the monitor and the live worker under supervisord.",
        epilog="The options of the market and the clock change the written environment files in var/env. "
        "A file there that was edited by hand is never overwritten.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "command",
        choices=COMMANDS,
        help="run: start, follow the logs, stop all on Ctrl-C; start and stop: in the background; "
        "prepare: write var/ and start nothing",
    )
    parser.add_argument(
        "--seed", metavar="N", type=_number("a whole number", whole=True), help="the generated market's seed"
    )
    parser.add_argument("--source", metavar="FILE", type=_source, help="replay this recorded file; or `generator`")
    parser.add_argument(
        "--speed", metavar="X", type=_number("a number above 0"), help="recorded seconds per sandbox second"
    )
    parser.add_argument("--pairs", metavar="A,B,…", help="the pairs to trade, e.g. BTCTRY,ETHTRY")
    parser.add_argument(
        "--clock-rate", metavar="X", type=_number("a number above 0"), help="btcbot's seconds per real second, 1 to 60"
    )
    parser.add_argument(
        "--cycle-seconds", metavar="N", type=_number("a number above 0"), help="seconds from one cycle to the next"
    )
    parser.add_argument(
        "--ports", metavar="BASE", type=_ports, help="use ports BASE to BASE+3 in place of the tracked ones"
    )
    parser.add_argument("--root", metavar="DIR", type=Path, help="write DIR/var in place of the checkout's var")
    parser.add_argument(
        "--startsecs",
        metavar="N",
        type=_number("a whole number", whole=True),
        help=f"seconds after which supervisord counts a worker as started (default {START_SECONDS})",
    )
    return parser.parse_args(arguments)


def _number(what: str, *, whole: bool = False) -> Callable[[str], str]:
    def convert(text: str) -> str:
        try:
            number = Decimal(text)
        except InvalidOperation:
            number = Decimal(-1)
        plain = text.isascii() and text.replace(".", "", 0 if whole else 1).isdigit()
        if not plain or (number <= 0 and not whole):
            raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
        return text

    return convert


def _ports(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1024 <= int(text) <= 65_532):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 1024 to 65532")
    return int(text)


def _source(text: str) -> str:
    if text == "generator":
        return text
    path = Path(text).resolve()
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"there is no file {path}")
    return str(path)


# -------------------------------------------------------------------------------------------------------------- places


@dataclass(frozen=True, slots=True)
class Checkout:
    """The files of one set of processes."""

    places: Places
    is_default: bool

    @classmethod
    def of(cls, options: argparse.Namespace) -> "Checkout":
        here = Path(__file__).resolve().parent.parent
        root = here if options.root is None else options.root.resolve()
        return cls(Places(here, root / "var"), is_default=root == here)

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

    def env(self, role: str) -> Path:
        return self.var / "env" / f"{role}.env"

    def log(self, program: str) -> Path:
        return self.var / "log" / f"{program}.log"

    def command(self, role: str, *words: str) -> list[str]:
        """A btcbot command with the settings of a role."""
        interpreter, with_env = str(self.bin / "python3"), str(self.tracked / "with-env")
        return [interpreter, "-IB", with_env, str(self.env(role)), "--", str(self.bin / "btcbot"), *words]

    def supervisorctl(self) -> list[str]:
        """Bare `supervisorctl` finds the configuration of the checkout's own var; another root has to be named."""
        control = str(self.bin / "supervisorctl")
        return [control] if self.is_default else [control, "-c", str(self.configuration)]

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """No two commands prepare, start or stop the same processes at the same time."""
        self.var.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.var / "up.lock").open("a") as lock:
            deadline = time.monotonic() + START_SECONDS_MAX
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise Problem("another `up` command is busy here. Next: wait for it, or end it") from None
                    time.sleep(0.1)
            yield


# ------------------------------------------------------------------------------------------------------------- prepare


def prepare(checkout: Checkout, options: argparse.Namespace) -> int:
    with checkout.alone():
        if is_answering(checkout.supervisor):
            refuse_new_options(checkout, options)
            say("up: btcbot runs already; var/ stays as it is")
            return 0
        write_var(checkout, options)
    print(f"prepared {checkout.var}")
    return 0


def write_var(checkout: Checkout, options: argparse.Namespace) -> None:
    """Make or refresh `var/`. What a person edited and what processes wrote stays."""
    btcbot = checkout.bin / "btcbot"
    if not btcbot.exists():
        raise Problem(f"{btcbot} is missing. Next: run `make env`", CONFIGURATION)
    refuse_long_socket_path(checkout.var / "run" / LONGEST_SOCKET_NAME)
    for name in ("", "env", "lib", "lib/live", "lib/monitor", "lib/sandbox", "run", "log"):
        directory = checkout.var / name
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(0o700)
    for role, text in env_copies(checkout, options).items():
        write_env_copy(checkout, role, text, is_changed_by_options=role in roles_named(checkout, options))
    parser = rendering.read_supervisord((checkout.tracked / "supervisord.conf").read_text("utf-8"))
    if not with_sandbox(checkout):
        rendering.without_sandbox(parser)
    rendering.localise(parser, checkout.places, int(options.startsecs or START_SECONDS))
    write(checkout.configuration, rendering.write_supervisord(parser))
    if checkout.is_default:
        link(checkout.bin.parent / "etc" / "supervisord.conf", checkout.configuration)
    if with_sandbox(checkout):
        make_sandbox_keys(checkout)


def refuse_long_socket_path(path: Path) -> None:
    length = len(os.fsencode(path))
    if length > SOCKET_PATH_BYTES_MAX:
        raise Problem(
            f"the path of a unix socket would have {length} bytes, the system takes {SOCKET_PATH_BYTES_MAX}: {path}. "
            "Next: move the checkout to a shorter path, or pass --root DIR with a short one",
            CONFIGURATION,
        )


def env_copies(checkout: Checkout, options: argparse.Namespace) -> dict[str, str]:
    """What the environment files should be, with the options applied."""
    changes = option_changes(checkout, options)
    return {
        role: rendering.env_copy(
            (checkout.tracked / "env" / f"{role}.env").read_text("utf-8"), checkout.places, changes[role]
        )
        for role in ROLES
    }


def roles_named(checkout: Checkout, options: argparse.Namespace) -> set[str]:
    """The roles whose file the given options change."""
    return {role for role, changes in option_changes(checkout, options).items() if changes}


def option_changes(checkout: Checkout, options: argparse.Namespace) -> dict[str, dict[str, str | None]]:
    """The variables that the given options change, by role. No option, no change."""
    changes: dict[str, dict[str, str | None]] = {role: {} for role in ROLES}

    def put(name: str, value: object, *roles: str) -> None:
        if value is not None:
            for role in roles:
                changes[role][name] = str(value)

    put("BTCBOT_SANDBOX_SEED", options.seed, "sandbox")
    put("BTCBOT_SANDBOX_SOURCE", options.source, "sandbox")
    put("BTCBOT_SANDBOX_SPEED", options.speed, "sandbox")
    put("BTCBOT_PAIRS", options.pairs, *ROLES)
    put("BTCBOT_CYCLE_SECONDS", options.cycle_seconds, "live", "monitor")
    put("BTCBOT_CLOCK_RATE", options.clock_rate, *ROLES)
    if options.clock_rate is not None and Decimal(options.clock_rate) == 1:
        for role in ROLES:  # real time has no anchor
            changes[role]["BTCBOT_CLOCK_ANCHOR_FILE"] = None
    if options.ports is not None:
        shift_ports(checkout, options.ports, changes)
    return changes


def shift_ports(checkout: Checkout, base: int, changes: Mapping[str, dict[str, str | None]]) -> None:
    """Other ports for the sandbox, and the endpoints and the acknowledgement that name them."""
    tracked = {role: envfile.read(checkout.tracked / "env" / f"{role}.env") for role in ROLES}
    shifted = {f"127.0.0.1:{tracked['sandbox'][name]}": f"127.0.0.1:{base + n}" for n, name in enumerate(PORTS)}

    def shift(value: str) -> str:
        for old, new in shifted.items():
            if value.endswith(old):
                return value.removesuffix(old) + new
        return value

    changes["sandbox"] |= {name: str(base + n) for n, name in enumerate(PORTS)}
    for role in ("live", "monitor"):
        changes[role] |= rendering.map_values(tracked[role], (*rendering.ENDPOINTS, "LIVE_TRADING_ACK"), shift)


def write_env_copy(checkout: Checkout, role: str, text: str, *, is_changed_by_options: bool) -> None:
    """A copy that a person edited is theirs: it stays, and an option that it would swallow is refused."""
    path = checkout.env(role)
    try:
        existing = path.read_text("utf-8")
    except FileNotFoundError:
        write(path, text)
        return
    except UnicodeDecodeError:
        existing = ""
    if existing == text:
        return
    if rendering.is_as_written(existing):
        write(path, text)
    elif is_changed_by_options:
        raise Problem(
            f"{path} was edited by hand, so the options given cannot be applied to it. "
            "Next: make the change in that file, or delete it to get a new one",
            CONFIGURATION,
        )
    else:
        say(f"up: {path} was edited by hand and stays as it is")


def write(path: Path, text: str) -> None:
    """All of the file or nothing of it."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, "utf-8")
    part.replace(path)


def link(path: Path, target: Path) -> None:
    """`path` leads to `target`. supervisorctl looks in ../etc beside its own directory, wherever it is called."""
    path.parent.mkdir(exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    part.symlink_to(target)
    part.replace(path)


def variables(checkout: Checkout, role: str) -> dict[str, str]:
    try:
        return envfile.read(checkout.env(role))
    except envfile.EnvFileError as error:
        raise Problem(f"{error}. Next: correct the file, or delete it to get a new one", CONFIGURATION) from None


def with_sandbox(checkout: Checkout) -> bool:
    return rendering.needs_sandbox(variables(checkout, "live"), variables(checkout, "monitor"))


def make_sandbox_keys(checkout: Checkout) -> None:
    made = subprocess.run(
        [checkout.bin / "btcbot", "sandbox", "init", checkout.var / "lib" / "sandbox"],
        env=envfile.environment({}, os.environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if made.returncode:
        reason = (made.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise Problem(f"the sandbox's keys could not be made: {reason}", made.returncode)


# --------------------------------------------------------------------------------------------------------------- start


def start(checkout: Checkout, options: argparse.Namespace) -> int:
    with checkout.alone():
        bring_up(checkout, options)
    print(summary(checkout), flush=True)
    return 0


def bring_up(checkout: Checkout, options: argparse.Namespace) -> subprocess.Popen[bytes] | None:
    """All processes running and healthy, or a `Problem` and nothing left of what was started here.

    Returns supervisord when it was started here.
    """
    supervisor = checkout.supervisor
    deadline = time.monotonic() + START_SECONDS_MAX
    daemon = None
    if is_answering(supervisor):
        refuse_new_options(checkout, options)
        say("up: supervisord runs already")
    else:
        write_var(checkout, options)
        refuse_leftovers(checkout)
        refuse_taken_ports(checkout)
        daemon = launch(checkout)
    since = {name: size(checkout.log(name)) for name in PROGRAMS}
    try:
        if daemon is not None:
            wait_until_answering(checkout, daemon)
        for program in supervisor.programs():
            if program.name in PROGRAMS and program.state in ("STOPPED", "EXITED", "FATAL"):
                supervisor.start(program.name)
        wait_until_running(checkout, since, deadline)
        wait_until_healthy(checkout, since, deadline)
    except (NotAnswering, Problem, Interrupted) as error:
        if daemon is not None:
            say("up: stopping what was started")
            stop_all(checkout, daemon)
        if isinstance(error, NotAnswering):
            raise Problem(f"supervisord is gone: {error}. Its last words: {last_words(checkout)}") from None
        raise
    return daemon


def is_answering(supervisor: Supervisor) -> bool:
    try:
        supervisor.pid()
    except NotAnswering:
        return False
    return True


def refuse_new_options(checkout: Checkout, options: argparse.Namespace) -> None:
    """Files must not change under running processes: the next restart of one would no longer fit the others."""
    wanted = env_copies(checkout, options)
    for role in roles_named(checkout, options):
        if checkout.env(role).read_text("utf-8") != wanted[role]:
            raise Problem("btcbot runs already, with other options. Next: stop it first, with `make stop`")


def refuse_leftovers(checkout: Checkout) -> None:
    if left := leftovers(checkout):
        raise Problem(
            f"processes of an earlier start are still there without their supervisord: {numbers(left)}. "
            "Next: end them with `deploy/up stop` (and the same --root, if one was given)"
        )


def refuse_taken_ports(checkout: Checkout) -> None:
    """A port of ours that somebody else holds is found before anything starts, and named."""
    wanted: dict[int, str] = {}
    if with_sandbox(checkout):
        sandbox = variables(checkout, "sandbox")
        wanted |= {int(sandbox[name]): name for name in PORTS if sandbox.get(name, "").isdigit()}
    for role in ("live", "monitor"):
        port = variables(checkout, role).get("BTCBOT_METRICS_PORT", "")
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


def wait_until_answering(checkout: Checkout, daemon: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + DAEMON_SECONDS_MAX
    while not is_answering(checkout.supervisor):
        if daemon.poll() is not None:
            raise Problem(f"supervisord ended with code {daemon.returncode}. Its last words: {last_words(checkout)}")
        if time.monotonic() > deadline:
            raise Problem(
                f"no answer from supervisord within {DAEMON_SECONDS_MAX:.0f} s. Its last words: {last_words(checkout)}"
            )
        time.sleep(0.05)


def last_words(checkout: Checkout) -> str:
    said = [
        line for name in ("supervisord.out", "supervisord.log") for line in last_lines(checkout.var / "log" / name, 2)
    ]
    return " / ".join(said) or "nothing"


def wait_until_running(checkout: Checkout, since: Mapping[str, int], deadline: float) -> None:
    told = ""
    while True:
        programs = [program for program in checkout.supervisor.programs() if program.name in PROGRAMS]
        for program in programs:
            if program.has_given_up:
                raise Problem(failure(checkout, program, since))
        states = ", ".join(f"{program.name} {program.state.lower()}" for program in sorted(programs, key=_order))
        if states != told:
            say(f"up: {states}")
            told = states
        if all(program.is_running for program in programs):
            return
        if time.monotonic() > deadline:
            late = next(program for program in programs if not program.is_running)
            raise Problem(f"not all running within {START_SECONDS_MAX:.0f} s. {failure(checkout, late, since)}")
        time.sleep(0.2)


def _order(program: Program) -> int:
    return PROGRAMS.index(program.name)


def wait_until_healthy(checkout: Checkout, since: Mapping[str, int], deadline: float) -> None:
    say("up: waiting until the monitor reports both workers healthy")
    while True:
        code, said = health(checkout)
        if code in HEALTHY:
            return
        for program in checkout.supervisor.programs():
            if program.name in PROGRAMS and program.has_given_up:
                raise Problem(failure(checkout, program, since))
        if time.monotonic() > deadline:
            tails = "\n".join(tail(checkout, name, since) for name in (MONITOR, LIVE))
            raise Problem(f"not healthy within {START_SECONDS_MAX:.0f} s; `btcbot health` says:\n{said}\n{tails}")
        time.sleep(1.0)


def health(checkout: Checkout) -> tuple[int, str]:
    """The exit code and the words of `btcbot health`."""
    try:
        done = subprocess.run(
            checkout.command("monitor", "health"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=HEALTH_SECONDS_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return FAILED, f"no answer within {HEALTH_SECONDS_MAX:.0f} s"
    return done.returncode, done.stdout.strip()


def failure(checkout: Checkout, program: Program, since: Mapping[str, int]) -> str:
    exited = f", exit code {program.exit_code}" if program.exit_code > 0 else ""
    return f"{program.name} is {program.state.lower()}{exited}. {tail(checkout, program.name, since)}"


def tail(checkout: Checkout, name: str, since: Mapping[str, int]) -> str:
    lines = [compact(name, line) for line in last_lines(checkout.log(name), 12, since.get(name, 0))]
    return "\n".join([f"The end of {checkout.log(name)}:", *(f"  {line}" for line in lines or ["(nothing)"])])


def size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def summary(checkout: Checkout) -> str:
    """What runs, and where to look."""
    live = variables(checkout, "live")
    programs = [program for program in checkout.supervisor.programs() if program.name in PROGRAMS]
    exchange = f"{'the sandbox' if with_sandbox(checkout) else 'the exchange'} at {live.get('BTCTURK_API_URL', '')}"
    control, var = shlex.join(checkout.supervisorctl()), checkout.var
    root = "" if checkout.is_default else f" --root {shlex.quote(str(var.parent))}"
    lines = [
        "",
        f"btcbot runs: live trades {live.get('BTCBOT_PAIRS', '')} on {exchange}, the monitor watches.",
        "",
        *(f"  {program.name:<15} {program.state}  {program.description}" for program in sorted(programs, key=_order)),
        "",
        f"  status     {control} status",
        f"  health     {shlex.join(checkout.command('monitor', 'health'))}",
        f"  log        {control} tail -f {LIVE}      (JSON lines; files in {var / 'log'})",
        f"  databases  {live.get('STATE_DB_PATH', '')}",
        f"             {variables(checkout, 'monitor').get('STATE_DB_PATH', '')}",
        f"  settings   {checkout.env('live')}      (then: {control} restart {LIVE})",
        f"  stop       {shlex.quote(str(checkout.tracked / 'up'))} stop{root}",
        "",
    ]
    return "\n".join(lines)


# ----------------------------------------------------------------------------------------------------------------- run


def run(checkout: Checkout, options: argparse.Namespace) -> int:
    daemon = None
    try:
        with checkout.alone():
            daemon = bring_up(checkout, options)
        print(summary(checkout), flush=True)
        say("up: following the logs of live and monitor; Ctrl-C stops everything")
        follow(checkout, daemon)
    except (Interrupted, BrokenPipeError):
        pass
    else:
        raise Problem(f"supervisord ended by itself. Its last words: {last_words(checkout)}")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # once is enough: stopping is bounded
    say("\nup: stopping")
    with checkout.alone():
        stop_all(checkout, daemon)
    say("up: stopped, no process is left")
    return 0


def follow(checkout: Checkout, daemon: subprocess.Popen[bytes] | None) -> None:
    """Print what the workers log, until supervisord is gone."""
    with contextlib.ExitStack() as files:
        followers = {name: files.enter_context(contextlib.closing(Follower(checkout.log(name)))) for name in FOLLOWED}
        checked = time.monotonic()
        while True:
            for name, follower in followers.items():
                for line in follower.lines():
                    print(compact(name, line), flush=True)
            if time.monotonic() - checked > 1.0:
                checked = time.monotonic()
                if (daemon.poll() is not None) if daemon else not is_answering(checkout.supervisor):
                    return
            time.sleep(0.2)


# ---------------------------------------------------------------------------------------------------------------- stop


def stop(checkout: Checkout, _options: argparse.Namespace) -> int:
    if not checkout.var.is_dir():
        print("nothing runs")
        return 0
    with checkout.alone():
        print("stopped, no process is left" if stop_all(checkout, None) else "nothing runs")
    return 0


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


COMMANDS = {"run": run, "start": start, "stop": stop, "prepare": prepare}
