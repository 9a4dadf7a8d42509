"""The three endpoints: which exchange this is, and whether it is the local one.

Either all three are on loopback or none is: prices of the sandbox and orders at the real exchange must never meet.
Beyond loopback there is one exchange, so a host outside its domain is a slip or a trap that would collect our keys.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated, ClassVar, Self

from pydantic import Field, PlainValidator, model_validator

from btcbot.config.forms import Form, Misfit
from btcbot.config.sections import Section

EXCHANGE_DOMAIN = "btcturk.com"

# Lower case and no user, path, query, fragment or trailing slash: there is one way to write each endpoint.
_URL = re.compile(
    r"(?P<scheme>[a-z]+)://(?P<host>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[::1\])(?::(?P<port>[1-9][0-9]{0,4}))?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A base URL, taken apart."""

    url: str
    host: str
    port: str | None  # as the URL has it; None for the scheme's own

    def __str__(self) -> str:
        return self.url

    @property
    def is_loopback(self) -> bool:
        """Decided on the literal host: what a name resolves to is somebody else's word."""
        return is_loopback(self.host)

    @property
    def authority(self) -> str:
        return self.host if self.port is None else f"{self.host}:{self.port}"


def is_loopback(host: str) -> bool:
    if host in ("localhost", "[::1]"):
        return True
    try:
        return ipaddress.IPv4Address(host).is_loopback
    except ipaddress.AddressValueError:
        return False


def endpoint(plain: str, secure: str) -> Form[Endpoint]:
    """A base URL in one of two schemes; the plain one only on loopback."""

    def read(text: str) -> Endpoint:
        match = _URL.fullmatch(text)
        if match is None or match["scheme"] not in (plain, secure) or int(match["port"] or 1) > 65535:
            raise ValueError
        found = Endpoint(text, match["host"], match["port"])
        if found.is_loopback:
            return found
        if match["scheme"] == plain:
            raise Misfit(f"must begin with {secure}:// because it is not on loopback (127.0.0.0/8, [::1] or localhost)")
        if not f".{found.host}".endswith(f".{EXCHANGE_DOMAIN}"):
            raise Misfit(f"must be on loopback (127.0.0.0/8, [::1] or localhost) or below {EXCHANGE_DOMAIN}")
        return found

    return Form(
        f"{secure}://HOST[:PORT] below {EXCHANGE_DOMAIN}, or {plain}://HOST[:PORT] on loopback, in lower case, "
        "without user, path, query, fragment or trailing slash",
        read,
    )


class EndpointSection(Section):
    """Where the exchange is."""

    title: ClassVar[str] = "Exchange"

    api: Annotated[Endpoint, PlainValidator(endpoint("http", "https"))] = Field(
        alias="BTCTURK_API_URL", description="REST, public and private. The real one is `https://api.btcturk.com`."
    )
    graph: Annotated[Endpoint, PlainValidator(endpoint("http", "https"))] = Field(
        alias="BTCTURK_GRAPH_URL", description="Candles. The real one is `https://graph-api.btcturk.com`."
    )
    ws: Annotated[Endpoint, PlainValidator(endpoint("ws", "wss"))] = Field(
        alias="BTCTURK_WS_URL", description="WebSocket. The real one is `wss://ws-feed-pro.btcturk.com`."
    )

    @property
    def is_loopback(self) -> bool:
        return self.api.is_loopback

    @model_validator(mode="after")
    def _one_exchange(self) -> Self:
        if not self.api.is_loopback == self.graph.is_loopback == self.ws.is_loopback:
            raise Misfit("BTCTURK_API_URL, BTCTURK_GRAPH_URL and BTCTURK_WS_URL are partly on loopback: all or none")
        return self
