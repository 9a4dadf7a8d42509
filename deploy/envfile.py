"""Environment files: strict KEY=VALUE lines, nothing else.

There is no shell, no quoting, no expansion and no continuation, so what a person reads is what the process gets. Every
doubt is an error that names the file and the line, and never shows a value: a value may be a secret.
"""

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

# What a started program keeps of the environment it was started from: where programs are found, and how text and
# local times are written. All else (secrets, proxies, PYTHON… switches, supervisord's own variables) is dropped.
INHERITED = re.compile(r"PATH|LANG|LC_[A-Z]+|TZ")
SIZE_MAX = 65_536

_NAME = re.compile(r"[A-Z_][A-Z0-9_]*")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\x80-\x9f\u2028\u2029]")


class EnvFileError(Exception):
    """An environment file cannot be used. The message is one line and holds no value."""


def read(path: Path | str) -> dict[str, str]:
    """The variables of the file. Raises `EnvFileError` when it cannot be read or any line is not plainly right."""
    try:
        # Not blocking, so that a pipe somebody put here is refused instead of waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise EnvFileError(f"{path}: not a regular file")
            raw = file.read(SIZE_MAX + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a usable path"
        raise EnvFileError(f"{path}: cannot be read: {reason}") from None
    if len(raw) > SIZE_MAX:
        raise EnvFileError(f"{path}: larger than {SIZE_MAX} bytes; this is not an environment file")
    return parse(raw, path)


def parse(raw: bytes, path: Path | str) -> dict[str, str]:
    """The variables in `raw`; `path` is only named in errors."""
    variables: dict[str, str] = {}
    line_of: dict[str, int] = {}
    for number, raw_line in enumerate(raw.split(b"\n"), start=1):
        where = f"{path}:{number}"
        try:
            line = raw_line.decode("utf-8")
        except UnicodeDecodeError:
            raise EnvFileError(f"{where}: not UTF-8 text") from None
        if "\r" in line:
            raise EnvFileError(f"{where}: carriage return; save the file with Unix line ends")
        if _CONTROL.search(line):
            raise EnvFileError(f"{where}: control character")
        if not line.strip() or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals:
            raise EnvFileError(f"{where}: no '=' in this line; write NAME=VALUE, or # before a comment")
        if not _NAME.fullmatch(name):
            raise EnvFileError(
                f"{where}: malformed name before '='; a name has only A-Z, 0-9 and _, and no blanks around it"
            )
        if value != value.strip():
            raise EnvFileError(f"{where}: {name} begins or ends with a blank")
        if name in variables:
            raise EnvFileError(f"{where}: {name} is set a second time, first in line {line_of[name]}")
        variables[name] = value
        line_of[name] = number
    return variables


def environment(variables: Mapping[str, str], inherited: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a program: the harmless part of what was inherited, then what the file says."""
    kept = {name: value for name, value in inherited.items() if INHERITED.fullmatch(name)}
    return kept | dict(variables)
