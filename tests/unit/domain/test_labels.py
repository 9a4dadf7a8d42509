"""A label is ours by its look, and read back as it was written."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btcbot.domain.orders.labels import LENGTH_MAX, Label, read_label

LABELS = st.builds(
    Label,
    st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=2, max_size=8),
    st.integers(0, 36**6 - 1),
    st.integers(0, 36**8 - 1),
)


@given(label=LABELS)
def test_a_label_is_read_as_it_is_written_and_fits_the_field(label: Label) -> None:
    assert read_label(str(label)) == label
    assert len(str(label)) <= LENGTH_MAX
    assert re.fullmatch(r"[A-Z0-9-]+", str(label))


@given(label=LABELS, place=st.integers(0, 31), other=st.sampled_from("ABCXYZ0189-"))
def test_a_changed_character_makes_it_somebody_else_s(label: Label, place: int, other: str) -> None:
    text = str(label)
    changed = text[:place] + other + text[place + 1 :]
    read = read_label(changed)
    assert read is None or str(read) == changed
    if read == label:
        assert changed == text


@given(first=LABELS, second=LABELS)
def test_two_orders_have_two_labels(first: Label, second: Label) -> None:
    assert (str(first) == str(second)) is (first == second)


OURS = str(Label("PAPER", 1, 1))


@pytest.mark.parametrize(
    "text",
    [None, "", "BB-", "BB-PAPER-1-1-00", OURS.lower(), OURS + "\n", " " + OURS, "XX" + OURS[2:], "test-order",
     "BB-PAPER-Ⅷ-1-00"],
)  # fmt: skip
def test_what_does_not_look_like_ours_is_not_ours(text: str | None) -> None:
    assert read_label(text) is None


def test_a_negative_number_has_no_label() -> None:
    with pytest.raises(AssertionError):
        str(Label("PAPER", -1, 0))
