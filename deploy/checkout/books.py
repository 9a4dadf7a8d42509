"""The books: live's and the monitor's database and the sandbox's record, in `var/lib`.

They belong together, and to the market they were begun with: positions and prices of one market mean nothing in
another. So the options they were begun with lie beside them, and who wants new books moves the old ones away, whole.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from checkout.files import write
from checkout.options import REMEMBERED
from checkout.places import Checkout
from checkout.terminal import CONFIGURATION, Problem

# The speed may change: it says how fast the same market passes. The clock rate may not: time would run backwards.
MARKET = ("BTCBOT_SANDBOX_SEED", "BTCBOT_SANDBOX_SOURCE", "BTCBOT_PAIRS", "BTCBOT_CLOCK_RATE")


def remembered_options(checkout: Checkout) -> dict[str, str]:
    """The options that were given for these books so far; none for books that are not begun."""
    path = _memory(checkout)
    try:
        read = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        read = None
    if not isinstance(read, dict) or not set(read) <= set(REMEMBERED):
        raise Problem(f"{path} is not as `up` wrote it. Next: delete it and give the options again", CONFIGURATION)
    return {name: str(value) for name, value in read.items()}


def remember_options(checkout: Checkout, options: Mapping[str, str]) -> None:
    write(_memory(checkout), json.dumps(options, indent=1) + "\n")


def _memory(checkout: Checkout) -> Path:
    return checkout.var / "lib" / "options.json"


def refuse_another_market(checkout: Checkout, begun: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    """Once there is a record, the sandbox's settings may not name another market than it was begun with."""
    if not (checkout.var / "lib" / "sandbox" / "record.jsonl").exists():
        return
    differing = [
        f"{name} {begun.get(name)}, not {wanted.get(name)}" for name in MARKET if begun.get(name) != wanted.get(name)
    ]
    if differing:
        raise Problem(
            f"the books in {checkout.var / 'lib'} were begun with {'; '.join(differing)}. "
            f"Next: `{checkout.next_step('fresh')}` moves them aside for new ones, or pass --root DIR for others there",
            CONFIGURATION,
        )


def move_books(checkout: Checkout) -> Path | None:
    """Where the books are now; None when there were none. Nothing is deleted."""
    books, old = checkout.var / "lib", checkout.var / "old"
    if not books.exists():
        return None
    _refuse_real_books(checkout)
    old.mkdir(mode=0o700, exist_ok=True)
    number = 1
    while (old / str(number)).exists():
        number += 1
    return books.rename(old / str(number))


def _refuse_real_books(checkout: Checkout) -> None:
    """What was traded on a real exchange is not begun anew by a command made for rehearsals."""
    is_written = all(checkout.env(role).exists() for role in ("live", "monitor"))
    if is_written and not checkout.with_sandbox():
        raise Problem(
            f"{checkout.env('live')} and {checkout.env('monitor')} do not both name the sandbox, so these may be the "
            f"books of a real exchange. Next: if they are done with, move {checkout.var / 'lib'} away yourself",
            CONFIGURATION,
        )
