"""The settings of the recorder, which `btcbot record` may override: what it writes down, and where."""

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, PlainValidator

from btcbot.config.forms import absolute_path, count
from btcbot.config.forms import pairs as pairs_form
from btcbot.config.sections import Section

PAIRS_MAX = 1_000  # more than the exchange has


class Recorder(Section):
    """What the public feed says, on disk."""

    title: ClassVar[str] = "Recorder"

    directory: Annotated[Path, PlainValidator(absolute_path())] = Field(
        alias="BTCBOT_RECORD_DIR", description="An existing directory for the recordings; `--dir` overrides it."
    )
    pairs: Annotated[tuple[str, ...], PlainValidator(pairs_form(PAIRS_MAX))] = Field(
        alias="BTCBOT_PAIRS", description="What is recorded; `--pairs` overrides it."
    )
    bytes_max: Annotated[int, PlainValidator(count(1_000_000, 10**15))] = Field(
        20_000_000_000,
        alias="BTCBOT_RECORD_BYTES_MAX",
        description="Recording ends when all recordings in the directory reach this size; `--bytes-max` overrides it.",
    )
