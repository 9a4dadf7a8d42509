"""Whatever the exchange does to an order or to its answer, it sees one request of it: counted in its own record."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from pathlib import Path
from unittest.mock import patch

import pytest

from btcbot.domain.money import use_money_context
from btcbot.domain.orders.evidence import Accepted, AnsweredForAnother, CancelReceipt, NoByteLeft, Silent, TurnedDown
from btcbot.exchange.errors import RateLimited
from btcbot.execution.ports import NotForSending
from btcbot.sandbox.profiles import DOCUMENTED
from tests.contract.exchange.venue import Venue, sandboxed
from tests.integration.sandbox.playground import PATIENCE, Playground

UNANSWERED = frozenset({"lost_request", "drop_answer_after_accept", "late_answer"})
SHORT = 0.2  # real seconds: what never comes is not waited for any longer


@asynccontextmanager
async def opened(directory: Path) -> AsyncIterator[tuple[Venue, Playground]]:
    use_money_context()
    async with sandboxed(directory, DOCUMENTED) as venue:
        assert venue.playground is not None
        yield venue, venue.playground


@contextmanager
def impatient(venue: Venue) -> Iterator[None]:
    """For a submit that nobody answers."""
    with patch.object(venue.account.execution._submits, "_timeout", SHORT):  # type: ignore[attr-defined]
        yield


async def submits(playground: Playground) -> list[str]:
    """The labels of all submits that arrived, in order."""
    lines = await playground.admin("GET", "record?kind=request&limit=10000")
    bodies = [json.loads(line["body"]) for line in lines if line["method"] == "POST"]
    return [body["newOrderClientId"] for body in bodies]


FAULTS: tuple[tuple[str, type], ...] = (
    ("lost_request", Silent),
    ("drop_answer_after_accept", Silent),
    ("late_answer", Silent),
    ("html_everywhere", Silent),
    ("html_after_accept", Silent),
    ("unavailable_503", Silent),
    ("internal_error", Silent),
    ("internal_error_after_accept", Silent),
    ("rate_limited_429", TurnedDown),
    ("rate_limited_429_until_date", TurnedDown),
    ("rate_limited_429_bare", TurnedDown),
    ("unauthorized", TurnedDown),
    ("invalid_nonce", TurnedDown),
    ("unsuccessful", Silent),
    ("truncated_json", Silent),
    ("connection_cut", Silent),
    ("wrong_content_type", Accepted),
    ("empty_body", Silent),
    ("order_accepted_late", Silent),
    ("answer_of_another_order", AnsweredForAnother),
)


async def test_an_order_is_one_request_whatever_answers_it(tmp_path: Path) -> None:
    """Each fault in its turn, on one exchange: what is counted is what its record holds in the end."""
    async with opened(tmp_path) as (venue, playground):
        price, quantity = await venue.far_bid()
        await venue.accepted(price, quantity)
        labels = {}
        for fault, outcome in FAULTS:
            await venue.open_orders()  # a success between, so that no fault is the third in a row
            await playground.fault(fault, endpoint="submit")
            with impatient(venue) if fault in UNANSWERED else nullcontext():
                answer, order = await venue.submit(price, quantity)
            assert isinstance(answer, outcome), (fault, answer)
            with pytest.raises(NotForSending):
                await venue.account.execution.submit(order)
            labels[order.client_order_id] = fault
            if fault.startswith("rate_limited"):
                await venue.passes(61)
        sent = await submits(playground)
        assert {fault: sent.count(label) for label, fault in labels.items()} == {fault: 1 for fault, _ in FAULTS}
        assert len(sent) == len(FAULTS) + 1


async def test_cancels_get_through_when_nothing_else_may(tmp_path: Path) -> None:
    """Submits and reads are blocked by a 429 each; the cancel has its own counter, budget and connection."""
    async with opened(tmp_path) as (venue, playground):
        number = await venue.accepted(*(await venue.far_bid()))
        for endpoint in ("submit", "open_orders", "balances"):
            fault = {"fault": "rate_limited_429", "count": 1, "seconds": 60, "match": {"endpoint": endpoint}}
            await playground.admin("POST", "faults", json=fault)
        assert isinstance((await venue.submit(*(await venue.far_bid())))[0], TurnedDown)
        assert isinstance((await venue.submit(*(await venue.far_bid())))[0], NoByteLeft)
        for read in (venue.open_orders, venue.account.reader.balances):
            with pytest.raises(RateLimited):
                await read()
        assert isinstance(await venue.account.execution.cancel(number, venue.pair), CancelReceipt)


async def test_a_cancel_does_not_wait_for_an_order_whose_answer_does_not_come(tmp_path: Path) -> None:
    async with opened(tmp_path) as (venue, playground):
        number = await venue.accepted(*(await venue.far_bid()))
        await playground.fault("drop_answer_after_accept", endpoint="submit")
        price, quantity = await venue.far_bid()
        submitting = asyncio.ensure_future(venue.submit(price, quantity))
        async with asyncio.timeout(PATIENCE):
            while len(await submits(playground)) < 2:
                await asyncio.sleep(0.005)
        assert isinstance(await venue.account.execution.cancel(number, venue.pair), CancelReceipt)
        assert not submitting.done()
        submitting.cancel()
        await asyncio.gather(submitting, return_exceptions=True)
