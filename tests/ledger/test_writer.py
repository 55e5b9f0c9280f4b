"""Rows on their way into the ledger: staged, flagged and settled."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contact_sync.errors import StorageError
from contact_sync.ledger.sqlite import SqliteLedger
from contact_sync.model.fields import ID
from contact_sync.model.report import Line, lines_of
from contact_sync.model.row import Block, Outcome
from contact_sync.model.violation import Violation
from contact_sync.packed import pack
from tests.ledger.rows import PRINTS, Open, block, row
from tests.setups import begin_run


def test_staged_rows_are_read_in_order(opened: Open) -> None:
    """Every staged row is read in the order of its number with its cells unchanged, plain or not, from several chunks."""
    ledger = opened()
    numbers = [*range(2, 1001), *range(1002, 4003, 2)]
    for start in range(0, len(numbers), 700):
        part = numbers[start : start + 700]
        ledger.stage(block(*[row(number, "", Outcome.READY) for number in part if number % 3], plain=part))
    lines = list(lines_of(ledger.batches()))
    assert [line.number for line in lines] == numbers
    assert all(line.cells == [f"C{line.number}", "é;'=\n"] for line in lines)
    assert all(line.outcome == ("ready" if line.number % 3 else "unchanged") for line in lines)


def test_flags_add_up(opened: Open) -> None:
    """A flag makes a row invalid and is appended to what was wrong with it before."""
    ledger = opened()
    ledger.stage(block(row(2), row(3, "", Outcome.INVALID, Violation("date-serial", "date")), row(4)))
    ledger.flag_invalid([(2, Violation("date-ambiguous", "date", {"rows": ""})), (3, Violation("id-length", ID))])
    lines = list(lines_of(ledger.batches()))[:2]
    assert [(line.outcome, line.code, line.fields) for line in lines] == [
        ("invalid", "date-ambiguous", "date"),
        ("invalid", "date-serial,id-length", "date,contactId"),
    ]
    assert lines[0].message == Violation("date-ambiguous", "date", {"rows": ""}).sentence()
    assert lines[1].message == f"{Violation('date-serial', 'date').sentence()} {Violation('id-length', ID).sentence()}"
    assert [pending.number for pending in ledger.claim(-1)] == [4]


def test_settled_rows_are_not_sent(opened: Open) -> None:
    """A settled row has its new outcome and is not pending; an invalid one stays invalid."""
    ledger = opened()
    reason = Violation("duplicate-ignored", ID, {"row": "2"})
    ledger.stage(block(row(2), row(3), row(5, "", Outcome.INVALID, Violation("date-serial", "date")), plain=[4]))
    ledger.settle([(3, Outcome.DUPLICATE, reason), (4, Outcome.DUPLICATE, None), (5, Outcome.DUPLICATE, None)])
    assert [pending.number for pending in ledger.claim(-1)] == [2]
    found = [(line.outcome, line.code) for line in list(lines_of(ledger.batches()))[1:]]
    assert found == [("duplicate", "duplicate-ignored"), ("duplicate", ""), ("invalid", "date-serial")]


def test_contact_ids(opened: Open) -> None:
    """The ids of rows are found, plain or not, in any order and in any chunk."""
    ledger = opened()
    for start in range(2, 1300, 100):
        ledger.stage(block(row(start), row(start + 9, "twin"), plain=range(start, start + 100)))
    expected = {number: "twin" if number % 100 == 11 else f"C{number}" for number in range(2, 1302)}
    assert ledger.contact_ids(range(2, 1302)) == expected
    assert ledger.contact_ids([1301, 2, 700]) == {1301: "C1301", 2: "C2", 700: "C700"}
    assert ledger.contact_ids([]) == {}


def test_plain_rows_share_the_outcome_of_their_chunk(opened: Open) -> None:
    """Plain rows have the outcome of their chunk, no code, and are counted with the others."""
    ledger = opened()
    ledger.stage(block(row(3), row(4, "", Outcome.UNCHANGED), plain=[2, 5, 9]))
    ledger.stage(block(row(10, "", Outcome.UNCHANGED), plain=[11, 12], outcome=Outcome.READY))
    assert list(lines_of(ledger.batches()))[3] == Line(["C5", "é;'=\n"], 5, "unchanged", "", "", "", 0, None, "", "")
    found = [line.outcome for line in lines_of(ledger.batches())]
    assert found == ["unchanged", "", "unchanged", "unchanged", "unchanged", "unchanged", "ready", "ready"]
    assert ledger.outcomes() == {"unchanged": 5, "ready": 2, "": 1}
    assert [ledger.count(outcome) for outcome in (Outcome.UNCHANGED, Outcome.READY, None, Outcome.INVALID)] == [5, 2, 1, 0]
    assert [pending.number for pending in ledger.claim(-1)] == [3]


def test_a_plain_row_is_flagged_or_settled(opened: Open) -> None:
    """A plain row that is flagged or settled gets its own record with the outcome it had, and is counted once."""
    ledger = opened()
    doubt, reason = Violation("date-ambiguous", "date", {"rows": ""}), Violation("duplicate-ignored", ID, {"row": "2"})
    ledger.stage(block(row(3), plain=range(2, 8)))
    ledger.stage(block(plain=range(8, 12), outcome=Outcome.READY))
    ledger.settle([(10, Outcome.DUPLICATE, reason), (4, Outcome.DUPLICATE, None), (3, Outcome.DUPLICATE, None)])
    ledger.flag_invalid([(11, doubt), (5, doubt), (10, doubt)])
    ledger.settle([(5, Outcome.DUPLICATE, None)])  # it stays invalid
    lines = {line.number: (line.outcome, line.code, line.fields) for line in lines_of(ledger.batches())}
    plain = dict.fromkeys((2, 6, 7), ("unchanged", "", "")) | dict.fromkeys((8, 9), ("ready", "", ""))
    assert lines == plain | {
        3: ("duplicate", "", ""),
        4: ("duplicate", "", ""),
        5: ("invalid", "date-ambiguous", "date"),
        10: ("invalid", "duplicate-ignored,date-ambiguous", "contactId,date"),
        11: ("invalid", "date-ambiguous", "date"),
    }
    assert list(lines) == list(range(2, 12))
    assert ledger.outcomes() == {"unchanged": 3, "duplicate": 2, "invalid": 3, "ready": 2}
    assert [ledger.count(outcome) for outcome in (Outcome.UNCHANGED, Outcome.READY, None, Outcome.INVALID)] == [3, 2, 0, 3]
    assert ledger.contact_ids([4, 5, 10]) == {4: "C4", 5: "C5", 10: "C10"}


def test_a_whole_chunk_is_flagged(opened: Open) -> None:
    """When every row of a chunk is flagged twice, none is left that has the outcome of the chunk."""
    ledger = opened()
    ledger.stage(block(plain=range(2, 1500)))
    ledger.stage(block(plain=[1500]))
    flags = [(number, Violation("date-ambiguous", "date", {"rows": ""})) for number in range(2, 1500)]
    ledger.flag_invalid(flags[::-1])
    ledger.flag_invalid([(2, Violation("id-length", ID)), (2, Violation("id-clear", ID))])
    assert ledger.outcomes() == {"invalid": 1498, "unchanged": 1}
    assert next(lines_of(ledger.batches())).code == "date-ambiguous,id-length,id-clear"
    assert [line.outcome for line in lines_of(ledger.batches())] == ["invalid"] * 1498 + ["unchanged"]


def test_nothing_to_flag_or_settle(opened: Open) -> None:
    """An empty list of flags or outcomes changes nothing."""
    ledger = opened()
    ledger.stage(block(row(2), plain=[3]))
    ledger.flag_invalid([])
    ledger.settle([])
    assert ledger.outcomes() == {"unchanged": 1, "": 1}


def test_a_failed_flag_leaves_nothing(opened: Open) -> None:
    """A plain row gets its own record together with its flag, or not at all: afterwards each row is still counted once."""
    ledger = opened()
    ledger.stage(block(plain=range(2, 6)))
    with pytest.raises(AttributeError):
        ledger.flag_invalid([(2, Violation("date-ambiguous", "date", {"rows": ""})), (3, None)])  # type: ignore[list-item]
    assert ledger.outcomes() == {"unchanged": 4}
    assert [line.outcome for line in lines_of(ledger.batches())] == ["unchanged"] * 4


def test_a_new_run_starts_without_state(opened: Open) -> None:
    """A ledger that begins another run searches only its chunks, and reads pending rows as pending again."""
    ledger = opened()
    ledger.stage(block(plain=[2, 3]))
    ledger.stage(block(row(900)))
    ledger.report_unsent_as(Violation("limit", detail={"limit": "0"}), ready=False)
    begin_run(ledger, "another")
    ledger.stage(block(row(7), plain=[5, 6]))
    ledger.flag_invalid([(6, Violation("date-ambiguous", "date", {"rows": ""}))])
    assert ledger.outcomes() == {"unchanged": 1, "invalid": 1, "": 1}


@pytest.mark.unmeasured
@settings(max_examples=60)
@given(st.data())
def test_each_row_counts_once(data: st.DataObject) -> None:
    """However rows are staged, flagged and settled, each is read once, and `outcomes` and `count` agree with the lines."""
    numbers = sorted(data.draw(st.sets(st.integers(0, 30), min_size=1)))
    own = st.sampled_from([None, Outcome.READY, Outcome.UNCHANGED, Outcome.DUPLICATE])
    truth: dict[int, str] = {}
    with SqliteLedger(None, PRINTS) as ledger:
        begin_run(ledger, keep=data.draw(st.booleans()))
        while rest := [number for number in numbers if number not in truth]:
            part = rest[: data.draw(st.integers(1, len(rest)))]
            shared = data.draw(st.sampled_from([Outcome.READY, Outcome.UNCHANGED]))
            apart = data.draw(st.dictionaries(st.sampled_from(part), own))
            ledger.stage(block(*[row(n, "", own_outcome) for n, own_outcome in apart.items()], plain=part, outcome=shared))
            truth |= dict.fromkeys(part, shared) | {number: own_outcome or "" for number, own_outcome in apart.items()}
        for _ in range(data.draw(st.integers(0, 3))):
            some = data.draw(st.lists(st.sampled_from(numbers)))
            if data.draw(st.booleans()):
                ledger.flag_invalid([(number, Violation("date-ambiguous", "date", {"rows": ""})) for number in some])
                truth |= dict.fromkeys(some, "invalid")
            else:
                ledger.settle([(number, Outcome.DUPLICATE, None) for number in some])
                truth |= {number: "duplicate" for number in some if truth[number] != "invalid"}
        lines = list(lines_of(ledger.batches()))
        assert [(line.number, line.outcome) for line in lines] == sorted(truth.items())
        assert [line.cells[0] for line in lines] == [f"C{number}" for number in numbers]
        assert ledger.outcomes() == Counter(truth.values())
        assert {outcome: ledger.count(outcome) for outcome in Outcome if ledger.count(outcome)} | {"": ledger.count(None)} == {
            "": 0,
            **Counter(truth.values()),
        }


def test_cells_that_are_not_unicode(opened: Open) -> None:
    """A cell with half a surrogate pair is kept as it was read."""
    ledger = opened()
    ledger.stage(Block([2], ["C1"], pack([["C1", "\ud83d"]]), Outcome.READY, []))
    assert [line.cells for line in lines_of(ledger.batches())] == [["C1", "\ud83d"]]


def test_a_failed_stage_leaves_nothing(opened: Open) -> None:
    """The rows of a chunk are staged together or not at all, and staging can continue."""
    ledger = opened()
    with pytest.raises(StorageError, match="UNIQUE"):
        ledger.stage(block(row(2), row(2)))
    assert ledger.count(None) == 0
    ledger.stage(block(row(2)))
    assert ledger.count(None) == 1


@pytest.mark.unmeasured
def test_memory_stays_flat() -> None:
    """Staging 80 MB takes less than 40 MB of memory."""
    script = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from contact_sync.ledger.digests import Fingerprints
from contact_sync.ledger.sqlite import SqliteLedger
from contact_sync.model.report import lines_of
from contact_sync.model.row import Block, Outcome, Staged
from contact_sync.model.source import Layout, OutputPaths
from contact_sync.packed import pack
from pathlib import Path
def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
with SqliteLedger(None, Fingerprints(bytes(32))) as ledger:
    paths = OutputPaths(Path("contacts.csv"), {{"report": Path("r.csv")}}, 0o600)
    ledger.begin_run("run", paths, "", Layout([], [], {{}}, ";"), keep=True)
    before = peak()  # of this program only: that of getrusage starts with its parent's
    for start in range(0, 40_000, 1000):
        numbers = list(range(start, start + 1000))
        rows = [Staged(n, f"C{{n}}", ("+33600000001",) + (None,) * 8, None) for n in numbers[::2]]
        cells = pack([[f"{{n:02000}}"] for n in numbers])
        ledger.stage(Block(numbers, [f"C{{n}}" for n in numbers], cells, Outcome.UNCHANGED, rows))
    sum(1 for _ in lines_of(ledger.batches()))
    print(peak() - before)
"""
    grown = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert int(grown) < 40_000  # kB, for 80 MB of text
