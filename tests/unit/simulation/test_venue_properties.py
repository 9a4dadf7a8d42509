"""Whatever is done to the venue, in whatever order and under whatever rules: priority is kept, money is conserved,
orders add up, and what happened gives the same venue again.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from btcbot.domain.money import ZERO, parse, use_money_context
from btcbot.domain.orders.intents import Side
from btcbot.simulation.happenings import Liquidity, Means
from btcbot.simulation.rules import MarketRest, SelfTrade, TriggeredBy, VenueRules
from tests.unit.simulation.scripted import (
    ALICE,
    BOB,
    BTC_TRY,
    CAROL,
    ETH_TRY,
    OTHER_PAIR,
    PAIR,
    RULES,
    TRY,
    ScriptedMarket,
    again,
    opened,
    placed,
    request,
)
from tests.unit.simulation.witness import Witness, check, standing

ACCOUNTS = (ALICE, BOB, CAROL)
Step = tuple[str, int, str, str, int, int]  # what, whose, pair, side, price (or which), lots


def _steps(*kinds: str, pairs: Sequence[str] = (PAIR, OTHER_PAIR)) -> st.SearchStrategy[list[Step]]:
    step = st.tuples(
        st.sampled_from(kinds), st.sampled_from(ACCOUNTS), st.sampled_from(pairs), st.sampled_from(["buy", "sell"]),
        st.integers(min_value=990, max_value=1_010), st.integers(min_value=1, max_value=900),
    )  # fmt: skip
    return st.lists(step, min_size=20, max_size=40)


PLAIN = ("wait", "limit", "limit", "limit", "cancel", "book", "print")
ALL = (*PLAIN, "market", "stop", "stop", "stop market", "freeze", "force", "later", "tier", "deposit", "withdraw")
RULE_SETS = st.builds(
    VenueRules,
    cancel_ms=st.sampled_from([0, 300, 900]),
    release_ms=st.sampled_from([0, 300]),
    market_rest=st.sampled_from(MarketRest),
    self_trade=st.sampled_from(SelfTrade),
    triggered_by=st.sampled_from(TriggeredBy),
    is_stop_buy_in_quote=st.booleans(),
    is_rest_charged_as_taker=st.booleans(),
)


def _quantity(lots: int) -> str:
    return f"{lots // 100}.{lots % 100:02d}"


class Play:
    def __init__(self, rules: VenueRules, funds: str) -> None:
        self.market = ScriptedMarket(listings=(BTC_TRY, ETH_TRY))
        for pair in self.market.listings:
            self.market.shows("995x3 990x9", "1005x3 1010x9", pair)
        self.venue = opened(self.market, funds, accounts=ACCOUNTS, rules=rules)
        self.witness = Witness(self.venue)
        self.witness.hears()
        self.now_ms = 0
        self._do: dict[str, Callable[[Step], None]] = {
            "limit": self._limit, "market": self._at_market, "stop": self._stop, "stop market": self._stop,
            "cancel": self._cancel, "freeze": self._freeze, "force": self._force, "later": self._later,
            "tier": self._tier, "deposit": self._deposit, "withdraw": self._withdraw,
        }  # fmt: skip

    def all(self, steps: Sequence[Step]) -> "Play":
        for step in steps:
            self.step(step)
            check(self.venue, self.witness)
            self._check_shown()
        return self

    def _check_shown(self) -> None:
        """A book that is shown again is the same object; one that is made anew would look like it."""
        for pair in self.market.listings:
            shown = self.venue.shown(pair)
            assert self.venue.shown(pair) is shown
            self.venue._state.books[pair].changed()
            assert self.venue.shown(pair) is shown

    def step(self, step: Step) -> None:
        kind, _, pair, side, price, lots = step
        self.now_ms += 200
        if kind == "book":
            text = _quantity(lots)
            self.market.shows(f"{price - 2}x{text} {price - 5}x4", f"{price + 2}x{text} {price + 5}x4", pair)
        elif kind == "print":
            self.market.prints(self.now_ms, price, _quantity(lots), side, pair)
        self.venue.advance(self.now_ms)
        if kind in self._do:
            self._do[kind](step)
        self.witness.hears()

    def _price(self, pair: str, ticks: int) -> str:
        return str(self.market.listings[pair].price(ticks))

    def _submit(self, step: Step, text: str) -> None:
        self.venue.submit(step[1], request(text, pair=step[2]), self.now_ms)

    def _limit(self, step: Step) -> None:
        _, _, pair, side, price, lots = step
        self._submit(step, f"{side} {_quantity(lots)} @ {self._price(pair, price)}")

    def _later(self, step: Step) -> None:
        _, account, pair, side, price, lots = step
        wanted = request(f"{side} {_quantity(lots)} @ {self._price(pair, price)}", pair=pair)
        self.venue.submit_later(account, wanted, self.now_ms + lots)

    def _at_market(self, step: Step) -> None:
        _, _, _, side, _, lots = step
        self._submit(step, f"{side} {lots * 10 if side == 'buy' else _quantity(lots)} @ market")

    def _stop(self, step: Step) -> None:
        kind, _, pair, side, price, lots = step
        limit = "market" if kind == "stop market" else self._price(pair, price)
        is_in_quote = limit == "market" and side == "buy" and self.venue.rules.is_stop_buy_in_quote
        self._submit(
            step, f"{side} {lots * 10 if is_in_quote else _quantity(lots)} @ {limit} from {self._price(pair, price)}"
        )

    def _cancel(self, step: Step) -> None:
        if order_id := self._some_order(step):
            self.venue.cancel(step[1], order_id, self.now_ms)

    def _force(self, step: Step) -> None:
        if order_id := self._some_order(step):
            self.venue.force_fill(order_id, self.now_ms, parse(_quantity(step[5])))

    def _some_order(self, step: Step) -> int:
        ids = list(self.venue.orders)
        return ids[step[4] % len(ids)] if ids else 0

    def _freeze(self, step: Step) -> None:
        if self.venue.is_trading(step[2]):
            self.venue.freeze(step[2], self.now_ms)
        else:
            self.venue.thaw(step[2], self.now_ms)

    def _tier(self, step: Step) -> None:
        self.venue.set_fee_tier(step[1], step[5] % 8, self.now_ms)

    def _deposit(self, step: Step) -> None:
        self.venue.deposit(step[1], Means.FIAT, TRY, parse(_quantity(step[5])), self.now_ms, fee=parse("0.01"))

    def _withdraw(self, step: Step) -> None:
        self.venue.withdraw(step[1], Means.FIAT, TRY, parse(_quantity(step[5])), self.now_ms, lasts_ms=step[4])


@settings(max_examples=150, deadline=None)
@given(_steps(*ALL), RULE_SETS)
def test_priority_is_kept_money_is_conserved_and_orders_add_up(steps: Sequence[Step], rules: VenueRules) -> None:
    use_money_context()
    Play(rules, "20000 TRY, 20 BTC, 200 ETH").all(steps)


@settings(max_examples=60, deadline=None)
@given(_steps(*ALL, pairs=(PAIR,)), RULE_SETS)
def test_a_poor_account_is_never_overdrawn(steps: Sequence[Step], rules: VenueRules) -> None:
    use_money_context()
    Play(rules, "1003.4024 TRY, 0.5 BTC").all(steps)


@settings(max_examples=60, deadline=None)
@given(_steps(*PLAIN, pairs=(PAIR,)))
def test_many_orders_at_few_prices_keep_their_turns(steps: Sequence[Step]) -> None:
    """The same with a book in which most orders meet one another."""
    use_money_context()
    Play(RULES, "2000000 TRY, 2000 BTC").all([(*step[:4], 999 + step[4] % 3, step[5]) for step in steps])


@settings(max_examples=60, deadline=None)
@given(_steps(*ALL), RULE_SETS)
def test_the_past_gives_the_same_venue_and_the_same_steps_the_same_past(
    steps: Sequence[Step], rules: VenueRules
) -> None:
    use_money_context()
    play = Play(rules, "20000 TRY, 20 BTC, 200 ETH").all(steps)
    twin = Play(rules, "20000 TRY, 20 BTC, 200 ETH").all(steps)
    assert twin.witness.past == play.witness.past
    later = again(play.venue, play.witness.past)
    assert standing(later) == standing(play.venue)
    assert not later.news()


@settings(max_examples=60, deadline=None)
@given(_steps(*PLAIN), st.sampled_from(["buy", "sell"]), st.integers(985, 1_015), st.integers(11, 2_000))
def test_an_order_takes_what_everybody_sees_from_the_best_price_on(
    steps: Sequence[Step], side: str, limit: int, lots: int
) -> None:
    """And once it is taken, nobody sees it any more."""
    use_money_context()
    venue = Play(RULES, "100000 TRY, 100 BTC, 200 ETH").all(steps).venue
    venue.fund(9, BTC_TRY.quote, parse("10000000"), 0)
    venue.fund(9, BTC_TRY.base, parse("10000000"), 0)
    shown = venue.shown(PAIR)
    order = placed(venue, f"{side} {_quantity(lots)} @ {limit}", account=9)
    offered = shown.asks if side == "buy" else shown.bids
    expected, left = list[tuple[Decimal, int]](), lots
    for ticks, there in offered.items():
        if left and (ticks <= limit if side == "buy" else ticks >= limit):
            expected.append((Decimal(ticks), min(there, left)))
            left -= min(there, left)
    taken: dict[Decimal, Decimal] = {}
    for match in order.matches:
        taken[match.price] = taken.get(match.price, ZERO) + match.quantity * 100
    assert list(taken.items()) == expected
    now = venue.shown(PAIR)
    for ticks, there in (now.asks if side == "buy" else now.bids).items():
        assert there == offered[ticks] - taken.get(Decimal(ticks), 0)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 500),
    st.lists(st.tuples(st.sampled_from(["print", "shrink", "grow", "sell"]), st.integers(1, 200)), max_size=12),
)
def test_a_resting_order_waits_for_the_queue_before_it_and_not_for_who_comes_later(
    queue: int, steps: Sequence[tuple[str, int]]
) -> None:
    """Beside three lines of arithmetic: what is before it, what is shown, what it got."""
    use_money_context()
    market = ScriptedMarket(f"1000x{_quantity(queue)}" if queue else "", "1005x5")
    venue = opened(market, "1000000 TRY, 1000 BTC", accounts=(ALICE, BOB))
    order = placed(venue, "buy 4 @ 1000")
    ahead, shown, got = queue, queue, 0
    for number, (kind, lots) in enumerate(steps, start=1):
        now_ms = number * 100
        if kind in ("shrink", "grow"):
            shown = max(shown - lots, 0) if kind == "shrink" else shown + lots
            ahead = min(ahead, shown)
            market.shows(f"1000x{_quantity(shown)}" if shown else "", "1005x5")
        elif kind == "print":
            market.prints(now_ms, 1000, _quantity(lots), "sell")
            got, ahead = min(got + max(lots - ahead, 0), 400), max(ahead - lots, 0)
        venue.advance(now_ms)
        if kind == "sell" and lots >= 10 and order.is_open:
            offered = dict(venue.shown(PAIR).bids).get(1000, 0)
            placed(venue, f"sell {_quantity(lots)} @ 1000", now_ms, BOB)
            before = min(ahead, lots)
            got, ahead = min(got + lots - before, 400), ahead - before
            shown_left = offered - lots
            if shown_left <= 0 or order.is_closed:
                break
            shown = max(shown - before, 0)
            market.shows(f"1000x{_quantity(shown)}" if shown else "", "1005x5")
            venue.advance(now_ms)
            ahead = min(ahead, shown)
    assert order.filled * 100 == got


@settings(max_examples=60, deadline=None)
@given(_steps(*PLAIN), RULE_SETS)
def test_makers_pay_the_makers_rate_at_their_own_price(steps: Sequence[Step], rules: VenueRules) -> None:
    use_money_context()
    venue = Play(rules, "20000 TRY, 20 BTC, 200 ETH").all(steps).venue
    for match in venue.matches:
        order = venue.orders[match.order_id]
        if match.liquidity is Liquidity.MAKER:
            assert match.price == order.accepted.price
            if not rules.is_rest_charged_as_taker:
                rate = order.rates.maker
                assert match.fee + match.tax <= match.price * match.quantity * rate + parse("0.00000001")
        if match.side is Side.SELL:
            assert match.released == match.quantity
