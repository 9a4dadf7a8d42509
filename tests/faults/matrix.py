"""What can go wrong, what has to come of it, and the tests that show it. docs/faults.md is made of this.

A row names tests only where they show its outcome. A test that stands in several rows is in `SHARED`, with why it shows
each of them.
"""

from collections.abc import Mapping
from enum import StrEnum

from tests.faults.places import EACH_ROLE, OWNED, REFUSED_EXIT, REFUSED_UNTOUCHED, STOOD_STILL, THIRTEEN
from tests.faults.row import Row
from tests.faults.rows_of_machines import MACHINES
from tests.faults.rows_of_orders import ORDERS
from tests.faults.rows_of_surroundings import SURROUNDINGS

ROWS: Mapping[int, Row] = dict(sorted({**ORDERS, **MACHINES, **SURROUNDINGS}.items()))
NOT_YET: Mapping[int, str] = {number: row.missing for number, row in ROWS.items() if row.missing}
LAST_ROW = 112


class Group(StrEnum):
    """In the order of the page; the numbers of a group follow each other."""

    SUBMIT = "A. On the way to the exchange"
    LIFE = "B. Cancels, fills, the life of an order"
    DEATH = "C. Death of the process, and scheduling"
    DISK = "D. Disk and database"
    TIME = "E. Time"
    MARKET = "F. Market data"
    OWNERSHIP = "G. Lock, ownership, supervision"
    OPERATOR = "H. Configuration, secrets, operator"


FIRST_ROWS: Mapping[Group, int] = {
    Group.SUBMIT: 1, Group.LIFE: 29, Group.DEATH: 44, Group.DISK: 55, Group.TIME: 74, Group.MARKET: 81,
    Group.OWNERSHIP: 91, Group.OPERATOR: 105,
}  # fmt: skip

SHARED: Mapping[str, str] = {
    f"{THIRTEEN}::test_sigterm_between_send_and_commit": "the signal is sent twice",
    STOOD_STILL: "a process and a machine that stand still look alike from inside",
    REFUSED_UNTOUCHED: "flipped bits, links and dropped triggers are cases of it",
    EACH_ROLE: "both roles refuse in it",
    REFUSED_EXIT: "what the exchange does not take is tried with growing pauses, whatever it is refused for",
    f"{OWNED}::test_a_log_that_is_missing_is_missed":
        "a log that was deleted and one that was not copied are missing alike",
}  # fmt: skip

STORIES: Mapping[str, str] = {
    "accepted, and timed out, twice": "test_accepted_but_timed_out_twice",
    "SIGTERM between send and commit": "test_sigterm_between_send_and_commit",
    "the database is locked at the commit": "test_database_locked_at_commit",
    "a seconds-old order is not found at the restart": "test_not_found_for_a_seconds_old_order_at_restart",
    "a cancel is acknowledged and the order rests": "test_a_cancel_acknowledged_while_the_order_still_rests",
    "an exit is accepted and times out, with spare coins in the account":
        "test_an_exit_accepted_but_timed_out_with_spare_coins_in_the_account",
    "a user's callback raises": "test_a_user_callback_that_raises",
    "a pause, then a restart": "test_pause_then_restart",
    "two live workers": "test_two_live_workers_on_one_database",
    "the wrong database": "test_a_wrong_database",
    "a thin book against a large order": "test_a_thin_book_against_a_large_order",
    "an exchange that lacks the lookup of single orders":
        "test_an_exchange_that_lacks_the_lookup_of_single_orders",
    "killed after the first order, and at every restart": "test_killed_after_the_first_order_and_at_every_restart",
}  # fmt: skip
