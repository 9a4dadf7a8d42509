"""What local processes and files say to us: control and feed lines, settings."""

from datetime import UTC, datetime

from pydantic import TypeAdapter, ValidationError

from btcbot.config.endpoints import endpoint
from btcbot.config.forms import (
    Form,
    Misfit,
    absolute_path,
    boolean,
    canonical,
    count,
    decimal,
    market_source,
    pairs,
    port,
    seconds,
    strategy_name,
    strategy_params,
    zone,
)
from btcbot.config.sections import Section
from btcbot.config.settings import COMMON, LIVE, MONITOR, RECORDER, SANDBOX
from btcbot.domain.control import ControlAnswer, ControlRequest, MalformedControlLine, read_answer, read_request
from btcbot.domain.feed import FeedKind, FeedMessage, MalformedFeedLine, read_feed_line, read_resume_line
from tests.fuzz.target import Target, texts, typed, with_prefixes

FORMS: tuple[Form[object], ...] = (
    boolean(), decimal("0", "1000000"), decimal("0.01", "3600", 2), seconds("5", "3600"), count(0, 2**63 - 1), port(),
    pairs(), absolute_path(), market_source(), zone(), strategy_name(), strategy_params(), endpoint("http", "https"),
    endpoint("ws", "wss"),
)  # fmt: skip
GOOD = (
    "true", "0.10", "60", "7", "BTCTRY,ETHTRY", "/var/lib/btcbot/live.db", "generator", "Europe/Istanbul", "ema_cross",
    '{"fast": 9, "slow": 21, "exit": true}', "https://api.btcturk.com", "ws://127.0.0.1:18082",
)  # fmt: skip
SECTIONS: tuple[type[Section], ...] = tuple(dict.fromkeys((*COMMON, *LIVE, *MONITOR, *SANDBOX, *RECORDER)))


def form(data: bytes) -> None:
    """A value in one of the forms: `Misfit`, which never repeats the value, or one that can be written down."""
    text = data[1:].decode("utf-8", "surrogateescape")
    said = ""
    try:
        canonical(FORMS[data[0] % len(FORMS)](text) if data else None)
    except Misfit as misfit:
        said = str(misfit)
    assert len(text) < 16 or text not in said, "a message repeats the value"


def section(data: bytes) -> None:
    """One value for every variable of a section, as pydantic reads it."""
    text = data[1:].decode("utf-8", "surrogateescape")
    kind = SECTIONS[data[0] % len(SECTIONS)] if data else SECTIONS[0]
    try:
        TypeAdapter(kind).validate_python(dict.fromkeys(kind.variables(), text))
    except ValidationError:
        return


TARGETS = (
    Target("settings-form", form, with_prefixes(range(len(FORMS)), texts(*GOOD))),
    Target("settings-section", section, with_prefixes(range(len(SECTIONS)), texts("1", "true", "BTCTRY"))),
    Target("control-request", typed(read_request, MalformedControlLine), (
        ControlRequest("1", "pause", {}).line(), ControlRequest("2", "assign", {"asset": "BTC"}).line(),
    )),
    Target("control-answer", typed(read_answer, MalformedControlLine), (
        ControlAnswer("1", True, "paused", "").line(),
    )),
    Target("feed-line", typed(read_feed_line, MalformedFeedLine), (
        FeedMessage(7, FeedKind.ORDER, datetime(2026, 1, 5, tzinfo=UTC), {"order": "1", "amount": "0.1"}).line(),
    )),
    Target("feed-resume", typed(read_resume_line, MalformedFeedLine), texts('{"resume_after": 0}\n')),
)  # fmt: skip
