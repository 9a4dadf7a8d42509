"""The chain from the market to the money, told from a worker's database alone."""

import asyncio
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from btcbot.domain.errors import UsageError
from btcbot.domain.money import Price, Quantity
from btcbot.domain.orders.evidence import Seen, Silent, VenueOrder, VenueStatus
from btcbot.domain.orders.intents import Side
from btcbot.domain.orders.labels import Label
from btcbot.persistence.sqlite.story import NotOnRecord, story_of
from btcbot.persistence.sqlite.unit_of_work import UnitOfWork
from btcbot.services.explain import ADOPTED, UNCOMMITTED, explain
from btcbot.services.explain_text import WIDTH, as_json_line, as_lines, moment
from tests.unit.persistence.world import START
from tests.unit.services.looping import BUYS, GUARDED, worker
from tests.unit.services.world import PAIR, opened

pytestmark = pytest.mark.looptime

SECTIONS = ["Snapshot", "Signal", "Risk", "Journal", "Wire", "Fills"]


async def bought_and_sold(directory: Path) -> Path:
    """A buy that is filled with a fee, and the sale at its stop, which rests."""
    with worker(directory, GUARDED) as work:
        task = await work.runs(20)
        work.exchange.fill_all()
        await asyncio.sleep(20)
        work.market.falls_to(2_900_000)
        await asyncio.sleep(20)
        await work.stops(task)
    return directory / "live.db"


def first_order(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        (label,) = connection.execute("SELECT client_order_id FROM orders ORDER BY chain_sequence").fetchone()
        return str(label)


async def test_an_order_is_told_from_the_market_to_the_money(tmp_path: Path) -> None:
    path = await bought_and_sold(tmp_path)
    label = first_order(path)
    told = explain(path, label)
    lines = as_lines(told)
    titles = [line for line in lines if line in SECTIONS]
    assert titles == SECTIONS
    text = "\n".join(lines)
    assert lines[0].startswith(f"Order {label} (")
    assert "BTCTRY  bid 2999900 × 1, ask 3000100 × 1" in text
    assert "BTCTRY  BUY, confidence 1.0, spends 1000 TRY" in text
    assert "passed   PT1   notional is within max: notional=999.9" in text
    assert "intent → sending, recheck passed" in text
    assert "submit: accepted: exchange order" in text
    assert "ledger: trade +0.000" in text
    assert lines[-1] == "  decided again over the stored inputs, it is the stored decision, bit for bit"
    assert told.is_same_again


async def test_an_order_answers_to_its_id_its_label_and_the_exchanges_number(tmp_path: Path) -> None:
    path = await bought_and_sold(tmp_path)
    told = explain(path, first_order(path))
    order, head = told.orders[0].order, told.orders[0].head
    assert explain(path, order.order_id) == explain(path, str(head.exchange_order_id)) == told
    assert explain(path, f"order:{head.exchange_order_id}") == told


async def test_a_cycle_answers_to_its_id_and_its_number_and_tells_its_orders(tmp_path: Path) -> None:
    path = await bought_and_sold(tmp_path)
    cycle = explain(path, first_order(path)).cycle
    assert cycle is not None
    told = explain(path, cycle.cycle_id)
    assert explain(path, f"cycle:{cycle.id}") == told
    assert [order.order.client_order_id for order in told.orders] == [first_order(path)]
    assert as_lines(told)[0] == f"Cycle {cycle.id} ({cycle.cycle_id})"
    assert "Recorded beside it" in as_lines(told)


async def test_a_cycle_without_an_order_says_what_stood_in_the_way(tmp_path: Path) -> None:
    path = await bought_and_sold(tmp_path)
    told = explain(path, "cycle:5")
    assert told.orders == ()
    assert told.notes
    assert any(line.startswith("  note: BTCTRY: ") for line in as_lines(told))


async def test_the_text_is_plain_and_fits_its_width(tmp_path: Path) -> None:
    path = await bought_and_sold(tmp_path)
    with story_of(path) as story:
        _, last = story.bounds() or (1, 0)
    for word in (first_order(path), *(f"cycle:{number}" for number in range(1, last + 1))):
        for line in as_lines(explain(path, word)):
            assert len(line) <= WIDTH
            assert line.isprintable()


async def test_the_json_holds_all_of_it_with_exact_numbers(tmp_path: Path) -> None:
    path = await bought_and_sold(tmp_path)
    told = explain(path, first_order(path))
    document = json.loads(as_json_line(told))
    assert document["verdicts"][0]["rules"][0]["control"] == "I1"
    assert document["orders"][0]["fills"][0]["fill"]["price"] == str(told.orders[0].fills[0].fill.price)
    assert document["is_same_again"] is True


async def test_an_order_without_an_answer_is_told_as_such(tmp_path: Path) -> None:
    with worker(tmp_path, BUYS) as work:
        work.execution.answer = Silent("timeout")
        await work.stops(await work.runs(20))
    text = " ".join(" ".join(as_lines(explain(tmp_path / "live.db", first_order(tmp_path / "live.db")))).split())
    assert "submit: no answer, or one that proves nothing: timeout" in text
    assert "it stands at unknown" in text


async def test_an_order_of_a_cycle_that_was_never_committed_is_told_with_what_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with worker(tmp_path, BUYS) as work:
        monkeypatch.setattr(UnitOfWork, "commit", lambda unit: (_ for _ in ()).throw(RuntimeError("no disk")))
        task = await work.runs(9)
        monkeypatch.undo()
        await work.stops(task)
    told = explain(tmp_path / "live.db", first_order(tmp_path / "live.db"))
    assert told.cycle is None
    assert told.remarks == (UNCOMMITTED,)
    assert told.markets[0].pair == "BTCTRY"
    assert told.orders[0].steps
    assert told.is_same_again is None


async def test_without_recorded_inputs_the_stored_reasons_are_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(UnitOfWork, "add_decision", lambda _unit, _record: None)
    path = await bought_and_sold(tmp_path)
    told = explain(path, first_order(path))
    assert told.verdicts[0].is_approved
    assert told.verdicts[0].rules == ()
    assert "could not be decided again" in told.remarks[0]
    assert "BTCTRY  buy: APPROVED" in "\n".join(as_lines(told))


async def test_a_decision_that_comes_out_otherwise_is_said_to(tmp_path: Path) -> None:
    path = await bought_and_sold(tmp_path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER verdicts_no_update")
        reasons = '[["market_stale","age=9 s"]]'
        connection.execute("UPDATE verdicts SET is_approved = 0, reasons = ?", (reasons,))
    told = explain(path, first_order(path))
    assert told.is_same_again is False
    assert "decided again over the stored inputs, it comes out otherwise" in told.remarks
    assert told.verdicts[0].reasons == (("market_stale", "age=9 s"),)
    assert any("REFUSED" in line for line in as_lines(told)), "what is stored is what was decided"


async def test_what_is_not_on_record_is_refused(tmp_path: Path) -> None:
    path = await bought_and_sold(tmp_path)
    for word in ("nothing", "cycle:99999", "order:BB-TEST-9-9-9"):
        with pytest.raises(NotOnRecord, match="is called"):
            explain(path, word)
    with pytest.raises(UsageError, match="neither order nor cycle"):
        explain(path, "trade:7")


def test_a_moment_is_told_in_both_times() -> None:
    at = datetime(2026, 3, 1, 22, 30, 5, 123_999, tzinfo=UTC)
    assert moment(at) == "2026-03-01 22:30:05.123 UTC (01:30:05 Istanbul)"


def test_an_adopted_order_has_no_decision(tmp_path: Path) -> None:
    path = tmp_path / "live.db"
    label = str(Label("TEST", 1, 9))
    with opened(path) as desk:
        venue = VenueOrder(
            77, label, PAIR, Side.BUY, Price(Decimal(3_000_000)), Quantity(Decimal("0.001")), Decimal("0.001"),
            VenueStatus.UNTOUCHED, True, START,
        )  # fmt: skip
        desk.book.adopt(Seen(venue))
    told = explain(path, "77")
    assert told.remarks == (ADOPTED,)
    assert "→ adopted, durable" in "\n".join(as_lines(told))
