"""What a person says about the shipped strategies that no number says."""

from collections.abc import Mapping

# What hurts each of them, in its own terms.
HURTS: Mapping[str, str] = {
    "ema_cross": """\
A market without a direction: the averages cross, it buys, they cross back, it sells, and every round trip pays two fees
and a spread, about 0.6 % on TRY pairs. The shipped periods (3 and 8 candles) are that quick on purpose, so that a
rehearsal shows something: they trade several times a day, and no edge of a moving average survives such a bill. Longer
periods trade less and lose less to costs; whether they earn is another question, and one path does not answer it.""",
    "rsi_reversion": """\
A fall that goes on. It buys the turn of the index, and in a slide there are many turns: each costs up to the stop, and
after half an hour it may try again. The stop, the longest holding time and the wait bound the single attempt, not the
series. The other enemy is the bill: a recovery is often a percent or two, of which the fees of both ways take half of
one.""",
    "donchian_breakout": """\
False breakouts. Most entries come at the top of a range and are stopped a few candles later; the few that run have to
pay for them all. Months without a trend are a staircase downwards. A gap through the stop costs more than the
share of equity that the size was chosen for.""",
    "bollinger_reversion": """\
A band that follows the price down: the close comes back inside, it buys, and the next candle leaves the band again. The
break-even rule cuts good trades short as well as bad ones. As with every reversion, gains are small and even, losses
rare and large, so a good month says little; and on TRY pairs fees take a large part of a small gain.""",
    "dca": """\
It never sells but at its stop, so its fate is that of the coin: what it shows here is the rise of BTC against a lira
that lost most of its value, with a delay and a budget. The stop lies at half of the cost, and in March 2020 the market
came to it: all that had been bought in three months was sold near the bottom, at half of its price, and the buying
began anew. Had the rise not followed, it would have bought all the way down a second time. Once the budget is spent it
does nothing at all.""",
    "grid": """\
A trend. Upwards it sells its rungs early and watches the rest of the rise from outside; downwards it buys every rung
and then carries all of them to its stop, which takes back the gains of many weeks at once. It also depends more than
any other on how its waiting orders are filled: here only when the market trades through their price, which is strict
for a single order and still knows nothing of who stood before it.""",
}

IN_THE_WEEK = """\
The local exchange played the recorded minutes, and one live worker traded on it over REST and WebSocket, as it would
for real; afterwards its books were held against the exchange's own record, fill by fill. The record was played {speed}
times as fast as it was recorded, so a candle of this run is {speed} recorded minutes, and rules that count time (a
holding time, a cooldown, the pace of buys, a trading day) count the run's time: a day of it is {speed} recorded days.
A cycle took {cycle} s, so a signal was acted on up to {late} recorded minutes late. Fees are those of a USDT pair.
Neither a day's loss nor a drawdown would have halted.
"""

CANNOT_SAY = """\
- One path is one path. Five years of one pair are one history; the strategy was not chosen by it, and nothing here says
  what the next one brings.
- Candles are not books. What is within a candle is guessed (open, one extreme, the other, close), the book is a model,
  and nobody reacts to our orders. [The backtest's own page](../backtest.md) lists every guess.
- The hours are those of another exchange's BTC/TRY pair, with the fees of BtcTurk. Its volume in the first months was
  so thin that orders were cut or found nobody.
- The lira fell by five sixths against the dollar in these five years. A result in lira that does not say so flatters;
  the lines in dollars use a bank's daily rate. Lira that waited would have earned interest, which is not counted for
  anybody.
- The parameters are the shipped ones, made for a rehearsal. They were not fitted to these data, and fitting them would
  prove nothing.
"""

SOURCES = """\
Candles of BTC/TRY, one hour, Binance, December 2019 to December 2024: collected by brdg2020/btcturk-kurmay-bot
(0214918). Candles of BTC/USDT, one minute, Binance, October 2025: Jan-Kluger/backtest_and_deploy (4f9ae8e, MIT). Dollar
rate, by day: minkeymouse/commodity_prediction (1c0396a). The recordings themselves are not part of this repository.
"""
