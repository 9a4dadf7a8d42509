"""What can go wrong with time, the market, and what people set."""

from collections.abc import Mapping

from tests.faults.places import (
    DECISION,
    DRIFT,
    FAULTS,
    INTEGRATION,
    LOGS,
    LOOP,
    MARKET,
    OPERATORS,
    REFUSALS,
    REFUSED_EXIT,
    SETTINGS,
    STOOD_STILL,
    UNIT,
    VENUE_CLOCK,
)
from tests.faults.row import Row

SURROUNDINGS: Mapping[int, Row] = {
    74: Row("the clock jumps ahead", "nothing is signed on it; waits are not affected", (
        f"{LOOP}::test_a_clock_too_far_off_keeps_everything_back_at_the_start",
        f"{VENUE_CLOCK}::test_a_step_of_our_clock_shows_as_an_offset_at_once_and_moves_no_stamp",
    )),
    75: Row("the clock goes back", "stamps rise all the same; the day does not begin anew", (
        f"{UNIT}/exchange/test_private.py::test_stamps_rise_when_the_clock_steps_back",
        f"{FAULTS}/test_processes.py::test_a_clock_that_steps_back_does_not_begin_the_day_anew",
    )),
    76: Row("the clock drifts beyond the limit", "nothing is sent until it is back", (DRIFT,)),
    77: Row("the exchange's time is wrong or missing", "one answer moves nothing", (
        f"{VENUE_CLOCK}::test_one_wrong_answer_moves_nothing",
        f"{VENUE_CLOCK}::test_without_any_sample_there_is_no_offset",
    )),
    78: Row("days of different zones", "UTC everywhere; the trading day in its own zone", (
        f"{DECISION}::test_the_day_turns_at_midnight_in_its_zone",
        f"{UNIT}/persistence/test_fields.py::test_an_instant_without_a_zone_is_refused",
    )),
    79: Row("milliseconds taken for seconds", "refused by their size", (
        f"{UNIT}/exchange/test_wire.py::test_seconds_and_milliseconds_are_never_mistaken_for_each_other",
    )),
    80: Row("the machine stands still", "as a process that was stopped", (STOOD_STILL,)),
    81: Row("an old book in a fresh answer", "old", (
        f"{MARKET}::test_an_old_book_in_a_fresh_answer_is_old_and_so_is_one_of_times_to_come",
    )),
    82: Row("the feed is silent and its socket open", "no entry; what rests is called back", (
        f"{MARKET}::test_an_open_socket_on_which_no_data_come_is_replaced",
        f"{DECISION}::test_a_silent_market_takes_resting_orders_off_the_book",
    )),
    83: Row("a book that cannot be", "refused, and values nothing", (
        f"{UNIT}/risk/test_gate.py::test_a_malformed_book_refuses_entries_and_exits_and_values_nothing",
        f"{UNIT}/market_data/test_book.py::test_a_full_book_that_cannot_be_is_not_kept",
        f"{UNIT}/exchange/test_wire.py::test_an_absurd_number_is_refused",
    )),
    84: Row("a crash or a spike", "entries pause; nothing is priced beyond the collar", (
        f"{DECISION}::test_a_fast_move_pauses_entries", f"{DECISION}::test_nothing_is_priced_beyond_the_collar",
        f"{DECISION}::test_a_spike_that_is_gone_at_the_next_reading_leaves_no_trace",
    )),
    85: Row("gaps, repetitions, frames out of order", "a book made anew; no decision on a gap", (
        f"{INTEGRATION}/market_data/test_misbehaving_feed.py::test_a_fault_of_the_feed_is_noticed_and_the_book_made_anew",
        f"{INTEGRATION}/market_data/test_misbehaving_feed.py::test_frames_that_come_twice_change_nothing",
    )),
    86: Row("malformed, cut, huge or deep JSON", "one typed error, within bounds", (
        f"{UNIT}/exchange/test_json_text.py::test_any_bytes_are_a_document_or_the_one_error",
        f"{UNIT}/exchange/test_frame_text.py::test_nothing_but_a_typed_error_comes_of_any_bytes",
        "tests/fuzz/test_parsers.py::test_spoiled_input_ends_in_a_typed_error",
    )),
    87: Row("a candle is revised after its close", "what was decided on stays what it was", (
        f"{UNIT}/market_data/test_candles.py::test_what_was_taken_is_never_revised",
        f"{DECISION}::test_a_decision_is_repeatable_and_stays_within_every_cap",
    )),
    88: Row("a pair is suspended while we hold it", "no entry, and no loop of exits", (
        f"{UNIT}/exchange/test_public.py::test_a_pair_that_we_cannot_trade_is_not_trading",
        f"{UNIT}/risk/test_gate.py::test_each_rule_flips_a_verdict_alone", REFUSED_EXIT,
    )),
    89: Row("hours of maintenance", "it waits, and goes on after a reconciliation", (
        f"{LOOP}::test_while_the_exchange_does_not_answer_nothing_is_sent_and_cycles_go_on",
        f"{UNIT}/exchange/test_private.py::test_maintenance_is_one_under_any_status_and_three_of_it_pause_placing",
    )),
    90: Row("grids or minima change", "an order by the old ones is refused by our own gate", (
        f"{UNIT}/risk/test_gate.py::test_every_reason_is_reported_gravest_first",
        f"{UNIT}/services/test_unfit_to_send.py::test_an_order_is_judged_again_by_the_grids_read_since",
    )),
    105: Row("a setting is missing, empty, unknown or doubled", "refused by name, without its value", (
        f"{SETTINGS}::test_a_missing_setting_is_an_error_not_a_default",
        f"{SETTINGS}::test_an_empty_setting_is_an_error",
        f"{SETTINGS}::test_a_secret_in_the_wrong_place_is_not_repeated",
        f"{UNIT}/config/test_names.py::test_a_misspelt_name_with_a_prefix_is_guessed",
    )),
    106: Row("limits with commas, exponents or NaN", "refused", (
        f"{SETTINGS}::test_a_number_is_plain_and_within_bounds",
    )),
    107: Row("a secret file that others may read", "refused", (
        f"{UNIT}/config/test_secret_files.py::test_a_file_that_others_may_read_is_refused",
        f"{UNIT}/config/test_secret_files.py::test_a_link_is_refused",
        f"{UNIT}/config/test_secret_files.py::test_a_file_that_is_not_one_secret_is_refused",
    )),
    108: Row("a secret with odd characters", "works unchanged", (
        f"{UNIT}/config/test_secret_files.py::test_a_secret_with_odd_characters_works_unchanged",
    )),
    109: Row("errors on every way out, with a secret in them", "no secret in any of them", (
        f"{LOGS}::test_no_secret_leaves_on_any_path_in_any_form",
        f"{UNIT}/exchange/test_private.py::test_no_secret_reaches_the_observer",
    )),
    110: Row("a key that may not trade", "told at the start", (
        f"{REFUSALS}::test_a_key_that_may_not_trade_is_refused_at_the_start",
        f"{REFUSALS}::test_a_wrong_key_is_refused_in_one_line_without_the_key",
        f"{UNIT}/exchange/test_cancel.py::test_a_key_that_may_not_trade_shows_at_a_cancel_that_cancels_nothing",
    )),
    111: Row("a page of another site posts to the dashboard", "refused; nothing changes", (
        f"{UNIT}/dashboard/test_page.py::test_only_reading_is_allowed",
        f"{UNIT}/dashboard/test_page.py::test_only_loopback_names_are_answered",
    )),
    112: Row("armed under other settings than before", "no entry on the real exchange until a person resumes", (
        f"{OPERATORS}::test_changed_settings_make_no_entries_on_the_real_exchange_until_a_resume",
        f"{OPERATORS}::test_on_loopback_and_by_setting_a_changed_configuration_goes_on",
        f"{OPERATORS}::test_no_bit_of_what_was_agreed_to_may_differ",
    )),
}  # fmt: skip
