"""Every figure, from one run of every program: the table of docs/performance.md, printed.

Each program runs alone. Without options this takes about eight minutes; `--quick` shows that all of them run. With
`--check` the exit status tells whether a figure misses what is required of it, beyond the tolerance.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from figures import TOLERANCE, Figure, parser

HERE = Path(__file__).parent
SECONDS_MAX = 900


@dataclass(frozen=True, slots=True)
class Program:
    name: str
    options: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        return " ".join((self.name, *self.options))


PROGRAMS = (
    Program("orders.py"),
    Program("warm.py"),
    Program("reaction.py"),
    Program("feed.py"),
    Program("sandbox_load.py"),
    Program("sandbox_load.py", ("--reads",)),
    Program("sandbox_memory.py"),
    Program("live_memory.py"),
    Program("engine.py"),
    Program("decisions.py"),
    Program("indicators.py"),
    Program("commits.py"),
    Program("startup.py"),
    Program("space.py"),
    Program("reports.py"),
)


def figures_of(program: Program, is_quick: bool) -> list[Figure]:
    command = [sys.executable, str(HERE / program.name), *program.options, "--json"]
    if is_quick:
        command.append("--quick")
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=SECONDS_MAX, check=True)
    return [Figure(**document) for document in json.loads(ended.stdout)]


def main() -> int:
    options = parser(__doc__).parse_args()
    missed: list[Figure] = []
    everything: list[dict[str, object]] = []
    if not options.json:
        print("| figure | required | measured | | program |\n|---|---|---:|---|---|", flush=True)
    for program in PROGRAMS:
        for figure in figures_of(program, options.quick):
            if not figure.is_met(TOLERANCE):
                missed.append(figure)
            shown = f"{figure.shown} ({figure.note})" if figure.note else figure.shown
            row = (figure.name, figure.requirement, shown, figure.verdict(options), f"`{program.shown}`")
            everything.append({"program": program.shown, "figure": figure.name, "value": figure.value})
            if not options.json:
                print(f"| {' | '.join(row)} |", flush=True)
    if options.json:
        print(json.dumps(everything, ensure_ascii=False))
    return int(options.check and bool(missed))


if __name__ == "__main__":
    sys.exit(main())
