"""The table of every variable, made from the code: `python -m btcbot.config.reference` prints it for the docs."""

import sys
from collections.abc import Iterator

from btcbot.config.forms import canonical
from btcbot.config.sections import Section, form_of
from btcbot.config.settings import COMMON, LIVE, MONITOR, RECORDER, SANDBOX

_HEAD = ("variable", "role", "default", "written as", "meaning")
_SECRETS = (
    ("BTCTURK_API_KEY", "text of at least 8 characters", "The API key. Live: trade and read; monitor: read only."),
    ("BTCTURK_API_KEY_FILE", "an absolute path", "The file with the API key; exactly one of the two is set."),
    ("BTCTURK_API_SECRET", "base64", "The secret of the key, as the exchange handed it out."),
    ("BTCTURK_API_SECRET_FILE", "an absolute path", "The file with the secret; exactly one of the two is set."),
)  # fmt: skip


def reference() -> str:
    """Markdown: a table for each section, in the order in which a start judges them."""
    sections = dict.fromkeys((*LIVE, *MONITOR, *SANDBOX, *RECORDER))
    return "\n".join(line for section in sections for line in _section(section))


def _section(section: type[Section]) -> Iterator[str]:
    yield f"### {section.title}"
    yield ""
    yield _row(*_HEAD)
    yield _row(*("---" for _ in _HEAD))
    for name, field in section.model_fields.items():
        if section in (SANDBOX[0], RECORDER[0]) and any(field.alias in other.variables() for other in COMMON):
            continue  # the pairs, told where the workers have them
        default = "required" if field.is_required() else _told(field.default)
        yield _row(
            f"`{field.alias}`",
            _roles(field.alias or name),
            default,
            form_of(section, name).words,
            field.description or "",
        )
    if section.title == "Exchange":
        for name, words, meaning in _SECRETS:
            yield _row(f"`{name}`", "live, monitor", "one of the two forms", words, meaning)
    yield ""


def _roles(variable: str) -> str:
    roles = (("live", LIVE), ("monitor", MONITOR), ("sandbox", SANDBOX), ("recorder", RECORDER))
    return ", ".join(role for role, sections in roles if any(variable in section.variables() for section in sections))


def _told(default: object) -> str:
    return f"`{canonical(default)}`" if default not in (None, ()) else "none"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.stdout.write(reference())
