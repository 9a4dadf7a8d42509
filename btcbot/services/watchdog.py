"""Ends a process whose loop hangs: a strategy that never returns, a disk that never answers.

A loop that hangs cannot cancel, and cannot be asked for anything. The interpreter's own watchdog, a thread that needs
neither the loop nor the interpreter's lock, then writes to stderr where the process stands and ends it. supervisord
starts it again, and a start reconciles and calls back what rests: halted, where the monitor or a person has tripped the
halt file meanwhile (reliability I1, I6).
"""

import faulthandler

from btcbot.domain.ports import Sleeper

HUNG_SECONDS = 30.0  # real ones, whatever the clock rate: no step of a cycle keeps the loop for a tenth of it
TURN_SECONDS = 1.0


async def end_where_the_loop_hangs(sleeper: Sleeper, hung_seconds: float = HUNG_SECONDS) -> None:
    """Until it is cancelled. The process ends with status 1 where the loop has not come round for so long."""
    try:
        while True:
            faulthandler.dump_traceback_later(hung_seconds, exit=True)
            await sleeper.sleep(TURN_SECONDS)
    finally:
        faulthandler.cancel_dump_traceback_later()
