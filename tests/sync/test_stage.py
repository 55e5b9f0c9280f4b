"""Staging with real rules and a real ledger: every row is settled or pending."""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contact_sync.ledger.digests import Fingerprints
from contact_sync.ledger.sqlite import SqliteLedger
from contact_sync.ledger.store import Ledger
from contact_sync.model.fields import ID, ROW
from contact_sync.model.report import Line, lines_of
from contact_sync.model.row import Outcome, Result
from contact_sync.model.source import Chunk, Source
from contact_sync.model.violation import Violation
from contact_sync.rules.anomalies import MIN_ROUNDED, MIN_SERIES
from contact_sync.rules.columns import Policy, Validator
from contact_sync.settings import Settings
from contact_sync.sync import duplicates
from contact_sync.sync import stage as module
from tests.setups import begin_run

COLUMNS = [ID, "firstname", "date", "phoneNumber"]
TODAY = dt.date(2026, 1, 2)
Row = tuple[str, ...]


@dataclass
class Table(Source):
    """A source made of the given chunks."""

    path: Path = Path("contacts.csv")
    columns: list[str] = field(default_factory=lambda: COLUMNS)
    mapping: dict[str, int] = field(default_factory=lambda: {name: position for position, name in enumerate(COLUMNS)})
    letters: list[str] = field(default_factory=lambda: ["A", "B", "C", "D"])
    delimiter: str = ";"
    blanks_certain: bool = True
    findings: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    parts: list[Chunk] = field(default_factory=list)

    def chunks(self) -> Iterator[Chunk]:
        """Yield the parts."""
        yield from self.parts


def table(*rows: Row, size: int = 1000, hidden: tuple[int, ...] = (), flaws: dict[int, Violation] | None = None) -> Table:
    """Return a table of these rows, numbered from 2; `hidden` and `flaws` go by row number."""
    parts = []
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        numbers = list(range(start + 2, start + 2 + len(part)))
        parts.append(
            Chunk(
                numbers,
                [[*row, *[""] * (len(COLUMNS) - len(row))] for row in part],
                {at: [flaws[number]] for at, number in enumerate(numbers) if flaws and number in flaws},
                {at: "hidden" for at, number in enumerate(numbers) if number in hidden},
            )
        )
    return Table(parts=parts)


@pytest.fixture
def ledger() -> Iterator[SqliteLedger]:
    """Open a ledger without history."""
    with SqliteLedger(None, Fingerprints(bytes(32))) as opened:
        yield opened


def stage(ledger: Ledger, source: Table, **options: Any) -> int:
    """Stage a source as a new run."""
    stage.runs = getattr(stage, "runs", 0) + 1  # type: ignore[attr-defined]
    begin_run(ledger, f"run-{stage.runs}")  # type: ignore[attr-defined]
    tick = options.pop("tick", lambda _: None)
    sending = options.pop("sending", True)
    wanted = Settings.of(**options)
    with ledger.staging():
        return module.stage(
            source, Validator(source.mapping, Policy(today=TODAY)), ledger, wanted, pending=sending, tick=tick
        ).rows


def confirm(ledger: Ledger, *rows: Row) -> None:
    """Have these rows confirmed by an earlier run."""
    stage(ledger, table(*rows))
    for pending in ledger.claim(-1):
        ledger.record(Result(pending, Outcome.UPDATED))
    ledger.flush()


def lines(ledger: Ledger) -> list[Line]:
    """Return every row; a pending one has no outcome."""
    return list(lines_of(ledger.batches()))


def outcomes(ledger: Ledger) -> list[str]:
    """Return the outcome of every row, empty while it is pending."""
    return [line.outcome for line in lines(ledger)]


CONFLICT = ("invalid", "duplicate-conflict", "contactId")
PENDING = ("", "", "")
AGREEING = ("duplicate", "", "")
IGNORED = ("duplicate", "duplicate-ignored", "contactId")


def codes_of(ledger: Ledger) -> list[tuple[str, str, str]]:
    """Return outcome, code and fields of every row."""
    return [(line.outcome, line.code, line.fields) for line in lines(ledger)]


# ---- one row


def test_every_row_is_staged_and_counted(ledger: Ledger) -> None:
    """All rows are staged with their numbers and cells, and each chunk is reported with its size."""
    ticks: list[int] = []
    rows = [(f"C{n}", "Zoé") for n in range(7)]
    assert stage(ledger, table(*rows, size=3), tick=ticks.append) == 7
    assert ticks == [3, 3, 1]
    assert [(line.number, line.cells[:2]) for line in lines(ledger)] == [(n + 2, list(row)) for n, row in enumerate(rows)]


def test_source_without_rows(ledger: Ledger) -> None:
    """A source without a row stages none."""
    assert stage(ledger, Table(parts=[])) == 0
    assert lines(ledger) == []


@pytest.mark.parametrize(("sending", "expected"), [(True, ""), (False, "ready")])
def test_a_valid_row(ledger: Ledger, *, sending: bool, expected: str) -> None:
    """A valid row that is not in place is pending, or ready in a dry run."""
    stage(ledger, table(("C1", "Zoé")), sending=sending)
    assert outcomes(ledger) == [expected]


@pytest.mark.parametrize("sending", [True, False])
@pytest.mark.parametrize("resend", [True, False])
def test_a_row_in_place(ledger: Ledger, *, sending: bool, resend: bool) -> None:
    """A row in place is unchanged, unless it is resent; one with another value, or an invalid one, is not."""
    confirm(ledger, ("C1", "Zoé"), ("C2", "Léa"), ("C3", "Max"))
    stage(ledger, table(("C1", "Zoé"), ("C2", "Léo"), ("C3", "Max", "never")), sending=sending, resend=resend)
    open_ = "" if sending else "ready"
    assert outcomes(ledger) == [open_ if resend else "unchanged", open_, "invalid"]


def test_an_invalid_row(ledger: Ledger) -> None:
    """A row with violations is invalid and reports all of them, the loader's and the validator's."""
    found = {3: Violation("cell-merged", "firstname")}
    stage(ledger, table(("C1", "x" * 33, "45000"), ("C2", "Zoé"), ("", "Zoé"), flaws=found))
    assert codes_of(ledger) == [
        ("invalid", "text-length,date-serial", "firstname,date"),
        ("invalid", "cell-merged", "firstname"),
        ("invalid", "id-missing", "contactId"),
    ]


def test_repeated_header(ledger: Ledger) -> None:
    """A row that repeats the whole header is invalid as a whole, and the rows around it are not."""
    damaged = {4: Violation("cell-merged", "firstname")}
    stage(ledger, table(("C1", "Zoé"), tuple(COLUMNS), tuple(COLUMNS), ("C2", *COLUMNS[1:2]), flaws=damaged))
    assert codes_of(ledger) == [
        PENDING,
        ("invalid", "header-again", ""),
        ("invalid", "header-again,cell-merged", "firstname"),
        PENDING,
    ]


def test_a_hidden_row(ledger: Ledger) -> None:
    """A hidden row that is skipped is unprocessed, also if it is in place, invalid or has an ambiguous date."""
    confirm(ledger, ("C1", "Zoé"))
    rows = [("C1", "Zoé"), ("C2", "x" * 33), ("C3", "", "03/04/2020"), ("C4", "", "03/13/2020"), ("C5", "Max")]
    stage(ledger, table(*rows, hidden=(2, 3, 4)))
    assert [(line.outcome, line.code) for line in lines(ledger)] == [
        *[("unprocessed", "hidden")] * 3,
        ("invalid", "date-month-first"),
        ("", ""),
    ]


# ---- duplicates


def test_rows_that_agree_are_sent_once(ledger: Ledger) -> None:
    """Of rows that agree, in their values if not in their spelling, the first is sent, wherever the others are."""
    rows = [
        ("C1", "Zoé", "2020-12-31", "0600000001"),
        ("C2", "Max"),
        ("'C1", " Zoé ", "31/12/2020", "+33 6 00 00 00 01"),
        ("C3", "Léa"),
    ]
    for size in (1, 2, 1000):
        for choice in ("refuse", "first", "last"):
            stage(ledger, table(*rows, size=size), duplicates=choice)
            assert codes_of(ledger) == [PENDING, PENDING, AGREEING, PENDING]


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_rows_that_disagree(ledger: Ledger, size: int) -> None:
    """Rows that disagree are all invalid, and each lists them all; other contacts are not affected."""
    stage(ledger, table(("C1", "Zoé"), ("C2", "Max"), ("C1", "Léa"), ("C1", "Zoé"), size=size))
    assert codes_of(ledger) == [CONFLICT, PENDING, CONFLICT, CONFLICT]
    assert {line.message for line in lines(ledger) if line.outcome} == {
        "Rows have the same contactId and different values (2, 4 and 5): correct one of the ids, or delete a row."
    }


def test_many_rows_that_disagree(ledger: Ledger) -> None:
    """Of many rows that disagree the first five are listed."""
    stage(ledger, table(*[("C1", f"n{n}") for n in range(8)]))
    assert lines(ledger)[0].message.startswith("Rows have the same contactId and different values (2, 3, 4, 5, 6 and 3 more):")
    stage(ledger, table(*[("C1", f"n{n}") for n in range(5)]))
    assert lines(ledger)[0].message.startswith("Rows have the same contactId and different values (2, 3, 4, 5 and 6):")


def test_rows_whose_contact_is_not_certain(ledger: Ledger) -> None:
    """Rows without a certain contactId and hidden rows are never duplicates."""
    stage(ledger, table(("1,23E+15", "Zoé"), ("1,23E+15", "Léa"), ("C1", "Zoé"), ("C1", "Léa"), hidden=(4, 5)))
    assert [(line.outcome, line.code) for line in lines(ledger)] == [
        *[("invalid", "id-damaged")] * 2,
        *[("unprocessed", "hidden")] * 2,
    ]


@pytest.mark.parametrize(
    ("choice", "expected", "named"),
    [
        ("first", [PENDING, IGNORED, AGREEING, PENDING], "Row 2 counts"),
        ("last", [IGNORED, AGREEING, PENDING, PENDING], "Row 4 counts"),
    ],
)
def test_first_or_last_row_counts(ledger: Ledger, choice: str, expected: list[Any], named: str) -> None:
    """With `first` or `last` that row is sent; the others are duplicates, and those that disagree name it."""
    rows = [("C1", "Zoé"), ("C1", "Léa"), ("C1", "Zoé" if choice == "first" else "Léa"), ("C2", "Max")]
    stage(ledger, table(*rows), duplicates=choice)
    assert codes_of(ledger) == expected
    (message,) = [line.message for line in lines(ledger) if line.message]
    assert message.startswith(named)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("refuse", ["duplicate-conflict", "date-serial,duplicate-conflict"]),
        ("first", ["", "date-serial"]),
        ("last", ["duplicate-ignored,repeats-wrong", "date-serial"]),
    ],
)
def test_invalid_duplicate(ledger: Ledger, choice: str, expected: list[str]) -> None:
    """An invalid row agrees with no other row: once corrected it may have other values."""
    stage(ledger, table(("C1", "Zoé"), ("C1", "Zoé", "45000")), duplicates=choice)
    assert [line.code for line in lines(ledger)] == expected
    assert outcomes(ledger) == [{"refuse": "invalid", "first": "", "last": "duplicate"}[choice], "invalid"]


def test_duplicate_with_an_uncertain_id(ledger: Ledger) -> None:
    """A row that is hidden, has moved cells, nothing to send or a wrong id duplicates no other row."""
    moved = {4: Violation("cells-missing", ROW, {"cells": "2", "columns": "4"})}
    stage(ledger, table(("C1", "Zoé"), ("C1", "Léa"), ("C1", "Max"), ("C1",), ("C1 C1", "Eve"), hidden=(3,), flaws=moved))
    assert outcomes(ledger) == ["", "unprocessed", "invalid", "invalid", "invalid"]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [("refuse", ["invalid", "invalid"]), ("first", ["unchanged", "duplicate"]), ("last", ["duplicate", ""])],
)
def test_conflicting_duplicate_in_place(ledger: Ledger, choice: str, expected: list[str]) -> None:
    """A row in place counts no more than the other rows of its contact."""
    confirm(ledger, ("C1", "Zoé"))
    stage(ledger, table(("C1", "Zoé"), ("C1", "Léa"), size=1), duplicates=choice)
    assert outcomes(ledger) == expected


def test_agreeing_duplicates_in_place(ledger: Ledger) -> None:
    """Of rows that agree and are in place the first is unchanged, and the others are its duplicates."""
    confirm(ledger, ("C1", "Zoé"))
    stage(ledger, table(("C1", "Zoé"), ("C1", "Zoé")))
    assert codes_of(ledger) == [("unchanged", "", ""), AGREEING]


def test_ids_with_equal_hashes(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Contacts whose ids have the same hash are kept apart."""
    monkeypatch.setattr(duplicates, "hash", lambda what: 7 if isinstance(what, str) else hash(what), raising=False)
    stage(ledger, table(("C1", "Zoé"), ("C2", "Zoé"), ("C3", "Max"), ("C1", "Zoé")))
    assert codes_of(ledger) == [PENDING, PENDING, PENDING, AGREEING]


def test_duplicates_are_settled_in_groups(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Duplicates are settled in groups, and none is lost between two of them."""
    monkeypatch.setattr(duplicates, "GROUP", 3)
    stage(ledger, table(*[(f"C{n % 10}", f"n{n % 20}") for n in range(40)]), duplicates="first")
    assert outcomes(ledger) == [""] * 10 + ["duplicate"] * 30
    assert [line.code for line in lines(ledger)][10:] == ["duplicate-ignored"] * 10 + [""] * 10 + ["duplicate-ignored"] * 10


@pytest.mark.parametrize("group", [1, 2, 3, 1000])
@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("alike", [False, True])
def test_duplicates_across_chunks_and_groups(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, group: int, size: int, *, alike: bool
) -> None:
    """Each contact is settled by itself for any number of chunks and groups, also when ids share a hash."""
    monkeypatch.setattr(duplicates, "GROUP", group)
    if alike:
        monkeypatch.setattr(
            duplicates, "hash", lambda what: int(what[1:]) % 3 if isinstance(what, str) else hash(what), raising=False
        )
    agreeing = [(f"C{n}", "Zoé") for n in range(7)]
    disagreeing = [(f"C{n}", "Léa") for n in range(10, 17)]
    rows = [*agreeing, *disagreeing, ("C30", "Max"), *agreeing, *[(contact_id, "Eve") for contact_id, _ in disagreeing]]
    stage(ledger, table(*rows, size=size))
    assert codes_of(ledger) == [*[PENDING] * 7, *[CONFLICT] * 7, PENDING, *[AGREEING] * 7, *[CONFLICT] * 7]
    assert [line.message.split(":")[0].rpartition("(")[2] for line in lines(ledger)][7:14] == [
        f"{n} and {n + 15})" for n in range(9, 16)
    ]
    assert ledger.outcomes() == {"invalid": 14, "duplicate": 7, "": 8}
    assert ledger.count(None) == 8


@pytest.mark.parametrize("size", [1, 2, 1000])
@pytest.mark.parametrize("changed", [0, 1, 3, 4])
def test_duplicates_in_a_dry_run(ledger: Ledger, size: int, changed: int) -> None:
    """Duplicates are settled in a dry run too, whether most rows of their chunk are in place or few are."""
    rows = [("C1", "Zoé"), ("C2", "Max"), ("C3", "Léa"), ("C4", "Noé")]
    confirm(ledger, *rows[changed:])
    stage(ledger, table(*rows, *rows, ("C1", "Zoé", "never"), ("C4", "Eve"), size=size), sending=False)
    single = ["ready"] * changed + ["unchanged"] * (4 - changed)
    invalid = {0, 3, 4, 7, 8, 9}
    found = ["invalid" if at in invalid else outcome for at, outcome in enumerate([*single, *["duplicate"] * 4, "", ""])]
    assert outcomes(ledger) == found
    assert ledger.outcomes() == Counter(found)


def test_invalid_duplicate_below_blank_rows(ledger: Ledger) -> None:
    """An invalid row is found by its number, also where blank rows were left out between rows."""
    rows = [["C1", "Zoé", "", ""], ["C2", "Max", "45000", ""], ["C2", "Max", "", ""], ["C1", "Zoé", "", ""]]
    stage(ledger, Table(parts=[Chunk([3, 9, 10, 40], rows)]))
    assert codes_of(ledger) == [PENDING, ("invalid", "date-serial,duplicate-conflict", "date,contactId"), CONFLICT, AGREEING]


# ---- damage that many rows show together


def test_series_of_phone_numbers_is_a_warning(ledger: Ledger) -> None:
    """A series of phone numbers adds a warning with the letter of its column to the earlier warnings."""
    source = table(*[(f"C{n}", "Zoé", "", f"06123456{n:02}") for n in range(MIN_SERIES)])
    source.warnings.append("Before.")
    stage(ledger, source)
    before, warning = source.warnings
    assert before == "Before."
    assert warning.startswith(
        f"In rows 2 to {MIN_SERIES + 1} of “phoneNumber” (column D), each phone number is the one above plus one"
    )


def test_rounded_ids_are_not_sent(ledger: Ledger) -> None:
    """No long id is sent when all of them end in zeros, as after Excel rounded them."""
    stage(ledger, table(*[(f"{10**14 + n}0000", "Zoé") for n in range(MIN_ROUNDED)], ("C1", "Zoé")))
    assert codes_of(ledger) == [*[("invalid", "id-rounded", "contactId")] * MIN_ROUNDED, PENDING]


# ---- rows that share the outcome of their chunk


def rows_kept(ledger: SqliteLedger) -> int:
    """Return the number of rows that the ledger keeps separately."""
    (found,) = ledger.database.connection.execute("SELECT count(*) FROM row").fetchone()
    return int(found)


def test_run_without_edits_keeps_no_rows(ledger: SqliteLedger) -> None:
    """No row is kept separately when nothing has changed, nor when a check finds nothing wrong."""
    rows = [(f"C{n}", "Zoé") for n in range(20)]
    confirm(ledger, *rows)
    stage(ledger, table(*rows, size=7))
    assert (rows_kept(ledger), ledger.outcomes()) == (0, {"unchanged": 20})
    stage(ledger, table(*rows, size=7), resend=True, sending=False)
    assert (rows_kept(ledger), ledger.outcomes()) == (0, {"ready": 20})


@pytest.mark.parametrize("edited", [0, 1, 9, 10, 11, 20])
def test_only_the_minority_is_kept(ledger: SqliteLedger, edited: int) -> None:
    """A dry run keeps the fewer of the rows in place and the rows to send; a run keeps those to send."""
    confirm(ledger, *[(f"C{n}", "Zoé") for n in range(20)])
    rows = [(f"C{n}", "Léa" if n < edited else "Zoé") for n in range(20)]
    stage(ledger, table(*rows), sending=False)
    assert outcomes(ledger) == ["ready"] * edited + ["unchanged"] * (20 - edited)
    assert rows_kept(ledger) == min(edited, 20 - edited)
    stage(ledger, table(*rows))
    assert outcomes(ledger) == [""] * edited + ["unchanged"] * (20 - edited)
    assert rows_kept(ledger) == edited


@pytest.mark.parametrize("sending", [True, False])
@pytest.mark.parametrize("more", [0, 10])
def test_cells_that_would_be_emptied(ledger: Ledger, more: int, *, sending: bool) -> None:
    """Cells that rows to send would empty are counted, in a dry run too, except those in place, invalid or duplicate."""
    confirm(ledger, ("C1", "<clear>", "<clear>"), *[(f"D{n}", "Zoé") for n in range(more)])
    rows = [
        ("C1", "<clear>", "<clear>"),
        ("C2", "<clear>", "<clear>"),
        ("C3", "Zoé", "<clear>"),
        ("C4", "<clear>", "never"),
        ("C3", "Zoé", "<clear>"),
        ("C5", "<clear>", "03/04/2020"),
        ("C6", "Zoé", "12/31/2020"),
    ]
    stage(ledger, table(*rows, *[(f"D{n}", "Zoé") for n in range(more)]), sending=sending)
    assert ledger.clears() == 3


# ---- dates


@pytest.mark.parametrize("size", [1, 1000])
@pytest.mark.parametrize("last", [False, True])
def test_ambiguous_dates(ledger: Ledger, size: int, *, last: bool) -> None:
    """Dates that can be read two ways are flagged when a date anywhere in the column has the month first."""
    rows = [("C1", "", "03/04/2020"), ("C2", "", "04/04/2020"), ("C3", "", "2020-03-04"), ("C4", "", "31/12/2020"), ("C5", "Zoé")]
    american = ("C6", "", "12/31/2020")
    stage(ledger, table(*([*rows, american] if last else [american, *rows]), size=size))
    codes = ["date-ambiguous", "", "", "", ""]
    assert [line.code for line in lines(ledger)] == ([*codes, "date-month-first"] if last else ["date-month-first", *codes])
    assert outcomes(ledger).count("invalid") == 2
    assert {line.fields for line in lines(ledger) if line.code} == {"date"}


@pytest.mark.parametrize("american", ["1/31/1980", "12/31/80", "Jan 31, 1980", "1.31.1980", "12/31/1980 12:00:00 AM"])
def test_month_first_in_any_spelling(ledger: Ledger, american: str) -> None:
    """Each spelling that only makes sense month first shows how the ambiguous dates of its column are to be read."""
    stage(ledger, table(("C1", "", "10/11/1980"), ("C2", "", "1/2/1980"), ("C3", "", american), size=1))
    assert [line.code for line in lines(ledger)] == ["date-ambiguous", "date-ambiguous", "date-month-first"]


def test_no_month_first(ledger: Ledger) -> None:
    """Dates that can be read two ways are read day first when no date has the month first."""
    stage(ledger, table(("C1", "", "03/04/2020"), ("C2", "", "31/12/2020")))
    assert outcomes(ledger) == ["", ""]


def test_ambiguous_date_in_place(ledger: Ledger) -> None:
    """A date that can be read two ways is flagged although it is in place, and although its duplicate agrees."""
    confirm(ledger, ("C1", "", "03/04/2020"))
    stage(ledger, table(("C1", "", "03/04/2020"), ("C1", "", "03/04/2020"), ("C2", "", "12/31/2020")))
    assert [line.code for line in lines(ledger)] == ["date-ambiguous", "date-ambiguous", "date-month-first"]


# ---- any source


rows_of_any_kind = st.tuples(
    st.sampled_from(["C1", "C2", "C3", "'C1", "", "total", "C 4"]),
    st.sampled_from(["", "Zoé", "Léa", "<clear>", "x" * 33]),
    st.sampled_from(["", "03/04/2020", "12/31/2020", "31/12/2020", "45000"]),
    st.sampled_from(["", "0600000001", "+33600000002", "12"]),
)


@pytest.mark.unmeasured
@settings(max_examples=150)
@given(
    rows=st.lists(rows_of_any_kind, max_size=12),
    size=st.integers(1, 12),
    hidden=st.sets(st.integers(2, 13), max_size=2),
    choice=st.sampled_from(["refuse", "first", "last"]),
    resend=st.booleans(),
    sending=st.booleans(),
)
def test_every_row_has_one_state(
    *, rows: list[Row], size: int, hidden: set[int], choice: str, resend: bool, sending: bool
) -> None:
    """Each row has one state for any chunks, a contact is sent at most once, and a second run sends nothing."""
    with ExitStack() as stack:
        ledger = stack.enter_context(SqliteLedger(None, Fingerprints(bytes(32))))
        again: Callable[[], int] = lambda: stage(  # noqa: E731 - called twice
            ledger, table(*rows, size=size, hidden=tuple(hidden)), duplicates=choice, resend=resend, sending=sending
        )
        assert again() == len(rows)
        found = lines(ledger)
        assert [line.number for line in found] == list(range(2, len(rows) + 2))
        allowed = {"unprocessed", "invalid", "duplicate", "" if sending else "ready"}
        assert {line.outcome for line in found} <= allowed
        assert all(
            (line.code != "") is (line.outcome in {"invalid", "unprocessed"}) for line in found if line.outcome != "duplicate"
        )
        assert {line.number for line in found if line.outcome == "unprocessed"} == hidden & set(range(2, len(rows) + 2))
        sent = ledger.claim(-1)
        assert len({pending.contact_id for pending in sent}) == len(sent) == ledger.count(None)
        for pending in sent:
            ledger.record(Result(pending, Outcome.UPDATED))
        ledger.flush()
        again()
        assert len(ledger.claim(-1)) == (len(sent) if resend else 0)
        assert outcomes(ledger).count("duplicate") == [line.outcome for line in found].count("duplicate")
