"""Log lines for a person, and following a file that rotates."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from checkout.log_lines import LINE_LENGTH_MAX, Follower, compact, last_lines

ORDER = {
    "time": "2026-01-02T03:04:05.678901Z",
    "level": "INFO",
    "event": "order_sent",
    "process_role": "live",
    "config_hash": "f00",
    "cycle_id": "c-7",
    "price": "3512345.25",
    "why": "fast crossed slow",
    "levels": [1, 2],
}


def test_a_line_tells_time_process_level_event_and_its_own_fields() -> None:
    assert compact("btcbot-live", json.dumps(ORDER)) == (
        '03:04:05 live     info     order_sent price=3512345.25 why="fast crossed slow" levels=[1,2]'
    )


@pytest.mark.parametrize("raw", ["Traceback (most recent call last):", "{broken", "[1, 2]", "42", ""])
def test_what_is_not_a_json_object_stays_as_it_is(raw: str) -> None:
    assert compact("btcbot-live", raw) == f"         live              {raw}"


def test_nothing_in_a_log_steers_the_terminal() -> None:
    line = compact("btcbot-live", json.dumps({"event": "x", "text": "\x1b[2Jboo\u202e\r\n"}) + "\x1b]0;title\x07")
    assert "\x1b" not in line
    line = compact("btcbot-live", json.dumps({"event": "\x1b[2J", "text": "boo\u202e"}, ensure_ascii=False))
    assert line.isprintable()


def test_a_line_has_a_longest_length() -> None:
    assert len(compact("btcbot-live", "x" * 10_000)) == LINE_LENGTH_MAX
    compact("btcbot-live", "[" * 100_000)


def test_the_last_lines_are_those_since_a_place(tmp_path: Path) -> None:
    path = tmp_path / "log"
    assert last_lines(path, 3) == []
    path.write_text("one\ntwo\nthree\nfour\n")
    assert last_lines(path, 2) == ["three", "four"]
    assert last_lines(path, 9, since=8) == ["three", "four"]
    assert last_lines(path, 1, since=999) == ["four"]


def test_following_gives_whole_lines_from_now_on(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("before\n")
    with closing(Follower(path)) as follower, path.open("a") as log:
        log.write("one\ntw")
        log.flush()
        assert list(follower.lines()) == ["one"]
        log.write("o\n")
        log.flush()
        assert list(follower.lines()) == ["two"]
        assert list(follower.lines()) == []


def test_following_survives_rotation_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with closing(Follower(path)) as follower:
        assert list(follower.lines()) == []
        path.write_text("one\n")
        assert list(follower.lines()) == ["one"]
        with path.open("a") as log:
            log.write("two\n")
        path.rename(tmp_path / "log.1")
        path.write_text("three\n")
        assert list(follower.lines()) == ["two", "three"]
        path.write_text("4\n")
        assert list(follower.lines()) == ["4"]
