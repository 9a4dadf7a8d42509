"""The suite runs under every venue profile, or against the endpoint that the environment names."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio

from btcbot.domain.money import use_money_context
from btcbot.exchange.limits import Budgets, Endpoint
from btcbot.sandbox.profiles import PROFILES
from tests.contract.exchange.elsewhere import Orders, named_by
from tests.contract.exchange.venue import Venue, elsewhere, sandboxed

PLACE = named_by(os.environ)  # read before our variables are taken out of the environment
PAUSE_SECONDS = 1.1  # between two tests of one sandbox: the longest of its short windows of limits


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "orders: places orders that rest far from the market")
    config.addinivalue_line("markers", "sandbox_only: needs what no other endpoint can be asked for")


@pytest.fixture(autouse=True)
def _money() -> None:
    use_money_context()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def closing() -> AsyncIterator[list[asyncio.Task[None]]]:
    """Venues that are being closed, which takes a moment of waiting that nobody else has to wait for."""
    tasks: list[asyncio.Task[None]] = []
    yield tasks
    await asyncio.gather(*tasks)


@pytest_asyncio.fixture(
    scope="session", loop_scope="session", params=list(PROFILES) if PLACE is None else ["elsewhere"]
)
async def opened_venue(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, closing: list[asyncio.Task[None]]
) -> AsyncIterator[Venue]:
    """One venue for all tests of a profile."""
    opened: asyncio.Future[Venue] = asyncio.get_running_loop().create_future()
    done = asyncio.Event()

    async def keep_open() -> None:
        use_money_context()
        if PLACE is not None:
            context = elsewhere(PLACE)
        else:
            context = sandboxed(tmp_path_factory.mktemp(request.param) / "sandbox", PROFILES[request.param])
        async with context as venue:
            opened.set_result(venue)
            await done.wait()

    task = asyncio.create_task(keep_open())
    await asyncio.wait((task, opened), return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
    yield opened.result()
    done.set()
    closing.append(task)


@pytest_asyncio.fixture(loop_scope="session")
async def venue(opened_venue: Venue, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Venue]:
    """A venue without orders of ours on it, and a client that waits for no budget where time does not pass."""
    if opened_venue.playground is not None:
        monkeypatch.setattr(Budgets, "acquire", _at_once)
    yield opened_venue
    if opened_venue.playground is not None:
        await opened_venue.passes(PAUSE_SECONDS)


async def _at_once(budgets: Budgets, endpoint: Endpoint, *_patience: float) -> None:
    budgets.require_open(endpoint)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Elsewhere nothing is ordered unless that was asked for, and nothing that only a sandbox can do is tried."""
    if PLACE is None:
        return
    kept = [item for item in items if _is_for(item, PLACE.orders)]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def _is_for(item: pytest.Item, orders: Orders) -> bool:
    fixtures: Sequence[str] = getattr(item, "fixturenames", ())
    if "venue" not in fixtures or item.get_closest_marker("sandbox_only"):
        return False
    return orders is Orders.FAR_LIMIT or item.get_closest_marker("orders") is None
