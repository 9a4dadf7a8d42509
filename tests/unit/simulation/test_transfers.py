"""Money that comes and goes: deposits at once, withdrawals held first."""

import pytest

from btcbot.domain.money import ZERO, parse
from btcbot.simulation.happenings import Direction, Means, Transferred
from btcbot.simulation.orders import Refusal
from tests.unit.simulation.scripted import ALICE, BOB, BTC, TRY, ScriptedMarket, again, opened, placed


def test_an_account_is_opened_empty_and_once() -> None:
    venue = opened(ScriptedMarket())
    venue.open_account(BOB, 0)
    venue.open_account(BOB, 0)
    venue.open_account(ALICE, 0)
    assert venue.accounts[BOB].balances() == {}
    assert list(again(venue, [news.happening for news in venue.news()]).accounts) == [ALICE, BOB]


def test_a_deposit_brings_its_number_less_fee_and_tax() -> None:
    venue = opened(ScriptedMarket(), "100 TRY")
    transfer = venue.deposit(ALICE, Means.FIAT, TRY, parse("50"), 7, fee=parse("2"), tax=parse("0.4"))
    assert venue.accounts[ALICE].total(TRY) == parse("147.6")
    assert venue.transfers_of(ALICE) == [transfer]
    assert (transfer.direction, transfer.means, transfer.at_ms) == (Direction.DEPOSIT, Means.FIAT, 7)
    assert venue.transfers_of(BOB) == []


def test_a_withdrawal_is_held_and_then_leaves_with_fee_and_tax() -> None:
    venue = opened(ScriptedMarket(), "100 TRY, 2 BTC")
    placed(venue, "sell 0.5 @ 1000")
    request = venue.withdraw(ALICE, Means.CRYPTO, BTC, parse("1"), 0, fee=parse("0.01"), lasts_ms=5_000)
    assert not isinstance(request, Refusal)
    account = venue.accounts[ALICE]
    assert (account.total(BTC), account.held(BTC), account.withdrawn(BTC)) == (parse("2"), parse("1.51"), parse("1.01"))
    later = again(venue, [news.happening for news in venue.news()])
    for each in (venue, later):
        each.advance(4_999)
        assert each.transfers_of(ALICE) == []
        each.advance(5_000)
        account = each.accounts[ALICE]
        assert (account.total(BTC), account.held(BTC), account.withdrawn(BTC)) == (parse("0.99"), parse("0.5"), ZERO)
        (transfer,) = each.transfers_of(ALICE)
        assert transfer == Transferred(
            request.transfer_id, ALICE, Direction.WITHDRAWAL, Means.CRYPTO, BTC, parse("1"), parse("0.01"), ZERO, 5_000
        )
        assert each.deposit(ALICE, Means.CRYPTO, BTC, parse("1"), 6_000).transfer_id == request.transfer_id + 1


def test_a_withdrawal_without_a_wait_is_gone_at_once() -> None:
    venue = opened(ScriptedMarket(), "100 TRY")
    venue.withdraw(ALICE, Means.FIAT, TRY, parse("100"), 0)
    assert venue.accounts[ALICE].total(TRY) == venue.accounts[ALICE].held(TRY) == ZERO


@pytest.mark.parametrize(("number", "refusal"), [("1000.1", Refusal.BALANCE), ("500", Refusal.BALANCE_HELD)])
def test_nobody_withdraws_what_he_has_not_or_what_is_held(number: str, refusal: Refusal) -> None:
    venue = opened(ScriptedMarket(), "1000 TRY")
    placed(venue, "buy 1 @ 900")
    assert venue.withdraw(ALICE, Means.FIAT, TRY, parse(number), 0) is refusal
    assert venue.transfers_of(ALICE) == []
