"""From the tracked files, which hold the image's places, to the files that supervisord and the programs read."""

import configparser
import hashlib
import io
import ipaddress
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import envfile

SANDBOX, MONITOR, LIVE = "btcbot-sandbox", "btcbot-monitor", "btcbot-live"
ENDPOINTS = ("BTCTURK_API_URL", "BTCTURK_GRAPH_URL", "BTCTURK_WS_URL")
LOG_SIZE, LOG_COUNT = "10MB", "5"
START_RETRIES = "3"

_DIGEST = "# digest of what follows: "


class RenderingError(Exception):
    """A file cannot be made from what is there. One line, no secrets."""


# ------------------------------------------------------------------------------------------------- which processes run


def needs_sandbox(*workers: Mapping[str, str]) -> bool:
    """Whether the embedded exchange has to run: only when every endpoint of every worker is on loopback.

    A missing or malformed endpoint counts as not on loopback: a half-written production profile must not start a
    second exchange, and the worker itself says what is wrong.
    """
    return all(_is_loopback(worker.get(name, "")) for worker in workers for name in ENDPOINTS)


def _is_loopback(url: str) -> bool:
    try:
        host = urlsplit(url).hostname
    except ValueError:
        return False
    if host is None:
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


# ----------------------------------------------------------------------------------------------------- supervisord.conf


def read_supervisord(text: str) -> configparser.RawConfigParser:
    """The configuration, read as supervisord reads it, but without expansions."""
    parser = configparser.RawConfigParser(delimiters=("=",), inline_comment_prefixes=(";", "#"))
    parser.optionxform = str  # type: ignore[method-assign, assignment]  # keys keep their case
    parser.read_string(text)
    return parser


def write_supervisord(parser: configparser.RawConfigParser) -> str:
    """The text of the configuration. Refuses values that supervisord would read back as something else."""
    for section in parser.sections():
        for _, value in parser.items(section):
            # Percent signs would have to be doubled in some options and quadrupled in others.
            if re.search(r"[%\r\n]|\s[;#]", value):
                raise RenderingError(
                    f"supervisord cannot hold a path with percent sign, line break or blank before ; or #: {value!r}. "
                    "Next: move the checkout (and --root) to a path without these"
                )
    text = io.StringIO()
    text.write("; Rendered. Changes here are overwritten; change deploy/supervisord.conf.\n\n")
    parser.write(text, space_around_delimiters=False)
    return text.getvalue()


def without_sandbox(parser: configparser.RawConfigParser) -> None:
    """Leave the embedded exchange out, so that not even `supervisorctl start all` starts it."""
    parser.remove_section(f"program:{SANDBOX}")


@dataclass(frozen=True, slots=True)
class Places:
    """Where a checkout keeps what the image keeps in fixed places."""

    checkout: Path
    var: Path

    def relocate(self, text: str) -> str:
        """`text` with every place of the image replaced by ours."""
        ours = {
            "/opt/btcbot/bin": self.checkout / ".venv" / "bin",
            "/opt/btcbot/deploy": self.checkout / "deploy",
            "/etc/btcbot": self.var / "env",
            "/var/lib/btcbot": self.var / "lib",
            "/run/btcbot": self.var / "run",
        }
        pattern = "|".join(re.escape(place) for place in ours)
        return re.sub(rf"({pattern})(?![\w.-])", lambda match: str(ours[match[1]]), text)


def localise(parser: configparser.RawConfigParser, places: Places, start_seconds: int) -> None:
    """Make the image's configuration one for a checkout: its paths, log files that rotate, a short start time."""
    for section in parser.sections():
        name = section.partition(":")[2]
        values = dict(parser.items(section))
        if "command" in values:
            words = [places.relocate(word) for word in shlex.split(values["command"])]
            parser.set(section, "command", shlex.join(words))
        for option, value in values.items():
            if option != "command":
                parser.set(section, option, places.relocate(value))
        for stream in ("stdout", "stderr"):
            if values.get(f"{stream}_logfile") == "/dev/fd/1":
                parser.set(section, f"{stream}_logfile", str(places.var / "log" / f"{name}.log"))
                parser.set(section, f"{stream}_logfile_maxbytes", LOG_SIZE)
                parser.set(section, f"{stream}_logfile_backups", LOG_COUNT)
        if values.get("stderr_logfile") == "/dev/fd/2":
            parser.remove_option(section, "stderr_logfile")
            parser.remove_option(section, "stderr_logfile_maxbytes")
            parser.set(section, "redirect_stderr", "true")
        if name in (LIVE, MONITOR):
            # Here a person waits for it: fewer tries, and a shorter time until a start counts as good.
            parser.set(section, "startsecs", str(start_seconds))
            parser.set(section, "startretries", START_RETRIES)
    parser.set("supervisord", "logfile", str(places.var / "log" / "supervisord.log"))
    parser.set("supervisord", "logfile_maxbytes", LOG_SIZE)
    parser.set("supervisord", "logfile_backups", LOG_COUNT)


# ----------------------------------------------------------------------------------------------------------- env copies


def env_copy(tracked: str, places: Places, changes: Mapping[str, str | None]) -> str:
    """A tracked environment file with our places and the changed variables; None removes one. It keeps its comments.

    The head carries a digest of the rest, so that a copy which a person edited is known as edited.
    """
    lines = [places.relocate(line) for line in tracked.splitlines()]
    for name, value in changes.items():
        found = [index for index, line in enumerate(lines) if line.startswith(f"{name}=")]
        if len(found) != 1:
            raise RenderingError(f"{name} is set {len(found)} times in the tracked file, expected once")
        lines[found[0]] = f"# {name} is not used here" if value is None else f"{name}={value}"
    body = "\n".join(lines) + "\n"
    try:
        envfile.parse(body.encode(), "the rendered file")
    except envfile.EnvFileError as error:
        raise RenderingError(f"an option cannot be written to an environment file: {error}") from None
    head = "# Written by deploy/up. Edit it freely: an edited copy is left alone. Delete it to get a new one.\n"
    return f"{head}{_DIGEST}{_digest(body)}\n\n{body}"


def is_as_written(text: str) -> bool:
    """Whether this copy is still as `env_copy` made it, whatever its options were."""
    head, _, body = text.partition("\n\n")
    digest_line = head.splitlines()[-1] if head else ""
    return digest_line == f"{_DIGEST}{_digest(body)}"


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()


def map_values(variables: Mapping[str, str], names: tuple[str, ...], change: Callable[[str], str]) -> dict[str, str]:
    """The changed ones among the named variables."""
    return {
        name: changed for name in names if name in variables and (changed := change(variables[name])) != variables[name]
    }
