"""The settings of a worker's own backups."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, PlainValidator

from btcbot.config.forms import absolute_path, count, seconds
from btcbot.config.sections import Section


class Backups(Section):
    """Copies of this role's database, which its process takes and checks while it works."""

    title: ClassVar[str] = "Backups"

    directory: Annotated[Path | None, PlainValidator(absolute_path())] = Field(
        None,
        alias="BTCBOT_BACKUP_DIR",
        description="Where backups go; by default `backups` beside the database. Best on another disk.",
    )
    every_seconds: Annotated[Decimal, PlainValidator(seconds("60", "86400"))] = Field(
        Decimal(3600), alias="BTCBOT_BACKUP_SECONDS", description="A backup is taken this often."
    )
    bytes_max: Annotated[int, PlainValidator(count(1_000_000, 10**15))] = Field(
        20_000_000_000,
        alias="BTCBOT_BACKUP_BYTES_MAX",
        description="What this role's backups may take together; the oldest go first, the newest stays.",
    )
    archive_bytes: Annotated[int, PlainValidator(count(16_000_000, 10**12))] = Field(
        256_000_000,
        alias="BTCBOT_ARCHIVE_BYTES",
        description="Live: beyond this, what old cycles left in the database goes into a sealed, compressed archive.",
    )
