"""The documentation, the shipped environment files and the code agree."""

import sys
from pathlib import Path

import pytest

from btcbot.config.reference import reference
from btcbot.config.settings import LIVE, MONITOR, RECORDER, SANDBOX, SECRETS, load_profile, load_sandbox_profile
from btcbot.domain.profiles import Role
from tests.unit.config.environments import Ground

PROJECT = Path(__file__).parents[3]
SHIPPED = PROJECT / "deploy" / "env"


def shipped(name: str, ground: Ground, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A tracked environment file as `with-env` reads it, with its places moved to ours."""
    monkeypatch.syspath_prepend(str(PROJECT / "deploy"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    import envfile

    variables = envfile.read(SHIPPED / f"{name}.env")
    places = {"/var/lib/btcbot": str(ground.root), "/run/btcbot": str(ground.root / "run")}
    for place, ours in places.items():
        variables = {variable: text.replace(place, ours) for variable, text in variables.items()}
    return variables


def test_the_documentation_holds_the_table_that_the_code_makes() -> None:
    text = (PROJECT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert text.endswith(reference()), "put the output of `python -m btcbot.config.reference` at its end"


def test_the_table_has_every_variable_once() -> None:
    names = {name for section in (*LIVE, *MONITOR, *SANDBOX, *RECORDER) for name in section.variables()} | set(SECRETS)
    cells = [line.split(" | ")[0].strip("| `") for line in reference().splitlines() if line.startswith("| `")]
    assert sorted(cells) == sorted(names)


def test_every_variable_is_explained() -> None:
    for section in (*LIVE, *MONITOR, *SANDBOX, *RECORDER):
        for name, field in section.model_fields.items():
            assert field.description, name
            assert field.description.endswith("."), name


@pytest.mark.parametrize("role", ["live", "monitor"])
def test_the_shipped_profile_of_a_worker_loads(ground: Ground, monkeypatch: pytest.MonkeyPatch, role: str) -> None:
    for name in ("monitor.key", "monitor.secret"):
        ground.secret(name, (ground.root / "sandbox" / name.replace("monitor", "live")).read_text())
    profile = load_profile(shipped(role, ground, monkeypatch))
    assert profile.common.role is Role(role)
    assert profile.common.endpoints.is_loopback
    assert len(profile.common.pairs) == 5
    assert profile.common.clock.rate == 20


def test_the_shipped_profile_of_the_sandbox_loads(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = load_sandbox_profile(shipped("sandbox", ground, monkeypatch))
    assert profile.source is None
    assert profile.clock.rate == 20


def test_the_shipped_profiles_hold_no_secret() -> None:
    for path in SHIPPED.glob("*.env"):
        assert not {"BTCTURK_API_KEY", "BTCTURK_API_SECRET"} & {
            line.partition("=")[0] for line in path.read_text().splitlines()
        }
