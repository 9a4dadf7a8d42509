"""Every control of the risk policy: what it is for, and what holds it where it is not, or not only, a rule of the gate.

Rules, their reasons and the tests that flip them alone come from the code; see `table`.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Control:
    what: str
    held_by: tuple[str, ...] = ()  # `module.name` beside the rules
    tests: tuple[str, ...] = ()  # beside those that flip a rule


UNIT = "tests/unit"
LOOP, DESK = f"{UNIT}/services/test_run_loop.py", f"{UNIT}/services/test_order_desk.py"
EXECUTIONS, SUBMIT = f"{UNIT}/execution/test_executions.py", f"{UNIT}/exchange/test_submit.py"
LIMITS, PRIVATE = f"{UNIT}/exchange/test_limits.py", f"{UNIT}/exchange/test_private.py"
HALTING, THIRTEEN = f"{UNIT}/services/test_halting.py", "tests/faults/test_thirteen.py"
GENERATED, MALFORMED = f"{UNIT}/risk/test_generated_orders.py", f"{UNIT}/services/test_malformed_markets.py"
RESTARTS, DECISION = f"{UNIT}/services/test_restarts.py", f"{UNIT}/services/test_decision.py"
JOURNAL = f"{UNIT}/persistence/test_journal.py"

CONTROLS: dict[str, Control] = {
    "PT1": Control("one order: a largest notional and, apart from it, a largest quantity of each asset",
        tests=(f"{GENERATED}::test_no_order_above_a_cap_passes_and_every_cap_decides_at_its_step",)),
    "PT2": Control("the price of an order against the middle of a fresh book, and the exchange's own bounds",
        tests=(f"{GENERATED}::test_no_order_above_a_cap_passes_and_every_cap_decides_at_its_step",)),
    "PT3": Control("no market orders: every intent has a limit price, and the client writes no other method",
        held_by=("domain.orders.intents.Intent", "exchange.submit.SubmitClient", "risk.sizing.entry_quote"),
        tests=(f"{SUBMIT}::test_what_leaves_is_plain_text_under_our_label",
               f"{DECISION}::test_nothing_is_priced_beyond_the_collar")),
    "PT4": Control("position and exposure with all reservations, unknown orders and fees; again in the transaction "
        "that reserves",
        held_by=("domain.orders.journaling.require_reservable",),
        tests=(f"{UNIT}/risk/test_gate.py::test_what_an_unknown_order_may_spend_counts_in_full",
               "tests/simulation/test_campaign.py::test_the_invariants_hold_whatever_goes_wrong")),
    "PT5": Control("no short, no overspend: the smaller of the exchange's word and our own books counts",
        held_by=("domain.orders.journaling.require_reservable",),
        tests=(f"{UNIT}/risk/test_gate.py::test_the_balance_is_the_smaller_of_the_exchanges_word_and_our_own_books",
               f"{DESK}::test_coins_that_are_not_ours_are_not_sold")),
    "PT6": Control("submits a minute and a second; cancels have a budget of their own",
        held_by=("exchange.limits.Budgets",),
        tests=(f"{LIMITS}::test_submits_and_reads_never_eat_what_cancels_need",)),
    "PT7": Control("entries of one instrument: a pause between two, so many an hour, so many a day. One more in an "
        "hour is refused until the hour has passed; one more in a day pauses all entries until a person resumes",
        held_by=("services.deciding.plan.CyclePlan", "services.run_loop.RunLoopService"),
        tests=(f"{LOOP}::test_more_entries_than_a_day_may_see_pause_until_a_person_resumes",
               f"{RESTARTS}::test_a_restart_forgets_no_counter_and_no_latch")),
    "PT8": Control("one decision, one order; one unresolved order of a pair and side; nothing is sent twice",
        held_by=("persistence.sqlite.journal.SqliteJournal", "execution.live.LiveExecution"),
        tests=(f"{DESK}::test_one_decision_makes_one_order", f"{DESK}::test_an_unresolved_order_closes_its_pair")),
    "PT9": Control("market data: there, of the pair, fresh on the monotonic clock and by the exchange's time, without "
        "gaps, possible, moving, not jumped, not too wide",
        held_by=("market_data.pair_book.PairBook",),
        tests=(f"{MALFORMED}::test_no_entry_comes_of_a_malformed_market_and_cancels_go_on",
               f"{UNIT}/market_data/test_pair_book.py::test_a_book_that_shows_no_change_says_for_how_long")),
    "PT10": Control("never against our own resting order"),
    "PT11": Control("an instrument that trades, by rules that were read within the hour; otherwise only exits"),
    "PT12": Control("grids, bounds and minima, rounded towards less; judged again by the rules read since the decision",
        held_by=("risk.gate.form_reasons", "domain.instruments.Instrument"),
        tests=(f"{UNIT}/services/test_unfit_to_send.py::test_an_order_is_judged_again_by_the_grids_read_since",
               f"{GENERATED}::test_rounding_never_raises_spend_or_quantity")),
    "PT13": Control("armed at this very moment: asked after the intent is durable, before the send, and when nothing "
        "but the sending is left",
        held_by=("execution.policy.TradingArmedPolicy", "execution.live.LiveExecution"),
        tests=(f"{UNIT}/execution/test_policy.py::test_of_all_combinations_exactly_one_is_armed",
               f"{EXECUTIONS}::test_a_halt_while_waiting_for_the_budget_stops_the_order",
               f"{LOOP}::test_a_halt_between_deciding_and_sending_sends_nothing")),
    "PT14": Control("nothing blocks a cancel",
        held_by=("services.order_desk.OrderDesk", "execution.disarmed.DisarmedExecution"),
        tests=(f"{DESK}::test_nothing_blocks_a_cancel", f"{EXECUTIONS}::test_cancels_go_on_while_trading_is_blocked")),
    "PT15": Control("orders at work, of one instrument and in all; an order that rests too long is canceled",
        held_by=("services.deciding.cancels.cancels_wanted",),
        tests=(f"{DECISION}::test_a_silent_market_takes_resting_orders_off_the_book",)),
    "I1": Control("the kill switch: a command and a file, durable at once, everything off the book; a pause",
        held_by=("services.halting.Halting", "services.control.ControlDesk"),
        tests=(f"{HALTING}::test_a_file_trips_the_latch_and_the_row_holds_when_the_file_is_gone",
               f"{LOOP}::test_a_halt_takes_resting_orders_off_the_book",
               f"{LIMITS}::test_fifty_open_orders_can_be_canceled_within_half_a_minute")),
    "I2": Control("cancel on disconnect: silent data, SIGTERM, and a short life of what rests",
        held_by=("services.deciding.cancels.cancels_wanted", "services.run_loop.RunLoopService"),
        tests=(f"{DECISION}::test_a_silent_market_takes_resting_orders_off_the_book",
               f"{LOOP}::test_a_stop_cancels_entries_and_proves_it")),
    "I3": Control("loss of the day and fall from the peak: at the limit trading halts, durably",
        held_by=("risk.rules.day_loss", "risk.rules.drawdown", "services.halting.Halting"),
        tests=(f"{LOOP}::test_starting_with_a_latched_halt_means_running_halted",
               f"{RESTARTS}::test_a_restart_forgets_no_counter_and_no_latch",
               f"{RESTARTS}::test_a_withdrawal_that_no_cycle_saw_moves_the_peak_with_it")),
    "I4": Control("alerts in time: the monitor checks in turn, and says what changed",
        held_by=("services.watcher.Watcher",),
        tests=(f"{UNIT}/services/test_health.py::test_of_live_it_says",)),
    "I5": Control("alerts that act: each failure halts, here or through the monitor",
        held_by=("services.tripping.Tripping",),
        tests=(f"{UNIT}/services/test_tripping.py::test_every_failure_that_health_knows_has_somebody_who_acts_on_it",)),
    "I6": Control("liveness: a heartbeat a second, a cycle's age, told by another process",
        held_by=("services.health.HealthService",),
        tests=(f"{UNIT}/services/test_health.py::test_of_live_it_says",)),
    "I7": Control("the clock: measured against the exchange's, beyond the limit nothing is sent, stamps rise",
        held_by=("exchange.venue_clock.VenueClock", "services.live_wiring.unfit_to_send", "exchange.signing.Signer"),
        tests=(f"{LOOP}::test_a_clock_that_drifts_away_blocks_until_it_is_back",
               f"{PRIVATE}::test_stamps_rise_when_the_clock_steps_back",
               f"{UNIT}/services/test_unfit_to_send.py::test_what_went_stale_is_said")),
    "I8": Control("the exchange's own trouble: after three failures in a row only reads, until one succeeds",
        held_by=("exchange.private.PrivateChannel", "exchange.submit.SubmitClient"),
        tests=(f"{SUBMIT}::test_nothing_is_admitted_while_the_exchange_fails_until_a_read_succeeds",
               f"{PRIVATE}::test_maintenance_is_one_under_any_status_and_three_of_it_pause_placing")),
    "I9": Control("a refused key: after three refusals in a row nothing private leaves, and sockets come back slowly",
        held_by=("exchange.private.PrivateChannel", "exchange.stream.Stream"),
        tests=(f"{PRIVATE}::test_after_three_401_in_a_row_nothing_private_leaves",
               f"{UNIT}/exchange/test_stream.py::test_abrupt_ends_bring_no_more_than_three_connections_a_minute")),
    "I10": Control("Retry-After is obeyed and never shortened; cancels test a long one every other minute",
        held_by=("exchange.limits.Budgets",),
        tests=(f"{LIMITS}::test_a_block_is_obeyed_and_never_shortened",
               f"{SUBMIT}::test_nothing_is_admitted_inside_a_block")),
    "I11": Control("a move beyond the limit within the window pauses entries of the instrument, across restarts",
        held_by=("services.deciding.market.take_reading", "services.breakers.restored_breakers"),
        tests=(f"{DECISION}::test_a_fast_move_pauses_entries",
               f"{RESTARTS}::test_what_a_cycle_keeps_of_its_breakers_is_read_back")),
    "I12": Control("a crash loop: so many starts within the window latch a halt",
        held_by=("services.live._break_crash_loop",),
        tests=(f"{THIRTEEN}::test_killed_after_the_first_order_and_at_every_restart",)),
    "I13": Control("the budget of one address is split between live, monitor and a person",
        held_by=("exchange.limits.Budgets",),
        tests=(f"{LIMITS}::test_live_and_monitor_together_leave_room_for_a_person",)),
    "C4": Control("after build or configuration changed, a part of the caps for a time; off unless set",
        held_by=("risk.ramp_up.limits_in_force",),
        tests=(f"{UNIT}/risk/test_ramp_up.py::test_until_it_ends_every_cap_on_money_and_coins_is_a_part_of_itself",
               f"{RESTARTS}::test_a_ramp_up_begins_where_build_or_configuration_changed")),
}  # fmt: skip
