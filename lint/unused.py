"""`python -m lint.unused FOLDER...`: prints code that nothing in these folders uses; exits 1 if there is any.

Tests do not count as use: what only a test calls is dead. vulture goes by names, so a hit is certain and a miss is not.
"""

import sys

from vulture import Vulture

KINDS = frozenset({"function", "class", "method", "property", "unreachable_code"})

# Called by a library, by name.
CALLED_FROM_OUTSIDE = (
    "check",  # import-linter: Contract
    "render_broken_contract",  # import-linter: Contract
    "Meta",  # peewee: Model
    "db_value",  # peewee: Field
    "python_value",  # peewee: Field
    "settings_customise_sources",  # pydantic-settings: BaseSettings
    "process_redirect",  # websockets: connect
    "enqueue",  # logging.handlers: QueueHandler
    "handle",  # logging.handlers: QueueListener
    "handleError",  # logging: Handler
    "make_connection",  # xmlrpc.client: Transport
    "MayImportContract",  # import-linter: named in .importlinter
    "capture_signals",  # uvicorn: Server
    "get_source",  # importlib: InspectLoader
    "get_code",  # importlib: InspectLoader
)

# What is offered and not called from inside: each with who it is for.
OFFERED = (
    # Research, called from a person's own script.
    "run_backtest", "read_candles", "fees",
    # Strategies, called from a user's own.
    "hold",
    # What a person or a test counts and adds up to compare with the books.
    "balances_of", "counts", "lines_dropped",
)  # fmt: skip

CALLED_THROUGH_DECORATOR = (
    "@*.command",  # typer
    "@*.callback",  # typer
    "@*.register",  # functools.singledispatch
    "@field_validator",
    "@model_validator",
    "@field_serializer",
)


def unused(folders: list[str]) -> list[str]:
    """One line for each; the folders are those whose use counts."""
    vulture = Vulture(ignore_names=(*CALLED_FROM_OUTSIDE, *OFFERED), ignore_decorators=CALLED_THROUGH_DECORATOR)
    vulture.scavenge(folders)
    return [item.get_report() for item in vulture.get_unused_code(min_confidence=60) if item.typ in KINDS]


if __name__ == "__main__":
    found = unused(sys.argv[1:])
    for line in found:
        print(line)
    sys.exit(1 if found else 0)
