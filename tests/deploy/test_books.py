"""The books and the market they were begun with: options are remembered, others refused, `fresh` moves all."""

from pathlib import Path

import envfile
import pytest

from tests.deploy.stand_in import StandInCheckout, replace_in

ROLES = ("sandbox", "monitor", "live")


def settings(checkout: StandInCheckout) -> dict[str, str]:
    """The environment files, by role."""
    return {role: (checkout.var / f"env/{role}.env").read_text() for role in ROLES}


def sandbox(checkout: StandInCheckout) -> dict[str, str]:
    return envfile.read(checkout.var / "env/sandbox.env")


@pytest.fixture
def begun(checkout: StandInCheckout) -> StandInCheckout:
    """Books of seed 7 with a record."""
    assert checkout.up("prepare", "--seed", "7", "--ports", "31000").returncode == 0
    (checkout.var / "lib/sandbox/record.jsonl").write_text("{}\n")
    return checkout


def test_what_is_not_given_again_stays_as_it_was(begun) -> None:
    before = settings(begun)
    again = begun.up("prepare")
    assert again.returncode == 0, again.stderr
    assert settings(begun) == before
    assert begun.up("prepare", "--speed", "3").returncode == 0
    values = sandbox(begun)
    names = ("SANDBOX_SEED", "SANDBOX_SPEED", "SANDBOX_API_PORT")
    assert [values[f"BTCBOT_{name}"] for name in names] == ["7", "3", "31000"]
    # Time would run backwards in books that were kept at another rate.
    assert begun.up("prepare", "--clock-rate", "2").returncode == 78


def test_a_deleted_copy_comes_back_with_the_remembered_options(begun) -> None:
    before = settings(begun)
    for role in ROLES:
        (begun.var / f"env/{role}.env").unlink()
    assert begun.up("prepare").returncode == 0
    assert settings(begun) == before


def test_options_that_were_refused_are_not_remembered(begun) -> None:
    assert begun.up("prepare", "--seed", "8").returncode == 78
    assert begun.up("prepare").returncode == 0
    assert sandbox(begun)["BTCBOT_SANDBOX_SEED"] == "7"


@pytest.mark.parametrize("memory", ["", "[]", '{"seed"', '{"colour": "red"}'])
def test_a_memory_that_is_not_ours_is_named(begun, memory: str) -> None:
    path = begun.var / "lib/options.json"
    path.write_text(memory)
    refused = begun.up("prepare")
    assert refused.returncode == 78
    assert refused.stderr == f"up: {path} is not as `up` wrote it. Next: delete it and give the options again\n"


@pytest.mark.parametrize(
    ("words", "differing"),
    [
        (["--seed", "8"], "BTCBOT_SANDBOX_SEED 7, not 8"),
        (["--pairs", "BTCTRY"], "BTCBOT_PAIRS BTCTRY,ETHTRY,SOLTRY,AVAXTRY,XRPTRY, not BTCTRY"),
        (["--source", __file__], f"BTCBOT_SANDBOX_SOURCE generator, not {__file__}"),
        (["--seed", "8", "--pairs", "A"], "BTCBOT_SANDBOX_SEED 7, not 8; BTCBOT_PAIRS "),
    ],
)
def test_another_market_is_refused_under_the_same_books(begun, words: list[str], differing: str) -> None:
    before = settings(begun)
    refused = begun.up("start", *words)
    assert refused.returncode == 78
    assert refused.stderr.startswith(f"up: the books in {begun.var}/lib were begun with {differing}")
    assert refused.stderr.endswith(
        "Next: `make fresh` moves them aside for new ones, or pass --root DIR for others there\n"
    )
    assert refused.stderr.count("\n") == 1
    assert settings(begun) == before
    assert not (begun.var / "log/supervisord.out").exists()


def test_another_market_is_refused_when_the_tracked_file_or_nothing_names_the_old_one(begun) -> None:
    (begun.var / "env/sandbox.env").unlink()
    assert begun.up("prepare", "--seed", "8").returncode == 78
    assert begun.up("prepare").returncode == 0
    replace_in(begun.root / "deploy/env/sandbox.env", "BTCBOT_PAIRS=BTCTRY,", "BTCBOT_PAIRS=")
    refused = begun.up("prepare")
    assert refused.returncode == 78
    assert "BTCBOT_PAIRS BTCTRY,ETHTRY,SOLTRY,AVAXTRY,XRPTRY, not ETHTRY,SOLTRY,AVAXTRY,XRPTRY" in refused.stderr


def test_another_market_is_fine_before_there_is_a_record(begun) -> None:
    (begun.var / "lib/sandbox/record.jsonl").unlink()
    assert begun.up("prepare", "--seed", "8").returncode == 0
    assert sandbox(begun)["BTCBOT_SANDBOX_SEED"] == "8"


def test_the_next_step_for_another_root_names_it(checkout, short_tmp: Path) -> None:
    root = ("--root", str(short_tmp / "other"))
    assert checkout.up("prepare", *root).returncode == 0
    (short_tmp / "other/var/lib/sandbox/record.jsonl").write_text("{}\n")
    refused = checkout.up("prepare", "--seed", "8", *root)
    assert f"Next: `{checkout.root}/deploy/up fresh --root {short_tmp}/other` moves" in refused.stderr
    assert checkout.up("fresh", *root).returncode == 0
    assert checkout.up("prepare", "--seed", "8", *root).returncode == 0


def test_fresh_moves_the_books_and_their_options_and_deletes_nothing(begun) -> None:
    books = {path.relative_to(begun.var / "lib") for path in (begun.var / "lib").rglob("*")}
    for number in ("1", "2"):
        moved = begun.up("fresh")
        old = begun.var / "old" / number
        assert (moved.returncode, moved.stderr) == (0, "")
        assert moved.stdout.startswith(f"moved the books to {old}; ")
        assert not (begun.var / "lib").exists()
        assert begun.up("prepare").returncode == 0
    assert {path.relative_to(begun.var / "old/1") for path in (begun.var / "old/1").rglob("*")} == books
    values = sandbox(begun)
    assert (values["BTCBOT_SANDBOX_SEED"], values["BTCBOT_SANDBOX_API_PORT"]) == ("1", "18080")


def test_fresh_without_books_says_so(checkout) -> None:
    moved = checkout.up("fresh")
    assert (moved.returncode, moved.stdout) == (0, "there are no books yet\n")
    assert not (checkout.var / "old").exists()


def test_fresh_leaves_the_books_of_a_real_exchange_alone(begun) -> None:
    replace_in(begun.var / "env/live.env", "http://127.0.0.1:31000\n", "https://api.example.org\n")
    refused = begun.up("fresh")
    assert refused.returncode == 78
    assert "may be the books of a real exchange. Next: " in refused.stderr
    assert (begun.var / "lib/sandbox/record.jsonl").exists()
