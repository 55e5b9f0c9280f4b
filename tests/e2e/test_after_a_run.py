"""Commands after a run (retry, report, history, forget, doctor), the inbox, and the files that go back to the office."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from typing import Any

import openpyxl
import pytest

from contact_sync.sandbox.faults import Behaviour, Faults
from tests.setups import edit

from .workspace import (
    KEY,
    NewWorkspace,
    RunResult,
    Workspace,
    age,
    assert_consistent,
    assert_refused,
    files_in,
    make_contacts,
    mode,
    other_address,
    wait_until,
)


def output(workspace: Workspace, command: str, *options: str, code: int = 0, **env: str) -> str:
    """Return the stdout of another command, which never contains the key."""
    done = workspace.call(command, *options, "--state-dir", str(workspace.state), **env)
    assert done.code == code, done.stderr.decode()
    assert KEY.encode() not in done.stdout + done.stderr
    assert b"Traceback" not in done.stderr
    return done.stdout.decode()


def retry(workspace: Workspace, *options: str) -> RunResult:
    """Run `retry` to its end."""
    given = ("--base-url", workspace.sandbox.base_url, "--state-dir", str(workspace.state), "--rate", "0", "--json")
    return workspace.call("retry", *given, *options)


# ---- retry and report


def test_retry_after_an_outage(new_workspace: NewWorkspace) -> None:
    """Rows that an outage left are sent without the file, once, and the whole report is updated."""
    workspace = new_workspace()
    workspace.export(make_contacts(60))
    workspace.sandbox.script = {contact.contact_id: [Behaviour(status=500)] * 9 for contact in workspace.contacts[20:24]}
    first = workspace.run("--limit", "40")
    assert assert_consistent(workspace, first, 3) == {"updated": 36, "failed": 4, "unprocessed": 20}
    assert (
        f"Next: contact-sync retry --base-url {workspace.sandbox.base_url} --state-dir {workspace.state}".encode() in first.stderr
    )
    workspace.source.unlink()
    workspace.sandbox.script.clear()
    second = retry(workspace)
    assert assert_consistent(workspace, second, 0) == {"updated": 60}
    assert second.sent == {contact.contact_id: 1 for contact in [*workspace.contacts[20:24], *workspace.contacts[40:]]}
    assert second.summary["requests"] == 24
    assert all(map(workspace.in_place, workspace.contacts))
    third = retry(workspace)
    assert (third.code, third.calls) == (0, [])


def test_partial_retry(workspace: Workspace) -> None:
    """A failed row keeps its outcome and code until it is retried; the exit code still reports it."""
    workspace.export(make_contacts(6))
    workspace.sandbox.script = {contact.contact_id: [Behaviour(status=500)] * 9 for contact in workspace.contacts[1:4]}
    assert assert_consistent(workspace, workspace.run(), 3) == {"updated": 3, "failed": 3}
    workspace.sandbox.script.clear()
    assert assert_consistent(workspace, retry(workspace, "--limit", "1"), 3) == {"updated": 4, "failed": 2}
    assert [line["sync_code"] for line in workspace.lines() if line["sync_outcome"] == "failed"] == ["api-error"] * 2
    assert json.loads(output(workspace, "history", "--contact", "E00002", "--json"))[0]["outcome"] == "failed"
    assert assert_consistent(workspace, retry(workspace), 0) == {"updated": 6}


@pytest.mark.parametrize(
    "options", [["--page", "{source}"], ["--workbook", "{source}"], ["--page", "{report}"], ["--workbook", "{report}"]]
)
def test_report_over_another_file_is_refused(workspace: Workspace, options: list[str]) -> None:
    """A report that would overwrite the source or another report is refused by every command."""
    workspace.export(make_contacts(3))
    source = workspace.source.read_bytes()
    paths = [option.format(source=workspace.source, report=workspace.report) for option in options]
    assert_refused(workspace, workspace.run(*paths), 2)
    workspace.run()
    report = workspace.report.read_bytes()
    assert retry(workspace, *paths).code == 2
    output(workspace, "report", *paths, code=2)
    output(workspace, "report", "--report", str(workspace.source), code=2)
    assert (workspace.source.read_bytes(), workspace.report.read_bytes()) == (source, report)


def test_retry_writes_all_reports_of_the_run(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A retry writes all the reports of the run, at their paths and with their permissions."""
    workspace.export(make_contacts(6))
    page = workspace.folder / "report.html"
    monkeypatch.chdir(workspace.folder)
    first = workspace.run("--limit", "2", "--page", "report.html", "--report", "here.csv", "--report-mode", "640")
    assert first.code == 0
    monkeypatch.chdir("/")
    page.unlink()
    assert retry(workspace).code == 0
    shown = page.read_text(encoding="utf-8")
    assert [contact.contact_id for contact in workspace.contacts if contact.contact_id not in shown] == []
    assert mode(workspace.folder / "here.csv") == 0o640
    assert (workspace.folder / "here.csv").read_bytes().count(b";updated;") == 6


def test_returned_workbook_does_not_replace_the_source(workspace: Workspace) -> None:
    """The returned workbook never replaces the source."""
    workspace.export(make_contacts(3), "contacts.xlsx")
    source = workspace.source.read_bytes()
    assert workspace.run("--report", str(workspace.folder / "contacts.csv")).code == 0
    assert workspace.source.read_bytes() == source
    assert (workspace.folder / "contacts.results.xlsx").exists()


def test_retry_after_a_kill(workspace: Workspace) -> None:
    """A run that was killed can be retried as well, and sends what was not confirmed."""
    workspace.export(make_contacts(100))
    running = workspace.start("--rate", "50", "--workers", "8")
    running.wait_for(50)
    running.kill()
    sent = {call.contact_id for call in running.arrived()}
    second = retry(workspace)
    assert assert_consistent(workspace, second, 0) == {"updated": 100}
    assert all(map(workspace.in_place, workspace.contacts))
    # Results are written within 0.2 s; more requests are in flight before and after.
    assert len(second.sent.keys() & sent) <= 50 * 0.2 + 8 + 2
    assert set(second.sent.values()) == {1}


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("guard", b"The last run ended before anything was sent"),
        ("nothing", b"There is no ledger in"),
        ("other run", b"Only the rows of the last run"),
        ("other account", b"has no ledger of this account"),
        ("staging", b"There is no run whose rows are still kept"),
    ],
)
def test_nothing_to_retry(workspace: Workspace, case: str, message: bytes) -> None:
    """A run that a guard stopped, or that ended before sending, is not retried, nor is that of another account."""
    options = {"other run": ["20000101T000000Z-abcdef"], "other account": ["--base-url", other_address(workspace)]}.get(case, [])
    workspace.export(make_contacts(10, invalid=5 if case == "guard" else 0))
    if case == "staging":
        workspace.export(make_contacts(20_000))
        running = workspace.start()
        wait_until(lambda: any(path.stat().st_size > 1_000_000 for path in workspace.state.glob("*.sqlite3-wal")))
        running.kill()
    elif case != "nothing":
        workspace.run(*(["--max-invalid", "10"] if case == "guard" else []))
    refused = retry(workspace, *options)
    assert (refused.code, refused.calls) == (2, [])
    assert message in refused.stderr
    assert b"Traceback" not in refused.stderr


@pytest.mark.parametrize(("options", "code"), [([], 3), (["--limit", "9"], 3), (["--max-invalid", "5"], 4)])
def test_report_is_written_again(workspace: Workspace, options: list[str], code: int) -> None:
    """The last run's report is written again, byte for byte, here or copy, without key or source."""
    workspace.export(make_contacts(30, invalid=3))
    assert assert_consistent(workspace, workspace.run(*options), code)
    report = workspace.report.read_bytes()
    workspace.report.unlink()
    workspace.source.unlink()
    output(workspace, "report", CONTACT_SYNC_API_KEY="")
    assert workspace.report.read_bytes() == report
    copy = workspace.folder / "again.csv"
    output(workspace, "report", "--report", str(copy), CONTACT_SYNC_API_KEY="")
    assert copy.read_bytes() == report


def test_no_report_of_a_damaged_source(workspace: Workspace) -> None:
    """No report can be written again for a source that turned out to be damaged."""
    workspace.export(make_contacts(5000))
    with workspace.source.open("ab") as file:
        file.write(b'E99999;"0600000000;Zo\n')
    age(workspace.source)
    assert workspace.run().code == 4
    output(workspace, "report", code=2)
    assert not workspace.report.exists()


# ---- history and forget


def test_history(new_workspace: NewWorkspace) -> None:
    """Runs and the outcomes of a contact are listed, newest first, without values of fields."""
    workspace = new_workspace()
    workspace.export(make_contacts(20, invalid=1))
    workspace.run()
    workspace.export(make_contacts(20, version="-Petit"))
    workspace.sandbox.script["E00002"] = [Behaviour(code=404)]
    workspace.run()
    runs = json.loads(output(workspace, "history", "--json"))
    assert [run["outcomes"] for run in runs] == [{"updated": 19, "rejected": 1}, {"updated": 19, "invalid": 1}]
    assert [run["exit_code"] for run in runs] == [3, 3]
    assert output(workspace, "history", "--last", "1").count("\n") == 1
    events = json.loads(output(workspace, "history", "--contact", "E00002", "--json"))
    assert [(event["outcome"], event["code"], event["number"]) for event in events] == [
        ("rejected", "api-contact-unknown", 4),
        ("updated", "", 4),
    ]
    assert set(events[1]["sent"].split(",")) == {"phoneNumber", "firstname", "lastname"}
    assert workspace.contacts[2].lastname not in output(workspace, "history", "--contact", "E00002") + json.dumps(events)
    invalid = json.loads(output(workspace, "history", "--contact", "E00001", "--json"))
    assert [(event["outcome"], event["fields"]) for event in invalid] == [("updated", ""), ("invalid", "phoneNumber")]


def test_forget(workspace: Workspace) -> None:
    """After `forget` no file in the state folder contains the contact's id or number; other contacts are not affected."""
    workspace.export(make_contacts(40, version="-Unique", invalid=2))
    workspace.run()
    contact, other = workspace.contacts[6], workspace.contacts[7]
    marks = [text.encode() for text in (contact.contact_id, contact.phone, contact.stored["phone"])]
    assert all(any(mark in path.read_bytes() for path in files_in(workspace.state)) for mark in marks)
    output(workspace, "forget", contact.contact_id)
    assert not any(mark in path.read_bytes() for path in files_in(workspace.state) for mark in marks)
    assert json.loads(output(workspace, "history", "--contact", contact.contact_id, "--json")) == []
    assert json.loads(output(workspace, "history", "--contact", other.contact_id, "--json"))
    output(workspace, "forget", contact.contact_id)
    output(workspace, "forget", other.contact_id, "--account", "other", code=2)
    output(workspace, "report")
    lines = workspace.lines()
    assert len(lines) == 40
    assert [line["contactId"] for line in lines if not line["contactId"]] == [""]
    assert workspace.run().sent == {}
    assert workspace.run("--allow-forgotten").sent == {contact.contact_id: 1}


def test_forget_an_invalid_row(workspace: Workspace) -> None:
    """A row whose id was not certain is forgotten as well."""
    workspace.export(make_contacts(3))
    with workspace.source.open("ab") as file:
        file.write(b"C000077;0600000077;Zaphod;Beeblebrox;more\n")
    age(workspace.source)
    workspace.run()
    assert any(b"Beeblebrox" in path.read_bytes() for path in files_in(workspace.state))
    output(workspace, "forget", "C000077")
    assert not any(b"Beeblebrox" in path.read_bytes() for path in files_in(workspace.state))


def test_retention(workspace: Workspace) -> None:
    """The text of the last run's rows is deleted after a week, and the history of a run after --keep-days."""
    workspace.export(make_contacts(30, version="-Unique"))
    workspace.run()
    name = b"-Unique"
    assert any(name in path.read_bytes() for path in files_in(workspace.state))
    _age_the_last_run(workspace, days=8)
    assert retry(workspace).code == 2
    assert not any(name in path.read_bytes() for path in files_in(workspace.state))
    assert json.loads(output(workspace, "history", "--contact", "E00000", "--json"))
    _age_the_last_run(workspace, days=30)
    assert assert_consistent(workspace, workspace.run("--keep-days", "20"), 0) == {"unchanged": 30}
    assert [run["outcomes"] for run in json.loads(output(workspace, "history", "--json"))] == [{"unchanged": 30}]
    assert json.loads(output(workspace, "history", "--contact", "E00000", "--json")) == []


def _age_the_last_run(workspace: Workspace, days: int) -> None:
    (path,) = workspace.state.glob("*.sqlite3")
    then = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - days * 86400))
    edit(path, "UPDATE run SET started = ?", then)


# ---- doctor


def findings(workspace: Workspace, *options: str, code: int = 2, **env: str) -> dict[bool, str]:
    """Return the findings of `doctor`, by whether they are OK."""
    found = json.loads(
        output(workspace, "doctor", "--base-url", workspace.sandbox.base_url, "--json", *options, code=code, **env)
    )
    return {ok: "\n".join(each["finding"] for each in found if each["ok"] is ok) for ok in (True, False)}


def test_doctor_without_problems(workspace: Workspace) -> None:
    """Before the first run and after a successful one `doctor` finds no problem."""
    assert findings(workspace, code=0)[False] == ""
    workspace.export(make_contacts(3))
    workspace.run()
    found = findings(workspace, code=0)
    for message in ("the key is valid", "SMS", "clock is correct", "can be written", "successful run:", "crontab", "Time zone"):
        assert message in found[True]


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        ("key", "The API refused the key (code 10"),
        ("no key", "There is no API key"),
        ("down", " does not answer"),
        ("failed", "ended with exit code 3"),
        ("open", "The state folder"),
        ("old", "Check that the schedule is active."),
        ("closed", "cannot be written"),
    ],
)
def test_doctor_reports_problems(workspace: Workspace, problem: str, message: str) -> None:
    """Each problem is reported with what to do, and exit code 2."""
    workspace.export(make_contacts(3))
    env: dict[str, Any] = {}
    options: list[str] = []
    match problem:
        case "key":
            workspace.sandbox.key = "another"
        case "no key":
            env["CONTACT_SYNC_API_KEY"] = ""
        case "down":
            options = ["--base-url", "http://127.0.0.1:1/v1"]
        case "failed":
            workspace.sandbox.faults = Faults(altered=1)
            workspace.run()
        case "open":
            workspace.run()
            workspace.state.chmod(0o755)
        case "old":
            workspace.run()
            _age_the_last_run(workspace, days=3)
        case "closed":
            workspace.state.touch()
    assert message in findings(workspace, *options, **env)[False]


# ---- inbox


def run_inbox(workspace: Workspace, *options: str) -> RunResult:
    """Run the inbox folder."""
    command = workspace.command(*options)[1:]
    command[command.index(str(workspace.source))] = str(workspace.folder / "inbox")
    if "--sandbox" in options:
        position = command.index("--base-url")
        del command[position : position + 2]  # the two exclude each other
    return workspace.call(*command)


def arrive(workspace: Workspace, name: str, contacts: int, **contact_options: Any) -> None:
    """Put a file into the inbox."""
    folder = workspace.folder / "inbox"
    folder.mkdir(exist_ok=True)
    workspace.export(make_contacts(contacts, **contact_options))
    workspace.source.rename(folder / name)
    time.sleep(0.02)


def inbox_files(workspace: Workspace) -> set[str]:
    """Return the files of the inbox, their timestamps replaced."""
    inbox = workspace.folder / "inbox"
    return {re.sub(r"/[0-9]{8}T[0-9]{6}Z-", "/STAMP-", str(path.relative_to(inbox))) for path in files_in(inbox)}


def test_inbox(workspace: Workspace) -> None:
    """Files are run in order of arrival and moved with their reports; the later of two wins; a refused one has an explanation."""
    arrive(workspace, "b.csv", 5, version="-First")
    arrive(workspace, "a.csv", 5, version="-Second")
    (workspace.folder / "inbox" / "c.csv").write_text("x;y\n1;2\n", encoding="ascii")
    os.utime(workspace.folder / "inbox" / "c.csv", (1, 1))
    done = run_inbox(workspace, "--expect-by", "00:00")
    assert done.code == 4
    assert inbox_files(workspace) == {
        "done/STAMP-b.csv",
        "done/STAMP-b.csv.results.csv",
        "done/STAMP-a.csv",
        "done/STAMP-a.csv.results.csv",
        "failed/STAMP-c.csv",
        "failed/STAMP-c.csv.txt",
    }
    assert all(map(workspace.in_place, workspace.contacts))
    empty = run_inbox(workspace, "--expect-by", "00:00")
    assert (empty.code, b"No file has arrived in" in empty.stderr) == (0, True)
    for folder in ("done", "failed"):
        shutil.rmtree(workspace.folder / "inbox" / folder)
    missing = run_inbox(workspace, "--expect-by", "00:00")
    assert missing.code == 4
    assert b"No file has arrived" in missing.stderr


def test_inbox_with_a_refused_key(workspace: Workspace) -> None:
    """A file whose run could not end is not moved, and the files after it wait."""
    arrive(workspace, "a.csv", 5)
    arrive(workspace, "b.csv", 5)
    workspace.sandbox.key = "another"
    assert run_inbox(workspace).code == 5
    assert inbox_files(workspace) == {"a.csv", "a.csv.results.csv", "b.csv"}
    workspace.sandbox.key = KEY
    assert run_inbox(workspace).code == 0
    assert {name for name in inbox_files(workspace) if name.startswith("done/")} == inbox_files(workspace)


def test_inbox_with_unsent_rows(workspace: Workspace) -> None:
    """A file is moved only after all of its rows were sent, whether a limit or errors of the API kept them."""
    arrive(workspace, "a.csv", 6)
    assert run_inbox(workspace, "--limit", "2").code == 0
    assert inbox_files(workspace) == {"a.csv", "a.csv.results.csv"}
    workspace.sandbox.script = {workspace.contacts[4].contact_id: [Behaviour(status=500)] * 9}
    assert run_inbox(workspace).code == 3
    assert inbox_files(workspace) == {"a.csv", "a.csv.results.csv"}
    workspace.sandbox.script.clear()
    assert run_inbox(workspace).code == 0
    assert inbox_files(workspace) == {"done/STAMP-a.csv", "done/STAMP-a.csv.results.csv"}
    assert all(map(workspace.in_place, workspace.contacts))


def test_report_of_a_moved_file(workspace: Workspace) -> None:
    """The last run's report is written again next to the moved file, and not into the inbox."""
    arrive(workspace, "a.csv", 6, invalid=1)
    assert run_inbox(workspace).code == 3
    before = inbox_files(workspace)
    (report,) = (workspace.folder / "inbox" / "failed").glob("*.results.csv")
    content = report.read_bytes()
    report.unlink()
    output(workspace, "report")
    assert inbox_files(workspace) == before
    assert report.read_bytes() == content


def test_inbox_with_hidden_rows(workspace: Workspace) -> None:
    """Rows that are skipped on purpose do not keep a file in the inbox."""
    workspace.export(make_contacts(4), "contacts.xlsx")
    book = openpyxl.load_workbook(workspace.source)
    book["Contacts"].row_dimensions[3].hidden = True
    (workspace.folder / "inbox").mkdir()
    book.save(workspace.folder / "inbox" / "a.xlsx")
    age(workspace.folder / "inbox" / "a.xlsx")
    assert run_inbox(workspace, "--hidden", "skip").code == 0
    assert "done/STAMP-a.xlsx" in inbox_files(workspace)


@pytest.mark.parametrize("option", ["--sandbox", "--dry-run"])
def test_rehearsal_of_an_inbox(workspace: Workspace, option: str) -> None:
    """A rehearsal moves no file, and its report says so."""
    arrive(workspace, "a.csv", 5)
    for _again in range(2):
        assert run_inbox(workspace, option).code == 0
        assert inbox_files(workspace) == {"a.csv", f"a.csv.{'rehearsal' if option == '--sandbox' else 'check'}.csv"}
    assert workspace.sandbox.calls == []


@pytest.mark.parametrize("option", ["--report", "--workbook"])
def test_inbox_with_one_report_is_refused(workspace: Workspace, option: str) -> None:
    """Files of a folder cannot share a report."""
    arrive(workspace, "a.csv", 5)
    refused = run_inbox(workspace, option, str(workspace.folder / "x"))
    assert refused.code == 2
    assert b"each file has its own reports" in refused.stderr
    assert inbox_files(workspace) == {"a.csv"}


_KILL_AT_EACH_STEP = """
import os, signal, sys
import contact_sync.api.transport, contact_sync.source.csv, contact_sync.sync.inbox  # once, for all runs
from contact_sync.cli.main import main

folder = sys.argv.pop(1)
steps = 0

def count(event, arguments):
    global steps
    if event in {"os.mkdir", "os.rename", "os.remove"} and os.fspath(arguments[0]).startswith(folder):
        steps -= 1
        if not steps:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(count)
for step in range(1, 50):
    child = os.fork()
    if not child:
        steps = step
        sys.exit(main())
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code != -signal.SIGKILL:
        break
print(step, code)
"""
"""Runs the program again and again, and kills it just before the n-th time that it creates, moves or deletes something in a
folder; prints how often it was run, and the exit code of the run that was not killed."""


def test_inbox_killed_at_any_step(workspace: Workspace) -> None:
    """However often the run is killed, each row is confirmed once and each file is moved once, with its report."""
    for number in range(4):
        arrive(workspace, f"{number}.csv", 10, version=f"-{number}")
    inbox = workspace.folder / "inbox"
    command = ["run", str(inbox), *workspace.command()[3:], "--quiet"]
    killing = [sys.executable, "-c", _KILL_AT_EACH_STEP, str(inbox), *command]
    done = subprocess.run(killing, check=False, capture_output=True, env=workspace.environment, timeout=90)
    step, code = map(int, done.stdout.split()[-2:])
    assert code == 0
    assert step > 6
    files = [path for path in files_in(inbox) if path.suffix == ".csv" and ".results" not in path.name]
    assert sorted(path.name.rpartition("-")[2] for path in files) == [f"{number}.csv" for number in range(4)]
    assert {path.parent.name for path in files_in(inbox)} == {"done"}
    for path in files:
        with path.with_name(f"{path.name}.results.csv").open(encoding="utf-8-sig", newline="") as report:
            assert {line["sync_outcome"] for line in csv.DictReader(report, delimiter=";")} <= {"updated", "unchanged"}
    sent = Counter((call.contact["lastname"][-2:], call.contact_id) for call in workspace.sandbox.calls)
    assert sent == {(f"-{number}", contact.contact_id): 1 for number in range(4) for contact in workspace.contacts}
    assert all(map(workspace.in_place, workspace.contacts))


# ---- workbook and page


def test_returned_workbook(workspace: Workspace) -> None:
    """The returned workbook marks the invalid cells; corrected there and run, all its rows are in place."""
    workspace.export(make_contacts(12, invalid=2), "contacts.xlsx")
    workspace.run()
    returned = workspace.folder / "contacts.results.xlsx"
    assert mode(returned) == 0o600
    book = openpyxl.load_workbook(returned)
    fixes, sheet = book["To fix"], book["Contacts"]
    assert [row[0] for row in fixes.iter_rows(min_row=3, values_only=True)] == [3, 5]
    for number in (3, 5):
        comment = sheet.cell(number, 2).comment
        assert comment
        assert "This phone number does not exist" in comment.text
        sheet.cell(number, 2).value = f"06 00 00 99 0{number}"
    book.save(workspace.folder / "fixed.xlsx")
    age(workspace.folder / "fixed.xlsx")
    workspace.source = workspace.folder / "fixed.xlsx"
    second = workspace.run()
    assert (second.code, second.summary["outcomes"]) == (0, {"updated": 2, "unchanged": 10})
    assert second.sent == {"E00001": 1, "E00003": 1}
    again_returned = openpyxl.load_workbook(workspace.folder / "fixed.results.xlsx")
    assert [cell.value for cell in again_returned["Contacts"][1]] == [cell.value for cell in sheet[1]]


def test_edited_workbook_is_kept(workspace: Workspace) -> None:
    """A returned workbook that was edited is not overwritten by later runs; an unedited one is."""
    workspace.export(make_contacts(3, invalid=1), "contacts.xlsx")
    returned, second = workspace.folder / "contacts.results.xlsx", workspace.folder / "contacts.results-2.xlsx"
    for _ in range(2):
        assert workspace.run().code == 3
        assert not second.exists()
    book = openpyxl.load_workbook(returned)
    book["Contacts"].cell(3, 2).value = "06 00 00 99 01"
    book.save(returned)
    corrected = returned.read_bytes()
    for _ in range(3):
        result = workspace.run()
        assert b"was edited since it was written and is kept; the new workbook is contacts.results-2.xlsx" in result.stderr
        assert returned.read_bytes() == corrected
    assert {path.name for path in workspace.folder.glob("*.xlsx")} == {"contacts.xlsx", returned.name, second.name}


def test_unsafe_cells_are_not_sent_from_a_report(workspace: Workspace) -> None:
    """A row whose invalid cell would be valid as text is not sent when the CSV report is run unchanged."""
    workspace.export(make_contacts(2), "contacts.xlsx")
    book = openpyxl.load_workbook(workspace.source)
    sheet = book["Contacts"]
    sheet.append([1234567890123457024, "06 00 00 00 50", "Zoé", "Dupré"])
    sheet.append(["E50", "06 00 00 00 51", True, "Dupré"])
    book.save(workspace.source)
    age(workspace.source)
    first = workspace.run()
    assert (first.code, first.summary["outcomes"]) == (3, {"updated": 2, "invalid": 2})
    fixes = openpyxl.load_workbook(workspace.report.with_suffix(".xlsx"))["To fix"]
    assert [row[2] for row in fixes.iter_rows(min_row=3, values_only=True)] == ["1234567890123457024", "TRUE"]
    workspace.source = workspace.report
    age(workspace.source)
    second = workspace.run("--report", str(workspace.folder / "again.csv"))
    assert (second.code, second.summary["outcomes"]) == (3, {"unchanged": 2, "invalid": 2})
    assert second.calls == []


def test_workbook_option(workspace: Workspace) -> None:
    """With `--workbook none` no workbook is written; for a CSV source only on request."""
    workspace.export(make_contacts(2), "contacts.xlsx")
    assert workspace.run("--workbook", "none").code == 0
    workspace.export(make_contacts(2))
    assert workspace.run().code == 0
    assert not list(workspace.folder.glob("*.results.xlsx"))
    assert workspace.run("--workbook", str(workspace.folder / "w.xlsx")).code == 0
    assert openpyxl.load_workbook(workspace.folder / "w.xlsx").sheetnames == ["To fix", "Contacts"]


def test_page(workspace: Workspace) -> None:
    """The page is written on request, private, without the key, and with masked phone numbers unless --show-phones."""
    workspace.export(make_contacts(20, invalid=1))
    page = workspace.folder / "report.html"
    assert workspace.run("--page", str(page)).code == 3
    text = page.read_text(encoding="utf-8")
    assert mode(page) == 0o600
    assert KEY not in text
    assert [contact.phone for contact in workspace.contacts if contact.phone in text and not contact.invalid] == []
    workspace.run("--page", str(page), "--show-phones", "--lang", "fr")
    text = page.read_text(encoding="utf-8")
    assert workspace.contacts[5].phone in text
    assert '<html lang="fr">' in text


@pytest.mark.parametrize("option", ["--workbook", "--page"])
def test_unwritable_report(workspace: Workspace, option: str) -> None:
    """A workbook or page that cannot be written stops the run before the first request."""
    workspace.export(make_contacts(3))
    assert_refused(workspace, workspace.run(option, str(workspace.folder / "gone" / "x")), 7)


# ---- language


def test_in_french(workspace: Workspace) -> None:
    """Summary and report are in French on request, and the codes are the same."""
    workspace.export(make_contacts(5, invalid=1))
    result = workspace.run("--lang", "fr")
    assert "contacts.csv\u202f: 5 lignes." in result.stderr.decode()
    assert re.search(r"en \d+,\d s ", result.stderr.decode())
    (line,) = [line for line in workspace.lines() if line["sync_outcome"] == "invalid"]
    assert line["sync_code"] == "phone-unknown"
    assert line["sync_message"].startswith("«\u202fTéléphone\u202f» (colonne B)\u202f: Ce numéro de téléphone n’existe pas")
    by_locale = workspace.call(*workspace.command()[1:], LANG="fr_FR.UTF-8").stderr.decode()
    assert by_locale.startswith(f"{workspace.source}\u202f: 5 lignes.")
