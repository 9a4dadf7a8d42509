"""Whatever the private side says has the keys, the types and the status of what the exchange was recorded to say."""

import asyncio
from pathlib import Path

import pytest

from btcbot.domain.money import use_money_context
from tests.integration.sandbox.shapes import has_shape_of, read, shape_of
from tests.integration.sandbox.story import Said, told_now, told_then

SAMPLES = Path(__file__).parents[2] / "contract" / "exchange" / "samples"
EITHER = ("orderClientId", "tag")  # null or a text, in captures as well

NOW = {  # sample: what is said now under the documented profile
    "rest/order_submit.limit.200": "order_submit.limit",
    "rest/order_submit.xrp.200": "order_submit.limit",
    "rest/order_cancel.200": "order_cancel",
    "rest/order_single.200": "order_single",
    "rest/open_orders.200": "open_orders",
    "rest/open_orders.stop.200": "open_orders.stop",
    "rest/all_orders.200": "all_orders",
    "rest/all_orders.triggered_stop.200": "all_orders",
    "rest/all_orders.empty.200": "all_orders.empty",
    "rest/user_trades.200": "user_trades",
    "rest/user_trades.empty.200": "user_trades.empty",
    "rest/crypto_transactions.200": "crypto_transactions",
    "rest/fiat_transactions.200": "fiat_transactions",
    "rest/balances.200": "balances",
    "errors/unauthorized.invalid_nonce.401": "unauthorized.invalid_nonce",
    "errors/unauthorized.invalid_request.401": "unauthorized.invalid_request",
    "errors/unauthorized.invalid_signature.401": "unauthorized.invalid_signature",
    "errors/unauthorized.headers_missing.401": "unauthorized.headers_missing",
    "errors/order.open_orders.400": "order.open_orders",
    "errors/order.price_scale.400": "order.price_scale",
    "errors/order.quantity_scale.400": "order.quantity_scale",
    "errors/order.min_total.400": "order.min_total",
    "errors/order.balance.400": "order.balance",
    "errors/order.max_price.400": "order.max_price",
    "errors/order.stop_gt_best_ask.400": "order.stop_gt_best_ask",
    "errors/order.validation.400": "order.validation",
    "errors/cancel.no_order.400": "cancel.no_order",
    "errors/cancel.not_cancelable.400": "cancel.not_cancelable",
    "errors/order_single.not_found.400": "order_single.not_found",
    "errors/all_orders.ms_time.400": "all_orders.ms_time",
    "errors/users_tx.missing_param.400": "users_tx.missing_param",
    "errors/rate_limit.ip.429": "rate_limit.ip",
    "errors/rate_limit.account.429": "rate_limit.account",
    "errors/rate_limit.old.429": "rate_limit.old",
    "errors/system.maintenance.503": "system.maintenance",
    "errors/system.internal.500": "system.internal",
    "errors/system.error": "system.error",
}
OTHERWISE = {  # sample: the profile, and what is said under it
    "rest/order_submit.limit.null_stop.200": ("missing_stop_null", "submit"),
    "rest/order_submit.market_sell.200": ("old_shapes", "submit_market"),
    "rest/order_cancel.doc.200": ("old_shapes", "cancel"),
    "rest/user_trades.2021.200": ("old_shapes", "users/transactions/trade"),
    "rest/user_trades.2019.200": ("shapes_of_2019", "users/transactions/trade"),
    "rest/open_orders.2019.200": ("shapes_of_2019", "openOrders"),
    "rest/balances.2019.200": ("shapes_of_2019", "users/balances"),
    "rest/fiat_transactions.2019.200": ("shapes_of_2019", "users/transactions/fiat"),
    "rest/balances.comma.200": ("decimal_comma", "users/balances"),
}
ELSEWHERE = {  # shown by other tests of the sandbox
    "errors/unauthorized.success_false.401",
    "errors/order.open_orders.2022code.400",
    "errors/order.method_not_supported.400",
    "errors/orderbook.unknown_pair.400",
}
PUBLIC = ("exchangeinfo", "ticker", "orderbook", "trades", "graph", "server")
VALUES_COUNT = ("errors/unauthorized", "errors/order.", "errors/cancel", "errors/all", "errors/users", "errors/system")


@pytest.fixture(scope="module")
def said_now(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Said]:
    use_money_context()
    return asyncio.run(told_now(tmp_path_factory.mktemp("now") / "s"))


@pytest.fixture(scope="module")
def said_then(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Said]]:
    use_money_context()
    profiles = sorted({profile for profile, _ in OTHERWISE.values()})
    return {name: asyncio.run(told_then(tmp_path_factory.mktemp(name) / "s", name)) for name in profiles}


def _sample(name: str) -> tuple[int | None, object]:
    status = name.rpartition(".")[2]
    return (int(status) if status.isdigit() else None), read((SAMPLES / f"{name}.json").read_bytes())


def _is_empty(document: object) -> bool:
    """An empty list has the shape of any."""
    assert isinstance(document, dict)
    return document.get("data") == []


@pytest.mark.parametrize("name", NOW)
def test_an_answer_looks_like_the_recorded_one(name: str, said_now: dict[str, Said]) -> None:
    status, recorded = _sample(name)
    said = said_now[NOW[name]]
    assert status is None or said.status == status
    assert _is_empty(said.document) is _is_empty(recorded)
    assert has_shape_of(said.document, recorded, EITHER), (shape_of(said.document), shape_of(recorded))
    if name.startswith(VALUES_COUNT):
        assert said.document == recorded


@pytest.mark.parametrize("name", OTHERWISE)
def test_an_answer_under_a_profile_looks_like_what_the_profile_is_taken_from(
    name: str, said_then: dict[str, dict[str, Said]]
) -> None:
    status, recorded = _sample(name)
    profile, which = OTHERWISE[name]
    said = said_then[profile][which]
    assert said.status == status
    assert _is_empty(said.document) is _is_empty(recorded)
    assert has_shape_of(said.document, recorded, EITHER), (shape_of(said.document), shape_of(recorded))


def test_every_private_sample_is_accounted_for() -> None:
    samples = {f"{folder}/{path.stem}" for folder in ("rest", "errors") for path in (SAMPLES / folder).iterdir()}
    private = {name for name in samples if not name.split("/")[1].startswith(PUBLIC) and ".request" not in name}
    assert private - ELSEWHERE == NOW.keys() | OTHERWISE.keys()


def test_a_429_says_when_to_come_again(said_now: dict[str, Said]) -> None:
    assert said_now["rate_limit.ip"].headers["Retry-After"] == "60"
    assert "Retry-After" not in said_now["rate_limit.old"].headers


def test_shapes_differ_by_keys_and_types_and_not_by_values() -> None:
    row = {"id": 1, "price": "2", "tag": None, "rows": [{"a": True}]}
    assert has_shape_of(row | {"id": 9, "price": "x"}, row)
    assert has_shape_of(row | {"rows": []}, row)
    assert has_shape_of(row | {"tag": "x"}, row, ["tag"])
    for change in ({"id": "1"}, {"price": None}, {"rows": [{"a": 1}]}, {"more": 1}, {"rows": [{}]}):
        assert not has_shape_of(row | change, row)
