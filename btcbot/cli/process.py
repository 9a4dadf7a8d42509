"""What a worker does to its own process before anything else, so that nothing of it leaks and no amount is rounded."""

import ctypes
import os
import resource

from btcbot.config.settings import use_money_context

_PR_SET_DUMPABLE = 4  # <linux/prctl.h>


def prepare_worker() -> None:
    """Files private, no core dump, no foreign eyes on our memory (it holds keys), and the one money context."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _forbid_tracing()
    use_money_context()


def _forbid_tracing() -> None:
    """Closes /proc/PID/mem and ptrace to other processes of our user. Linux only; elsewhere the rest stands alone."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
