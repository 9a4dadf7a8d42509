"""What docs/exchange-coverage.md has rows for, which tests show each, and why some cells are empty."""

from collections.abc import Mapping
from dataclasses import dataclass

SUITE = "tests/contract/exchange"
INTEGRATION = "tests/integration/sandbox"
OF_ANY_CALL = ("errors/unauthorized.*", "errors/rate_limit.*", "errors/system.*")


@dataclass(frozen=True, slots=True)
class Row:
    """An endpoint (`GET /path`) or a frame (its number), the samples of it, and tests that show it."""

    what: str
    samples: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()


ENDPOINTS = (
    Row("GET /api/v2/server/exchangeinfo", ("rest/exchangeinfo.*",), (
        f"{SUITE}/test_reads.py::test_the_market_has_rules_that_an_order_can_obey",
        f"{INTEGRATION}/test_public.py::test_exchange_info_names_grids_limits_and_methods",
    )),
    Row("GET /api/v2/server/time", ("rest/server_time.*",), (
        f"{SUITE}/test_reads.py::test_the_exchanges_clock_is_measured",
        f"{INTEGRATION}/test_public.py::test_server_time_and_ping_have_no_envelope",
    )),
    Row("GET /api/v2/server/ping", ("rest/server_ping.*",), (
        f"{INTEGRATION}/test_public.py::test_server_time_and_ping_have_no_envelope",
    )),
    Row("GET /api/v2/ticker", ("rest/ticker.*",), (
        f"{SUITE}/test_reads.py::test_the_tape_and_the_ticker_agree_with_the_book",
        f"{INTEGRATION}/test_public.py::test_the_ticker_is_a_list_even_of_one_and_empty_for_the_unknown",
    )),
    Row("GET /api/v2/ticker/currency", ("rest/ticker_currency.*",), (
        f"{INTEGRATION}/test_public.py::test_the_ticker_is_a_list_even_of_one_and_empty_for_the_unknown",
    )),
    Row("GET /api/v2/orderbook", ("rest/orderbook.*", "errors/orderbook.*"), (
        f"{SUITE}/test_reads.py::test_the_book_is_whole_in_order_and_of_now",
        f"{INTEGRATION}/test_public.py::test_the_book_is_best_first_in_text_and_its_code_is_a_word",
    )),
    Row("GET /api/v2/trades", ("rest/trades.*",), (
        f"{SUITE}/test_reads.py::test_the_tape_and_the_ticker_agree_with_the_book",
        f"{INTEGRATION}/test_public.py::test_trades_are_newest_first_and_at_most_fifty",
    )),
    Row("GET /api/v2/ohlc", (), ("tests/foreign/test_btcturk_api.py::test_days_come_from_the_old_address",)),
    Row("GET /v1/klines/history", ("rest/graph_klines.*",), (
        f"{SUITE}/test_reads.py::test_candles_lie_on_their_grid_without_a_doubt",
        f"{SUITE}/test_reads.py::test_a_time_without_candles_has_none",
    )),
    Row("GET /v1/ohlcs", ("rest/graph_ohlcs.*",), (
        f"{INTEGRATION}/test_public.py::test_days_come_from_the_graph_host_as_a_bare_list",
    )),
    Row("GET /api/v1/users/balances", ("rest/balances.*", *OF_ANY_CALL), (
        f"{SUITE}/test_reads.py::test_balances_are_exact_sums",
        f"{SUITE}/test_reads.py::test_a_stranger_is_refused_as_such_and_stops_by_itself",
    )),
    Row("POST /api/v1/order", ("rest/order_submit.*", "errors/order.*"), (
        f"{SUITE}/test_far_orders.py::test_an_order_is_listed_canceled_and_proven_over",
        f"{SUITE}/test_far_orders.py::test_a_refused_order_is_known_as_such_and_leaves_nothing",
        f"{SUITE}/test_fills.py::test_an_order_is_never_sent_twice_whatever_answers_it",
    )),
    Row("DELETE /api/v1/order", ("rest/order_cancel.*", "errors/cancel.*"), (
        f"{SUITE}/test_far_orders.py::test_a_cancel_may_be_repeated_and_one_of_nothing_is_turned_down",
        f"{SUITE}/test_fills.py::test_a_partly_filled_order_is_over_after_its_cancel",
    )),
    Row("GET /api/v1/order/{}", ("rest/order_single.*", "errors/order_single.*"), (
        f"{SUITE}/test_far_orders.py::test_an_order_is_listed_canceled_and_proven_over",
        f"{SUITE}/test_reads.py::test_an_order_that_never_was_is_nowhere",
    )),
    Row("GET /api/v1/openOrders", ("rest/open_orders.*",), (
        f"{SUITE}/test_far_orders.py::test_an_order_is_listed_canceled_and_proven_over",
        f"{INTEGRATION}/test_orders.py::test_open_orders_come_in_two_lists_without_their_time",
    )),
    Row("GET /api/v1/allOrders", ("rest/all_orders.*", "errors/all_orders.*"), (
        f"{SUITE}/test_far_orders.py::test_history_has_every_order_once_over_all_pages",
        f"{INTEGRATION}/test_orders.py::test_all_orders_are_paged_newest_first_in_seconds",
    )),
    Row("GET /api/v1/users/transactions/trade", ("rest/user_trades.*",), (
        f"{SUITE}/test_fills.py::test_a_taken_order_closes_and_its_trades_add_up",
        f"{INTEGRATION}/test_orders.py::test_history_lags_and_then_says_fee_and_tax_with_a_minus",
    )),
    Row("GET /api/v1/users/transactions/trade/{}", (), (
        f"{INTEGRATION}/test_orders.py::test_a_trade_is_found_by_its_id",
    )),
    Row("GET /api/v1/users/transactions/crypto", ("rest/crypto_transactions.*",), (
        f"{SUITE}/test_reads.py::test_history_of_a_quiet_time_is_empty_and_not_an_error",
        f"{INTEGRATION}/test_accounts.py::test_deposits_and_withdrawals_move_money_and_are_listed_with_filters",
    )),
    Row("GET /api/v1/users/transactions/fiat", ("rest/fiat_transactions.*", "errors/users_tx.*"), (
        f"{SUITE}/test_reads.py::test_history_of_a_quiet_time_is_empty_and_not_an_error",
        f"{INTEGRATION}/test_accounts.py::test_deposits_and_withdrawals_move_money_and_are_listed_with_filters",
    )),
)  # fmt: skip
_FEED, _SHAPES = f"{INTEGRATION}/test_feed.py", f"{INTEGRATION}/test_shapes.py"
_READ = f"{SUITE}/test_samples.py::test_a_frame_is_read_whole"
_WRITTEN = f"{SUITE}/test_samples.py::test_a_frame_that_we_send_is_written_as_in_the_sample"
_KEPT = f"{SUITE}/test_fills.py::test_the_book_of_the_feed_is_the_book"
_HINT = f"{SUITE}/test_fills.py::test_a_hint_is_only_a_hint"
_EVERYBODY, _OWN = f"{_SHAPES}::test_frames_that_everybody_gets", f"{_SHAPES}::test_frames_about_ones_own_orders"
FRAMES = (
    Row("991 welcome", ("ws/991.*",), (_READ, f"{_FEED}::test_frames_that_make_no_sense_get_no_reply")),
    Row("151 join, leave", ("ws/151.*",), (_WRITTEN, f"{_FEED}::test_a_join_is_acknowledged_and_a_second_one_refused")),
    Row("100 acknowledgement", ("ws/100.*",), (_READ, _EVERYBODY)),
    Row("114 login", ("ws/114.*",), (_WRITTEN, _READ, _HINT, f"{_FEED}::test_a_bad_login_is_refused_with_a_reason")),
    Row("401 tickers of all", ("ws/401.*",), (_READ, _EVERYBODY)),
    Row("402 ticker", ("ws/402.*",), (_READ, _KEPT, f"{_FEED}::test_the_ticker_repeats_every_batch_even_unchanged")),
    Row("421 last trades", ("ws/421.*",), (_READ, f"{_FEED}::test_trades_come_as_a_list_and_then_one_by_one")),
    Row("422 trade", ("ws/422.*",), (_READ, f"{_FEED}::test_trades_come_as_a_list_and_then_one_by_one")),
    Row("428 candle", ("ws/428.*",), (
        _READ, f"{_FEED}::test_the_running_candle_comes_after_the_join_and_when_it_changes",
    )),
    Row("431 book", ("ws/431.*",), (_READ, _KEPT, _EVERYBODY)),
    Row("432 difference of a book", ("ws/432.*",), (
        _READ, _KEPT, f"{SUITE}/test_fills.py::test_a_missing_difference_is_noticed_and_repaired",
    )),
    Row("423 own trade", ("ws/423.*",), (_READ, _HINT, _OWN)),
    Row("441 own match", ("ws/441.*",), (_READ, _HINT, _OWN)),
    Row("451 own order entered", ("ws/451.*",), (_READ, _HINT, _OWN)),
    Row("452 own order left", ("ws/452.*",), (_READ, _HINT, _OWN)),
    Row("453 own order changed", ("ws/453.*",), (_READ,)),
)  # fmt: skip

REASONS: Mapping[tuple[str, str], str] = {
    ("GET /api/v2/ohlc", "client"): "the old daily candles: daily ones are added up from hours (open question F8)",
    ("GET /api/v2/ohlc", "samples"): "nobody kept an answer; its fields are those of the old README (protocol 4.6)",
    ("GET /api/v1/users/transactions/trade/{}", "client"): "trades are read by order and by time, never one by its id",
    ("GET /api/v1/users/transactions/trade/{}", "samples"): "known by its path only, from the server's own description",
    ("453 own order changed", "sandbox"): "documented and never seen: an amend is told as 452 and 451 (protocol 10.5)",
}  # fmt: skip
NOT_PRODUCED: Mapping[str, str] = {
    "rest/exchangeinfo.2022.200": "of 2022, before the dynamic price bounds: old lists are read, not sent",
    "rest/order_submit.request.limit": "what we send, not what comes",
    "rest/order_submit.request.market_buy": "what we send, not what comes",
    "rest/order_submit.request.stoplimit": "what we send, not what comes",
    "ws/100.join.2021": "the same words in another order of names",
    "ws/114.login": "what we send, not what comes",
    "ws/151.subscribe": "what we send, not what comes",
    "ws/151.unsubscribe": "what we send, not what comes",
    "ws/402.ticker_pair.btctry": "the same frame of another pair",
    "ws/432.trace.2022_with_gaps": "a log of several frames; numbers that jump are the profile `jumping_sequence`",
    "ws/432.trace2.2022": "a log of several frames; numbers that jump are the profile `jumping_sequence`",
    "ws/451.dot.2022": "the same frame of another pair",
    "ws/451.xrp.2021": "of 2021, without side and label: read, not sent",
    "ws/452.stale_left": "the same frame; that its rest is out of date is a matter of time",
    "ws/453.order_update": "documented and never seen",
}  # fmt: skip
