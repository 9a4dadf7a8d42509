"""What can go wrong with processes, disks, and who owns what."""

from collections.abc import Mapping

from tests.faults.places import (
    ACCOUNT,
    CALLBACK,
    CAMPAIGN,
    CRASH_LOOP,
    DATABASE,
    DEATHS,
    DESK,
    DISK,
    EACH_ROLE,
    FAILED_DISK,
    FAULTS,
    FILESYSTEMS,
    HOUSE,
    INTERRUPTED,
    KILLED,
    KILLED_AGAIN,
    LOCK,
    LOCKS,
    LOGS,
    LOOP,
    MONITOR,
    NOT_KEPT,
    OWNED,
    REFUSALS,
    REFUSED_UNTOUCHED,
    STOOD_STILL,
    THIRTEEN,
    TWO,
    UNIT,
)
from tests.faults.row import Row

MACHINES: Mapping[int, Row] = {
    44: Row("killed at any point of a cycle", "nothing lost, nothing doubled", (
        KILLED, f"{DEATHS}::test_killed_at_a_line_it_loses_and_doubles_nothing",
        f"{DEATHS}::test_killed_at_every_line_it_loses_and_doubles_nothing",
        f"{THIRTEEN}::test_not_found_for_a_seconds_old_order_at_restart", CAMPAIGN,
        "tests/e2e/test_main_job.py::test_restarted_by_operators_and_killed_it_loses_and_doubles_nothing",
    )),
    45: Row("killed during recovery, again and again", "recovering twice is recovering once", (
        KILLED_AGAIN, f"{DEATHS}::test_killed_at_a_line_of_each_recovery_it_loses_and_doubles_nothing",
        f"{DEATHS}::test_killed_twice_and_starved_at_random_lines_it_loses_and_doubles_nothing",
    )),
    46: Row("killed at each system call that writes", "what was acknowledged is there, and whole", (
        f"{DEATHS}::test_killed_at_a_writing_system_call_what_was_acknowledged_is_there",
        f"{DEATHS}::test_killed_at_every_writing_system_call_what_was_acknowledged_is_there",
        f"{TWO}::test_whatever_was_acknowledged_before_a_kill_is_there_afterwards",
    )),
    47: Row("SIGTERM in any state", "an orderly end; nothing is sent after the signal", (
        f"{THIRTEEN}::test_sigterm_between_send_and_commit",
        f"{LOOP}::test_a_stop_in_the_middle_of_a_cycle_sends_nothing_more",
        f"{LOOP}::test_a_stop_cancels_entries_and_proves_it",
        f"{LOOP}::test_a_stop_ends_the_wait_for_the_exchange",
        f"{FAULTS}/test_orders.py::test_a_stop_fits_the_supervisors_patience_though_reads_time_out",
        f"{FAULTS}/test_orders.py::test_a_stop_waits_for_the_answer_to_an_order_and_no_longer_than_it_may",
    )),
    48: Row("a second signal", "changes nothing", (f"{THIRTEEN}::test_sigterm_between_send_and_commit",)),
    49: Row("stopped for minutes, then continued", "nothing is sent on what is old; the fence is asked", (
        STOOD_STILL, f"{REFUSALS}::test_a_worker_that_stood_still_sends_nothing_that_it_decided_before",
        f"{DESK}::test_a_lost_fence_sends_nothing_and_a_restart_settles_the_row",
    )),
    50: Row("killed for want of memory", "as any other kill; memory does not grow", (
        f"{DEATHS}::test_without_memory_it_ends_and_loses_and_doubles_nothing",
        "tests/benchmarks/test_quick_runs.py::test_a_quick_run_tells_its_figures",
    ), missing="a simulated day of trading leaves 4 MB more in memory, where 1 MB was wanted"),
    51: Row("the loop is blocked for longer than a period", "told; no burst of cycles afterwards", (
        f"{LOOP}::test_cycles_keep_their_period_and_never_catch_up",
        f"{UNIT}/services/test_health.py::test_of_live_it_says",
    )),
    52: Row("an exception in any callback", "the cycle is left out and counted; no half of it is kept", (
        CALLBACK, f"{LOOP}::test_a_cycle_that_fails_leaves_no_record_and_the_journal_knows_what_left",
        f"{LOOP}::test_defects_in_a_row_halt_and_one_alone_does_not",
        f"{FAULTS}/test_orders.py::test_a_strategy_that_always_raises_leaves_nothing_on_the_book",
    )),
    53: Row("no memory, or recursion without end", "the process ends with an error; the books as after a kill", (
        INTERRUPTED, f"{FAULTS}/test_orders.py::test_without_memory_or_without_end_the_process_ends",
    )),
    54: Row("a task dies and nobody awaits it", "told, and nothing goes on without it", (
        f"{FAULTS}/test_processes.py::test_a_helper_that_fails_ends_the_process_with_its_error",
        f"{LOGS}::test_warnings_and_what_the_event_loop_reports_are_defects_and_libraries_report",
        f"{FAULTS}/test_processes.py::test_an_error_that_nobody_awaits_is_told_and_halts",
        f"{FAULTS}/test_processes.py::test_a_callback_that_raises_halts_and_a_broken_connection_does_not",
    )),
    55: Row("power fails, and the end of the log is torn", "every acknowledged commit, and no half of another", (
        f"{DISK}::test_a_torn_log_has_every_acknowledged_commit_and_no_half_of_another",
        f"{OWNED}::test_a_torn_log_loses_only_what_was_never_acknowledged",
        f"{FAULTS}/test_torn_images.py::test_whatever_is_torn_every_acknowledged_commit_is_there",
    )),
    56: Row("the disk is full", "a clear error; nothing is sent on what was not kept; cancels go on", (
        f"{NOT_KEPT}[full]", f"{DATABASE}::test_a_full_disk_and_a_busy_file_may_pass",
        f"{DISK}::test_a_full_disk_sends_nothing_calls_back_what_rests_and_halts_once_it_can_write",
        f"{DISK}::test_what_cannot_be_written_for_long_ends_the_worker",
    )),
    57: Row("a write fails", "likewise, and the process ends: the next one goes on from the log", (
        f"{NOT_KEPT}[write]", f"{FAILED_DISK}[write]",
    )),
    58: Row("a sync fails", "nobody knows what was kept: the process ends and the next one finds out", (
        f"{NOT_KEPT}[sync]", f"{DATABASE}::test_a_failed_disk_ends_the_store", f"{FAILED_DISK}[sync]",
        f"{DATABASE}::test_a_store_whose_disk_failed_sends_nothing_more_and_does_not_claim_an_orderly_end",
    )),
    59: Row("a bit flips", "found at the start, which is refused", (
        REFUSED_UNTOUCHED, f"{UNIT}/persistence/test_chain.py::test_a_start_finds_a_broken_link",
        f"{FAULTS}/test_torn_images.py::test_whatever_bit_flips_is_found_or_was_nobodys",
    )),
    60: Row("the log is deleted", "missed at the start, which is refused", (
        f"{OWNED}::test_a_log_that_is_missing_is_missed",
    )),
    61: Row("copied without its log", "missed at the start, with its lock file or without", (
        f"{OWNED}::test_a_log_that_is_missing_is_missed",
        f"{OWNED}::test_a_copy_without_its_log_and_without_its_lock_file_is_found",
    )),
    62: Row("an old backup in its place", "found by what is kept elsewhere of the chain; refused", (
        f"{UNIT}/persistence/test_restoring.py::test_a_backup_that_a_person_copied_into_place_is_refused_untouched",
        f"{UNIT}/persistence/test_restoring.py::test_a_copy_that_went_on_elsewhere_is_refused",
    )),
    63: Row("a hard link or a symbolic link", "refused", (
        REFUSED_UNTOUCHED, f"{LOCK}::test_unsafe_lock_files_are_refused",
        f"{LOCK}::test_a_hard_link_made_later_is_noticed",
    )),
    64: Row("a file system that is not known to keep locks", "refused", (
        f"{FILESYSTEMS}::test_a_network_or_unknown_filesystem_is_refused_before_anything_is_made",
    )),
    65: Row("another program holds the database", "waited for with a bound, then told; no spinning; cancels go on", (
        f"{DATABASE}::test_another_program_in_the_file_is_waited_for_and_then_reported",
        f"{THIRTEEN}::test_database_locked_at_commit",
        f"{DISK}::test_a_file_that_stays_busy_is_waited_for_without_spinning_and_cancels_go_on",
    )),
    66: Row("a long reader keeps the log from shrinking", "no cycle waits; told at 16 MB, the end at 64 MB", (
        f"{UNIT}/persistence/test_live_store.py::test_a_long_log_is_moved_into_the_file_between_cycles",
        f"{HOUSE}::test_a_long_reader_delays_no_cycle_and_its_log_is_told_and_then_ends_the_worker",
        f"{HOUSE}::test_the_limits_of_a_log_are_those_of_the_fault_matrix",
    )),
    67: Row("a second connection in one process", "an error, in production as well", (
        f"{DATABASE}::test_a_process_opens_a_file_once",
    )),
    68: Row("INSERT OR REPLACE over history", "refused by the database itself", (
        f"{UNIT}/persistence/test_schema.py::test_history_is_never_written_over",
        f"{UNIT}/persistence/test_schema.py::test_a_second_row_under_one_key_replaces_nothing",
    )),
    69: Row("the triggers are dropped", "found at the start, and within a day", (
        REFUSED_UNTOUCHED, f"{HOUSE}::test_a_trigger_that_is_dropped_meanwhile_is_found_within_a_day",
    )),
    70: Row("a migration is interrupted at any statement", "the old schema or the new one", (
        f"{UNIT}/persistence/test_migrations.py::test_an_interrupted_migration_leaves_the_old_schema_whole",
        f"{UNIT}/persistence/test_migrations.py::test_a_database_that_was_never_finished_is_never_seen",
    )),
    71: Row("the other role's database, or another account's", "refused before a byte is written", (
        EACH_ROLE, f"{OWNED}::test_a_database_stays_with_its_deployment_and_its_key",
        f"{THIRTEEN}::test_a_wrong_database",
    )),
    72: Row("an engine version with a known defect", "told; harmless with one connection, and a second one fails", (
        f"{HOUSE}::test_the_engine_is_judged_by_its_version",
        f"{HOUSE}::test_an_affected_engine_is_told_at_the_opening_and_a_second_writer_fails",
    )),
    73: Row("a number as a binary float", "cannot be stored", (
        f"{UNIT}/persistence/test_schema.py::test_a_number_cannot_become_a_binary_float",
        f"{UNIT}/persistence/test_fields.py::test_a_decimal_comes_back_equal",
        f"{UNIT}/persistence/test_fields.py::test_only_a_decimal_is_a_decimal",
    )),
    91: Row("a second live worker on this host", "refused at once by name; the first is not disturbed", (
        f"{TWO}::test_a_second_writer_is_refused_by_name_and_the_first_is_untouched",
        f"{TWO}::test_one_of_many_wins_the_race", f"{LOCKS}::test_of_those_who_start_at_one_moment_one_wins",
        f"{LOCKS}::test_of_a_thousand_races_each_has_one_winner", f"{THIRTEEN}::test_two_live_workers_on_one_database",
        f"{REFUSALS}::test_a_second_writer_is_refused_and_told_who_holds_the_lock",
    )),
    92: Row("a second container on one volume", "refused: the lock belongs to the file", (
        f"{LOCKS}::test_another_namespace_is_refused_and_refuses",
    )),
    93: Row("somebody else trades with the key", "noticed, and trading halts", (
        f"{FAULTS}/test_processes.py::test_somebody_else_who_trades_with_the_same_key_is_noticed",
        f"{ACCOUNT}::test_an_order_of_ours_without_a_row_is_adopted_and_halts",
        f"{FAULTS}/test_orders.py::test_an_order_under_our_label_that_is_not_ours_halts_within_two_cycles",
        f"{FAULTS}/test_orders.py::test_an_order_by_hand_is_told_within_two_cycles",
        f"{ACCOUNT}::test_an_order_of_another_btcbot_that_begins_beside_us_is_an_alarm",
        f"{ACCOUNT}::test_everybody_elses_order_is_seen_within_two_watches_without_any_of_ours",
    )),
    94: Row("a lock file of a process that is gone", "it may start, and knows that the end was not orderly", (
        f"{TWO}::test_a_killed_holder_is_followed_at_once",
        f"{LOCKS}::test_nobody_is_refused_for_a_holder_that_was_killed",
        f"{LOCKS}::test_in_a_thousand_kills_nobody_is_refused_for_a_dead_holder",
        f"{LOCK}::test_an_orderly_end_is_told_from_every_other",
    )),
    95: Row("its number belongs to another process now", "the whole identity is judged", (
        f"{LOCK}::test_the_guard_judges_the_whole_identity",
    )),
    96: Row("the lock file is deleted or replaced", "the holder notices and stops sending", (
        f"{LOCK}::test_a_lock_file_that_was_replaced_is_noticed", f"{LOOP}::test_a_lost_fence_ends_the_worker",
        f"{LOCKS}::test_a_usurped_writer_is_stopped_before_its_next_submit",
        f"{LOCKS}::test_a_usurped_writer_is_stopped_every_time",
        f"{TWO}::test_the_text_of_a_living_holder_refuses_even_where_its_lock_file_was_replaced",
    )),
    97: Row("a child keeps the lock of a dead parent", "refused, and the holder is named", (
        f"{TWO}::test_a_forked_child_keeps_the_lock_of_its_dead_parent",
    )),
    98: Row("the monitor gets live's database or key", "refused before anything is written or asked", (
        EACH_ROLE,
        f"{REFUSALS}::test_the_other_roles_database_is_refused_and_stays_byte_identical",
        f"{REFUSALS}::test_the_monitor_is_refused_lives_key_whether_live_runs_or_not",
        f"{UNIT}/services/test_key_lock.py::test_a_key_stays_the_key_of_the_role_that_signed_with_it",
    )),
    99: Row("the monitor is asked to trade", "it fails hard, and nothing is sent", (
        f"{UNIT}/execution/test_executions.py::test_the_monitor_fails_hard_on_both",
        f"{MONITOR}::test_the_monitor_gets_an_execution_that_fails_hard_on_every_attempt",
    )),
    100: Row("it crashes after each start", "trading halts after a few", (CRASH_LOOP,)),
    101: Row("settings that make no sense, at boot", "no endless restarts; the monitor stays", (
        f"{REFUSALS}::test_without_network_a_check_gives_up_and_supervisord_does_not_loop_on_bad_settings",
    )),
    102: Row("supervisord is killed", "its worker keeps the lock until it is gone", (
        f"{REFUSALS}::test_an_orphan_of_a_killed_supervisord_keeps_its_lock_until_it_is_gone",
        "tests/deploy/test_up.py::test_what_outlives_its_supervisord_is_found_and_stopped",
    )),
    103: Row("nobody takes the log", "no cycle waits for it, and what was lost is told", (
        f"{LOGS}::test_a_blocked_stdout_delays_nobody_and_what_was_dropped_is_told",
        f"{LOGS}::test_dropped_lines_are_told_when_output_is_taken_again",
    )),
    104: Row("a container is stopped with little patience", "as any other kill", (
        "tests/docker/test_image.py::test_a_clean_stop_and_an_early_kill_are_both_survived",
    )),
}  # fmt: skip
