"""Faults of what is shown and sent without being asked: the feed's, and those of books.

Some strike with every frame for as long as they are set, so the record has the first strike of each, and not all.
"""

from collections.abc import Mapping

from btcbot.sandbox.faults import Fault, FaultName, Faults
from btcbot.sandbox.floor import Floor


class FeedFaults:
    def __init__(self, faults: Faults, floor: Floor) -> None:
        self._faults = faults
        self._floor = floor
        self._told: set[int] = set()

    def __bool__(self) -> bool:
        """Whether there is any: most of the time there is none, and nobody need find out what it could match."""
        return bool(self._faults)

    def strike(self, name: FaultName, facts: Mapping[str, str]) -> Fault | None:
        fault = self._faults.strike(name, facts)
        if fault is not None and fault.number not in self._told:
            self._told.add(fault.number)
            about = {"id": fault.number, "fault": fault.name, "facts": dict(facts)}
            self._floor.record.append("fault_struck", about, self._floor.now_ms())
        return fault
