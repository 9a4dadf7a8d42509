"""An observer that keeps what it was told, for tests to look at."""

from btcbot.domain.events import Event


class Remembering:
    """An `Observer` that keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[Event, dict[str, object]]] = []

    def observed(self, event: Event, **fields: object) -> None:
        self.told.append((event, fields))

    def fields_of(self, event: Event) -> list[dict[str, object]]:
        return [fields for told, fields in self.told if told is event]
