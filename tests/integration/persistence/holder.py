"""A process of its own that opens live's database and does what its second argument says. Told to go on by a line."""

import os
import sys
from pathlib import Path

from btcbot.domain.errors import BtcbotError
from btcbot.domain.money import use_money_context
from btcbot.persistence.sqlite.live_store import LiveStore
from btcbot.persistence.sqlite.lock import DatabaseLock
from tests.unit.persistence.world import LIMITS, Clock, Witness, approved, identity, writer


class ProcessIds:
    """Ids that no other process has."""

    def __init__(self) -> None:
        self._count = 0

    def new(self) -> str:
        self._count += 1
        return f"{os.getpid():016x}{self._count:016x}"


def say(word: str) -> None:
    print(word, flush=True)


def main(path: Path, what: str) -> int:
    use_money_context()
    instance_id = f"instance-{os.getpid()}"
    try:
        lock = DatabaseLock.take(path, identity(instance_id=instance_id))
        store = LiveStore.open(path, lock, writer(instance_id=instance_id), LIMITS, Clock(), ProcessIds(), Witness())
    except BtcbotError as refusal:
        say(f"refused {refusal}")
        return int(refusal.exit_code)
    say(f"open {store.epoch} {store.was_unclean}")
    if what == "journal":  # commit after commit, each acknowledged once it returned
        for number in range(10_000):
            order = store.journal.intent(approved(f"{os.getpid()}/BTCTRY/{number}", quantity="0.0001"))
            say(f"intent {order.order_id}")
            store.journal.not_sent(order, "a test")
            say(f"not_sent {order.order_id}")
    if what == "fork":  # a child inherits the lock's descriptor
        child = os.fork()
        if child == 0:
            sys.stdin.readline()
            os._exit(0)
        say(f"child {child}")
    sys.stdin.readline()
    if what == "leave":  # the interpreter ends without a word
        return 0
    store.close()
    lock.release()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
