"""What the tape hands on, letter for letter, and what makes it say that a frame may be missing."""

import pytest

from btcbot.domain.profiles import Endpoints
from btcbot.exchange.errors import Malformed
from btcbot.market_data.tape import PublicTape
from tests.unit.persistence.world import Witness
from tests.unit.services.world import HandClock

PAIRS = ("BTCTRY", "ETHTRY")


class Listener:
    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.reasons: list[str] = []

    def connected(self) -> None: ...

    def lost(self) -> None: ...

    def heard(self, frame: bytes) -> None:
        self.frames.append(frame)

    def missed(self, what: str) -> None:
        self.reasons.append(what)


class Sleeper:
    async def sleep(self, seconds: float) -> None: ...


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def tape(listener: Listener) -> PublicTape:
    endpoints = Endpoints("http://127.0.0.1:9", "http://127.0.0.1:9", "ws://127.0.0.1:9", is_loopback=True)
    tape = PublicTape(endpoints, PAIRS, listener, HandClock(), Sleeper(), Witness())
    tape.connected()
    return tape


def book(kind: int, number: int, pair: str = "BTCTRY") -> bytes:
    return b'[%d,{"CS":%d,"PS":"%s","AO":[],"BO":[]}]' % (kind, number, pair.encode())


def test_market_frames_are_handed_on_letter_for_letter(tape: PublicTape, listener: Listener) -> None:
    frames = [book(431, 7), b'[402, {"PS":"BTCTRY" ,"A":"1.10"}]', b'[422,{"A":"1.0E-9"}]', '[421,{"x":"₺"}]'.encode()]
    for frame in frames:
        tape.frame(frame)
    assert listener.frames == frames
    assert listener.reasons == []


@pytest.mark.parametrize("kind", [991, 100, 114, 423, 441, 451, 777])
def test_what_is_not_the_market_is_left_out(tape: PublicTape, listener: Listener, kind: int) -> None:
    tape.frame(b'[%d,{"ok":true}]' % kind)
    assert (listener.frames, listener.reasons) == ([], [])


def test_numbers_that_follow_one_another_are_no_news(tape: PublicTape, listener: Listener) -> None:
    for frame in (book(432, 3), book(431, 7), book(432, 8), book(432, 8), book(432, 9), book(431, 40), book(432, 41)):
        tape.frame(frame)
    assert listener.reasons == []
    assert tape.silent_pairs() == ("ETHTRY",)


def test_a_number_that_is_left_out_is_told_and_the_frame_kept(tape: PublicTape, listener: Listener) -> None:
    tape.frame(book(431, 7))
    tape.frame(book(432, 9))
    assert listener.reasons == ["the numbers of BTCTRY jumped"]
    assert len(listener.frames) == 2


def test_each_connection_counts_anew(tape: PublicTape, listener: Listener) -> None:
    tape.frame(book(431, 7))
    tape.connected()
    tape.frame(book(431, 90))
    assert listener.reasons == []
    tape.connected()
    assert tape.silent_pairs() == PAIRS


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"{}",
        b"[432]",
        b"[432,[]]",
        b'[432,{"CS":1}]',
        b'[432,{"CS":"x","PS":"BTCTRY"}]',
        b'[402,{"A":"\xff"}]',
        b"no",
    ],
)
def test_a_frame_that_cannot_be_read_may_have_been_one_that_counts(
    tape: PublicTape, listener: Listener, frame: bytes
) -> None:
    with pytest.raises(Malformed):
        tape.frame(frame)
    assert listener.frames == []
    assert listener.reasons == ["a frame could not be read"]
