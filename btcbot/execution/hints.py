"""That something happened to our orders, heard on the private socket: a reason to look, never a truth.

Private frames are missing for some users and wrong at times (protocol 10.5), so nothing is read from them. Without a
login the bot is slower to look, and otherwise the same.
"""

import asyncio
import math

from btcbot.domain.events import Event
from btcbot.domain.ports import Clock, Observer, Sleeper
from btcbot.exchange.errors import Malformed
from btcbot.exchange.frame_text import read_frame
from btcbot.exchange.private import PrivateChannel
from btcbot.exchange.stream import Stream
from btcbot.exchange.wire import LoginFrame, LoginReplyFrame, OrderFrame, OrderMatchFrame, UserTradeFrame

NONCES = (3000, 15000)  # open question D3: the second is tried once, then REST has to do
RENEW_SECONDS = 4.5 * 3600.0  # not when the market's connection is renewed
APART_SECONDS = 1.0  # a storm of hints is one reason to look a second


class AccountHints:
    """`wait()` returns once something was heard since the last `clear()`, and a second apart at the least."""

    def __init__(
        self, ws_url: str, channel: PrivateChannel, clock: Clock, sleeper: Sleeper, observer: Observer
    ) -> None:
        self._channel = channel
        self._clock = clock
        self._sleeper = sleeper
        self._observer = observer
        self._heard = asyncio.Event()
        self._told_at = -math.inf
        self._gave_up = asyncio.Event()
        self._refusals = 0
        self._stream = Stream(
            ws_url, (), self, clock, sleeper, observer, name="account", login=self._login, renew_seconds=RENEW_SECONDS
        )

    async def wait(self) -> None:
        await self._heard.wait()
        left = self._told_at + APART_SECONDS - self._clock.monotonic()
        if left > 0:
            await self._sleeper.sleep(left)
        self._told_at = self._clock.monotonic()

    def clear(self) -> None:
        self._heard.clear()

    async def run(self) -> None:
        """Until cancelled. When the login was refused with every nonce it stays, and listens no more."""
        async with asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(self._stream.run())
            await self._gave_up.wait()
            listening.cancel()
        await asyncio.get_running_loop().create_future()

    def connected(self) -> None:
        self._heard.set()  # whatever happened while nobody listened

    def lost(self) -> None:
        self._heard.set()

    def frame(self, text: bytes) -> None:
        try:
            frame = read_frame(text)
        except Malformed:
            self._heard.set()  # it may have been about an order of ours
            raise
        match frame:
            case UserTradeFrame() | OrderMatchFrame() | OrderFrame():
                self._heard.set()
            case LoginReplyFrame() as reply:
                self._answered(reply)
            case _:
                pass  # the welcome

    def _answered(self, reply: LoginReplyFrame) -> None:
        if reply.ok:
            self._refusals = 0
            return
        self._refusals += 1
        self._observer.observed(Event.KEY_REFUSED, stream="account", said=reply.message, in_a_row=self._refusals)
        self._stream.abandon("the login was refused")
        if self._refusals >= len(NONCES):
            self._gave_up.set()

    def _login(self) -> LoginFrame:
        nonce = NONCES[min(self._refusals, len(NONCES) - 1)]
        signer = self._channel.signer
        return LoginFrame(
            public_key=signer.public_key, timestamp=signer.stamp(), nonce=nonce, signature=signer.login_signature(nonce)
        )
