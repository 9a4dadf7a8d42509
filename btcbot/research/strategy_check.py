"""Is a strategy fit to trade? Each promise that the rest of btcbot leans on is tried, on made-up candles of one seed.

The promises: it says the same of the same candles, whenever and by whichever instance it is asked, and changes nothing
that it is given; one candle at a time and all at once it says the same; after exactly its warm-up it says what it says
after years; it does not fail; and it lives through a run against the simulated exchange.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from btcbot.domain.errors import BtcbotError
from btcbot.domain.market import Candle
from btcbot.domain.money import Amount, Asset, Ratio
from btcbot.domain.signals import Direction
from btcbot.research.backtest import run_backtest
from btcbot.research.history import EPOCH, History
from btcbot.research.limits import shipped_limits
from btcbot.services.decision import DecisionParams
from btcbot.simulation.chance import chance, key_of
from btcbot.simulation.generator import CHARACTERS
from btcbot.strategy.code import NOTHING_SAID, Said, ask
from btcbot.strategy.language import Columns
from btcbot.strategy.strategy import Strategy

SEED = 1
CANDLES = 400  # after the warm-up
PLACES = 40  # at which the warm-up is tried
UNLIKE_SHARE_MAX = 0.05  # an average remembers a ten-thousandth of its seed: now and then that tips a comparison
PAIR = "BTCTRY"
TAKER_RATIO = Ratio(Decimal("0.0024"))


@dataclass(frozen=True, slots=True)
class Finding:
    """One promise, whether it is kept, and if not, what is wrong and what to do next."""

    name: str
    is_kept: bool
    what: str
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class _Story:
    """What a strategy said of candles: a direction, a confidence and a failure each."""

    said: tuple[tuple[Direction, float, str | None], ...]

    def first_unlike(self, other: "_Story") -> int | None:
        pairs = enumerate(zip(self.said, other.said, strict=True))
        return next((number for number, (one, two) in pairs if one != two), None)


def check(make: Callable[[], Strategy], currency: Asset, interval: timedelta) -> tuple[Finding, ...]:
    """All findings. `make` builds the strategy anew each time; what it raises goes through."""
    return tuple(_findings(make, currency, interval))


def _findings(make: Callable[[], Strategy], currency: Asset, interval: timedelta) -> Iterator[Finding]:
    strategy = replace(make(), interval=interval)
    candles = made_up_candles(PAIR, strategy.warm_up + CANDLES, interval)
    others = {pair: made_up_candles(pair, len(candles), interval) for pair in sorted(strategy.other_pairs)}
    kept = deepcopy((candles, others))
    first = _told(strategy, candles, others)
    yield _purity(strategy, candles, others, first, kept)
    yield _determinism(replace(make(), interval=interval), candles, others, first)
    yield _no_failure(first, candles)
    yield _two_worlds(replace(make(), interval=interval), candles, others, first)
    yield _warm_up(replace(make(), interval=interval), candles, others, first)
    yield _smoke(replace(make(), interval=interval), currency, interval)


def _purity(
    strategy: Strategy, candles: Sequence[Candle], others: Mapping[str, Sequence[Candle]], first: _Story, kept: object
) -> Finding:
    again = _told(strategy, candles, others)
    if (candles, others) != kept:
        return Finding("purity", False, "it changed the candles that it was given", "let on_candle change nothing")
    place = first.first_unlike(again)
    if place is not None:
        return Finding(
            "purity", False,
            f"asked again about the same {len(candles)} candles it says {again.said[place][0]} instead of "
            f"{first.said[place][0]} of candle {place + 1}",
            "keep nothing between two calls of on_candle: no attribute, global, clock or random number",
        )  # fmt: skip
    return Finding("purity", True, f"the same of the same {len(candles)} candles twice, and nothing changed")


def _determinism(
    fresh: Strategy, candles: Sequence[Candle], others: Mapping[str, Sequence[Candle]], first: _Story
) -> Finding:
    """Another instance that is asked about another pair in between, as in a worker with several pairs."""
    elsewhere = made_up_candles("ETHTRY", len(candles), candles[1].opened_at - candles[0].opened_at)
    place = first.first_unlike(_told(fresh, candles, others, beside=elsewhere))
    if place is not None:
        return Finding(
            "determinism", False, f"asked about another pair in between, it says something else of candle {place + 1}",
            "let on_candle depend on its view alone: pairs, instances and restarts must not matter",
        )  # fmt: skip
    return Finding("determinism", True, "another instance, asked about two pairs in turn, says the same")


def _no_failure(first: _Story, candles: Sequence[Candle]) -> Finding:
    failures = [(place, failure) for place, (_, _, failure) in enumerate(first.said) if failure is not None]
    if failures:
        place, failure = failures[0]
        return Finding(
            "no failure", False,
            f"on_candle failed on {len(failures)} of {len(candles)} candles, first on candle {place + 1}: {failure}",
            "while it fails nothing is bought: mend on_candle, perhaps for values that are None",
        )  # fmt: skip
    return Finding("no failure", True, "on_candle answered each candle")


def _two_worlds(
    strategy: Strategy, candles: Sequence[Candle], others: Mapping[str, Sequence[Candle]], first: _Story
) -> Finding:
    place = first.first_unlike(_in_batch(strategy, candles, others))
    if place is not None:
        return Finding(
            "streaming = batch", False, f"computed all at once, candle {place + 1} comes out otherwise",
            "let on_candle use view.candles and view.values alone; if it does, report this as a defect of btcbot",
        )  # fmt: skip
    return Finding("streaming = batch", True, "one candle at a time and all at once it says the same, to the last bit")


def _warm_up(
    strategy: Strategy, candles: Sequence[Candle], others: Mapping[str, Sequence[Candle]], first: _Story
) -> Finding:
    """Back-filled with exactly the warm-up, it says what it says after all candles before."""
    step = max((len(candles) - strategy.warm_up) // PLACES, 1)
    places = range(strategy.warm_up, len(candles), step)
    unlike = [
        place
        for place in places
        if _told(strategy, *_window(candles, others, place - strategy.warm_up, place)).said[-1][0]
        is not first.said[place - 1][0]
    ]
    if len(unlike) > UNLIKE_SHARE_MAX * len(places):
        return Finding(
            "warm-up", False,
            f"after exactly {strategy.warm_up} candles it says something else than after all of them, at {len(unlike)} "
            f"of {len(places)} places, first at candle {unlike[0]}",
            "do not use the level of a sum without end (obv), and let `candles` be as many as on_candle looks back",
        )  # fmt: skip
    return Finding("warm-up", True, f"{strategy.warm_up} candles are enough, tried at {len(places)} places")


def _smoke(strategy: Strategy, currency: Asset, interval: timedelta) -> Finding:
    pair = next(pair for pair, character in CHARACTERS.items() if character.listing.quote == currency)
    pairs = tuple(sorted({pair, *strategy.other_pairs}))
    candles = strategy.warm_up + CANDLES
    histories = [History(each, interval, tuple(made_up_candles(each, candles, interval))) for each in pairs]
    listings = {each: CHARACTERS[each].listing for each in pairs}
    params = DecisionParams(strategy, pairs, shipped_limits(currency, pairs), interval, timedelta(hours=1), TAKER_RATIO)
    try:
        run = run_backtest(histories, listings, params, Amount(Decimal(20_000), currency))
    except BtcbotError as error:
        return Finding("smoke run", False, f"the run ended: {error}", error.next_step)
    what = f"{run.decisions} decisions, {run.orders} orders, {len(run.executions)} fills against the simulated exchange"
    if run.halt is not None:
        what += f"; halted: {run.halt.reason}"
    if run.orders == 0:
        what += "; no order at all: is that what you want?"
    return Finding("smoke run", True, what)


def _told(
    strategy: Strategy, candles: Sequence[Candle], others: Mapping[str, Sequence[Candle]],
    beside: Sequence[Candle] = (),
) -> _Story:  # fmt: skip
    state, elsewhere, said = strategy.initial(), strategy.initial(), []
    for place, candle in enumerate(candles):
        news = {pair: (theirs[place],) for pair, theirs in others.items()}
        state = strategy.step(PAIR, state, candle, news)
        if beside:
            elsewhere = strategy.step("ETHTRY", elsewhere, beside[place], news)
        signal = strategy.signal(PAIR, state)
        said.append((signal.direction, signal.confidence, state.said.failure))
    return _Story(tuple(said))


def _in_batch(strategy: Strategy, candles: Sequence[Candle], others: Mapping[str, Sequence[Candle]]) -> _Story:
    """The columns of all expressions first, then every candle's signal out of them."""
    columns = Columns(candles, strategy.interval, others)
    shown = {name: columns.of(series) for name, series in strategy.shown}
    entry, way_out = columns.of(strategy.entry), columns.of(strategy.exit)
    sure = None if strategy.confidence is None else columns.of(strategy.confidence)
    said: list[tuple[Direction, float, str | None]] = []
    before = NOTHING_SAID
    for place in range(len(candles)):
        if place + 1 < strategy.warm_up:
            said.append((Direction.HOLD, 0.0, None))
            continue
        if strategy.code is not None:
            values = {name: column[place] for name, column in shown.items()}
            before = ask(strategy.code, PAIR, candles[: place + 1], values, before)
        value = 1.0 if sure is None else sure[place]
        said.append(_direction(before, entry[place] is True, way_out[place] is True, value))
    return _Story(tuple(said))


def _direction(
    code: Said, is_entry: bool, is_exit: bool, sure: float | bool | None
) -> tuple[Direction, float, str | None]:
    if is_exit or (code.direction is Direction.SELL and code.failure is None):
        return Direction.SELL, 1.0, code.failure
    if code.failure is not None:
        return Direction.HOLD, 0.0, code.failure
    if code.direction is Direction.BUY:
        return Direction.BUY, code.confidence, None
    if is_entry:
        return Direction.BUY, 0.0 if sure is None else min(max(float(sure), 0.0), 1.0), None
    return Direction.HOLD, 0.0, None


def _window(
    candles: Sequence[Candle], others: Mapping[str, Sequence[Candle]], first: int, end: int
) -> tuple[Sequence[Candle], Mapping[str, Sequence[Candle]]]:
    return candles[first:end], {pair: theirs[first:end] for pair, theirs in others.items()}


def made_up_candles(pair: str, count: int, interval: timedelta) -> list[Candle]:
    """A walk with waves, quiet hours and a gap in the prices, on the pair's own grid; the same each time."""
    character = CHARACTERS.get(pair, CHARACTERS[PAIR])
    step = Decimal(1).scaleb(-character.listing.price_decimals)
    key = key_of(SEED, pair)
    ticks, candles = round(character.home / float(step)), []
    for number in range(count):
        opened = ticks
        liveliness = 4 + 12 * (number // 60 % 3)
        ticks += (chance(key, 1, number) % (2 * liveliness + 1) - liveliness) * ticks // 10_000
        ticks += (1 if number // 45 % 2 else -1) * ticks // 2_500
        low, high = min(opened, ticks), max(opened, ticks)
        low -= chance(key, 2, number) % 10 * low // 10_000
        high += chance(key, 3, number) % 10 * high // 10_000
        numbers = (opened * step, high * step, low * step, ticks * step)
        candles.append(Candle(EPOCH + (number + 1) * interval, *numbers, Decimal(1 + chance(key, 4, number) % 50)))
    return candles
