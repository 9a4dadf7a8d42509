"""Another endpoint for the contract suite, named by the environment; see README.md beside this file."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from btcbot.domain.profiles import Credentials, Endpoints
from btcbot.domain.secrets import Secret

PREFIX = "BTCBOT_CONTRACT_"


class Orders(StrEnum):
    NONE = "none"
    FAR_LIMIT = "far-limit"  # rests far from the market, and is canceled


@dataclass(frozen=True, slots=True)
class Elsewhere:
    endpoints: Endpoints
    credentials: Credentials
    pair: str
    orders: Orders


def named_by(environ: Mapping[str, str]) -> Elsewhere | None:
    """The endpoint that the environment names, if any; a name that is missing beside the first is a `KeyError`."""
    if f"{PREFIX}API_URL" not in environ:
        return None
    api, graph, ws = (environ[f"{PREFIX}{name}_URL"] for name in ("API", "GRAPH", "WS"))
    key, secret = (
        Secret(Path(environ[f"{PREFIX}{name}_FILE"]).read_text(encoding="ascii").strip()) for name in ("KEY", "SECRET")
    )
    return Elsewhere(
        Endpoints(api, graph, ws, is_loopback=False),
        Credentials(key, secret),
        environ.get(f"{PREFIX}PAIR", "BTCTRY"),
        Orders(environ.get(f"{PREFIX}ORDERS", Orders.NONE)),
    )
