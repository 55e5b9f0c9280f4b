"""Reading before writing: the merge of a row with what the API has now, and what is found out about the API."""

import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from contact_sync.errors import ConfigError
from contact_sync.ledger.state_dir import open_existing_ledger
from contact_sync.model.report import BeforeImage, Summary
from contact_sync.sandbox.assumptions import Assumptions
from contact_sync.sandbox.faults import Behaviour
from contact_sync.settings import AccountSettings
from contact_sync.sync.undo import undo
from tests.sync.test_base import CONTACTS, HEADER, Pulled, pulled
from tests.sync.test_run import KEY, age, balanced

__all__ = ["pulled"]


def ledger_of(workspace: Pulled) -> Any:
    """Open the ledger of the workspace."""
    account = AccountSettings(base_url=workspace.sandbox.base_url, key=KEY, state_dir=workspace.folder / "state")
    return open_existing_ledger(account)


def answers(workspace: Pulled) -> dict[str, str]:
    """Return what was found out about the API."""
    with ledger_of(workspace) as ledger:
        return dict(ledger.answers())


def images(workspace: Pulled, run: str) -> list[BeforeImage]:
    """Return the values before a run."""
    with ledger_of(workspace) as ledger:
        return list(ledger.before_images(run))


def test_two_people_edit_different_fields(pulled: Pulled) -> None:
    """A field that somebody else has changed since the pull is left alone, and no conflict with another field."""
    pulled.edit("C000001", lastname="Martin")
    pulled.change("C000001", firstname="Chloé")
    assert pulled.run().outcomes == {"updated": 1, "unchanged": 3}
    assert pulled.sent == [("C000001", {"lastname": "Martin"})]
    assert pulled.stored("C000001")["firstname"] == "Chloé"


def test_the_same_edit_twice(pulled: Pulled) -> None:
    """A value that the API already has is not sent; one field of two may be."""
    pulled.edit("C000001", lastname="Martin", custom1="silver")
    pulled.change("C000001", lastname="Martin")
    pulled.run()
    assert pulled.sent == [("C000001", {"custom1": "silver"})]
    pulled.run()
    assert pulled.run().outcomes == {"unchanged": 4}
    assert len(pulled.sent) == 1


def test_a_conflict(pulled: Pulled) -> None:
    """A field that both have changed holds the whole row; the report run again sends what the operator decides."""
    pulled.edit("C000001", lastname="Martin", custom1="silver")
    pulled.change("C000001", lastname="Durand")
    summary = pulled.run()
    assert (summary.outcomes, summary.exit_code, pulled.sent) == ({"conflict": 1, "unchanged": 3}, 3, [])
    assert balanced(summary, pulled)
    (line,) = [line for line in pulled.lines() if line["sync_code"]]
    assert (line["sync_code"], line["sync_fields"]) == ("conflict", "lastname")
    assert line["sync_message"].startswith("SMS Partner has “Durand” as lastname since the file was pulled: to keep that,")
    assert "Durand" not in "".join(cause.in_general for cause in summary.causes)
    pulled.write(*(tuple(line.values()) for line in pulled.lines()), header=tuple(line))
    assert pulled.run().outcomes == {"updated": 1, "unchanged": 3}
    assert pulled.sent == [("C000001", {"lastname": "Martin", "custom1": "silver"})]


@pytest.mark.parametrize(
    ("conflicts", "sent"), [("mine", {"lastname": "Martin", "custom1": "silver"}), ("theirs", {"custom1": "silver"})]
)
def test_conflicts_decided_beforehand(pulled: Pulled, conflicts: str, sent: dict[str, str]) -> None:
    """--conflicts mine sends the operator's value, theirs leaves that of the API; other edits are sent either way."""
    pulled.edit("C000001", lastname="Martin", custom1="silver")
    pulled.change("C000001", lastname="Durand")
    assert pulled.run(conflicts=conflicts).outcomes == {"updated": 1, "unchanged": 3}
    assert pulled.sent == [("C000001", sent)]


def test_the_report_can_be_edited_again(pulled: Pulled) -> None:
    """The report of an update has a fresh token: nothing of it is sent again, and a new edit is sent alone."""
    pulled.edit("C000001", lastname="Martin")
    pulled.run()
    lines = pulled.lines()
    lines[0]["custom1"] = "silver"
    pulled.change("C000001", lastname="Durand")
    pulled.write(*(tuple(line.values()) for line in lines), header=tuple(lines[0]))
    assert pulled.run().outcomes == {"updated": 1, "unchanged": 3}
    assert pulled.sent[1:] == [("C000001", {"custom1": "silver"})]
    assert pulled.stored("C000001")["lastname"] == "Durand"


@pytest.mark.parametrize("again", ["file", "report", "workbook"])
@pytest.mark.parametrize("outcome", ["updated", "conflict"])
def test_what_others_changed_stays(pulled: Pulled, outcome: str, again: str) -> None:
    """A cell that was not edited is never sent, whatever the API had when its row was, nor with the report or the workbook."""
    pulled.edit("C000001", lastname="Martin")
    pulled.change("C000001", firstname="Chloé", **({"lastname": "Durand"} if outcome == "conflict" else {}))
    book = pulled.folder / "contacts.results.xlsx"
    assert pulled.run(outputs={"workbook": book}).outcomes == {outcome: 1, "unchanged": 3}
    source = {"file": pulled.source, "report": pulled.report, "workbook": book}[again]
    if again == "report":
        source = pulled.folder / "again.csv"
        shutil.copy(pulled.report, source)
    age(source)
    pulled.run(source=source, report=pulled.folder / "second.csv")
    assert pulled.stored("C000001")["firstname"] == "Chloé"
    assert all("firstname" not in fields for _contact_id, fields in pulled.sent)


def test_the_workbook_shows_both_values(pulled: Pulled) -> None:
    """Workbook and page show the value of the API; the workbook carries the fresh token, too."""
    pulled.edit("C000001", lastname="Martin")
    pulled.change("C000001", lastname="Durand")
    book = pulled.folder / "contacts.results.xlsx"
    page = pulled.folder / "contacts.html"
    assert pulled.run(outputs={"workbook": book, "page": page}).outcomes == {"conflict": 1, "unchanged": 3}
    assert "SMS Partner has “Durand”" in page.read_text(encoding="utf-8")
    assert "v1." not in page.read_text(encoding="utf-8"), "tokens mean nothing to a person"
    sheet = openpyxl.load_workbook(book).worksheets[-1]
    (cell,) = [cell for row in sheet for cell in row if cell.comment]
    assert (cell.value, cell.comment and "SMS Partner has “Durand”" in cell.comment.text) == ("Martin", True)
    age(book)
    assert pulled.run(source=book).outcomes == {"updated": 1, "unchanged": 3}


def test_an_old_export(pulled: Pulled) -> None:
    """More conflicts than --max-conflicts, of 20 rows or more, end the sending with exit code 4."""
    ids = [f"C{number:06}" for number in range(101, 131)]
    tokens = pulled.tokens()
    head = tokens.new_head()
    rows = []
    for contact_id in ids:
        base = tuple(pulled.stored(contact_id).values())
        rows.append([contact_id, *base, tokens.issue(head, contact_id, base)])
        rows[-1][HEADER.index("lastname")] = "Mine"
        pulled.change(contact_id, lastname="Theirs")
    pulled.save(rows)
    summary = pulled.run(workers=1, max_identity_changes=100)
    assert (summary.outcomes, summary.exit_code) == ({"conflict": 4, "unprocessed": 26}, 4)
    assert "as in an old export" in summary.reasons[0]
    several = pulled.run(workers=8, max_identity_changes=100)
    assert (several.exit_code, len(several.reasons)) == (4, 1)
    assert pulled.run(workers=1, max_conflicts=100, max_identity_changes=100).outcomes == {"conflict": 30}
    pulled.save(rows[:19])
    assert pulled.run().outcomes == {"conflict": 19}
    assert pulled.sent == []


def test_a_person_who_said_stop(pulled: Pulled) -> None:
    """The number of a person who said STOP is not changed without --allow-stop; other fields are."""
    pulled.edit("C000001", phoneNumber="+33612345699", custom1="silver")
    assert pulled.run().outcomes == {"invalid": 1, "unchanged": 3}
    assert pulled.codes()["C000001"] == "stop-number"
    assert pulled.sent == []
    pulled.edit("C000001", custom1="silver")
    assert pulled.run().exit_code == 0
    pulled.edit("C000001", phoneNumber="+33612345699")
    assert pulled.run(allow_stop=True).outcomes == {"updated": 1, "unchanged": 3}


def test_requests(pulled: Pulled) -> None:
    """Each edited row is one read and one update; the first one is read back, and so is the first field that is emptied."""
    pulled.edit("C000001", lastname="Martin")
    assert pulled.run().requests == 3
    pulled.edit("C000002", firstname="Éva")
    assert pulled.run().requests == 2
    pulled.edit("C000001", custom1="<clear>")
    assert pulled.run().requests == 3
    pulled.edit("C000001", custom3="<clear>")
    assert pulled.run().requests == 3
    pulled.change("C000001", custom3="007")
    pulled.edit("C000001", custom3="<clear>")
    assert pulled.run().requests == 2
    assert answers(pulled) == {"omitted": "kept", "clear custom1": "emptied", "clear custom3": "emptied"}


def test_values_before(pulled: Pulled) -> None:
    """A run keeps the values before of the fields that it changed, and no others; --undo-days 0 keeps none."""
    pulled.edit("C000001", lastname="Martin", custom2="new")
    run = pulled.run().run
    ((contact_id, fields, _written),) = images(pulled, run)
    assert (contact_id, fields) == ("C000001", {"lastname": "Dupré", "custom2": ""})
    pulled.edit("C000001", firstname="Chloé")
    assert images(pulled, pulled.run(undo_days=0).run) == []
    assert images(pulled, run) == []


def test_forget_covers_values_before(pulled: Pulled) -> None:
    """What is kept for undo is forgotten with its contact."""
    pulled.edit("C000001", lastname="Martin")
    run = pulled.run().run
    with ledger_of(pulled) as ledger:
        assert ledger.forget("C000001", str) > 0
    assert images(pulled, run) == []
    assert b"Dupr" not in b"".join(path.read_bytes() for path in (pulled.folder / "state").iterdir())


def test_any_file_can_ask_for_it(pulled: Pulled) -> None:
    """With --live, an ordinary file is compared with the API itself: only fields that differ are sent."""
    pulled.write(("C000001", "Chloé", "Dupré"), ("C000002", "Léa", "'t Hooft"), header=("contactId", "firstname", "lastname"))
    summary = pulled.run(live=True)
    assert summary.outcomes == {"updated": 1, "unchanged": 1}
    assert pulled.sent == [("C000001", {"firstname": "Chloé"})]
    pulled.change("C000001", firstname="Zoé")
    assert pulled.run().outcomes == {"unchanged": 2}
    assert pulled.run(live=True).outcomes == {"updated": 1, "unchanged": 1}
    assert [image.fields for image in images(pulled, summary.run)] == [{"firstname": "Zoé"}]


def test_an_unknown_contact(pulled: Pulled) -> None:
    """A contact that the API does not have is rejected before anything is sent."""
    rows = pulled.rows()
    tokens = pulled.tokens()
    values = CONTACTS["C000001"]
    rows.append(["C999999", *values, tokens.issue(tokens.new_head(), "C999999", values)])
    rows[-1][2] = "Chloé"
    pulled.save(rows)
    assert pulled.run().outcomes == {"rejected": 1, "unchanged": 4}
    assert (pulled.codes()["C999999"], pulled.sent) == ("api-contact-unknown", [])


def test_retry_reads_again(pulled: Pulled) -> None:
    """A retry of rows of a pulled file reads and merges them as the run would have."""
    pulled.edit("C000001", lastname="Martin")
    assert pulled.run(limit=1, max_duration=0.0001).outcomes == {"unprocessed": 1, "unchanged": 3}
    pulled.change("C000001", lastname="Durand")
    assert pulled.retry().outcomes == {"conflict": 1, "unchanged": 3}


def test_an_older_copy_overwrites_nothing(pulled: Pulled) -> None:
    """A copy of the file from before the edit sends nothing over what was sent: its untouched row is stale, and named."""
    rows = pulled.rows()
    copy = [list(row) for row in rows]
    rows[0][HEADER.index("lastname")] = "Martin"
    rows[3][HEADER.index("custom4")] = "VIP"
    pulled.save(rows)
    assert pulled.run().outcomes == {"updated": 2, "unchanged": 2}
    pulled.save(copy)
    for blank in ("ask", "clear"):
        summary = pulled.run(blank=blank)
        assert (summary.outcomes, summary.exit_code) == ({"unprocessed": 2, "unchanged": 2}, 0)
        assert pulled.codes() | {"C000002": "", "C000003": ""} == pulled.codes()
        assert (pulled.codes()["C000001"], pulled.codes()["C000004"]) == ("base-stale", "base-stale")
        assert "2 rows were overtaken" in " ".join(summary.warnings)
    assert (pulled.stored("C000001")["lastname"], pulled.stored("C000004")["custom4"]) == ("Martin", "VIP")
    copy[0][HEADER.index("firstname")] = "Chloé"
    pulled.save(copy)
    assert pulled.run().outcomes == {"updated": 1, "unprocessed": 1, "unchanged": 2}
    assert (pulled.stored("C000001")["firstname"], pulled.stored("C000001")["lastname"]) == ("Chloé", "Martin")
    assert pulled.run().outcomes == {"unprocessed": 2, "unchanged": 2}


def test_a_value_edited_once_more(pulled: Pulled) -> None:
    """A cell of the file that was sent and is edited once more is a conflict: another copy may have sent the value between."""
    rows, at = pulled.rows(), HEADER.index("lastname")
    for name, outcome in (("Martin", "updated"), ("Durand", "conflict")):
        rows[0][at] = name
        pulled.save(rows)
        assert pulled.run().outcomes == {outcome: 1, "unchanged": 3}
    assert pulled.stored("C000001")["lastname"] == "Martin"
    lines = pulled.lines()
    pulled.write(*(tuple(line.values()) for line in lines), header=tuple(lines[0]))
    assert pulled.run().outcomes == {"updated": 1, "unchanged": 3}, "the report of the conflict decides it"
    assert pulled.stored("C000001")["lastname"] == "Durand"
    with ledger_of(pulled) as ledger:
        ledger.forget("C000001", str)
        assert ledger.successors([row[-1] for row in rows]) == {}


def test_a_sent_cell_is_left_to_others(pulled: Pulled) -> None:
    """What was sent is not sent again, nor a conflict, when somebody has changed it since; another edit of the row is sent."""
    rows = pulled.rows()
    rows[0][HEADER.index("lastname")] = "Martin"
    pulled.save(rows)
    pulled.run()
    pulled.change("C000001", lastname="Durand")
    summary = pulled.run()
    assert (summary.outcomes, summary.requests) == ({"unchanged": 4}, 0)
    rows[0][HEADER.index("custom1")] = "silver"
    pulled.save(rows)
    assert pulled.run().outcomes == {"updated": 1, "unchanged": 3}
    assert (pulled.stored("C000001")["lastname"], pulled.stored("C000001")["custom1"]) == ("Durand", "silver")
    assert pulled.run().requests == 0


def test_undo_and_the_file_again(pulled: Pulled) -> None:
    """A run of the same file after its undo sends nothing of it again, unless with --resend; then the same undo helps again."""
    pulled.edit("C000001", lastname="Martin")
    first = pulled.run().run
    for turn in range(2):
        path = undo(pulled.settings(), first, pulled.folder / "undo.csv").output
        age(path)
        assert pulled.run(source=path).outcomes == {"updated": 1}
        assert pulled.run().outcomes == {"unchanged": 4}
        assert pulled.stored("C000001")["lastname"] == "Dupré"
        if not turn:
            assert pulled.run(resend=True).outcomes == {"updated": 1, "unchanged": 3}
            assert pulled.stored("C000001")["lastname"] == "Martin"


@pytest.mark.parametrize("before", ["x" * 40, "LefÃ¨vre", "NULL", "a\nb", "  "])
def test_undo_of_a_value_that_breaks_a_rule(pulled: Pulled, before: str) -> None:
    """What the API had before is put back whatever the rules say; an edit of the file of undo is judged."""
    pulled.change("C000003", firstname=before)
    tokens = pulled.tokens()
    values = tuple(pulled.stored("C000003").values())
    row = ["C000003", *values, tokens.issue(tokens.new_head(), "C000003", [value.strip() for value in values])]
    row[HEADER.index("firstname")] = "Anna"
    pulled.save([row])
    assert pulled.run().outcomes == {"updated": 1}
    path = undo(pulled.settings(), "", pulled.folder / "undo.csv").output
    age(path)
    assert pulled.run(source=path).outcomes == {"updated": 1}
    assert pulled.stored("C000003")["firstname"] == before.strip()
    path.write_text(path.read_text(encoding="utf-8-sig").replace(before, f"{before}y" * 40), encoding="utf-8-sig")
    age(path)
    assert pulled.run(source=path).outcomes.keys() <= {"invalid", "unchanged"}


def test_values_before_survive_a_kill(pulled: Pulled, monkeypatch: pytest.MonkeyPatch) -> None:
    """The values before are durable before an update leaves."""
    apply = pulled.sandbox.store.apply
    seen: list[tuple[str, str]] = []

    def look(contact_id: str, sent: dict[str, str]) -> int:
        with sqlite3.connect(next((pulled.folder / "state").glob("*.sqlite3"))) as ledger:
            seen.extend(ledger.execute("SELECT contact_id, fields FROM before_image"))
        return apply(contact_id, sent)

    pulled.edit("C000001", lastname="Martin")
    monkeypatch.setattr(pulled.sandbox.store, "apply", look)
    pulled.run()
    assert seen == [("C000001", '{"lastname": "Dupré"}')]


def test_the_wrong_run_is_not_undone(pulled: Pulled) -> None:
    """A run that changed nothing is passed over; one that did, and kept nothing, is named with those that can be undone."""
    pulled.edit("C000001", lastname="Martin")
    first = pulled.run().run
    assert pulled.run().outcomes.keys() == {"unchanged"}
    assert undo(pulled.settings(), "", pulled.folder / "undo.csv").run == first
    pulled.write(("C000001", "Durand"), header=("contactId", "lastname"))
    last = pulled.run().run
    with pytest.raises(
        ConfigError, match=rf"The run {last} .*, so it cannot be undone\. .* \(contact-sync undo RUN\): {first}\."
    ):
        undo(pulled.settings(), "", pulled.folder / "undo.csv")
    with ledger_of(pulled) as ledger:
        ledger.expire(datetime.now(UTC), undo_days=0)
    with pytest.raises(ConfigError, match="No values before are kept"):
        undo(pulled.settings(), first, pulled.folder / "undo.csv")


@pytest.mark.parametrize(
    ("finished", "outcomes"),
    [("2026-11-29T10:00:00Z", {"altered": 1}), ("2026-11-29T10:00:00Z", {"failed": 1, "unchanged": 2}), (None, {})],
)
def test_a_run_that_may_have_changed_something_is_not_passed_over(
    pulled: Pulled, finished: str | None, outcomes: dict[str, int]
) -> None:
    """A run whose updates came out differently, or are unknown, or that was killed, is named and not passed over."""
    pulled.edit("C000001", lastname="Martin")
    first = pulled.run().run
    with ledger_of(pulled) as ledger:
        ledger.note_refusal(Summary("later", Path("c.csv"), None), "2099-01-01T00:00:00Z")
        if finished:
            ledger.finish_run(Summary("later", Path("c.csv"), None, outcomes=outcomes), finished)
    with pytest.raises(ConfigError, match=rf"The run later \(c\.csv\) came last.*: {first}\."):
        undo(pulled.settings(), "", pulled.folder / "undo.csv")


def test_a_plain_file_keeps_what_it_leaves_out(pulled: Pulled) -> None:
    """Once an account is known to empty what an update leaves out, any file is read first and sent whole."""
    pulled.sandbox.store.assumptions = Assumptions(omitted="emptied")
    pulled.edit("C000001", lastname="Martin")
    pulled.run()
    before = pulled.stored("C000002")
    pulled.write(("C000002", "plain"), header=("contactId", "custom3"))
    assert pulled.run().outcomes == {"updated": 1}
    assert pulled.stored("C000002") == before | {"custom3": "plain"}


def test_a_column_that_was_moved_alone(pulled: Pulled) -> None:
    """Names or numbers that most rows have edited stop the run, as when a column was sorted alone."""
    tokens = pulled.tokens()
    head = tokens.new_head()
    ids = [f"C{number:06}" for number in range(101, 131)]
    rows = [[key, *(base := tuple(pulled.stored(key).values())), tokens.issue(head, key, base)] for key in ids]
    at = HEADER.index("firstname")
    for row, name in zip(rows, [row[at] for row in rows[1:] + rows[:1]], strict=True):
        row[at] = name
    pulled.save(rows)
    summary = pulled.run()
    assert (summary.exit_code, pulled.sent) == (4, [])
    assert "rows have another firstname than when the file was pulled" in summary.reasons[0]
    assert pulled.run(max_identity_changes=100).exit_code != 4


def test_a_pulled_file_without_its_tokens(pulled: Pulled) -> None:
    """A pulled file whose tokens are gone is an ordinary file, with a warning."""
    rows = [[*row[:-1], ""] for row in pulled.rows()[:1]]
    pulled.save(rows, header=(*HEADER[:-1], "sync_stop"))
    summary = pulled.run()
    assert "its column sync_base is gone" in summary.warnings[0]


def test_undo_after_a_retry(pulled: Pulled) -> None:
    """Undo puts back what the update has replaced, also where an earlier attempt of the run had found another value."""
    pulled.edit("C000001", lastname="Martin", custom1="silver")
    pulled.sandbox.script["C000001"] = [Behaviour(status=500)] * 2
    assert pulled.run(attempts=1).outcomes["failed"] == 1
    pulled.change("C000001", lastname="Durand")
    assert pulled.retry(conflicts="mine").outcomes == {"updated": 1, "unchanged": 3}
    path = undo(pulled.settings(), "", pulled.folder / "undo.csv").output
    age(path)
    assert pulled.run(source=path).outcomes == {"updated": 1}
    assert (pulled.stored("C000001")["lastname"], pulled.stored("C000001")["custom1"]) == ("Durand", "gold")


def test_undo_of_a_number_that_was_added(pulled: Pulled) -> None:
    """A number cannot be emptied, which keeps nothing else from being put back."""
    pulled.edit("C000004", phoneNumber="+33612345699", firstname="Anna")
    pulled.run()
    path = undo(pulled.settings(), "", pulled.folder / "undo.csv").output
    age(path)
    assert pulled.run(source=path).outcomes == {"updated": 1}
    assert (pulled.stored("C000004")["phoneNumber"], pulled.stored("C000004")["firstname"]) == ("+33612345699", "")


def test_a_retry_of_a_live_run_reads(pulled: Pulled) -> None:
    """A retry reads first, as its run did: the number of a person who said STOP stays."""
    pulled.sandbox.store._changed["C000001"]["stopSms"] = True
    pulled.write(("C000001", "06 12 34 56 99"), header=("contactId", "phoneNumber"))
    assert pulled.run(live=True, max_duration=0.0001).outcomes == {"unprocessed": 1}
    assert pulled.retry().outcomes == {"invalid": 1}
    assert pulled.sent == []


def test_forget_leaves_no_id(pulled: Pulled) -> None:
    """What was found out about the API does not name the contact that has shown it."""
    pulled.edit("C000001", lastname="Martin")
    pulled.run()
    with ledger_of(pulled) as ledger:
        ledger.forget("C000001", str)
    assert b"C000001" not in b"".join(path.read_bytes() for path in (pulled.folder / "state").glob("*.sqlite3"))


def test_a_file_whose_edit_was_taken_back_in_its_report(pulled: Pulled) -> None:
    """What was sent, and replaced through the report, is not sent again by the file; any report can be edited."""
    rows = pulled.rows()
    rows[0][HEADER.index("lastname")] = "Martin"
    pulled.save(rows)
    pulled.run()
    pulled.run()
    lines = pulled.lines()
    assert lines[0]["sync_outcome"] == "unchanged"
    lines[0]["lastname"] = "Dupré"
    back = pulled.folder / "back.csv"
    content = pulled.source.read_bytes()
    pulled.write(*(tuple(line.values()) for line in lines), header=tuple(lines[0]))
    pulled.source.rename(back)
    age(back)
    assert pulled.run(source=back, report=pulled.folder / "back.results.csv").outcomes == {"updated": 1, "unchanged": 3}
    pulled.source.write_bytes(content)
    age(pulled.source)
    assert pulled.run().outcomes == {"unprocessed": 1, "unchanged": 3}
    assert pulled.stored("C000001")["lastname"] == "Dupré"


def test_a_stale_cell_beside_an_edited_one(pulled: Pulled) -> None:
    """Of a row with an edit only that is sent, and a warning says that another cell has an older value."""
    rows = pulled.rows()
    rows[0][HEADER.index("lastname")] = "Martin"
    pulled.save(rows)
    pulled.run()
    rows[0][HEADER.index("lastname")] = "Dupré"
    rows[0][HEADER.index("custom1")] = "silver"
    pulled.save(rows)
    summary = pulled.run()
    assert summary.outcomes == {"updated": 1, "unchanged": 3}
    assert "In 1 row a cell has a value from before another one was sent" in " ".join(summary.warnings)
    assert pulled.sent[-1] == ("C000001", {"custom1": "silver"})


def test_what_a_spreadsheet_makes_of_an_undo(pulled: Pulled) -> None:
    """A value before that a spreadsheet has converted in the file of undo is not sent."""
    pulled.edit("C000001", custom3="99")
    pulled.run()
    path = undo(pulled.settings(), "", pulled.folder / "undo.csv").output
    path.write_text(path.read_text(encoding="utf-8-sig").replace(";007;", ";7;"), encoding="utf-8")
    age(path)
    report = pulled.folder / "undo.results.csv"
    assert pulled.run(source=path, report=report).outcomes == {"invalid": 1}
    assert "cell-converted" in report.read_text(encoding="utf-8-sig")
