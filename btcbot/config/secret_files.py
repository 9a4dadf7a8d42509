"""Secrets: by value, or better as a file that only this process's user can read.

The file is opened once, without following a symbolic link, and judged by its descriptor, so what was judged is what is
read. No message holds what was found, nor the path: somebody may have put the secret where the path belongs.
"""

import base64
import os
import re
import stat
from collections.abc import Callable, Mapping

from btcbot.config.forms import Misfit, absolute_path
from btcbot.domain.secrets import Secret

SECRET_CHARACTERS_MIN = 8  # a shorter one protects nothing, and hiding it from logs would blot out ordinary text
SECRET_BYTES_MAX = 4096

# A line break, a zero byte or a blank in a secret is a slip of the editor that made the file.
_UNFIT = re.compile(r"[\s\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def read_secret(
    environ: Mapping[str, str], name: str, check: Callable[[str], None], problems: list[str]
) -> Secret | None:
    """The secret in NAME or in the file that NAME_FILE names; None, and the problem added, when it cannot be had."""
    file_name = f"{name}_FILE"
    try:
        if name in environ and file_name in environ:
            raise Misfit(f"{name} and {file_name} are both set: remove one")
        if file_name in environ:
            return _checked(file_name, "the file", _read_file(file_name, environ[file_name]), check)
        if name in environ:
            return _checked(name, "it", environ[name], check)
        raise Misfit(f"{name} is not set, and neither is {file_name}")
    except Misfit as misfit:
        problems.append(str(misfit))
        return None


def any_text(text: str) -> None:
    """A key has no shape of its own."""


def base64_text(text: str) -> None:
    """The exchange hands secrets out as base64, and the signature needs the bytes (protocol, section 3)."""
    base64.b64decode(text, validate=True)


def _checked(name: str, where: str, text: str, check: Callable[[str], None]) -> Secret:
    if not text:
        raise Misfit(f"{name}: {where} is empty")
    if len(text) < SECRET_CHARACTERS_MIN:
        raise Misfit(f"{name}: {where} is shorter than {SECRET_CHARACTERS_MIN} characters")
    if len(text.encode(errors="surrogateescape")) > SECRET_BYTES_MAX:
        raise Misfit(f"{name}: {where} is longer than {SECRET_BYTES_MAX} bytes")
    if _UNFIT.search(text):
        raise Misfit(f"{name}: {where} must be one line of text without blanks")
    try:
        check(text)
    except ValueError:
        # The cause would hold the secret.
        raise Misfit(f"{name}: {where} does not hold base64") from None
    return Secret(text)


def _read_file(name: str, path: str) -> str:
    """The one line of the file."""
    form = absolute_path()
    try:
        directory = form(path).parent
    except Misfit as misfit:
        raise Misfit(f"{name} {misfit}") from None
    try:
        # Not blocking, so that a pipe is refused instead of waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            _require_private(name, os.fstat(descriptor), os.stat(directory))
            raw = os.read(descriptor, SECRET_BYTES_MAX + 2)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise Misfit(f"{name}: the file does not exist") from None
    except OSError as error:
        if os.path.islink(path):
            raise Misfit(f"{name}: the file is a symbolic link: name the real file") from None
        raise Misfit(f"{name}: the file cannot be read ({error.strerror})") from None
    try:
        return raw.removesuffix(b"\n").decode()
    except UnicodeDecodeError:
        raise Misfit(f"{name}: the file is not UTF-8 text") from None


def _require_private(name: str, file: os.stat_result, directory: os.stat_result) -> None:
    owners = (os.geteuid(), 0)
    if not stat.S_ISREG(file.st_mode):
        raise Misfit(f"{name}: not a regular file")
    if file.st_uid not in owners:
        raise Misfit(f"{name}: the file belongs to another user: chown it to the user of this process")
    if stat.S_IMODE(file.st_mode) not in (0o400, 0o600):
        raise Misfit(f"{name}: the file has mode {stat.S_IMODE(file.st_mode):04o}: chmod 600")
    if directory.st_uid not in owners:
        raise Misfit(f"{name}: the file's directory belongs to another user")
    if directory.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Misfit(f"{name}: the file's directory is writable by others: chmod go-w")
