"""Things that run side by side: as long as the main one does, and none of them may fail unseen."""

import asyncio
from collections.abc import Coroutine


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
