"""What the person at the terminal is told, and the exit codes that go with it."""

import contextlib
import sys

FAILED, USAGE, CONFIGURATION = 1, 64, 78


class Problem(Exception):
    """What went wrong and what to do next, in plain words, with the exit code."""

    def __init__(self, message: str, exit_code: int = FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Interrupted(Exception):
    """Somebody asked us to end: Ctrl-C, a closed terminal or SIGTERM."""


def say(text: str) -> None:
    """Narration. A reader that went away is no reason to fail."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)
