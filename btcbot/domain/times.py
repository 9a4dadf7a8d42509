"""How a moment is written: ISO 8601, UTC, milliseconds, with the letter Z."""

from datetime import UTC, datetime


def iso_utc(moment: datetime) -> str:
    """`2026-03-01T12:00:00.000Z`. A moment without a zone is taken as UTC: this shows, it does not judge."""
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return aware.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
