"""What all programs here share: how a figure is told, held against its requirement, and taken on a shared machine."""

import argparse
import json
import os
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass

TOLERANCE = 1.25  # `--check` fails a figure that misses its requirement by more: machines are shared and noisy


@dataclass(frozen=True, slots=True)
class Figure:
    """One number, and what it has to be where something is required of it."""

    name: str
    value: float
    unit: str = ""
    at_most: float | None = None
    at_least: float | None = None
    note: str = ""

    @property
    def requirement(self) -> str:
        if self.at_most is not None:
            return f"≤ {self.at_most:g}"
        return "" if self.at_least is None else f"≥ {self.at_least:g}"

    @property
    def shown(self) -> str:
        is_whole = self.value == int(self.value)
        digits = (
            0
            if is_whole or abs(self.value) >= 100
            else 1
            if abs(self.value) >= 10
            else 3
            if abs(self.value) < 0.1
            else 2
        )
        return f"{self.value:,.{digits}f} {self.unit}".rstrip()

    def verdict(self, options: argparse.Namespace) -> str:
        """In words; a quick run measures nothing, so it says nothing."""
        if options.quick or not self.requirement:
            return ""
        return "met" if self.is_met() else "missed"

    def is_met(self, tolerance: float = 1.0) -> bool:
        too_high = self.at_most is not None and self.value > self.at_most * tolerance
        too_low = self.at_least is not None and self.value < self.at_least / tolerance
        return not (too_high or too_low)


def parser(description: str | None) -> argparse.ArgumentParser:
    """The options that every program has."""
    options = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    options.add_argument("--quick", action="store_true", help="a few rounds: shows that it runs, measures nothing")
    options.add_argument("--check", action="store_true", help=f"fail where a figure misses by {TOLERANCE - 1:.0%}%")
    options.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    return options


def tell(figures: Sequence[Figure], options: argparse.Namespace) -> int:
    """Print the figures; the exit status."""
    if options.json:
        print(json.dumps([asdict(figure) for figure in figures], ensure_ascii=False))
    else:
        width = max(len(figure.name) for figure in figures)
        for figure in figures:
            verdict = figure.verdict(options)
            columns = (f"{figure.name:{width}}", f"{figure.shown:>14}", f"{figure.requirement:8}", f"{verdict:7}")
            print("  ".join((*columns, figure.note)).rstrip())
    return int(options.check and not all(figure.is_met(TOLERANCE) for figure in figures))


def percentile(values: Sequence[float], percent: int) -> float:
    """The usual definition with interpolation; of a single value, that value."""
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def pin(core: int) -> None:
    """Keep this process on one core, so that it and what it talks to do not take turns on the same one."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) > 1:
        os.sched_setaffinity(0, {cores[core % len(cores)]})
