"""How many orders a second the bare matching engine takes, in process, without any wire.

Fifty accounts trade two generated pairs around the touch: some orders rest, some take what the market shows, some meet
each other, and every fourth is followed by a cancel. The market stands still for the first figure and moves by ten
milliseconds before each order for the second one.
"""

import random
import sys
import time
from decimal import Decimal

from figures import Figure, parser, percentile, tell

from btcbot.domain.money import Asset, use_money_context
from btcbot.domain.orders.intents import Side
from btcbot.simulation.generator import generated_market
from btcbot.simulation.happenings import Method, OrderAccepted
from btcbot.simulation.orders import OrderRequest
from btcbot.simulation.rules import VenueRules
from btcbot.simulation.venue import Venue

PAIRS = ("BTCTRY", "SOLTRY")
ACCOUNTS = 50
ORDERS, ORDERS_QUICK = 4_000, 100
ROUNDS, ROUNDS_QUICK = 3, 1
SEED = 3
START_MS = 1_772_366_400_000
STEP_MS = 10
RICH = Decimal(10**9)


def opened() -> Venue:
    """A venue in which everybody has plenty of everything."""
    venue = Venue(generated_market(PAIRS, SEED), VenueRules(cancel_ms=0, release_ms=0), START_MS)
    for account_id in range(1, ACCOUNTS + 1):
        venue.open_account(account_id, START_MS)
        for asset in (Asset("TRY"), *(venue.listing(pair).base for pair in PAIRS)):
            venue.fund(account_id, asset, RICH, START_MS)
    venue.advance(START_MS)
    venue.news()
    return venue


def requested(venue: Venue, dice: random.Random) -> OrderRequest:
    """A limit order around the touch: one in three takes at once."""
    pair = dice.choice(PAIRS)
    listing, depth = venue.listing(pair), venue.source.depth(pair)
    side = dice.choice((Side.BUY, Side.SELL))
    bid, ask = next(iter(depth.bids)), next(iter(depth.asks))
    away = round((ask - bid) * dice.uniform(-1.5, 3.0)) if ask - bid > 1 else dice.randint(-1, 3)
    ticks = ask + away if side is Side.SELL else bid - away
    price = listing.price(ticks)
    lots = int(dice.randint(200, 3_000) / float(price) * 10**listing.lot_decimals)
    return OrderRequest(pair, side, Method.LIMIT, price, listing.quantity(lots), "")


def rate(orders: int, step_ms: int) -> float:
    """Orders a second; what is asked is made up outside the measured time."""
    venue, dice, now_ms = opened(), random.Random(SEED), START_MS
    taken, last = 0.0, None
    for number in range(orders):
        request, account_id = requested(venue, dice), dice.randint(1, ACCOUNTS)
        now_ms += step_ms
        began = time.perf_counter()
        if step_ms:
            venue.advance(now_ms)
        answer = venue.submit(account_id, request, now_ms)
        if number % 4 == 3 and last is not None:
            venue.cancel(last[0], last[1], now_ms)
        venue.news()
        taken += time.perf_counter() - began
        if isinstance(answer, OrderAccepted):
            last = (account_id, answer.order_id)
    return orders / taken


def main() -> int:
    options = parser(__doc__).parse_args()
    use_money_context()
    orders, rounds = (ORDERS_QUICK, ROUNDS_QUICK) if options.quick else (ORDERS, ROUNDS)
    still, moving = [], []
    for _ in range(rounds):
        still.append(rate(orders, 0))
        moving.append(rate(orders, STEP_MS))
    return tell(
        [
            Figure("bare engine, market still", percentile(still, 50), "orders/s"),
            Figure("bare engine, market moving", percentile(moving, 50), "orders/s"),
        ],
        options,
    )


if __name__ == "__main__":
    sys.exit(main())
