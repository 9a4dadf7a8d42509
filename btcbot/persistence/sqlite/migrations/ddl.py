"""The few shapes that all tables share: audit columns, the hash chain, triggers that keep history as it was written.

A trigger against UPDATE and DELETE is not enough: INSERT OR REPLACE passes it unless `recursive_triggers` is on, which
any other tool leaves off (reliability, finding 10). So every append-only table also refuses a row whose key exists.
"""

from collections.abc import Sequence

CHAIN = ("chain_sequence INTEGER NOT NULL UNIQUE", "chain_hash TEXT NOT NULL")


def table(role: str, name: str, columns: Sequence[str], *, constraints: Sequence[str] = ()) -> str:
    """A STRICT table with the audit columns; SQLite itself refuses a row that the other role wrote."""
    audit = (
        f"process_role TEXT NOT NULL CHECK (process_role = '{role}')",
        "process_instance_id TEXT NOT NULL",
        "cycle_id TEXT NOT NULL",
        "config_hash TEXT NOT NULL",
    )
    body = ",\n  ".join((*columns, *audit, *constraints))
    return f"CREATE TABLE {name} (\n  {body}\n) STRICT"


def chained(role: str, name: str, columns: Sequence[str], *, constraints: Sequence[str] = ()) -> str:
    """A table whose rows are links of the hash chain."""
    return table(role, name, (*columns, *CHAIN), constraints=constraints)


def append_only(name: str, *keys: str) -> tuple[str, ...]:
    """Rows are written once. `keys` are the unique columns, several of one key joined by `, `."""
    return (_refuse(name, "UPDATE"), _refuse(name, "DELETE"), written_once(name, *keys))


def written_once(name: str, *keys: str) -> str:
    """Refuse a second row under a key that exists, however the INSERT is written."""
    conditions = [f"EXISTS (SELECT 1 FROM {name} WHERE {_equal(key)})" for key in ("rowid", *keys)]
    return (
        f"CREATE TRIGGER {name}_written_once BEFORE INSERT ON {name}\n"
        f"WHEN {' OR '.join(conditions)}\n"
        f"BEGIN SELECT RAISE(ABORT, '{name}: the row exists and is written once'); END"
    )


def deletable_once_archived(name: str, bound: str, key: str = "id", *, unless: str = "0") -> tuple[str, ...]:
    """Instead of "no DELETE": none of what no archive holds, nor of the last row, nor of what is still referred to."""
    trigger = (
        f"CREATE TRIGGER {name}_no_delete BEFORE DELETE ON {name}\n"
        f"WHEN OLD.{key} > (SELECT coalesce(max({bound}), 0) FROM archives)\n"
        f"OR OLD.{key} = (SELECT max({key}) FROM {name}) OR {unless}\n"
        f"BEGIN SELECT RAISE(ABORT, '{name}: no delete'); END"
    )
    return f"DROP TRIGGER {name}_no_delete", trigger


def undeletable(name: str) -> str:
    """Rows may change and never vanish."""
    return _refuse(name, "DELETE")


def unchangeable(name: str, *columns: str) -> str:
    """Some columns of a row that may change otherwise."""
    return (
        f"CREATE TRIGGER {name}_unchangeable BEFORE UPDATE OF {', '.join(columns)} ON {name}\n"
        f"BEGIN SELECT RAISE(ABORT, '{name}: no change of {', '.join(columns)}'); END"
    )


def sealed(name: str) -> tuple[str, ...]:
    """Nothing is added, changed or removed any more."""
    return tuple(_refuse(name, verb) for verb in ("INSERT", "UPDATE", "DELETE"))


def one_of(column: str, words: Sequence[str]) -> str:
    """A column that takes only these words."""
    return f"{column} TEXT NOT NULL CHECK ({column} IN ({', '.join(repr(word) for word in words)}))"


def flag(column: str) -> str:
    return f"{column} INTEGER NOT NULL CHECK ({column} IN (0, 1))"


def _refuse(name: str, verb: str) -> str:
    what = verb.lower()
    return (
        f"CREATE TRIGGER {name}_no_{what} BEFORE {verb} ON {name}\nBEGIN SELECT RAISE(ABORT, '{name}: no {what}'); END"
    )


def _equal(key: str) -> str:
    return " AND ".join(f"{column} = NEW.{column}" for column in key.split(", "))
