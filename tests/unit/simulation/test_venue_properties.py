"""Whatever is done to the venue, in whatever order: money is conserved, and orders add up."""

from collections.abc import Sequence
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from btcbot.domain.money import ZERO, parse, use_money_context
from btcbot.domain.orders.intents import Side
from btcbot.simulation.happenings import Liquidity, OrderAccepted
from btcbot.simulation.venue import Latency, Venue
from tests.unit.simulation.scripted import ALICE, BOB, BTC, PAIR, TRY, ScriptedMarket, opened, request

PRICES = st.integers(min_value=990, max_value=1_010)
LOTS = st.integers(min_value=1, max_value=900)
STEPS = st.one_of(
    st.tuples(st.just("submit"), st.sampled_from([ALICE, BOB]), st.sampled_from(["buy", "sell"]), PRICES, LOTS),
    st.tuples(st.just("market"), st.sampled_from([ALICE, BOB]), st.sampled_from(["buy", "sell"]), PRICES, LOTS),
    st.tuples(st.just("cancel"), st.sampled_from([ALICE, BOB]), st.just(""), st.integers(0, 20), st.just(0)),
    st.tuples(st.just("book"), st.just(0), st.just(""), PRICES, LOTS),
    st.tuples(st.just("print"), st.just(0), st.sampled_from(["buy", "sell"]), PRICES, LOTS),
)
Step = tuple[str, int, str, int, int]


def _quantity(lots: int) -> str:
    return f"{lots // 100}.{lots % 100:02d}"


def _play(steps: Sequence[Step], funds: str) -> tuple[ScriptedMarket, Venue]:
    market = ScriptedMarket("995x3 990x9", "1005x3 1010x9")
    venue = opened(market, funds, accounts=(ALICE, BOB))
    quote, base = (parse(fund.split()[0]) for fund in funds.split(", "))
    for number, (kind, account, side, price, lots) in enumerate(steps, start=1):
        now_ms = number * 200
        if kind == "book":
            market.shows(f"{price - 2}x{_quantity(lots)} {price - 5}x4", f"{price + 2}x{_quantity(lots)} {price + 5}x4")
        elif kind == "print":
            market.prints(now_ms, price, _quantity(lots), side)
        venue.advance(now_ms)
        if kind == "submit":
            venue.submit(account, request(f"{side} {_quantity(lots)} @ {price}"), now_ms)
        elif kind == "market":
            quantity = str(lots * 10) if side == "buy" else _quantity(lots)
            venue.submit(account, request(f"{side} {quantity} @ market"), now_ms)
        elif kind == "cancel":
            ids = list(venue.orders)
            if price < len(ids):
                venue.cancel(account, ids[price], now_ms)
        _check(venue, quote, base)
    return market, venue


def _check(venue: Venue, quote_before: Decimal, base_before: Decimal) -> None:
    for account_id, account in venue.accounts.items():
        matches = [match for match in venue.matches if match.account_id == account_id]
        signs = [(1 if match.side is Side.BUY else -1, match) for match in matches]
        paid = sum((sign * match.price * match.quantity + match.fee + match.tax for sign, match in signs), ZERO)
        bought = sum((sign * match.quantity for sign, match in signs), ZERO)
        assert account.total(TRY) == quote_before - paid
        assert account.total(BTC) == base_before + bought
        for asset in (TRY, BTC):
            assert account.available(asset) >= ZERO
            assert account.held(asset) >= ZERO
    for order in venue.orders.values():
        matched = sum((match.quantity for match in venue.matches if match.order_id == order.accepted.order_id), ZERO)
        assert matched == order.filled
        if not order.is_market_buy:
            assert order.filled + order.left == order.accepted.quantity
    for account_id, account in venue.accounts.items():
        mine = [order for order in venue.orders.values() if order.accepted.account_id == account_id]
        for asset, side in ((TRY, Side.BUY), (BTC, Side.SELL)):
            held = sum((order.held for order in mine if order.accepted.side is side), ZERO)
            assert account.held(asset) == held
    shown = venue.shown(PAIR)
    assert all(lots > 0 for side in (shown.bids, shown.asks) for lots in side.values())


@settings(max_examples=80, deadline=None)
@given(st.lists(STEPS, max_size=25))
def test_money_is_conserved_and_orders_add_up(steps: Sequence[Step]) -> None:
    use_money_context()
    _play(steps, "20000 TRY, 20 BTC")


@settings(max_examples=40, deadline=None)
@given(st.lists(STEPS, max_size=20))
def test_a_poor_account_is_never_overdrawn(steps: Sequence[Step]) -> None:
    use_money_context()
    _play(steps, "1003.4024 TRY, 0.5 BTC")


@settings(max_examples=40, deadline=None)
@given(st.lists(STEPS, max_size=20))
def test_the_same_steps_give_the_same_matches_and_the_past_gives_the_same_state(steps: Sequence[Step]) -> None:
    use_money_context()
    market, venue = _play(steps, "20000 TRY, 20 BTC")
    _, twin = _play(steps, "20000 TRY, 20 BTC")
    assert twin.matches == venue.matches
    past = [news.happening for news in venue.news()]
    again = Venue(market, Latency(), 0, past)
    assert again.accounts == venue.accounts
    assert again.matches == venue.matches
    for order_id, order in venue.orders.items():
        assert (again.orders[order_id].status, again.orders[order_id].held) == (order.status, order.held)


@settings(max_examples=40, deadline=None)
@given(st.lists(STEPS, max_size=25))
def test_nobody_pays_more_than_the_limit_and_makers_pay_the_makers_rate(steps: Sequence[Step]) -> None:
    use_money_context()
    _, venue = _play(steps, "20000 TRY, 20 BTC")
    for match in venue.matches:
        accepted = venue.orders[match.order_id].accepted
        assert isinstance(accepted, OrderAccepted)
        if accepted.price:
            is_buy = match.side is Side.BUY
            assert match.price <= accepted.price if is_buy else match.price >= accepted.price
        if match.liquidity is Liquidity.MAKER:
            assert match.price == accepted.price
            assert match.fee <= match.price * match.quantity * parse("0.00100001") + parse("0.00000001")
