"""Things that run side by side: as long as the main one does, and none of them may fail unseen."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


async def run_beside(main: Coroutine[None, None, None], helpers: tuple[Coroutine[None, None, None], ...]) -> None:
    """Run helpers as long as `main` runs. A helper that fails ends everything with its error: nothing limps on."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(helper) for helper in helpers]
            await main
            for task in tasks:
                task.cancel()
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None  # the first failure is the cause; the others are its echo


def tell_lost_errors(loop: asyncio.AbstractEventLoop, lost: Callable[[str], None]) -> None:
    """Call `lost`, once and outside of whatever runs now, for an error that nobody awaits or catches.

    A connection that breaks is no such error: whoever reads from it is told. The loop's own words go to the log.
    """
    is_told = False

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        nonlocal is_told
        loop.default_exception_handler(context)
        error = context.get("exception")
        if is_told or error is None or "transport" in context or isinstance(error, ConnectionError):
            return
        is_told = True
        loop.call_soon(lost, f"an error that nobody caught ({type(error).__name__}: {error})")

    loop.set_exception_handler(handle)
