"""Coverage-guided fuzzing of every parser: `python -m tests.fuzz.harness [--seconds N | --runs N] [TARGET …]`.

Each target runs in a process of its own, from its seeds and from what earlier runs kept. A finding ends with status 1
and leaves its input beside them; once mended, the input belongs into tests/fuzz/regressions/TARGET. Memory and the time
of a single input are bounded.
"""

import argparse
import os
import random
import sys
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

import atheris

# The library narrates what it instruments.
with redirect_stderr(StringIO()), atheris.instrument_imports(include=["btcbot"]):
    from btcbot.domain.money import use_money_context
    from tests.fuzz.mutations import mutated
    from tests.fuzz.target import Target
    from tests.fuzz.targets import TARGETS

KEPT = Path(".cache") / "fuzz"
INPUT_BYTES_MAX = 16_384
MEGABYTES_MAX = 1_024
SECONDS_MAX = 60  # for one input: busy machines take their time


def fuzz(target: Target, kept: Path, limits: list[str]) -> None:
    """Never returns: the library ends the process."""
    corpus = kept / "corpus" / target.name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    use_money_context()
    atheris.Setup(
        [
            sys.argv[0], str(corpus), "-seed=1", f"-max_len={INPUT_BYTES_MAX}", f"-rss_limit_mb={MEGABYTES_MAX}",
            f"-timeout={SECONDS_MAX}", f"-artifact_prefix={kept}/finding-{target.name}-", "-verbosity=0", *limits,
        ],
        target.read, custom_mutator=mutate,
    )  # fmt: skip
    atheris.Fuzz()


def searched(target: Target, kept: Path, limits: list[str]) -> bool:
    """Whether nothing was found; what the library said is shown only if something was."""
    kept.mkdir(parents=True, exist_ok=True)
    said = kept / f"said-{target.name}.txt"
    child = os.fork()
    if child == 0:
        descriptor = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(descriptor, sys.stdout.fileno())
        os.dup2(descriptor, sys.stderr.fileno())
        fuzz(target, kept, limits)
    _, status = os.waitpid(child, 0)
    print(f"{target.name}: {said.read_text(errors='replace') if status else 'nothing found'}", flush=True)
    return status == 0


def mutate(data: bytes, size_max: int, seed: int) -> bytes:
    """Half of the time the library's own way, half of the time within the JSON that is there."""
    chance = random.Random(seed)
    return mutated(data, chance)[:size_max] if chance.random() < 0.5 else bytes(atheris.Mutate(data, size_max))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", choices=[[], *TARGETS], metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=0, help="for each target")
    parser.add_argument("--runs", type=int, default=0, help="of a target that costs 1; dearer ones get fewer")
    parser.add_argument("--keep", type=Path, default=KEPT, help=f"where inputs are kept, instead of {KEPT}")
    chosen = parser.parse_args()
    limits = [f"-max_total_time={chosen.seconds}"] if chosen.seconds else []
    are_fine = [
        searched(target, chosen.keep, limits + ([f"-runs={max(chosen.runs // target.cost, 1)}"] if chosen.runs else []))
        for target in map(TARGETS.__getitem__, chosen.targets or TARGETS)
    ]
    return 0 if all(are_fine) else 1


if __name__ == "__main__":
    sys.exit(main())
