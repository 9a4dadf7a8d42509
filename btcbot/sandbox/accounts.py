"""Accounts, keys and transfers that are asked for while the sandbox runs (by the admin port)."""

from collections.abc import Mapping
from decimal import Decimal

from btcbot.domain.errors import BtcbotError
from btcbot.domain.money import ZERO, Asset, MalformedNumber, parse, plain
from btcbot.sandbox.floor import Floor
from btcbot.sandbox.keys import ACCOUNT_ID, ApiKey, KeyRing, Permission, is_name
from btcbot.simulation.fees import TIERS
from btcbot.simulation.happenings import Direction, Transferred, WithdrawalRequested
from btcbot.simulation.listings import BALANCE_DECIMALS
from btcbot.simulation.orders import Refusal

NUMBER_MAX = parse("1000000000000")
DEFAULT_PERMISSIONS = (Permission.ASSETS, Permission.TRADE, Permission.ACCOUNT, Permission.WEBSOCKET)


class MalformedAccount(BtcbotError):
    next_step = 'send {"name": NAME, "permissions": […], "balances": {ASSET: NUMBER}}, or an account_id in their place'


class MalformedTransfer(BtcbotError):
    next_step = 'send {"account_id": N, "asset": ASSET, "amount": NUMBER, "kind": "deposit" or "withdrawal"}'


class Accounts:
    def __init__(self, floor: Floor, keys: KeyRing) -> None:
        self._floor = floor
        self._keys = keys

    def open(self, document: object) -> ApiKey:
        """A new account with a key to it; with `account_id`, a further key to an old one. Raises `MalformedAccount`."""
        known = {"name", "permissions", "balances", "account_id", "fee_tier"}
        if not isinstance(document, dict) or not document.keys() <= known:
            raise MalformedAccount(f"an account is an object with {', '.join(sorted(known))}")
        name = document.get("name")
        if not isinstance(name, str) or not is_name(name):
            raise MalformedAccount("name is a short word of lower-case letters, digits, hyphens and underscores")
        if self._keys.named(name) is not None:
            raise MalformedAccount(f"there is a key {name} already")
        if self._keys.is_full:
            raise MalformedAccount("there are too many keys already")
        permissions = _permissions(document.get("permissions", DEFAULT_PERMISSIONS))
        tier, balances = document.get("fee_tier"), document.get("balances")
        if tier is not None and (type(tier) is not int or not 0 <= tier < len(TIERS)):
            raise MalformedAccount(f"fee_tier is a place in the table of fees, 0 to {len(TIERS) - 1}")
        if "account_id" in document:
            account_id = self._account_id(document, MalformedAccount)
        else:
            funds = self._floor.endowment if balances is None else _funds(balances)
            account_id = max(self._floor.venue.accounts, default=ACCOUNT_ID) + 1
            self._floor.open_account(account_id, funds)
        if tier is not None:
            self._floor.set_fee_tier(account_id, tier)
        return self._keys.make(name, account_id, permissions)

    def transfer(self, document: object) -> Transferred | WithdrawalRequested:
        """Raises `MalformedTransfer`, also for more than there is."""
        known = {"account_id", "asset", "amount", "kind", "fee", "lasts_seconds"}
        if not isinstance(document, dict) or not document.keys() <= known:
            raise MalformedTransfer(f"a transfer is an object with {', '.join(sorted(known))}")
        account_id = self._account_id({"account_id": ACCOUNT_ID, **document}, MalformedTransfer)
        asset, kind = document.get("asset"), document.get("kind")
        if not isinstance(asset, str) or not _is_asset(asset):
            raise MalformedTransfer("asset is the code of one, in capitals")
        if kind not in tuple(Direction):
            raise MalformedTransfer(f"kind is one of {', '.join(Direction)}")
        amount, fee = _number(document.get("amount")), _number(document.get("fee", "0"))
        if amount is None or fee is None or amount == ZERO or (kind == Direction.DEPOSIT and fee > amount):
            raise MalformedTransfer("amount is a positive number, and fee one that is not above it")
        if kind == Direction.DEPOSIT:
            return self._floor.deposit(account_id, Asset(asset), amount, fee)
        lasts_seconds = _number(document.get("lasts_seconds", 0))
        if lasts_seconds is None:
            raise MalformedTransfer("lasts_seconds is a number that is not negative")
        answer = self._floor.withdraw(account_id, Asset(asset), amount, fee, lasts_seconds)
        if isinstance(answer, Refusal):
            raise MalformedTransfer(f"the account has not so much {asset} to give away")
        return answer

    def described(self) -> list[dict[str, object]]:
        """Every account with its money, its open orders and who has a key to it."""
        self._floor.advance()
        return [
            {
                "account_id": account_id,
                "keys": {key.name: sorted(key.permissions) for key in self._keys.of_account(account_id)},
                "balances": {
                    asset: {"total": plain(balance.total), "held": plain(balance.held)}
                    for asset, balance in account.balances().items()
                },
                "open_orders": [order.accepted.order_id for order in self._floor.venue.open_orders_of(account_id)],
            }
            for account_id, account in self._floor.venue.accounts.items()
        ]

    def _account_id(self, document: Mapping[str, object], malformed: type[BtcbotError]) -> int:
        account_id = document["account_id"]
        if not isinstance(account_id, int) or account_id not in self._floor.venue.accounts:
            raise malformed("account_id is that of an account that is there")
        return account_id


def _permissions(words: object) -> list[Permission]:
    if not isinstance(words, list | tuple) or not words or not set(map(str, words)) <= set(Permission):
        raise MalformedAccount(f"permissions are some of {', '.join(Permission)}")
    return [Permission(str(word)) for word in words]


def _funds(balances: object) -> dict[Asset, Decimal]:
    if not isinstance(balances, dict) or not all(_is_asset(asset) for asset in balances):
        raise MalformedAccount("balances are an object of numbers by asset, in capitals")
    numbers = {Asset(asset): _number(value) for asset, value in balances.items()}
    found = {asset: number for asset, number in numbers.items() if number is not None}
    if len(found) < len(numbers):
        raise MalformedAccount("a balance is a plain number, best as a text, that is not negative")
    return found


def _is_asset(text: str) -> bool:
    return text.isascii() and text.isalnum() and text == text.upper() and len(text) <= 12


def _number(value: object) -> Decimal | None:
    """A plain number that is not negative, with as many digits as an order may have; a binary fraction is none."""
    try:
        number = parse(value) if isinstance(value, str) else parse(str(value)) if type(value) is int else None
    except MalformedNumber:
        return None
    if number is None or not ZERO <= number < NUMBER_MAX or (number.scaleb(BALANCE_DECIMALS) % 1):
        return None
    return number
