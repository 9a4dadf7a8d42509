import pytest

from btcbot.sandbox import faults as module
from btcbot.sandbox.faults import FAULTS_MAX, FaultName, Faults, MalformedFault

FACTS = {"endpoint": "submit", "pair": "BTCTRY", "key": "live"}


def test_every_fault_is_explained_and_nothing_else_is() -> None:
    rows = [line.split("|")[1].strip() for line in str(module.__doc__).splitlines() if line.startswith("|")]
    explained = [row for row in rows if row != "fault" and set(row) != {"-"} and row]
    assert sorted(explained) == sorted(FaultName)


def test_a_fault_strikes_what_it_matches_after_what_it_skips_and_is_gone_after_its_count() -> None:
    faults = Faults()
    faults.add({"fault": "internal_error", "skip": 1, "count": 2, "match": {"pair": "BTCTRY"}})
    assert faults.strike(FaultName.INTERNAL_ERROR, FACTS | {"pair": "SOLTRY"}) is None
    struck = [faults.strike(FaultName.INTERNAL_ERROR, FACTS) is not None for _ in range(4)]
    assert struck == [False, True, True, False]
    assert not faults


def test_the_fault_that_came_first_strikes_first_and_one_without_count_stays() -> None:
    faults = Faults()
    faults.add({"fault": "late_answer", "seconds": "1.5", "count": 1})
    lasting = faults.add({"fault": "late_answer", "seconds": 2})
    seconds = [fault.seconds for _ in range(3) if (fault := faults.strike(FaultName.LATE_ANSWER, FACTS))]
    assert list(map(str, seconds)) == ["1.5", "2", "2"]
    assert [document["id"] for document in faults.listed()] == [lasting.number]


def test_one_fault_or_all_are_removed() -> None:
    faults = Faults()
    first, second, _ = (faults.add({"fault": name}) for name in ("cancel_lost", "silent_feed", "cancel_lost"))
    faults.remove(first.number)
    assert [document["id"] for document in faults.listed()] == [second.number, 3]
    faults.remove(99)
    faults.remove(None)
    assert not faults


def test_there_is_an_end_to_faults() -> None:
    faults = Faults()
    for _ in range(FAULTS_MAX):
        faults.add({"fault": "cancel_lost"})
    with pytest.raises(MalformedFault, match="too many"):
        faults.add({"fault": "cancel_lost"})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fault": "earthquake"}, "no fault 'earthquake'"),
        ({"count": 0}, "count is"), ({"count": True}, "count is"), ({"skip": -1}, "skip is"),
        ({"match": {"endpiont": "submit"}}, "knows no 'endpiont'"), ({"match": {"key": 1}}, "object of texts"),
        ({"status": 404}, "status is one of"), ({"seconds": "soon"}, "plain number"), ({"seconds": -1}, "not negative"),
        ({"seconds": "1000001"}, "at most"), ({"status": 403.0}, "status is one of"),
        ({"more": 1}, "object with fault"),
    ],
)  # fmt: skip
def test_a_malformed_fault_says_what_is_wrong_with_it(change: dict[str, object], words: str) -> None:
    with pytest.raises(MalformedFault, match=words):
        Faults().add({"fault": "html_everywhere"} | change)
