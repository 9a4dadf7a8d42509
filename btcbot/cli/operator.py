"""What an operator asks of a running live: halt, pause, resume, flatten, assign, seal. Each is journaled there."""

import sys
from collections.abc import Mapping
from pathlib import Path

from btcbot.cli.endings import Desk, complain
from btcbot.config.settings import REAL_TIME, BtcbotError, ExitCode, UsageError, environment, load_run_dir


def halt(_desk: Desk, reason: str) -> int:
    """The file first: it works when live hangs. Whoever cannot be asked finds it before the next submit."""
    _require(reason)
    run_dir = load_run_dir(environment())
    from btcbot.services.halting import write_halt_file

    path = write_halt_file(run_dir, reason)
    sys.stdout.write(f"halt file: {path}\n")
    try:
        return _ask(run_dir, "halt", {"reason": reason})
    except BtcbotError as error:
        complain(f"live did not confirm: {error} It halts when it sees the file, and starts halted.")
        return int(ExitCode.OK)


def ask(_desk: Desk, verb: str, reason: str, **args: str) -> int:
    """Everything but a halt: it needs a live that runs."""
    _require(reason)
    return _ask(load_run_dir(environment()), verb, {"reason": reason, **args})


def _ask(run_dir: Path, verb: str, args: Mapping[str, str]) -> int:
    from btcbot.services import runtime
    from btcbot.services.control import send_command

    ids = runtime.build_runtime(REAL_TIME).ids
    answer = runtime.run(lambda: send_command(run_dir, verb, args, ids), REAL_TIME)
    next_step = f". Next: {answer.next_step}." if answer.next_step else ""
    if not answer.ok:
        complain(f"{answer.message}{next_step}")
        return int(ExitCode.UNSAFE)
    sys.stdout.write(f"{answer.message}{next_step}\n")
    return int(ExitCode.OK)


def _require(reason: str) -> None:
    if not reason.strip():
        raise UsageError("--reason is empty: it is what the journal will tell later")
