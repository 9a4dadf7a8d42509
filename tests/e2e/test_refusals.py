"""What is refused at the door: one line, the right exit code, and not a byte changed."""

import hashlib
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.stack import Stack, change, stack

LOCKED, OWNERSHIP, CONFIGURATION, UNREACHABLE = 73, 77, 78, 69
STOOD_STILL_SECONDS = 6.0  # real ones; the clock runs twenty times as fast


def one_line(text: str) -> str:
    assert text.count("\n") == 1, text
    assert text.startswith("btcbot: "), text
    assert "Next: " in text, text
    return text


def contents(database: Path) -> dict[str, str]:
    """Each file of a database and what is in it; the lock file, which a refused start may make, is left out."""
    files = sorted(database.parent.glob(f"{database.name}*"))
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files if not path.name.endswith(".lock")
    }


@pytest.fixture(scope="module")
def running() -> Iterator[Stack]:
    with stack("--seed", "5") as made:
        yield made


@pytest.mark.timeout(200)
def test_a_second_writer_is_refused_and_told_who_holds_the_lock(running: Stack) -> None:
    holder = running.pid("btcbot-live")
    second = running.btcbot("live", "run")
    assert second.code == LOCKED
    assert f"process {holder} (live" in one_line(second.err)
    assert running.pid("btcbot-live") == holder
    watcher = running.btcbot("monitor", "health", "--watch")
    assert watcher.code == LOCKED
    assert f"process {running.pid('btcbot-monitor')} (monitor" in one_line(watcher.err)


@pytest.mark.timeout(300)
def test_the_other_roles_database_is_refused_and_stays_byte_identical(running: Stack) -> None:
    assert running.ctl("stop", "btcbot-live", "btcbot-monitor").code == 0
    try:
        before = (contents(running.live_db), contents(running.monitor_db))
        swapped = {"STATE_DB_PATH": str(running.live_db), "BTCBOT_PEER_STATE_DB_PATH": str(running.monitor_db)}
        watcher = running.btcbot("monitor", "health", "--watch", **swapped)
        assert watcher.code == OWNERSHIP
        assert "live" in one_line(watcher.err)
        swapped = {"STATE_DB_PATH": str(running.monitor_db), "BTCBOT_PEER_STATE_DB_PATH": str(running.live_db)}
        live = running.btcbot("live", "run", **swapped)
        assert live.code == OWNERSHIP
        assert "monitor" in one_line(live.err)
        assert (contents(running.live_db), contents(running.monitor_db)) == before
    finally:
        assert running.ctl("start", "btcbot-live", "btcbot-monitor").code == 0


@pytest.mark.timeout(200)
@pytest.mark.parametrize("kind", ["truncated", "garbage", "foreign"])
def test_what_is_no_database_of_ours_is_refused(running: Stack, tmp_path: Path, kind: str) -> None:
    tmp_path.chmod(0o700)
    database = tmp_path / "live.db"
    if kind == "truncated":
        database.write_bytes(running.live_db.read_bytes()[:3000])
    elif kind == "garbage":
        database.write_bytes(b"liras, not a database\n" * 500)
    else:
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("CREATE TABLE diary (day TEXT)")
            connection.commit()
    database.chmod(0o600)
    before = contents(database)
    refused = running.btcbot("live", "run", STATE_DB_PATH=str(database))
    assert refused.code == OWNERSHIP
    one_line(refused.err)
    assert contents(database) == before


@pytest.mark.timeout(200)
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("BTCBOT_RISK_ORDER_NOTIONAL_MAX", "5.000,00"),
        ("BTCBOT_RISK_ORDER_NOTIONAL_MAX", "5e3"),
        ("BTCBOT_RISK_ORDER_NOTIONAL_MAX", "NaN"),
        ("BTCBOT_RISK_ORDER_NOTIONAL_MAX", ""),
        ("BTCBOT_RISK_ORDER_NOTIONALMAX", "5000"),
        ("SAFE_MODE", "False"),
        ("LIVE_TRADING_ACK", "real orders on api.btcturk.com"),
        ("BTCBOT_STRATEGY_PARAMS", '{"fast": 9, "slow": 3}'),
    ],
)
def test_settings_that_make_no_sense_are_named(running: Stack, variable: str, value: str) -> None:
    refused = running.btcbot("live", "check", **{variable: value})
    assert refused.code == CONFIGURATION
    assert variable in one_line(refused.err)


@pytest.mark.timeout(200)
def test_a_monitor_without_safe_mode_does_not_boot(running: Stack) -> None:
    for value in ("True", "1", "false", ""):
        refused = running.btcbot("monitor", "health", "--watch", SAFE_MODE=value)
        assert refused.code == CONFIGURATION, value
        assert "SAFE_MODE" in one_line(refused.err)


@pytest.mark.timeout(200)
def test_a_wrong_key_is_refused_in_one_line_without_the_key(running: Stack, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    database, key = tmp_path / "live.db", tmp_path / "key"
    key.write_text("00000000-1111-2222-3333-444444444444\n")
    key.chmod(0o600)
    run_dir = running.root / "other"
    run_dir.mkdir(mode=0o700)
    refused = running.btcbot(
        "live", "run", STATE_DB_PATH=str(database), BTCTURK_API_KEY_FILE=str(key), BTCBOT_RUN_DIR=str(run_dir)
    )  # fmt: skip
    assert refused.code == CONFIGURATION
    assert "refused the API key" in one_line(refused.err)
    assert "00000000-1111" not in refused.err + refused.out
    assert not database.exists(), "nothing was written"


@pytest.mark.timeout(300)
def test_the_monitor_is_refused_lives_key_whether_live_runs_or_not(running: Stack, tmp_path: Path) -> None:
    """98: before it writes or asks anything."""
    tmp_path.chmod(0o700)
    own = {"STATE_DB_PATH": str(tmp_path / "monitor.db")}
    keys = {
        name: running.settings("live")[name] for name in ("BTCTURK_API_KEY_FILE", "BTCTURK_API_SECRET_FILE")
    }  # fmt: skip
    assert running.ctl("stop", "btcbot-monitor").code == 0
    try:
        beside = running.btcbot("monitor", "health", "--watch", **own, **keys)
        assert running.ctl("stop", "btcbot-live").code == 0
        seen = len(running.record())
        alone = running.btcbot("monitor", "health", "--watch", **own, **keys)
        once = running.btcbot("monitor", "health", **own, **keys)
        checked = running.btcbot("monitor", "check", **own, **keys)
        asked = [line for line in running.record()[seen:] if line["kind"] == "request"]
    finally:
        assert running.ctl("start", "btcbot-live", "btcbot-monitor").code == 0
    assert [done.code for done in (beside, alone, once, checked)] == [CONFIGURATION] * 4
    assert "need a key each" in one_line(beside.err)
    for refused in (alone, once, checked):
        assert "BTCTURK_API_KEY is live's" in one_line(refused.err)
    assert asked == []
    assert not (tmp_path / "monitor.db").exists(), "nothing was written"


@pytest.mark.timeout(300)
def test_a_worker_that_stood_still_sends_nothing_that_it_decided_before(running: Stack) -> None:
    """49: SIGSTOP for two minutes of its time, then SIGCONT: what is sent afterwards was decided afterwards."""
    worker = running.pid("btcbot-live")
    cycles = "SELECT count(*) FROM cycles"
    sent = "SELECT orders.created_at FROM order_history JOIN orders USING (order_id) WHERE after = 'sending' AND at > ?"
    newest = "SELECT max(at) FROM outbox"
    os.kill(worker, signal.SIGSTOP)
    try:
        stopped_at = str(running.rows(newest)[0][0])
        time.sleep(STOOD_STILL_SECONDS)
    finally:
        os.kill(worker, signal.SIGCONT)
    enough = running.count(cycles) + 20
    running.until(lambda: running.count(cycles) >= enough, 90, "twenty more cycles")
    assert running.pid("btcbot-live") == worker
    assert [at for (at,) in running.rows(sent, stopped_at) if str(at) <= stopped_at] == []
    gap = running.rows(
        "SELECT max(julianday(b.started_at) - julianday(a.started_at)) * 86400 FROM cycles a "
        "JOIN cycles b ON b.id = a.id + 1"
    )
    assert float(str(gap[0][0])) > STOOD_STILL_SECONDS * 10, "it really stood still"


@pytest.mark.timeout(300)
def test_an_orphan_of_a_killed_supervisord_keeps_its_lock_until_it_is_gone(running: Stack) -> None:
    """102: a new worker is refused by it, be it started by hand or by a new supervisord."""
    orphan = running.pid("btcbot-live")
    others = [running.pid(name) for name in ("btcbot-monitor", "btcbot-sandbox")]
    os.kill(int((running.var / "run" / "supervisord.pid").read_text()), signal.SIGKILL)
    by_hand = running.btcbot("live", "run")
    assert by_hand.code == LOCKED
    assert f"process {orphan} (live" in one_line(by_hand.err)
    for other in others:
        os.kill(other, signal.SIGKILL)
    running.start_daemon()
    try:
        refused = ("FATAL", "EXITED")  # whether it came to that within `startsecs` is up to the machine
        running.until(lambda: running.state("btcbot-live") in refused, 90, "the new one's live is refused")
        assert running.state("btcbot-monitor") == "RUNNING"
        os.kill(orphan, 0)  # it still runs, undisturbed
    finally:
        os.kill(orphan, signal.SIGTERM)
        running.until(lambda: not Path(f"/proc/{orphan}").exists(), 60, "the orphan has ended in order")
        assert running.ctl("start", "btcbot-live").code == 0
    assert running.pid("btcbot-live") != orphan


@pytest.mark.timeout(200)
def test_a_key_that_may_not_trade_is_refused_at_the_start(running: Stack, tmp_path: Path) -> None:
    """110: it reads the account, and the first order would have found out."""
    tmp_path.chmod(0o700)
    run_dir = running.root / "reads"
    run_dir.mkdir(mode=0o700)
    database = tmp_path / "live.db"
    reads = {
        name: running.settings("monitor")[name] for name in ("BTCTURK_API_KEY_FILE", "BTCTURK_API_SECRET_FILE")
    }  # fmt: skip
    own = {"STATE_DB_PATH": str(database), "BTCBOT_RUN_DIR": str(run_dir)}
    for words in (("run",), ("check",)):
        refused = running.btcbot("live", *words, **own, **reads)
        assert refused.code == CONFIGURATION, refused.err
        assert "read the account and refuses it a cancel" in one_line(refused.err)
    assert not database.exists(), "nothing was written"


@pytest.mark.timeout(300)
def test_without_network_a_check_gives_up_and_supervisord_does_not_loop_on_bad_settings(running: Stack) -> None:
    nowhere = {f"BTCTURK_{name}_URL": f"http://127.0.0.1:{port}" for name, port in (("API", 9), ("GRAPH", 9))}
    acknowledged = {"LIVE_TRADING_ACK": "real orders on 127.0.0.1:9"}
    assert running.ctl("stop", "btcbot-live").code == 0
    given_up = running.btcbot("live", "check", **nowhere, **acknowledged)
    assert given_up.code == UNREACHABLE, given_up.err
    one_line(given_up.err)

    settings = running.var / "env" / "live.env"
    before = settings.read_text("utf-8")
    change(settings, {"BTCBOT_RISK_DAY_LOSS_MAX": "2,000"})
    try:
        running.ctl("start", "btcbot-live")
        running.until(lambda: "FATAL" in running.ctl("status", "btcbot-live").out, 60, "live FATAL")
        assert "RUNNING" in running.ctl("status", "btcbot-monitor").out
        assert running.btcbot("monitor", "health").code == 2, "the monitor says that live is gone"
    finally:
        settings.write_text(before, "utf-8")
        assert running.ctl("start", "btcbot-live").code == 0
