"""Frames of the exchange's public feed as messages about a market: for recordings, and for a mirror.

A book is followed by its numbers: one that is left out makes a gap, unless numbers are known to jump (open question
E1). Which side S means is learned from trades that REST told as well, by their ids (E3). A trade is told once, and
those in a list of the last ones under the time at which they happened.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from btcbot.domain.money import Asset, parse
from btcbot.simulation.happenings import Method
from btcbot.simulation.listings import BALANCE_DECIMALS, NOTIONAL_MIN, Listing
from btcbot.simulation.replay_pair import BookSnapshot, BookUpdate, Gap, Message, RecordedLevels, TapeTrade

TRADES_KNOWN = 200  # of a pair, to compare with those over REST
_CP_GONE = 3
_METHODS = {
    "MARKET": Method.MARKET, "LIMIT": Method.LIMIT, "STOP_MARKET": Method.STOP_MARKET, "STOP_LIMIT": Method.STOP_LIMIT,
}  # fmt: skip

Document = Mapping[str, object]


@dataclass(slots=True)
class _Followed:
    """What is remembered of a pair while its messages go by."""

    number: int | None = None  # the CS that came last; nothing: no whole book
    sides: dict[int, int] = field(default_factory=dict)  # S of the last trades, by id
    takers: dict[int, bool] = field(default_factory=dict)  # whether the taker bought, as REST told it, by id
    last_trade: int | None = None


class FrameReader:
    """Some pairs' frames. What does not have their shape raises `KeyError`, `TypeError` or `ValueError`."""

    def __init__(self, pairs: Iterable[str], *, is_by_one: bool = True) -> None:
        self.is_by_one = is_by_one
        self._pairs = {pair: _Followed() for pair in pairs}
        self._is_one_buy = True

    def broken(self, at_ms: int) -> Gap:
        """Something may be missing, of any pair."""
        for followed in self._pairs.values():
            followed.number = None
        return Gap(None, at_ms)

    def frame(self, at_ms: int, kind: object, body: Document) -> Iterator[Message]:
        """What a frame says; nothing for other pairs, channels and kinds."""
        match kind:
            case 431 if body["PS"] in self._pairs and body.get("channel", "obdiff") == "obdiff":
                pair, number = text_of(body["PS"]), whole_of(body["CS"])
                self._pairs[pair].number = number
                yield BookSnapshot(pair, at_ms, number, _levels(body["BO"]), _levels(body["AO"]))
            case 432 if body["PS"] in self._pairs:
                yield from self._difference(at_ms, text_of(body["PS"]), body)
            case 421 if body["symbol"] in self._pairs:
                yield from self._last_trades(at_ms, text_of(body["symbol"]), body)
            case 422 if body["PS"] in self._pairs:
                pair = text_of(body["PS"])
                if (trade := self._trade(pair, body, at_ms)) is not None:
                    yield trade
            case _:
                return

    def learn(self, pair: str, data: object) -> None:
        """The last trades as REST has them, sides in words."""
        if (followed := self._pairs.get(pair)) is not None:
            rows = data if isinstance(data, list) else ()
            followed.takers = {int(row["tid"]): row["side"] == "buy" for row in rows}
            self._judge_sides(followed)

    def _difference(self, at_ms: int, pair: str, body: Document) -> Iterator[Message]:
        followed, number = self._pairs[pair], whole_of(body["CS"])
        if followed.number is None or number <= followed.number:
            return
        if self.is_by_one and number != followed.number + 1:
            followed.number = None
            yield Gap(pair, at_ms)
            return
        followed.number = number
        yield BookUpdate(pair, at_ms, number, _levels(body["BO"]), _levels(body["AO"]))

    def _last_trades(self, at_ms: int, pair: str, body: Document) -> Iterator[Message]:
        """History at the first join; later, what nobody heard in between."""
        items = body["items"]
        if not isinstance(items, list):
            raise TypeError("items are a list")
        followed = self._pairs[pair]
        followed.sides = {int(item["I"]): whole_of(item["S"]) for item in items}
        self._judge_sides(followed)
        for item in sorted(items, key=lambda item: int(item["I"])):
            if (trade := self._trade(pair, item, min(int(item["D"]), at_ms))) is not None:
                yield trade

    def _judge_sides(self, followed: _Followed) -> None:
        """What S is, from trades that both told; a tie changes nothing."""
        known = followed.sides.keys() & followed.takers.keys()
        votes = sum(1 if (followed.sides[number] == 1) == followed.takers[number] else -1 for number in known)
        if votes:
            self._is_one_buy = votes > 0

    def _trade(self, pair: str, item: Document, at_ms: int) -> TapeTrade | None:
        """Nothing for one that was told before."""
        followed, number, side = self._pairs[pair], int(text_of(item["I"])), whole_of(item["S"])
        if followed.last_trade is not None and number <= followed.last_trade:
            return None
        followed.last_trade = number
        followed.sides[number] = side
        if len(followed.sides) > TRADES_KNOWN:
            del followed.sides[next(iter(followed.sides))]
        return TapeTrade(
            pair, at_ms, number, text_of(item["P"]), text_of(item["A"]), is_buy=(side == 1) == self._is_one_buy
        )


def listing_of(row: Document) -> Listing:
    """A pair as the exchange's own row has it (protocol 4.1)."""
    filters, methods = row["filters"], row["orderMethods"]
    if not isinstance(filters, list) or not isinstance(filters[0], dict) or not isinstance(methods, list):
        raise TypeError("filters and orderMethods are lists")
    price_decimals = _scale(row["denominatorScale"]) if row["hasFraction"] is True else 0
    quote = Asset(text_of(row["denominator"]))
    if quote not in NOTIONAL_MIN:
        raise ValueError(f"quoted in {quote[:20]!r}, not in {' or '.join(NOTIONAL_MIN)}")
    tick = parse(text_of(filters[0]["tickSize"])).scaleb(price_decimals)
    return Listing(
        text_of(row["name"]), whole_of(row["id"]), Asset(text_of(row["numerator"])), quote,
        price_decimals, _scale(row["numeratorScale"]), parse(text_of(filters[0]["minExchangeValue"])),
        tuple(_METHODS[name] for name in methods if name in _METHODS),
        int(tick) if tick == int(tick) and tick > 0 else None, parse(text_of(filters[0]["maxPrice"])),
    )  # fmt: skip


def text_of(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is missing")
    return value


def whole_of(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError("a number is missing")
    return value


def _scale(value: object) -> int:
    scale = whole_of(value)
    if not 0 <= scale <= BALANCE_DECIMALS:
        raise ValueError(f"{scale} decimals are not to be counted with")
    return scale


def _levels(entries: object) -> RecordedLevels:
    """Quantity 0 for a level that is gone: the amount in its entry is what it had."""
    if not isinstance(entries, list):
        raise TypeError("levels are a list")
    return [_level(entry) for entry in entries]


def _level(entry: object) -> tuple[str, str]:
    if not isinstance(entry, dict):
        raise TypeError("a level is an object")
    return text_of(entry["P"]), "0" if entry.get("CP") == _CP_GONE else text_of(entry["A"])
