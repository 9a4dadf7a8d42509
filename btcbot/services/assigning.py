"""Coins that were in the account before the bot: left alone until an operator assigns them.

The ledger counts every coin of the account from its opening on; an assignment says how many of them the bot may sell.
They count at the market's middle of that moment: capital in kind, and no result.
"""

from decimal import Decimal

from btcbot.domain.balances import Balance
from btcbot.domain.errors import BtcbotError
from btcbot.domain.events import Event
from btcbot.domain.instruments import Instrument
from btcbot.domain.ledger import Assignment
from btcbot.domain.money import ZERO, Asset, MalformedNumber, parse, plain
from btcbot.domain.orders.intents import Side
from btcbot.domain.state import CoinsAssigned
from btcbot.services.run_loop import LiveParts, RunLoopService


class NotAssigned(BtcbotError):
    """Nothing was changed."""

    next_step = "settle what the message names, then assign again"


class Assigning:
    def __init__(self, parts: LiveParts, service: RunLoopService) -> None:
        self._parts = parts
        self._service = service

    async def assign(self, asset: str, quantity: str, reason: str, by: str) -> str:
        """Make coins the bot's own and say so. Raises `NotAssigned` or what a reading of the account raises."""
        instrument = self._instrument(asset.strip().upper())
        wanted = _quantity(quantity.strip())
        async with self._service.exclusively():
            findings = await self._service.compared()
            if findings.open_points:
                raise NotAssigned(f"the books are not clean: {'; '.join(findings.open_points)}")
            self._require_free(instrument, wanted, findings.balances)
            price = self._price(instrument)
            now = self._parts.runtime.clock.now()
            at = now.replace(microsecond=now.microsecond // 1000 * 1000)  # as it is stored
            self._parts.store.assign(
                Assignment(instrument.pair, instrument.base, instrument.quote, wanted, price, reason, by, at)
            )
            self._parts.book.take(CoinsAssigned(instrument.pair, wanted, price, at))
        held = self._parts.book.state.trading.instrument(instrument.pair).position
        self._parts.events.observed(
            Event.COINS_ASSIGNED,
            pair=instrument.pair,
            quantity=wanted,
            price=price,
            position=held,
            reason=reason,
            by=by,
        )
        return (
            f"{plain(wanted)} {instrument.base} are the bot's now, counted at {plain(price)} {instrument.quote} each; "
            f"its position is {plain(held)} {instrument.base}"
        )

    def _instrument(self, asset: str) -> Instrument:
        instruments = self._parts.market.instruments.values()
        found = next((instrument for instrument in instruments if instrument.base == asset), None)
        if found is None:
            bases = ", ".join(sorted(instrument.base for instrument in instruments)) or "none yet"
            raise NotAssigned(f"{asset[:12]!r} is not what a traded pair sells (those are {bases})")
        return found

    def _require_free(self, instrument: Instrument, wanted: Decimal, balances: tuple[Balance, ...]) -> None:
        """What is there, not bound by orders that are not ours, and not the bot's already."""
        base = instrument.base
        held = next((each for each in balances if each.asset == base), Balance(Asset(base), ZERO, ZERO, ZERO))
        trading = self._parts.book.state.trading
        position = trading.instrument(instrument.pair).position
        for_sale = sum((order.left for order in trading.working(instrument.pair) if order.side is Side.SELL), ZERO)
        free = min(held.total - position, held.available - (position - for_sale))
        if wanted > free:
            raise NotAssigned(
                f"only {plain(max(free, ZERO))} {base} can be assigned: {plain(held.total)} are there, "
                f"{plain(position)} of them the bot's already, and {plain(held.held - for_sale)} bound by orders that "
                "are not its own"
            )

    def _price(self, instrument: Instrument) -> Decimal:
        view = self._parts.market.snapshot({}).views.get(instrument.pair)
        mid = None if view is None else view.book.mid
        if view is None or mid is None or view.book_age > self._parts.profile.limits.market_age_max:
            raise NotAssigned(f"there is no fresh price of {instrument.pair} to count them at")
        return mid


def _quantity(text: str) -> Decimal:
    try:
        quantity = parse(text)
    except MalformedNumber as error:
        raise NotAssigned(f"{text[:40]!r} is not a number of coins as in 0.25") from error
    if quantity <= 0:
        raise NotAssigned("the number of coins must be above zero")
    return quantity
