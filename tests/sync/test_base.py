"""Pulled files: only what was edited since is judged and sent, and a token proves which contact a row is about."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contact_sync.api.smspartner.contact_detail import values_of
from contact_sync.errors import SourceError, UnavailableError
from contact_sync.ledger.base_token import BaseTokens
from contact_sync.ledger.digests import installation
from contact_sync.ledger.state_dir import open_tokens
from contact_sync.model.fields import BASE_COLUMN, FIELDS, ID
from contact_sync.rules.formula import escape
from contact_sync.settings import AccountSettings
from tests.sync.test_run import KEY, Row, Serve, Workspace, age, balanced

HEADER = (ID, *FIELDS, BASE_COLUMN)
CONTACTS: dict[str, Row] = {
    "C000001": ("+33612345601", "Zoé", "Dupré", "1980-02-01", "https://a.fr", "gold", "", "007", "NULL"),
    "C000002": ("+33612345602", "Léa", "'t Hooft", "", "", "", "=1+1", "", "deleted"),
    "C000003": ("+33612345603", "x" * 40, "Roux", "1801-01-01", "ftp://b.fr", "", "", "", ""),
    "C000004": ("", "", "", "", "", "", "", "", ""),
}
"""contactId → values as they were pulled: the third breaks rules, the last has none."""

Edit = Callable[[list[list[str]]], object]


class Pulled(Workspace):
    """A workspace whose source is a pulled file."""

    def tokens(self, user: str = "camille@example.com") -> BaseTokens:
        """Return the tokens of the account of the sandbox, or of another user's."""
        account = AccountSettings(base_url=self.sandbox.base_url, key=KEY, state_dir=self.folder / "state")
        return open_tokens(account, lambda: user)

    def rows(self, tokens: BaseTokens | None = None) -> list[list[str]]:
        """Return the rows of a pull."""
        tokens = tokens or self.tokens()
        head = tokens.new_head()
        return [[contact_id, *values, tokens.issue(head, contact_id, values)] for contact_id, values in CONTACTS.items()]

    def save(self, rows: Sequence[Sequence[str]], header: Row = HEADER) -> None:
        """Write the source."""
        self.write(*(tuple(map(escape, row)) for row in rows), header=header)

    def edit(self, contact_id: str, **values: str) -> None:
        """Write the source with other values of one contact."""
        rows = self.rows()
        for row in rows:
            if row[0] == contact_id:
                for name, value in values.items():
                    row[HEADER.index(name)] = value
        self.save(rows)

    def change(self, contact_id: str, **values: str) -> None:
        """Change a contact in the API, as somebody else would."""
        assert self.sandbox.store.apply(contact_id, values) == 200

    def stored(self, contact_id: str) -> dict[str, str]:
        """Return the values that the API has, by the names of writes."""
        return dict(zip(FIELDS, values_of(self.sandbox.store[contact_id]), strict=True))

    @property
    def sent(self) -> list[tuple[str, dict[str, str]]]:
        """The updates that the sandbox received: contactId and fields."""
        return [(call.contact_id, call.contact) for call in self.sandbox.calls]

    def codes(self) -> dict[str, str]:
        """Return contactId → code in the report."""
        return {line[ID]: line["sync_code"] for line in self.lines()}


@pytest.fixture
def pulled(tmp_path: Path, sandbox: Serve) -> Pulled:
    """Return a workspace with a pulled file that nobody has touched."""
    workspace = Pulled(tmp_path, sandbox())
    for contact_id, values in CONTACTS.items():
        workspace.change(contact_id, **dict(zip(FIELDS, values, strict=True)))
    workspace.save(workspace.rows())
    return workspace


def test_an_untouched_file_sends_nothing(pulled: Pulled) -> None:
    """Nothing is sent of a file that was not edited, also where its values break rules or a row has none."""
    summary = pulled.run()
    assert (summary.outcomes, summary.exit_code, pulled.sent) == ({"unchanged": 4}, 0, [])
    assert balanced(summary, pulled)
    assert summary.findings[-1] == "This is a pulled file: only the cells that were edited since are sent."


def test_only_edited_fields_are_sent(pulled: Pulled) -> None:
    """An edited cell is sent alone; other cells of its row that break a rule are nobody's mistake of today."""
    pulled.edit("C000003", lastname="Le Roux", custom1="silver")
    summary = pulled.run()
    assert pulled.sent == [("C000003", {"lastname": "Le Roux", "custom1": "silver"})]
    assert (summary.outcomes, summary.exit_code) == ({"updated": 1, "unchanged": 3}, 0)


def test_another_spelling_is_no_edit(pulled: Pulled) -> None:
    """A cell whose text means the same value was not edited."""
    pulled.edit("C000001", phoneNumber="06 12 34 56 01", date="01/02/1980", lastname=" Dupre\u0301 ")
    assert pulled.run().outcomes == {"unchanged": 4}


def test_an_edited_cell_is_judged(pulled: Pulled) -> None:
    """A mistake in an edited cell makes its row invalid."""
    pulled.edit("C000002", firstname="y" * 33, custom4="fine")
    summary = pulled.run()
    assert (summary.outcomes, pulled.sent) == ({"invalid": 1, "unchanged": 3}, [])
    assert pulled.codes()["C000002"] == "text-length"


def test_an_emptied_cell(pulled: Pulled) -> None:
    """An emptied cell is a question; `<clear>` and --blank clear empty the field, --blank keep leaves it."""
    pulled.edit("C000001", custom1="", phoneNumber="")
    assert pulled.run().outcomes == {"invalid": 1, "unchanged": 3}
    (message,) = [line["sync_message"] for line in pulled.lines() if line["sync_code"]]
    emptied = "was emptied, or says that it is empty, since the file was pulled: put the value back"
    assert message == f"phoneNumber {emptied}. custom1 {emptied}, or write <clear> to empty it there, too."
    assert pulled.run(blank="keep").outcomes == {"unchanged": 4}
    pulled.run(blank="clear")
    pulled.change("C000001", custom1="gold")
    pulled.edit("C000001", custom1="<clear>", custom2="<clear>")
    pulled.run()
    assert pulled.sent == [("C000001", {"custom1": ""})] * 2


def test_a_moved_contact_id(pulled: Pulled) -> None:
    """A contactId beside the row of another contact is proven, whatever its cells say."""
    rows = pulled.rows()
    rows[0][0], rows[1][0] = rows[1][0], rows[0][0]
    pulled.save(rows)
    assert pulled.run().outcomes == {"invalid": 2, "unchanged": 2}
    assert pulled.codes() == {"C000002": "id-moved", "C000001": "id-moved", "C000003": "", "C000004": ""}
    assert pulled.sent == []


def test_rows_without_a_token(pulled: Pulled) -> None:
    """A row that was pasted in, or whose token was cut or edited, is not sent; the others are."""
    rows = pulled.rows()
    rows[0][-1], rows[1][-1] = "", rows[1][-1][:-9]
    rows[2][1] = "+33612345699"
    pulled.save(rows)
    assert pulled.run().outcomes == {"updated": 1, "invalid": 2, "unchanged": 1}
    messages = [line["sync_message"] for line in pulled.lines()]
    assert "The sync_base of this row is empty, as in a row that was pasted in," in messages[0]
    assert "damaged, or made by another installation" in messages[1]
    assert pulled.sent == [("C000003", {"phoneNumber": "+33612345699"})]


def test_two_pulls_in_one_file(pulled: Pulled) -> None:
    """Rows of two pulls may be joined; a row that was not edited does not contradict an edited one of the same contact."""
    rows = [*pulled.rows(), *pulled.rows()]
    rows[0][HEADER.index("custom2")] = "new"
    pulled.save(rows)
    assert pulled.run().outcomes == {"updated": 1, "unchanged": 7}
    assert pulled.sent == [("C000001", {"custom2": "new"})]


def test_a_file_of_another_account(pulled: Pulled) -> None:
    """A file that was pulled from another account, or elsewhere, is refused; a few such rows are invalid."""
    foreign = pulled.rows(BaseTokens(installation(pulled.folder / "state"), "another user"))
    pulled.save(foreign)
    with pytest.raises(SourceError, match="pulled from another account"):
        pulled.run()
    pulled.save(pulled.rows(BaseTokens(installation(pulled.folder), "0" * 16)))
    with pytest.raises(SourceError, match="another installation"):
        pulled.run()
    with pytest.raises(SourceError, match="another installation"):
        pulled.run(dry_run=True, remember=False, state_dir=pulled.folder / "none")
    pulled.save([*pulled.rows()[:3], foreign[3]])
    assert pulled.run().outcomes == {"invalid": 1, "unchanged": 3}
    assert pulled.codes()["C000004"] == "base-missing"
    assert pulled.sent == []


def test_a_check_needs_no_key(pulled: Pulled) -> None:
    """A check and a rehearsal read the tokens of any account of the installation."""
    pulled.edit("C000002", firstname="Éva")
    assert pulled.run(dry_run=True, remember=False).outcomes == {"ready": 1, "unchanged": 3}
    assert pulled.run(sandbox=True).outcomes == {"updated": 1, "unchanged": 3}
    assert pulled.sent == []


def test_the_account_has_to_be_known(pulled: Pulled, sandbox: Serve) -> None:
    """A pulled file is not sent before the API has said whose the key is; it is asked once for each key."""
    pulled.sandbox = sandbox(key="another-key-5678")
    with pytest.raises(UnavailableError, match="did not say whose the API key is"):
        pulled.run()


def test_a_report_is_edited_again(pulled: Pulled) -> None:
    """The report keeps the tokens, so it can be edited and run in place of the file."""
    pulled.edit("C000001", firstname="y" * 33)
    pulled.run()
    lines = pulled.lines()
    lines[0]["firstname"] = "Zoë"
    pulled.write(*(tuple(line.values()) for line in lines), header=tuple(lines[0]))
    assert pulled.run().outcomes == {"updated": 1, "unchanged": 3}
    assert pulled.sent == [("C000001", {"firstname": "Zoë"})]


def test_a_workbook(pulled: Pulled) -> None:
    """A pulled workbook works like a pulled CSV, with the token in a hidden column."""
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    rows = pulled.rows()
    for row in (HEADER, rows[0], *rows[2:]):
        sheet.append(list(row))
        for cell in sheet[sheet.max_row]:
            cell.data_type = "s"
    sheet["C2"] = "Zoë"
    sheet.column_dimensions["K"].hidden = True
    path = pulled.folder / "contacts.xlsx"
    book.save(path)
    age(path)
    assert pulled.run(source=path).outcomes == {"updated": 1, "unchanged": 2}
    assert pulled.sent == [("C000001", {"firstname": "Zoë"})]


@pytest.mark.parametrize(
    ("field", "saved", "code"),
    [
        *(("custom3", "7", "cell-converted"), ("custom3", "7.0", "cell-converted"), ("custom3", "8", "")),
        *(("custom3", "1.23E+15", "cell-converted"), ("custom3", "1,23456789012346E+016", "cell-converted")),
        *(("custom3", "1/2/2026", ""), ("custom3", "TRUE", ""), ("custom3", "12:30:00 PM", "")),
        *(("date", "2/1/1980", "cell-converted"), ("date", "02/01/80", "cell-converted"), ("date", "1980-01-02", "")),
        *(("date", "3/1/1980", ""), ("date", "03/01/80", "date-two-digits")),
    ],
)
def test_what_a_spreadsheet_makes_of_a_value(pulled: Pulled, field: str, saved: str, code: str) -> None:
    """What a spreadsheet has made of the value is never sent; another number is, and a day that is written year first."""
    pulled.edit("C000001", **{field: saved})
    assert pulled.run().outcomes == {"invalid" if code else "updated": 1, "unchanged": 3}
    assert pulled.codes()["C000001"] == code
    assert pulled.run(live=True, source=pulled.source).exit_code == (3 if code else 0)


def test_dates_of_an_american_spreadsheet(pulled: Pulled) -> None:
    """One date that is proven to have the month first makes the edited ones that can be read two ways doubtful."""
    rows = pulled.rows()
    rows[0][HEADER.index("date")] = "2/1/1980"
    rows[1][HEADER.index("date")] = "5/6/1960"
    pulled.save(rows)
    assert pulled.run().outcomes == {"invalid": 2, "unchanged": 2}
    assert pulled.codes() == {"C000001": "cell-converted", "C000002": "date-ambiguous", "C000003": "", "C000004": ""}
    assert pulled.sent == []


def test_a_phone_number_without_its_plus(pulled: Pulled) -> None:
    """A number of New Caledonia without its plus would be read as a French one."""
    rows, number = pulled.rows(), "+687751234"
    values = (number, *CONTACTS["C000001"][1:])
    rows[0] = ["C000001", number.lstrip("+"), *values[1:], pulled.tokens().issue(pulled.tokens().new_head(), "C000001", values)]
    pulled.save(rows)
    assert pulled.run().outcomes == {"invalid": 1, "unchanged": 3}
    assert pulled.codes()["C000001"] == "cell-converted"


def test_a_workbook_without_its_mark(pulled: Pulled) -> None:
    """A pulled workbook that has lost the column `sync_verbatim` keeps the apostrophes of its values."""
    book = openpyxl.Workbook()
    for row in (HEADER, *pulled.rows()):
        book.worksheets[0].append(list(row))
        for cell in book.worksheets[0][book.worksheets[0].max_row]:
            cell.data_type = "s"
    path = pulled.folder / "contacts.xlsx"
    book.save(path)
    age(path)
    assert pulled.run(source=path).outcomes == {"unchanged": 4}


cells = st.tuples(st.sampled_from(list(CONTACTS)), st.sampled_from(["firstname", "lastname", "custom1", "custom4"]))
words = st.text("abcé ", min_size=1, max_size=5).filter(str.strip)


@pytest.mark.unmeasured
@given(
    edits=st.dictionaries(cells, words, max_size=6), kept=st.sets(st.sampled_from(list(CONTACTS)), min_size=1), seed=st.randoms()
)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_edits_in_any_order(pulled: Pulled, edits: dict[tuple[str, str], str], kept: set[str], seed: random.Random) -> None:
    """Exactly the edited fields are sent, however the rows were edited, sorted and deleted, and the columns moved."""
    pulled.sandbox.calls.clear()
    for contact_id, values in CONTACTS.items():
        pulled.change(contact_id, **dict(zip(FIELDS, values, strict=True)))
    rows = [row for row in pulled.rows() if row[0] in kept]
    expected: dict[str, dict[str, str]] = {}
    for (contact_id, name), word in edits.items():
        value = " ".join(word.split()) if name.endswith("name") else word.strip()
        for row in rows:
            if row[0] == contact_id and value != row[HEADER.index(name)]:
                row[HEADER.index(name)] = word
                expected.setdefault(contact_id, {})[name] = value
    seed.shuffle(rows)
    order = seed.sample(range(len(HEADER)), len(HEADER))
    pulled.save([[row[at] for at in order] for row in rows], header=tuple(HEADER[at] for at in order))
    summary = pulled.run(resend=True)
    assert dict(pulled.sent) == expected
    assert summary.exit_code == 0


def test_cells_that_were_not_edited_stop_nothing(pulled: Pulled) -> None:
    """What the account has stored for years is no reason to stop: neither words for no value, nor spaces to correct."""
    tokens, rows = pulled.tokens(), []
    for number in range(11, 16):
        values = ("", "NULL", "NULL", "", "", "a  b", "", "", "")
        pulled.change(f"C{number:06}", **dict(zip(FIELDS, values, strict=True)))
        rows.append([f"C{number:06}", *values, tokens.issue(tokens.new_head(), f"C{number:06}", values)])
    rows[0][HEADER.index("custom2")] = "new"
    pulled.save(rows)
    summary = pulled.run()
    assert (summary.outcomes, summary.exit_code) == ({"updated": 1, "unchanged": 4}, 0)
    assert (summary.warnings, summary.notes) == ([], [])
