"""Every event that a log line can carry: one enumeration, past tense. No log line is without one."""

from enum import StrEnum


class Event(StrEnum):
    # process
    PROCESS_STARTED = "process_started"
    PROCESS_STOPPED = "process_stopped"
    START_REFUSED = "start_refused"
    SIGNAL_RECEIVED = "signal_received"
    DEFECT_CAUGHT = "defect_caught"
    LIBRARY_REPORTED = "library_reported"
    LOG_LINES_DROPPED = "log_lines_dropped"
    # lock and database
    LOCK_TAKEN = "lock_taken"
    DATABASE_OPENED = "database_opened"
    MIGRATION_APPLIED = "migration_applied"
    UNCLEAN_STOP_DETECTED = "unclean_stop_detected"
    # cycle
    CYCLE_COMPLETED = "cycle_completed"
    CYCLE_FAILED = "cycle_failed"
    SIGNAL_RAISED = "signal_raised"
    INTENT_REFUSED = "intent_refused"
    WARM_UP_COMPLETED = "warm_up_completed"
    # orders
    ORDER_JOURNALED = "order_journaled"
    ORDER_MOVED = "order_moved"
    ORDER_ADOPTED = "order_adopted"
    CANCEL_REPEATED = "cancel_repeated"
    ORDERS_LEFT_OPEN = "orders_left_open"
    FOREIGN_ORDER_SEEN = "foreign_order_seen"
    SUBMIT_BLOCKED = "submit_blocked"
    FILL_BOOKED = "fill_booked"
    # reconciliation and safety
    RECONCILED = "reconciled"
    RECONCILIATION_FAILED = "reconciliation_failed"
    TRANSFERS_BOOKED = "transfers_booked"
    LEDGER_MISMATCHED = "ledger_mismatched"
    HALT_LATCHED = "halt_latched"
    HALTED = "halted"
    HALT_LIFTED = "halt_lifted"
    PAUSED = "paused"
    RESUMED = "resumed"
    CONTROL_COMMAND_RECEIVED = "control_command_received"
    CONTROL_REQUEST_REFUSED = "control_request_refused"
    CLOCK_OFFSET_MEASURED = "clock_offset_measured"
    CLOCK_OFFSET_EXCEEDED = "clock_offset_exceeded"
    # exchange
    EXCHANGE_UNREACHABLE = "exchange_unreachable"
    EXCHANGE_REACHED = "exchange_reached"
    REQUEST_FAILED = "request_failed"
    REQUEST_RETRIED = "request_retried"
    RATE_LIMITED = "rate_limited"
    KEY_REFUSED = "key_refused"
    PRIVATE_CALLS_STOPPED = "private_calls_stopped"
    STREAM_CONNECTED = "stream_connected"
    STREAM_LOST = "stream_lost"
    BOOK_GAPPED = "book_gapped"
    BOOK_RESYNCED = "book_resynced"
    FRAME_REFUSED = "frame_refused"
    # feed and control
    FEED_OPENED = "feed_opened"
    FEED_READER_JOINED = "feed_reader_joined"
    FEED_READER_DROPPED = "feed_reader_dropped"
    FEED_CONNECTED = "feed_connected"
    FEED_LOST = "feed_lost"
    # monitor
    HEALTH_CHECKED = "health_checked"
    HEALTH_CHANGED = "health_changed"
    # sandbox
    SANDBOX_OPENED = "sandbox_opened"
    SANDBOX_SOURCE_ENDED = "sandbox_source_ended"
    SANDBOX_REQUEST_REFUSED = "sandbox_request_refused"
