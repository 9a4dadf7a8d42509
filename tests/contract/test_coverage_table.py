"""The page about what we know of the exchange is true, and has no hole without a reason."""

from tests.contract import coverage_table


def test_every_endpoint_frame_and_sample_is_covered_or_excused() -> None:
    assert coverage_table.problems() == []


def test_the_page_is_made_of_this_code() -> None:
    assert coverage_table.PAGE.read_text(encoding="utf-8") == coverage_table.page(), (
        "run `python -m tests.contract.coverage_table`"
    )
