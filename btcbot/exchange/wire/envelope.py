"""What the API host wraps its answers in, and what every model of an answer has in common (protocol, section 2)."""

from typing import Any

from pydantic import BaseModel, ConfigDict, StrictBool, StrictStr
from pydantic.alias_generators import to_camel

from btcbot.exchange.wire.numbers import Code


class Wire(BaseModel):
    """Base of every payload."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True, hide_input_in_errors=True
    )


class Envelope(Wire):
    """What the API host wraps everything in. `success` alone proves nothing."""

    data: Any = None
    success: StrictBool | None = None
    message: StrictStr | None = None
    code: Code | None = None
