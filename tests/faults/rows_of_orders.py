"""What can go wrong with an order, from the submit to its end."""

from collections.abc import Mapping

from tests.faults.places import (
    ACCOUNT,
    ANSWERS,
    DECISION,
    DESK,
    FAULTS,
    INTEGRATION,
    LIFE,
    LOOP,
    NO_RESEND,
    OPERATORS,
    RECONCILING,
    REFUSED_EXIT,
    SUBMITS,
    THIRTEEN,
    UNIT,
)
from tests.faults.row import Row

ORDERS: Mapping[int, Row] = {
    1: Row("the request is lost on its way", "unknown; sealed once absence is proven; never sent again", (
        f"{SUBMITS}[1 the request is lost]",
        f"{RECONCILING}::test_absence_is_proven_after_the_quiet_time_and_enough_readings",
        f"{RECONCILING}::test_the_quiet_time_alone_proves_nothing",
    )),
    2: Row("accepted, and the answer is lost", "found by its label; one order", (
        f"{SUBMITS}[2 the answer is lost]",
        f"{LIFE}[2 accepted, the answer lost, filled at once: found in the history]",
        f"{THIRTEEN}::test_accepted_but_timed_out_twice",
    )),
    3: Row("accepted, and the answer comes after we gave up", "it changes nothing; the order is found", (
        f"{SUBMITS}[3 the answer comes after we gave up]",
    )),
    4: Row("accepted minutes later", "what it reserves stays reserved until it is seen", (
        f"{SUBMITS}[4 accepted later]",
        f"{LIFE}[4 accepted minutes later: the reservation was held until it was seen]",
    )),
    5: Row("accepted after it was sealed", "adopted, counted again, and trading halts", (
        f"{SUBMITS}[5 accepted after it was sealed: adopted, halted, and taken off the book]",
        f"{RECONCILING}::test_what_turns_up_after_the_seal_is_adopted_and_halts",
    )),
    6: Row("a page of HTML instead of an answer", "unknown; little of it is quoted, and no token", (
        f"{SUBMITS}[6 a page of the edge, and accepted]",
        f"{ANSWERS}[html 502]", f"{ANSWERS}[html 504]",
        f"{UNIT}/exchange/test_http.py::test_a_snippet_is_short_printable_and_without_tokens",
    )),
    7: Row("an empty body", "unknown", (f"{SUBMITS}[7 an empty body]", f"{ANSWERS}[empty 200]")),
    8: Row("a refusal dressed as success", "not accepted, confirmed by looking; the clock is measured; no loop", (
        f"{SUBMITS}[8 a refused nonce]", f"{ANSWERS}[401 under 200]", f"{ANSWERS}[code of a failure]",
        f"{UNIT}/exchange/test_private.py::test_a_refused_nonce_measures_the_clock_and_tries_again",
    )),
    9: Row("a success that names another order", "unknown, found by its own label, and trading halts", (
        f"{FAULTS}/test_submits.py::test_an_answer_about_another_order_proves_nothing_about_ours",
        f"{ANSWERS}[another label]",
    )),
    10: Row("a success with another price or quantity", "held for what it is, and trading halts", (
        f"{ANSWERS}[another price]", f"{ANSWERS}[another quantity]",
        f"{FAULTS}/test_submits.py::test_what_the_exchange_made_of_an_order_is_what_counts",
    )),
    11: Row("refused with a word that is known", "rejected after one complete reading without it", (
        f"{LIFE}[11 turned down and absent in one complete reading]",
        f"{UNIT}/exchange/test_classification.py::test_each_captured_error_means_what_the_table_says",
    )),
    12: Row("refused with a word that is not known", "unknown", (f"{ANSWERS}[400 unknown message]",)),
    13: Row("refused although it was placed", "found by the reading that follows each refusal, and adopted", (
        f"{LIFE}[13 turned down although it was placed]",
        f"{RECONCILING}::test_what_was_rejected_and_turns_up_is_adopted_and_halts",
    )),
    14: Row("the key is refused", "not accepted, confirmed by looking; the third call is a cancel's, and the last", (
        f"{FAULTS}/test_orders.py::test_a_key_that_is_refused_twice_calls_back_what_rests_with_the_third",
        f"{UNIT}/exchange/test_private.py::test_however_many_cancels_leave_at_once_three_are_refused_at_most",
        f"{SUBMITS}[14 a refused key]", f"{ANSWERS}[401]", f"{ANSWERS}[403 html]",
        f"{UNIT}/exchange/test_submit.py::test_nothing_is_admitted_after_three_401_in_a_row",
        f"{LOOP}::test_a_key_refused_while_running_halts",
    )),
    15: Row("too many requests", "not accepted; the block is obeyed; the decision is not played again", (
        f"{SUBMITS}[15 too many requests]",
        f"{FAULTS}/test_submits.py::test_a_refused_order_is_not_repeated_and_a_block_is_obeyed",
    )),
    16: Row("an internal error, maintenance", "unknown", (
        f"{SUBMITS}[16 an internal error, and accepted]", f"{SUBMITS}[16 maintenance]", f"{ANSWERS}[500]",
    )),
    17: Row("the connection breaks after the request left", "unknown", (
        f"{SUBMITS}[17 the connection is cut under the answer]", f"{ANSWERS}[connection reset after the headers]",
    )),
    18: Row("the handshake fails, or the certificate is wrong", "not sent: no byte of the request left", (
        f"{FAULTS}/test_submits.py::test_a_handshake_that_fails_lets_no_byte_of_a_request_leave",
        f"{UNIT}/exchange/test_http.py::test_nothing_of_the_environment_reaches_the_client",
    )),
    19: Row("the host has no address", "not sent", (
        f"{FAULTS}/test_submits.py::test_an_unknown_host_lets_no_byte_leave",
    )),
    20: Row("a pooled connection went stale", "nobody repeats a request in silence: one send, one request", (
        f"{NO_RESEND}::test_a_connection_lost_under_an_order_is_silence_after_one_request",
        f"{NO_RESEND}::test_a_connection_that_closes_just_as_the_order_arrives_is_not_replaced_under_it",
        f"{NO_RESEND}::test_a_server_that_hangs_up_on_every_connection_gets_one_order",
        f"{INTEGRATION}/execution/test_one_request.py::test_an_order_is_one_request_whatever_answers_it",
    )),
    21: Row("a redirect", "not followed; unknown", (
        f"{ANSWERS}[redirect]", f"{UNIT}/exchange/test_http.py::test_a_redirect_is_an_answer_and_is_not_followed",
    )),
    22: Row("the task is cancelled at any of its waits", "not sent, unknown or open; never forgotten", (
        f"{FAULTS}/test_submits.py::test_a_send_that_is_cancelled_at_any_await_is_known_to_the_journal",
        f"{DESK}::test_a_task_that_is_canceled_while_the_request_is_out_leaves_it_unknown",
    )),
    23: Row("two coroutines race for one order", "one may send", (
        "tests/contract/journal/test_journal.py::test_an_order_is_sent_at_most_once",
        f"{UNIT}/execution/test_executions.py::test_an_order_is_not_sent_again_whatever_came_of_the_first_try",
    )),
    24: Row("money is bound, and no order is listed", "it stays unknown, and reserved", (
        f"{FAULTS}/test_submits.py::test_a_hold_without_an_order_keeps_it_unknown",
        f"{RECONCILING}::test_nothing_is_sealed_while_money_moved_or_is_bound_that_nobody_explains",
    )),
    25: Row("the order is not on the first page", "all pages are read, or the reading counts for nothing", (
        f"{UNIT}/execution/test_accounts.py::test_all_pages_are_read_however_they_are_counted_and_capped",
        f"{UNIT}/execution/test_accounts.py::test_a_page_that_fails_fails_the_whole_reading",
    )),
    26: Row("the looking up fails", "no answer is not absence", (
        f"{RECONCILING}::test_a_reading_that_failed_is_not_evidence_and_changes_nothing",
        f"{RECONCILING}::test_a_reading_that_began_before_the_last_word_is_not_evidence",
        f"{ACCOUNT}::test_without_the_lookup_of_single_orders_the_list_of_all_orders_concludes",
        f"{THIRTEEN}::test_an_exchange_that_lacks_the_lookup_of_single_orders",
    )),
    27: Row("two orders under one label", "both are counted, and trading halts", (
        f"{FAULTS}/test_submits.py::test_two_orders_under_one_label_halt",
        f"{FAULTS}/test_submits.py::test_the_trades_of_two_orders_under_one_label_are_all_booked",
        f"{ACCOUNT}::test_two_orders_under_one_label_are_an_alarm",
        f"{ACCOUNT}::test_two_orders_under_the_label_of_an_unknown_one_are_an_alarm_as_well",
        f"{ACCOUNT}::test_trades_of_two_orders_under_one_label_are_booked_to_their_own",
    )),
    28: Row("too many requests while looking up", "it waits; the other pairs go on", (
        f"{ACCOUNT}::test_one_pair_that_cannot_be_read_does_not_hide_the_others",
        f"{UNIT}/exchange/test_private.py::test_inside_a_block_nothing_leaves",
    )),
    29: Row("a cancel is acknowledged, and the order fills", "the fill is booked; no second order before", (
        f"{FAULTS}/test_orders.py::test_a_cancel_that_a_fill_overtakes", f"{LIFE}[29 canceled and filled meanwhile]",
    )),
    30: Row("a cancel is acknowledged, and the order rests", "asked again, bounded; still reserved", (
        f"{THIRTEEN}::test_a_cancel_acknowledged_while_the_order_still_rests",
        f"{LIFE}[30 the cancel had no effect]", f"{DESK}::test_a_cancel_without_effect_is_repeated_and_told",
    )),
    31: Row("the answer to a cancel is lost", "the order is asked after", (
        f"{FAULTS}/test_orders.py::test_a_cancel_whose_answer_is_lost",
        f"{DESK}::test_no_answer_to_a_cancel_ends_an_order",
    )),
    32: Row("a cancel finds no order", "never taken for gone", (f"{LIFE}[32 not found is not gone]",)),
    33: Row("filled in part, then canceled", "the part is booked, the rest released", (
        f"{LIFE}[33 partly filled, then canceled]",
        f"{LIFE}[33 a partial that leaves the listing after a cancel is over only when it stays out]",
        f"{LIFE}[33 a partial that is back in the listing was only late]",
    )),
    34: Row("closed before its trades are listed", "over when they add up", (
        f"{LIFE}[34 closed before its trades are listed]",
        f"{FAULTS}/test_orders.py::test_listings_that_are_a_minute_and_a_half_late",
        f"{ACCOUNT}::test_what_a_working_order_may_have_done_is_waited_for_and_not_for_ever",
        f"{ACCOUNT}::test_a_withdrawal_beside_a_working_order_is_not_its_doing",
    )),
    35: Row("a trade comes twice", "one row", (
        f"{LIFE}[35 a trade that comes twice counts once]",
        f"{UNIT}/persistence/test_live_store.py::test_a_trade_is_booked_once_whoever_claims_it",
    )),
    36: Row("trades out of order, or before the answer", "found by label or number, and booked", (
        f"{LIFE}[36 trades before any listing: found by the label in a trade]", f"{LIFE}[36 trades in another order]",
    )),
    37: Row("the feed never tells of the end", "polling concludes", (
        f"{FAULTS}/test_orders.py::test_private_frames_that_never_come",
        f"{LIFE}[37 nobody tells of the cancel: polling concludes]",
    )),
    38: Row("held money is released late", "it is not ordered with before; no storm of refusals", (
        f"{FAULTS}/test_orders.py::test_a_hold_that_is_released_late",
        f"{UNIT}/risk/test_gate.py::test_the_balance_is_the_smaller_of_the_exchanges_word_and_our_own_books",
    )),
    39: Row("a rounded amount beside the exact one", "the exact one counts", (
        f"{UNIT}/exchange/test_account.py::test_a_fill_counts_the_precise_amount_and_its_costs_are_positive",
    )),
    40: Row("a status that nobody knows", "open, until a listing says otherwise", (
        f"{RECONCILING}::test_an_unknown_status_counts_as_open",
        f"{UNIT}/exchange/test_account.py::test_an_unknown_status_is_kept_as_such",
    )),
    41: Row("the owner cancels an order of ours", "noticed within two cycles; not made again", (
        f"{FAULTS}/test_orders.py::test_an_order_that_its_owner_cancels", f"{LIFE}[41 canceled by its owner]",
    )),
    42: Row("another fee, or in another currency", "the ledger stays exact, and somebody is told", (
        f"{UNIT}/domain/test_fees.py::test_a_higher_rate_counts_at_once_and_stays_as_long_as_it_is_remembered",
        f"{RECONCILING}::test_trades_of_an_order_are_booked_to_the_ledger_once",
        f"{OPERATORS}::test_another_fee_is_told_once_and_the_ledger_is_exact",
    )),
    43: Row("less is left than can be sold", "left alone, without trying again and again", (
        f"{DECISION}::test_dust_is_left_alone_and_counts_as_flat",
        f"{UNIT}/risk/test_sizing.py::test_dust_is_what_cannot_be_sold_alone", REFUSED_EXIT,
    )),
}  # fmt: skip
