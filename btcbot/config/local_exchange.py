"""The settings of the local exchange: where it keeps its things, how it behaves, and which market it shows."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import Field, PlainValidator, model_validator

from btcbot.config.endpoints import Endpoint, endpoint
from btcbot.config.forms import Misfit, count, decimal, market_source, matching
from btcbot.config.sections import AbsolutePath, MaybePath, Pairs, Port, Section

MaybeHttp = Annotated[Endpoint | None, PlainValidator(endpoint("http", "https"))]
MaybeWs = Annotated[Endpoint | None, PlainValidator(endpoint("ws", "wss"))]
ProfileName = Annotated[str, PlainValidator(matching("[a-z][a-z0-9_]{0,39}", "a name of a-z, 0-9 and _"))]


class Sandbox(Section):
    """The local exchange."""

    title: ClassVar[str] = "Sandbox"

    directory: AbsolutePath = Field(
        alias="BTCBOT_SANDBOX_DIR", description="Its keys, clock anchor and record; `btcbot sandbox init DIR` makes it."
    )
    source: Annotated[Path | None, PlainValidator(market_source())] = Field(
        None, alias="BTCBOT_SANDBOX_SOURCE", description="Where its market comes from; without it, the generator."
    )
    seed: Annotated[int, PlainValidator(count(0, 2**63 - 1))] = Field(
        1, alias="BTCBOT_SANDBOX_SEED", description="The generator's seed: the same seed makes the same market."
    )
    speed: Annotated[Decimal, PlainValidator(decimal("0.01", "3600"))] = Field(
        Decimal(1), alias="BTCBOT_SANDBOX_SPEED", description="Recorded seconds per second of the sandbox's clock."
    )
    venue_profile: ProfileName = Field(
        "documented",
        alias="BTCBOT_SANDBOX_VENUE_PROFILE",
        description="How it behaves where nobody knows how the exchange does; `btcbot sandbox profiles` lists them.",
    )
    scenario: MaybePath = Field(
        None, alias="BTCBOT_SANDBOX_SCENARIO", description="A file of faults and the moments at which they begin."
    )
    pairs: Pairs = Field(alias="BTCBOT_PAIRS", description="What it trades.")
    api_port: Port = Field(18080, alias="BTCBOT_SANDBOX_API_PORT", description="Public and private REST.")
    graph_port: Port = Field(18081, alias="BTCBOT_SANDBOX_GRAPH_PORT", description="Candles.")
    ws_port: Port = Field(18082, alias="BTCBOT_SANDBOX_WS_PORT", description="WebSocket.")
    admin_port: Port = Field(18083, alias="BTCBOT_SANDBOX_ADMIN_PORT", description="Faults, record and accounts.")

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        if len({self.api_port, self.graph_port, self.ws_port, self.admin_port}) < 4:
            raise Misfit("the four BTCBOT_SANDBOX_…_PORT are not four different ports")
        return self


class Mirror(Section):
    """The exchange whose public feed the local one follows: all of its endpoints, or none."""

    title: ClassVar[str] = "Mirror"

    api: MaybeHttp = Field(
        None,
        alias="BTCBOT_SANDBOX_MIRROR_API_URL",
        description="Show this exchange's market and simulate only our fills, as `btcbot sandbox --mirror URL` does.",
    )
    graph: MaybeHttp = Field(None, alias="BTCBOT_SANDBOX_MIRROR_GRAPH_URL", description="Its candles.")
    ws: MaybeWs = Field(None, alias="BTCBOT_SANDBOX_MIRROR_WS_URL", description="Its WebSocket.")

    @model_validator(mode="after")
    def _one_exchange(self) -> Self:
        found = [part for part in (self.api, self.graph, self.ws) if part is not None]
        if len(found) not in (0, 3):
            raise Misfit(
                "BTCBOT_SANDBOX_MIRROR_API_URL, BTCBOT_SANDBOX_MIRROR_GRAPH_URL and BTCBOT_SANDBOX_MIRROR_WS_URL go "
                "together: all or none"
            )
        if len({part.is_loopback for part in found}) > 1:
            raise Misfit("the BTCBOT_SANDBOX_MIRROR_…_URL are partly on loopback: all or none")
        return self
