"""What every limit is used up to, what would be refused, and what the gate would say of one order that nobody made.

From the database alone: the last cycle is decided again over its stored inputs, and the state after it is what the next
order would be judged by. Nothing is asked, nothing is written.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from btcbot.domain.errors import BtcbotError, ExitCode, UsageError
from btcbot.domain.money import MalformedNumber, Price, Quantity, divide_half_even, parse, plain, round_ratio, round_up
from btcbot.domain.orders.intents import Intent, Purpose, Side
from btcbot.persistence.sqlite.story import NotOnRecord, story_of
from btcbot.risk.gate import Refused, assess
from btcbot.risk.ramp_up import ramp_up_until
from btcbot.risk.rules import ENTRY_MARGIN, MINUTE, RULES_AGE_MAX, SECOND, entries_within_hour, submits_within
from btcbot.risk.sizing import exit_quote
from btcbot.risk.view import RiskView
from btcbot.services.deciding.moment import Moment
from btcbot.services.explain_rules import RuleLook, looks
from btcbot.services.replay import Replayed, replayed

HYPOTHETICAL = "what-if"
FORM = "SIDE PAIR QUANTITY @ PRICE, as in BUY BTCTRY 0.001 @ 2500000"


class NotDecidedAgain(BtcbotError):
    """The last cycle's records do not tell what trading stood at."""

    exit_code = ExitCode.UNSAFE
    next_step = "let the worker commit a cycle, then ask again; `btcbot replay` says what its records lack"


@dataclass(frozen=True, slots=True)
class Use:
    """One limit: how much of it is used, and how much is left. `pair` is nothing for a limit on all of them."""

    limit: str
    pair: str | None
    used: str
    most: str
    left: str
    is_at_limit: bool


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the gate would say of an order of this side right now."""

    pair: str
    order: str  # the smallest buy, or the whole sale; or why there is none
    reasons: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class RiskReport:
    cycle_id: str
    taken_at: datetime
    halt_reason: str | None
    is_paused: bool
    ramp_up_until: datetime | None
    uses: tuple[Use, ...]
    outlooks: tuple[Outlook, ...]


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Every rule's verdict on one order."""

    taken_at: datetime
    order: str
    reservation: str
    rules: tuple[RuleLook, ...]

    @property
    def refusals(self) -> tuple[RuleLook, ...]:
        return tuple(rule for rule in self.rules if rule.refusal is not None)


def risk_report(path: Path) -> RiskReport:
    """Every limit and its use after the last committed cycle. Raises `NotOnRecord` and `NotDecidedAgain`."""
    again, moment = _last(path)
    trading = moment.state.trading
    views = [moment.view(pair) for pair in moment.pairs]
    until = ramp_up_until(trading, moment.params.limits)
    return RiskReport(
        cycle_id=again.cycle_id,
        taken_at=moment.now,
        halt_reason=trading.halt_reason,
        is_paused=trading.is_paused,
        ramp_up_until=until if until is not None and moment.now < until else None,
        uses=(*_in_all(views[0]), *(use for view in views for use in _of_pair(view))),
        outlooks=tuple(outlook for view in views for outlook in _outlooks(moment, view)),
    )


def what_if(path: Path, words: Sequence[str]) -> WhatIf:
    """What each rule says of the order that these words make: `BUY BTCTRY 0.001 @ 2500000`.

    A buy is judged as an entry, a sale as an exit. Raises `UsageError`, `NotOnRecord` and `NotDecidedAgain`.
    """
    side, pair, quantity, price = _read(words)
    _, moment = _last(path)
    if pair not in moment.pairs:
        raise UsageError(f"{pair} is not traded; there is {', '.join(moment.pairs)}")
    view = moment.view(pair)
    if view.market is None:
        raise UsageError(f"nothing is known of the market of {pair}, not even its grids")
    wanted = _intent(view, side, quantity, price)
    return WhatIf(moment.now, _told(wanted), str(wanted.reservation(view.fee_ratio)), looks(wanted, view))


def _last(path: Path) -> tuple[Replayed, Moment]:
    """The last cycle, and the state that it left."""
    with story_of(path) as story:
        bounds = story.bounds()
        if bounds is None:
            raise NotOnRecord("this database holds no cycle yet")
        (again,) = replayed(story, bounds[1], bounds[1])
    if again.decided is None or again.differences:
        why = again.untold or "; ".join(again.differences)
        raise NotDecidedAgain(f"the last cycle, {again.cycle_id}, cannot be decided again: {why}")
    decided = again.decided
    return again, Moment(decided.after, decided.snapshot, decided.params, HYPOTHETICAL)


def _read(words: Sequence[str]) -> tuple[Side, str, Quantity, Price]:
    parts = " ".join(words).replace("@", " ").split()
    try:
        side, pair, quantity, price = parts
        return Side(side.lower()), pair.upper(), Quantity(parse(quantity)), Price(parse(price))
    except (ValueError, MalformedNumber):
        raise UsageError(f"{' '.join(words)[:80]!r} is no order; write {FORM}") from None


def _intent(view: RiskView, side: Side, quantity: Quantity, price: Price) -> Intent:
    assert view.market is not None, "an order has an instrument"
    purpose = Purpose.ENTRY if side is Side.BUY else Purpose.EXIT
    reference = Price(price if view.mid is None else view.mid)
    return Intent(f"{HYPOTHETICAL}/{view.pair}/0", view.market.instrument, side, purpose, quantity, price, reference)


def _in_all(view: RiskView) -> Iterator[Use]:
    state, limits = view.state, view.limits
    exposed = view.held_in_all() + view.reserved_by_buys()
    yield _amount("exposure", None, exposed.number, limits.exposure_max.number)
    yield _amount("loss of the day", None, max(-state.day_pnl, Decimal(0)), limits.day_loss_max.number)
    if state.equity_peak > 0:
        fallen = _ratio(state.equity_peak - state.equity, state.equity_peak)
        yield _amount("drawdown", None, fallen, limits.drawdown_ratio_max)
    yield _count("orders at work", None, len(state.orders), limits.open_orders_max)
    yield _count("submits in a minute", None, submits_within(view, MINUTE), limits.submits_per_minute_max)
    yield _count("submits in a second", None, submits_within(view, SECOND), limits.submits_per_second_max)
    yield Use("notional of one order", None, "", plain(limits.order_notional_max.number), "", is_at_limit=False)
    spendable = view.spendable()
    if spendable is not None:
        is_spent = spendable.number <= 0
        yield Use("to spend", None, str(view.reserved_by_buys()), str(view.own_cash()), str(spendable), is_spent)


def _of_pair(view: RiskView) -> Iterator[Use]:
    pair, limits, held = view.pair, view.limits, view.instrument_state
    position = view.held(pair) + view.reserved_by_buys(pair)
    yield _amount("position", pair, position.number, limits.position_notional_max.number)
    yield _count("orders at work", pair, len(view.state.working(pair)), limits.open_orders_per_instrument_max)
    yield _count("entries in an hour", pair, entries_within_hour(view), limits.entries_per_hour_max)
    yield _count("entries in a day", pair, held.entries_of_day, limits.entries_per_day_max)
    if held.entered_at:
        waited = view.now - max(held.entered_at)
        yield _wait("since the last entry", pair, waited, limits.entry_cooldown)
    if held.marks:
        low, high = min(mark for _, mark in held.marks), max(mark for _, mark in held.marks)
        yield _amount("move within the window", pair, _ratio(high - low, low), limits.volatility_ratio_max)
    if held.paused_until is not None and view.now < held.paused_until:
        yield Use("volatility pause", pair, "on", held.paused_until.isoformat(), "", is_at_limit=True)
    market = view.market
    if market is None:
        return
    quantity_max = limits.order_quantity_max(market.instrument.base)
    most = "not set" if quantity_max is None else str(quantity_max)
    yield Use("quantity of one order", pair, "", most, "", is_at_limit=quantity_max is None)
    yield _age("age of the market", pair, market.book_age, limits.market_age_max)
    yield _age("book without a change", pair, market.still_for, limits.book_still_max)
    yield _age("age of the rules", pair, market.rules_age, RULES_AGE_MAX)
    if view.mid is not None and view.mid > 0:
        spread = market.book.asks[0].price - market.book.bids[0].price
        yield _amount("spread", pair, _ratio(spread, view.mid), limits.spread_ratio_max)


def _outlooks(moment: Moment, view: RiskView) -> Iterator[Outlook]:
    market = view.market
    if market is None or moment.unpriceable(view.pair):
        reasons = tuple((reason.name, reason.numbers) for reason in moment.unfit(view.pair))
        yield Outlook(view.pair, "no order can be priced", reasons)
        return
    instrument = market.instrument
    price = instrument.price_up(market.book.asks[0].price)
    worth = min(price, market.book.bids[0].price)
    lots = round_up(round_ratio(instrument.notional_min * ENTRY_MARGIN, worth), instrument.lot_step)
    yield _judged(view, _intent(view, Side.BUY, Quantity(lots), price))
    quote = exit_quote(view, market)
    if quote is not None:
        yield _judged(view, _intent(view, Side.SELL, quote.quantity, quote.price))


def _judged(view: RiskView, wanted: Intent) -> Outlook:
    verdict = assess(wanted, view)
    return Outlook(view.pair, _told(wanted), verdict.named_reasons() if isinstance(verdict, Refused) else ())


def _told(wanted: Intent) -> str:
    return f"{wanted.side} {plain(wanted.quantity)} {wanted.instrument.base} at {plain(wanted.price)}"


def _amount(limit: str, pair: str | None, used: Decimal, most: Decimal) -> Use:
    return Use(limit, pair, _short(used), plain(most), _short(most - used), used >= most)


def _count(limit: str, pair: str | None, used: int, most: int) -> Use:
    return Use(limit, pair, str(used), str(most), str(most - used), used >= most)


def _age(limit: str, pair: str, used: timedelta, most: timedelta) -> Use:
    return Use(limit, pair, _seconds(used), _seconds(most), _seconds(most - used), not timedelta() <= used <= most)


def _wait(limit: str, pair: str, waited: timedelta, least: timedelta) -> Use:
    left = max(least - waited, timedelta())
    return Use(limit, pair, _seconds(waited), f"at least {_seconds(least)}", f"{_seconds(left)} to wait", bool(left))


def _ratio(part: Decimal, whole: Decimal) -> Decimal:
    """To six decimals: for eyes, never for a comparison."""
    return divide_half_even(part, whole, Decimal("0.000001"))


def _short(number: Decimal) -> str:
    """Eight decimals are enough for eyes."""
    return plain(round_up(number, Decimal("0.00000001")))


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():g} s"
