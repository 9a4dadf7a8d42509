"""Public questions whose answers are wanted as they came: for the recorder, and for the conformance check."""

import msgspec

from btcbot.domain.errors import ReadFailed
from btcbot.domain.ports import Clock
from btcbot.domain.profiles import Endpoints, Role
from btcbot.exchange.answers import OK
from btcbot.exchange.errors import Refused, snippet
from btcbot.exchange.http import Http, HttpAnswer, Query
from btcbot.exchange.limits import TOO_MANY_REQUESTS, Budgets, Endpoint
from btcbot.exchange.reads import READ_SECONDS


class _Envelope(msgspec.Struct):
    success: bool
    data: msgspec.Raw


class _Rules(msgspec.Struct):
    symbols: list[msgspec.Raw]


class _Symbol(msgspec.Struct):
    name: str


class PublicAsker:
    """One request, one answer, inside the smaller of the two shares of the limits: whoever asks here can wait."""

    def __init__(self, endpoints: Endpoints, clock: Clock) -> None:
        self._api = Http(endpoints.api_url)
        self._graph = Http(endpoints.graph_url)
        self._budgets = Budgets(Role.MONITOR, clock)

    async def ask(self, endpoint: Endpoint, path: str, query: Query = (), *, is_graph: bool = False) -> HttpAnswer:
        """Whatever the answer says. Raises `RateLimited` on a 429, or an `ExchangeUnreachable`."""
        await self._budgets.acquire(endpoint)
        http = self._graph if is_graph else self._api
        answer = await http.send("GET", path, query, timeout=READ_SECONDS)
        if answer.status == TOO_MANY_REQUESTS:
            raise self._budgets.block(endpoint, answer.retry_after)
        return answer

    async def data(self, endpoint: Endpoint, path: str, query: Query = ()) -> msgspec.Raw:
        """The `data` of a success, digit for digit. Raises as `ask` does, and `ReadFailed`."""
        answer = await self.ask(endpoint, path, query)
        try:
            envelope = msgspec.json.decode(answer.body, type=_Envelope)
        except msgspec.DecodeError as error:
            raise ReadFailed(f"{endpoint}: HTTP {answer.status}: {snippet(answer.body)}") from error
        if answer.status != OK or not envelope.success:
            raise Refused(f"{endpoint}: HTTP {answer.status}: {snippet(answer.body)}", answer.status, "")
        return envelope.data

    async def symbols(self, pairs: tuple[str, ...]) -> dict[str, msgspec.Raw]:
        """The rules of those pairs that the exchange lists."""
        data = await self.data(Endpoint.INFO, "/api/v2/server/exchangeinfo")
        try:
            rows = msgspec.json.decode(data, type=_Rules).symbols
            named = {msgspec.json.decode(row, type=_Symbol).name: row for row in rows}
        except msgspec.DecodeError as error:
            raise ReadFailed(f"{Endpoint.INFO}: {error}") from error
        return {pair: named[pair] for pair in pairs if pair in named}

    async def aclose(self) -> None:
        await self._api.aclose()
        await self._graph.aclose()
