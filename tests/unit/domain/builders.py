"""Builders in the domain's own notation, for every test that needs a market, an order or a trading state."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from btcbot.domain.instruments import Instrument
from btcbot.domain.market import Book, Candle, Level, MarketSnapshot, MarketView
from btcbot.domain.money import Amount, Asset, Price, Quantity, Ratio, amount
from btcbot.domain.orders.evidence import Fill, VenueOrder, VenueStatus
from btcbot.domain.orders.intents import Intent, Purpose, Side
from btcbot.domain.orders.records import OrderRecord
from btcbot.domain.orders.states import OrderState
from btcbot.domain.profiles import RiskLimits
from btcbot.domain.state import BalancesSeen, DayTurned, LedgerOpened, MarkSeen, TradingState, apply

TRY, BTC, ETH, USDT = Asset("TRY"), Asset("BTC"), Asset("ETH"), Asset("USDT")
START = datetime(2026, 1, 5, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FEE_RATIO = Ratio(Decimal("0.0024"))

BTC_TRY = Instrument(
    pair="BTCTRY", base=BTC, quote=TRY, price_step=Decimal(1), lot_step=Decimal("0.00000001"), price_min=Decimal(10),
    price_max=Decimal(100000000), notional_min=Decimal(100), is_trading=True,
)  # fmt: skip
ETH_TRY = replace(BTC_TRY, pair="ETHTRY", base=ETH, lot_step=Decimal("0.0001"))

LIMITS = RiskLimits(
    currency=TRY,
    order_notional_max=amount("5000 TRY"),
    order_quantities_max=(amount("0.02 BTC"), amount("0.5 ETH")),
    position_notional_max=amount("20000 TRY"),
    exposure_max=amount("50000 TRY"),
    day_loss_max=amount("2000 TRY"),
    drawdown_ratio_max=Ratio(Decimal("0.10")),
    collar_ratio_max=Ratio(Decimal("0.02")),
    spread_ratio_max=Ratio(Decimal("0.02")),
    jump_ratio_max=Ratio(Decimal("0.05")),
    entries_per_hour_max=12,
    entries_per_day_max=100,
    entry_cooldown=timedelta(seconds=60),
    volatility_ratio_max=Ratio(Decimal("0.05")),
    volatility_window=timedelta(seconds=60),
    volatility_pause=timedelta(minutes=15),
    open_orders_per_instrument_max=5,
    open_orders_max=20,
    submits_per_minute_max=30,
    submits_per_second_max=2,
    market_age_max=timedelta(seconds=10),
    book_still_max=timedelta(minutes=5),
    trading_day_zone="Europe/Istanbul",
)


def after(seconds: float) -> datetime:
    """So many seconds after the start of the test's time."""
    return START + timedelta(seconds=seconds)


def levels(*texts: str) -> tuple[Level, ...]:
    """`levels("1 @ 999900")`: quantity, then price."""
    pairs = (text.split(" @ ") for text in texts)
    return tuple(Level(Decimal(price), Decimal(quantity)) for quantity, price in pairs)


BIDS = levels("0.001 @ 999900", "1 @ 999000")
ASKS = levels("0.001 @ 1000100", "1 @ 1001000")


def market(
    instrument: Instrument = BTC_TRY,
    bids: tuple[Level, ...] = BIDS,
    asks: tuple[Level, ...] = ASKS,
    age_seconds: float = 1,
    candles: Iterable[Candle] = (),
    is_gapped: bool = False,
) -> MarketView:
    return MarketView(instrument, Book(bids, asks), timedelta(seconds=age_seconds), tuple(candles), is_gapped)


def around(mid: int, instrument: Instrument = BTC_TRY, candles: Iterable[Candle] = ()) -> MarketView:
    """A market with deep best levels, 100 below and above a mid."""
    deep = (levels(f"10 @ {mid - 100}"), levels(f"10 @ {mid + 100}"))
    return market(instrument, *deep, candles=candles)


def snapshot(at: datetime, *views: MarketView) -> MarketSnapshot:
    return MarketSnapshot(at, {view.instrument.pair: view for view in views})


def candle(minute: int, close: int | str | Decimal) -> Candle:
    """A flat one-minute candle, `minute` minutes after the start."""
    price = Decimal(close)
    return Candle(START + minute * MINUTE, price, price, price, price, Decimal(1))


def trading(position: str = "0", mark: str = "1000000") -> TradingState:
    """100,000 TRY, the day opened, the market valued five seconds ago, and perhaps a position bought at the mark."""
    state = TradingState(TRY)
    for event in (
        LedgerOpened(Decimal(100000)),
        BalancesSeen({TRY: Decimal(100000)}),
        DayTurned(START.date(), Decimal(0)),
        MarkSeen("BTCTRY", Decimal(mark), after(-5), LIMITS.volatility_window),
    ):
        state = apply(state, event)
    if Decimal(position) == 0:
        return state
    held = replace(state.instrument("BTCTRY"), position=Decimal(position), cash_flow=-Decimal(position) * Decimal(mark))
    return replace(state, instruments={"BTCTRY": held})


def intent(
    side: Side = Side.BUY,
    quantity: str = "0.00149985",
    price: str = "1000100",
    instrument: Instrument = BTC_TRY,
    purpose: Purpose | None = None,
    decision_id: str = "cycle/BTCTRY/0",
) -> Intent:
    natural = Purpose.ENTRY if side is Side.BUY else Purpose.EXIT
    return Intent(
        decision_id, instrument, side, natural if purpose is None else purpose, Quantity(Decimal(quantity)),
        Price(Decimal(price)), Price(Decimal(1000000)),
    )  # fmt: skip


def order(
    order_id: str = "order-1",
    side: Side = Side.BUY,
    quantity: str = "0.01",
    price: str = "990000",
    state: OrderState = OrderState.OPEN,
    pair: str = "BTCTRY",
    at: datetime = START,
    filled: str = "0",
) -> OrderRecord:
    base = Asset(pair.removesuffix("TRY"))
    reservation = (
        Amount(Decimal(quantity), base)
        if side is Side.SELL
        else Amount(Decimal(quantity) * Decimal(price) * (1 + FEE_RATIO), TRY)
    )
    return OrderRecord(
        order_id=order_id, client_order_id=f"label-{order_id}", decision_id=f"cycle/{pair}/{order_id}", pair=pair,
        side=side, purpose=Purpose.ENTRY if side is Side.BUY else Purpose.EXIT, quantity=Quantity(Decimal(quantity)),
        price=Price(Decimal(price)), reservation=reservation, state=state, created_at=at, changed_at=at,
        filled=Decimal(filled),
    )  # fmt: skip


def fill(
    trade_id: int = 1,
    side: Side = Side.BUY,
    quantity: str = "0.01",
    price: str = "1000000",
    fee: str = "0",
    tax: str = "0",
    pair: str = "BTCTRY",
    at: datetime = START,
) -> Fill:
    return Fill(
        trade_id,
        7,
        None,
        pair,
        side,
        Price(Decimal(price)),
        Quantity(Decimal(quantity)),
        Decimal(fee),
        Decimal(tax),
        at,
    )


def listed(
    quantity: str = "0.010",
    left: str = "0.010",
    status: VenueStatus = VenueStatus.UNTOUCHED,
    is_open: bool = True,
    exchange_order_id: int = 7,
) -> VenueOrder:
    """The order as the exchange lists it."""
    return VenueOrder(
        exchange_order_id, "label-order-1", "BTCTRY", Side.BUY, Price(Decimal(1000000)), Quantity(Decimal(quantity)),
        Decimal(left), status, is_open, None,
    )  # fmt: skip
