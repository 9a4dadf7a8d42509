"""Lets the time of a playground pass by itself, as fast as real sockets can follow."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.integration.sandbox.playground import ManualTime

STEP_SECONDS = 0.1
REAL_SECONDS = 0.002  # for what is on its way between two steps: both ends live on one loop


@asynccontextmanager
async def time_passing(time: ManualTime, *, real_seconds: float = REAL_SECONDS) -> AsyncIterator[None]:
    async def pass_on() -> None:
        while True:
            await time.pass_by(STEP_SECONDS)
            await asyncio.sleep(real_seconds)

    passing = asyncio.ensure_future(pass_on())
    try:
        yield
    finally:
        passing.cancel()
        with suppress(asyncio.CancelledError):
            await passing
