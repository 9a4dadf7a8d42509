"""Reads are repeated, a few times: asking twice changes nothing. No submit and no cancel comes through here."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import stamina

from btcbot.domain.events import Event
from btcbot.domain.ports import Observer
from btcbot.exchange.errors import (
    SERVER_ERROR,
    NoAnswer,
    NotSent,
    NotTheExchange,
    RateLimited,
    Unauthorized,
    Unavailable,
)
from btcbot.exchange.limits import Endpoint

T = TypeVar("T")
ATTEMPTS_MAX = 3
READ_SECONDS = 20.0
PATIENCE_SECONDS = 5.0  # a block that lifts sooner is waited out; a longer one is the caller's to judge

# The library would count and log retries in its own way; ours are told to the observer.
stamina.instrumentation.set_on_retry_hooks([])


async def with_retries(endpoint: Endpoint, attempt: Callable[[], Awaitable[T]], observer: Observer) -> T:
    """The first success of up to `ATTEMPTS_MAX` tries; the last failure otherwise."""
    retries = stamina.retry_context(
        on=_wait_before_retry, attempts=ATTEMPTS_MAX, timeout=None, wait_initial=0.2, wait_max=2.0, wait_jitter=0.2
    )
    async for current in retries:
        with current:
            if current.num > 1:
                observer.observed(Event.REQUEST_RETRIED, endpoint=str(endpoint), attempt=current.num)
            return await attempt()
    raise AssertionError("the last attempt returns or raises")


def _wait_before_retry(error: Exception) -> bool | float:
    match error:
        case RateLimited():
            return error.seconds if error.seconds <= PATIENCE_SECONDS else False
        case Unauthorized():
            return error.is_worth_another_try
        case NotTheExchange():
            return error.status >= SERVER_ERROR
        case _:
            return isinstance(error, NotSent | NoAnswer | Unavailable)
