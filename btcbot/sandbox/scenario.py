"""A timetable of what goes wrong: `[{"at_seconds": 60, "fault": {…}}, {"at_seconds": 90, "clear": true}, …]`.

A file of JSON, one list or one object a line. Each entry says when, counted from the opening of the sandbox on its own
clock, and one thing to do:

| entry                    | what is done                                                             |
|--------------------------|--------------------------------------------------------------------------|
| `"fault": {…}`           | the fault is set, as `POST /faults` on the admin port would              |
| `"clear": true`          | all faults are removed                                                   |
| `"halt_pair": "BTCTRY"`  | trading in the pair is halted: no order is taken, matched or triggered   |
| `"resume_pair": "BTCTRY"`| it goes on                                                               |

The whole file is read before the sandbox opens: what is wrong with it is said with the number of the entry. What was
done is in the record as `scenario_played`.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from btcbot.domain.errors import ConfigurationError
from btcbot.domain.money import ZERO, MalformedNumber, parse
from btcbot.domain.ports import Clock, Sleeper
from btcbot.sandbox.faults import Faults, MalformedFault, read_fault
from btcbot.sandbox.floor import Floor

BYTES_MAX = 4 * 1024 * 1024
DEEDS = ("fault", "clear", "halt_pair", "resume_pair")


class UnusableScenario(ConfigurationError):
    next_step = "correct the file that BTCBOT_SANDBOX_SCENARIO names, or leave the setting out"


@dataclass(frozen=True, slots=True)
class Step:
    number: int  # in the file, from 1
    at_seconds: Decimal
    deed: str
    what: object


class Scenario:
    """Plays the steps of a timetable, once."""

    def __init__(self, steps: Sequence[Step], floor: Floor, faults: Faults) -> None:
        self._steps = steps
        self._floor = floor
        self._faults = faults

    async def play(self, clock: Clock, sleeper: Sleeper) -> None:
        opened_at = clock.monotonic()
        for step in self._steps:
            await sleeper.sleep(max(opened_at + float(step.at_seconds) - clock.monotonic(), 0))
            self._do(step)

    def _do(self, step: Step) -> None:
        about = {"entry": step.number, "at_seconds": step.at_seconds, step.deed: step.what}
        self._floor.record.append("scenario_played", about, self._floor.now_ms())
        match step.deed:
            case "fault":
                self._faults.add(step.what)
            case "clear":
                self._faults.remove(None)
            case _:
                self._floor.set_frozen(str(step.what), is_frozen=step.deed == "halt_pair")


def read_scenario(path: Path | None, pairs: Collection[str]) -> tuple[Step, ...]:
    """The steps in the order in which they are played. Raises `UnusableScenario`."""
    if path is None:
        return ()
    try:
        if path.stat().st_size > BYTES_MAX:
            raise UnusableScenario(f"the scenario {path} is longer than {BYTES_MAX} bytes")
        entries = _entries(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnusableScenario(f"the scenario {path} cannot be read ({error.strerror})") from error
    except (ValueError, ArithmeticError, RecursionError) as error:  # arithmetic: a number beyond all bounds
        raise UnusableScenario(f"the scenario {path} is not JSON ({type(error).__name__})") from error
    steps = [_step(number, entry, pairs) for number, entry in enumerate(entries, 1)]
    return tuple(sorted(steps, key=lambda step: step.at_seconds))


def _entries(text: str) -> Sequence[object]:
    """Of one list, or of one object a line. Numbers stay texts: they may be money."""
    if text.lstrip().startswith("["):
        entries = _parsed(text)
        assert isinstance(entries, list), "it begins with a bracket"
        return entries
    return [_parsed(line) for line in text.splitlines() if line.strip()]


def _parsed(text: str) -> object:
    return json.loads(text, parse_float=Decimal, parse_constant=_not_a_number)


def _not_a_number(name: str) -> object:
    raise ValueError(f"{name} is no number")


def _step(number: int, entry: object, pairs: Collection[str]) -> Step:
    if not isinstance(entry, dict):
        raise UnusableScenario(f"entry {number} of the scenario is not an object")
    deeds = entry.keys() - {"at_seconds"}
    if len(deeds) != 1 or not deeds <= set(DEEDS):
        raise UnusableScenario(f"entry {number} of the scenario must have at_seconds and one of {', '.join(DEEDS)}")
    deed = deeds.pop()
    what = entry[deed]
    match deed:
        case "fault":
            try:
                read_fault(what, 0)
            except MalformedFault as error:
                raise UnusableScenario(f"entry {number} of the scenario: {error}") from error
        case "clear":
            if what is not True:
                raise UnusableScenario(f"entry {number} of the scenario: clear is true, or not there")
        case _:
            if what not in pairs:
                raise UnusableScenario(f"entry {number} of the scenario: {deed} is one of {', '.join(sorted(pairs))}")
    return Step(number, _seconds(number, entry.get("at_seconds")), deed, what)


def _seconds(number: int, value: object) -> Decimal:
    try:
        seconds = parse(str(value))
    except MalformedNumber as error:
        raise UnusableScenario(f"entry {number} of the scenario: at_seconds is a plain number") from error
    if seconds < ZERO:
        raise UnusableScenario(f"entry {number} of the scenario: at_seconds is not negative")
    return seconds
