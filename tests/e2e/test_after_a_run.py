"""The morning after a night: what failed is sent again, the report is written again, the past is told, and forgotten."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from contact_sync.sandbox.faults import Behaviour, Faults

from .workspace import KEY, PROGRAM, Finished, Workspace, age, assert_books, assert_refused, files_in, made_up, mode, wait_until

Nightly = Callable[..., Workspace]


def told(workspace: Workspace, command: str, *options: str, code: int = 0, env: dict[str, str] | None = None) -> str:
    """What another command says on stdout; nothing it prints holds the key."""
    arguments = [str(PROGRAM), command, *options, "--state-dir", str(workspace.state)]
    environment = workspace.environment | (env or {})
    done = subprocess.run(arguments, check=False, capture_output=True, env=environment, timeout=60)
    assert done.returncode == code, done.stderr.decode()
    assert KEY.encode() not in done.stdout + done.stderr
    assert b"Traceback" not in done.stderr
    return done.stdout.decode()


def again(workspace: Workspace, *options: str) -> Finished:
    """Run `retry` to its end."""
    command = [
        str(PROGRAM),
        "retry",
        "--base-url",
        workspace.served.base_url,
        "--state-dir",
        str(workspace.state),
        "--rate",
        "0",
        "--json",
    ]
    before = len(workspace.served.calls)
    done = subprocess.run([*command, *options], check=False, capture_output=True, env=workspace.environment, timeout=60)
    return Finished(done.returncode, done.stdout, done.stderr, workspace.served.calls[before:], time.monotonic())


# ---- again


def test_after_an_api_that_was_down(nightly: Nightly) -> None:
    """What an API that was down left undone is sent without the file, once, and the whole report is brought up to date."""
    workspace = nightly()
    workspace.export(made_up(60))
    workspace.served.script = {contact.contact_id: [Behaviour(status=500)] * 9 for contact in workspace.contacts[20:24]}
    first = workspace.run("--limit", "40")
    assert assert_books(workspace, first, 3) == {"updated": 36, "failed": 4, "unprocessed": 20}
    assert (
        f"Next: contact-sync retry --base-url {workspace.served.base_url} --state-dir {workspace.state}".encode() in first.stderr
    )
    workspace.source.unlink()
    workspace.served.script.clear()
    second = again(workspace)
    assert assert_books(workspace, second, 0) == {"updated": 60}
    assert second.sent == {contact.contact_id: 1 for contact in [*workspace.contacts[20:24], *workspace.contacts[40:]]}
    assert second.told["requests"] == 24
    assert all(map(workspace.in_place, workspace.contacts))
    third = again(workspace)
    assert (third.code, third.calls) == (0, [])


def test_interrupted_again(workspace: Workspace) -> None:
    """A row that failed stays so, with its code, until its turn comes again; nothing of it is hidden behind exit code 0."""
    workspace.export(made_up(6))
    workspace.served.script = {contact.contact_id: [Behaviour(status=500)] * 9 for contact in workspace.contacts[1:4]}
    assert assert_books(workspace, workspace.run(), 3) == {"updated": 3, "failed": 3}
    workspace.served.script.clear()
    assert assert_books(workspace, again(workspace, "--limit", "1"), 3) == {"updated": 4, "failed": 2}
    assert [line["sync_code"] for line in workspace.lines() if line["sync_outcome"] == "failed"] == ["api-error"] * 2
    assert json.loads(told(workspace, "history", "--contact", "E00002", "--json"))[0]["outcome"] == "failed"
    assert assert_books(workspace, again(workspace), 0) == {"updated": 6}


@pytest.mark.parametrize(
    "options", [["--page", "{source}"], ["--workbook", "{source}"], ["--page", "{report}"], ["--workbook", "{report}"]]
)
def test_one_place_for_two_files(workspace: Workspace, options: list[str]) -> None:
    """A report that would overwrite the source, or of another report, is refused, whatever the command."""
    workspace.export(made_up(3))
    source = workspace.source.read_bytes()
    places = [option.format(source=workspace.source, report=workspace.report) for option in options]
    assert_refused(workspace, workspace.run(*places), 2)
    workspace.run()
    report = workspace.report.read_bytes()
    assert again(workspace, *places).code == 2
    told(workspace, "report", *places, code=2)
    told(workspace, "report", "--report", str(workspace.source), code=2)
    assert (workspace.source.read_bytes(), workspace.report.read_bytes()) == (source, report)


def test_the_reports_keep_their_places(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is taken up again writes all the reports of the run, where they were, for those who could read them."""
    workspace.export(made_up(6))
    page = workspace.folder / "night.html"
    monkeypatch.chdir(workspace.folder)
    first = workspace.run("--limit", "2", "--page", "night.html", "--report", "here.csv", "--report-mode", "640")
    assert first.code == 0
    monkeypatch.chdir("/")
    page.unlink()
    assert again(workspace).code == 0
    shown = page.read_text(encoding="utf-8")
    assert [contact.contact_id for contact in workspace.contacts if contact.contact_id not in shown] == []
    assert mode(workspace.folder / "here.csv") == 0o640
    assert (workspace.folder / "here.csv").read_bytes().count(b";updated;") == 6


def test_a_workbook_whose_report_has_its_name(workspace: Workspace) -> None:
    """The returned workbook never takes the place of the source."""
    workspace.export(made_up(3), "contacts.xlsx")
    source = workspace.source.read_bytes()
    assert workspace.run("--report", str(workspace.folder / "contacts.csv")).code == 0
    assert workspace.source.read_bytes() == source
    assert (workspace.folder / "contacts.results.xlsx").exists()


def test_after_a_kill(workspace: Workspace) -> None:
    """A run that was killed can be taken up as well, and sends what was not confirmed."""
    workspace.export(made_up(100))
    running = workspace.start("--rate", "50", "--workers", "8")
    running.wait_for(50)
    running.kill()
    sent = {call.contact_id for call in running.arrived()}
    second = again(workspace)
    assert assert_books(workspace, second, 0) == {"updated": 100}
    assert all(map(workspace.in_place, workspace.contacts))
    # What starts in the 0.2 s in which a result may wait for the disk, and what is on its way before and after.
    assert len(second.sent.keys() & sent) <= 50 * 0.2 + 8 + 2
    assert set(second.sent.values()) == {1}


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("guard", b"The last run ended before anything was sent"),
        ("nothing", b"There is no ledger in"),
        ("other run", b"Only the rows of the last run"),
        ("other account", b"has no ledger of this account"),
        ("staging", b"There is no run whose rows are still kept"),
    ],
)
def test_nothing_to_take_up(workspace: Workspace, how: str, words: bytes) -> None:
    """A run that a guard stopped, or that never came to send, is not taken up, nor that of another account."""
    options = {"other run": ["20000101T000000Z-abcdef"], "other account": ["--account", "other"]}.get(how, [])
    workspace.export(made_up(10, wrong=5 if how == "guard" else 0))
    if how == "staging":
        workspace.export(made_up(200_000))
        running = workspace.start()
        wait_until(lambda: any(path.stat().st_size > 1_000_000 for path in workspace.state.glob("*.sqlite3-wal")))
        running.kill()
    elif how != "nothing":
        workspace.run(*(["--max-invalid", "10"] if how == "guard" else []))
    refused = again(workspace, *options)
    assert (refused.code, refused.calls) == (2, [])
    assert words in refused.stderr
    assert b"Traceback" not in refused.stderr


@pytest.mark.parametrize(("options", "code"), [([], 3), (["--limit", "9"], 3), (["--max-invalid", "5"], 4)])
def test_the_report_again(workspace: Workspace, options: list[str], code: int) -> None:
    """The last run's report comes out of the ledger as it was, byte for byte, here or elsewhere, without key or file."""
    workspace.export(made_up(30, wrong=3))
    assert assert_books(workspace, workspace.run(*options), code)
    report = workspace.report.read_bytes()
    workspace.report.unlink()
    workspace.source.unlink()
    environment = {"CONTACT_SYNC_API_KEY": ""}
    told(workspace, "report", env=environment)
    assert workspace.report.read_bytes() == report
    elsewhere = workspace.folder / "again.csv"
    told(workspace, "report", "--report", str(elsewhere), env=environment)
    assert elsewhere.read_bytes() == report


def test_no_report_of_half_a_file(workspace: Workspace) -> None:
    """Of a file that turned out to be damaged, or of a run that was killed while it read, there is no report to write again."""
    workspace.export(made_up(5000))
    with workspace.source.open("ab") as file:
        file.write(b'E99999;"0600000000;Zo\n')
    age(workspace.source)
    assert workspace.run().code == 4
    told(workspace, "report", code=2)
    assert not workspace.report.exists()


# ---- the past


def test_the_history(nightly: Nightly) -> None:
    """Runs and what became of a contact are told, newest first, with no value of any field."""
    workspace = nightly()
    workspace.export(made_up(20, wrong=1))
    workspace.run()
    workspace.export(made_up(20, version="-Petit"))
    workspace.served.script["E00002"] = [Behaviour(code=404)]
    workspace.run()
    runs = json.loads(told(workspace, "history", "--json"))
    assert [run["outcomes"] for run in runs] == [{"updated": 19, "rejected": 1}, {"updated": 19, "invalid": 1}]
    assert [run["exit_code"] for run in runs] == [3, 3]
    assert told(workspace, "history", "--last", "1").count("\n") == 1
    events = json.loads(told(workspace, "history", "--contact", "E00002", "--json"))
    assert [(event["outcome"], event["code"], event["number"]) for event in events] == [
        ("rejected", "api-contact-unknown", 4),
        ("updated", "", 4),
    ]
    assert set(events[1]["sent"].split(",")) == {"phoneNumber", "firstname", "lastname"}
    assert workspace.contacts[2].lastname not in told(workspace, "history", "--contact", "E00002") + json.dumps(events)
    wrong = json.loads(told(workspace, "history", "--contact", "E00001", "--json"))
    assert [(event["outcome"], event["fields"]) for event in wrong] == [("updated", ""), ("invalid", "phoneNumber")]


def test_forgetting(workspace: Workspace) -> None:
    """After a contact is forgotten nothing in the state folder holds its id or its number; the others are untouched."""
    workspace.export(made_up(40, version="-Unique", wrong=2))
    workspace.run()
    contact, other = workspace.contacts[6], workspace.contacts[7]
    marks = [text.encode() for text in (contact.contact_id, contact.phone, contact.stored["phone"])]
    assert all(any(mark in path.read_bytes() for path in files_in(workspace.state)) for mark in marks)
    told(workspace, "forget", contact.contact_id)
    assert not any(mark in path.read_bytes() for path in files_in(workspace.state) for mark in marks)
    assert json.loads(told(workspace, "history", "--contact", contact.contact_id, "--json")) == []
    assert json.loads(told(workspace, "history", "--contact", other.contact_id, "--json"))
    told(workspace, "forget", contact.contact_id)
    told(workspace, "forget", other.contact_id, "--account", "nobody", code=2)
    told(workspace, "report")
    lines = workspace.lines()
    assert len(lines) == 40
    assert [line["contactId"] for line in lines if not line["contactId"]] == [""]
    after = workspace.run()
    assert after.sent == {contact.contact_id: 1}


def test_forgetting_a_row_that_was_wrong(workspace: Workspace) -> None:
    """Also a row whose id was not certain is forgotten."""
    workspace.export(made_up(3))
    with workspace.source.open("ab") as file:
        file.write(b"C000077;0600000077;Zaphod;Beeblebrox;more\n")
    age(workspace.source)
    workspace.run()
    assert any(b"Beeblebrox" in path.read_bytes() for path in files_in(workspace.state))
    told(workspace, "forget", "C000077")
    assert not any(b"Beeblebrox" in path.read_bytes() for path in files_in(workspace.state))


def test_old_text_goes(workspace: Workspace) -> None:
    """The text of the last run's rows is deleted after a week, and the history of a run after the days it is kept for."""
    workspace.export(made_up(30, version="-Unique"))
    workspace.run()
    name = b"-Unique"
    assert any(name in path.read_bytes() for path in files_in(workspace.state))
    _age_the_last_run(workspace, days=8)
    assert again(workspace).code == 2
    assert not any(name in path.read_bytes() for path in files_in(workspace.state))
    assert json.loads(told(workspace, "history", "--contact", "E00000", "--json"))
    _age_the_last_run(workspace, days=30)
    assert assert_books(workspace, workspace.run("--keep-days", "20"), 0) == {"unchanged": 30}
    assert [run["outcomes"] for run in json.loads(told(workspace, "history", "--json"))] == [{"unchanged": 30}]
    assert json.loads(told(workspace, "history", "--contact", "E00000", "--json")) == []


def _age_the_last_run(workspace: Workspace, days: int) -> None:
    import sqlite3  # noqa: PLC0415 - to turn back the clock

    (path,) = workspace.state.glob("*.sqlite3")
    then = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - days * 86400))
    db = sqlite3.connect(path)
    with db:
        db.execute("UPDATE run SET started = ?", (then,))
    db.close()


# ---- the doctor


def findings(workspace: Workspace, *options: str, code: int = 2, **env: str) -> dict[bool, str]:
    """What the doctor finds well, and what not."""
    found = json.loads(told(workspace, "doctor", "--base-url", workspace.served.base_url, "--json", *options, code=code, env=env))
    return {well: "\n".join(each["finding"] for each in found if each["ok"] is well) for well in (True, False)}


def test_a_healthy_night(workspace: Workspace) -> None:
    """Before the first run and after a good one everything is well."""
    assert findings(workspace, code=0)[False] == ""
    workspace.export(made_up(3))
    workspace.run()
    found = findings(workspace, code=0)
    for words in ("the key is valid", "SMS", "clock is correct", "can be written", "successful run:", "crontab", "Time zone"):
        assert words in found[True]


@pytest.mark.parametrize(
    ("trouble", "words"),
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
def test_an_unhealthy_night(workspace: Workspace, trouble: str, words: str) -> None:
    """Each thing that is not well is told with what to do, and exit code 2."""
    workspace.export(made_up(3))
    env: dict[str, Any] = {}
    options: list[str] = []
    match trouble:
        case "key":
            workspace.served.key = "another"
        case "no key":
            env["CONTACT_SYNC_API_KEY"] = ""
        case "down":
            options = ["--base-url", "http://127.0.0.1:1/v1"]
        case "failed":
            workspace.served.faults = Faults(altered=1)
            workspace.run()
        case "open":
            workspace.run()
            workspace.state.chmod(0o755)
        case "old":
            workspace.run()
            _age_the_last_run(workspace, days=3)
        case "closed":
            workspace.state.touch()
    assert words in findings(workspace, *options, **env)[False]


# ---- the inbox


def inbox_run(workspace: Workspace, *options: str) -> "subprocess.CompletedProcess[bytes]":
    """Run the folder with what has arrived in it."""
    command = workspace.command(*options)
    command[command.index(str(workspace.source))] = str(workspace.folder / "inbox")
    return subprocess.run(command, check=False, capture_output=True, env=workspace.environment, timeout=60)


def arrive(workspace: Workspace, name: str, contacts: int, **how: Any) -> None:
    """Let a file arrive."""
    folder = workspace.folder / "inbox"
    folder.mkdir(exist_ok=True)
    workspace.export(made_up(contacts, **how))
    workspace.source.rename(folder / name)
    time.sleep(0.02)


def names(workspace: Workspace) -> set[str]:
    """What is in the inbox, without its stamps."""
    inbox = workspace.folder / "inbox"
    return {re.sub(r"/[0-9]{8}T[0-9]{6}Z-", "/STAMP-", str(path.relative_to(inbox))) for path in files_in(inbox)}


def test_an_inbox(workspace: Workspace) -> None:
    """Files are run in order of arrival and put away with their reports; the later of two wins; a refused one says why."""
    arrive(workspace, "b.csv", 5, version="-First")
    arrive(workspace, "a.csv", 5, version="-Second")
    (workspace.folder / "inbox" / "c.csv").write_text("x;y\n1;2\n", encoding="ascii")
    os.utime(workspace.folder / "inbox" / "c.csv", (1, 1))
    done = inbox_run(workspace, "--expect-by", "00:00")
    assert done.returncode == 4
    assert names(workspace) == {
        "done/STAMP-b.csv",
        "done/STAMP-b.csv.results.csv",
        "done/STAMP-a.csv",
        "done/STAMP-a.csv.results.csv",
        "failed/STAMP-c.csv",
        "failed/STAMP-c.csv.txt",
    }
    assert all(map(workspace.in_place, workspace.contacts))
    empty = inbox_run(workspace, "--expect-by", "00:00")
    assert (empty.returncode, b"No file has arrived in" in empty.stderr) == (0, True)
    for folder in ("done", "failed"):
        shutil.rmtree(workspace.folder / "inbox" / folder)
    missing = inbox_run(workspace, "--expect-by", "00:00")
    assert missing.returncode == 4
    assert b"No file has arrived" in missing.stderr


def test_an_inbox_while_the_api_is_down(workspace: Workspace) -> None:
    """A file whose run could not end stays, and those after it wait."""
    arrive(workspace, "a.csv", 5)
    arrive(workspace, "b.csv", 5)
    workspace.served.key = "another"
    assert inbox_run(workspace).returncode == 5
    assert names(workspace) == {"a.csv", "a.csv.results.csv", "b.csv"}
    workspace.served.key = KEY
    assert inbox_run(workspace).returncode == 0
    assert {name for name in names(workspace) if name.startswith("done/")} == names(workspace)


def test_an_inbox_with_rows_left(workspace: Workspace) -> None:
    """A file stays until all of its rows have been sent, whether a limit, an error or the API kept them; then it goes."""
    arrive(workspace, "a.csv", 6)
    assert inbox_run(workspace, "--limit", "2").returncode == 0
    assert names(workspace) == {"a.csv", "a.csv.results.csv"}
    workspace.served.script = {workspace.contacts[4].contact_id: [Behaviour(status=500)] * 9}
    assert inbox_run(workspace).returncode == 3
    assert names(workspace) == {"a.csv", "a.csv.results.csv"}
    workspace.served.script.clear()
    assert inbox_run(workspace).returncode == 0
    assert names(workspace) == {"done/STAMP-a.csv", "done/STAMP-a.csv.results.csv"}
    assert all(map(workspace.in_place, workspace.contacts))


def test_the_report_of_a_file_that_was_put_away(workspace: Workspace) -> None:
    """The last run's report is written again where its file is by now, and nothing is left in the inbox."""
    arrive(workspace, "a.csv", 6, wrong=1)
    assert inbox_run(workspace).returncode == 3
    before = names(workspace)
    (report,) = (workspace.folder / "inbox" / "failed").glob("*.results.csv")
    content = report.read_bytes()
    report.unlink()
    told(workspace, "report")
    assert names(workspace) == before
    assert report.read_bytes() == content


def test_an_inbox_with_hidden_rows(workspace: Workspace) -> None:
    """Rows that are left out on purpose do not keep a file."""
    workspace.export(made_up(4), "contacts.xlsx")
    book = openpyxl.load_workbook(workspace.source)
    book["Contacts"].row_dimensions[3].hidden = True
    (workspace.folder / "inbox").mkdir()
    book.save(workspace.folder / "inbox" / "a.xlsx")
    age(workspace.folder / "inbox" / "a.xlsx")
    assert inbox_run(workspace, "--hidden", "skip").returncode == 0
    assert "done/STAMP-a.xlsx" in names(workspace)


@pytest.mark.parametrize("option", ["--sandbox", "--dry-run"])
def test_an_inbox_rehearsed(workspace: Workspace, option: str) -> None:
    """A rehearsal moves nothing."""
    arrive(workspace, "a.csv", 5)
    assert inbox_run(workspace, option).returncode == 0
    assert names(workspace) == {"a.csv", "a.csv.results.csv"}
    assert workspace.served.calls == []


@pytest.mark.parametrize("option", ["--report", "--workbook", "--page"])
def test_one_place_for_many_files(workspace: Workspace, option: str) -> None:
    """A folder's files cannot share a report."""
    arrive(workspace, "a.csv", 5)
    refused = inbox_run(workspace, option, str(workspace.folder / "x"))
    assert refused.returncode == 2
    assert b"each file has its own reports" in refused.stderr
    assert names(workspace) == {"a.csv"}


_KILLED_AT_A_STEP = """
import os, signal, sys
steps, folder = int(sys.argv[1]), sys.argv[2]

def count(event, arguments):
    global steps
    if event in {"os.mkdir", "os.rename", "os.remove"} and os.fspath(arguments[0]).startswith(folder):
        steps -= 1
        if not steps:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(count)
sys.argv[:] = sys.argv[3:]
from contact_sync.cli.main import main
sys.exit(main())
"""
"""Runs the program and kills it right before it makes, moves or deletes something in a folder for the so-manieth time."""


def test_an_inbox_killed_at_any_step(workspace: Workspace) -> None:
    """However often the run is killed, each row is sent to its end once and each file is put away once, with its report."""
    for number in range(4):
        arrive(workspace, f"{number}.csv", 10, version=f"-{number}")
    inbox = workspace.folder / "inbox"
    command = workspace.command()
    command[command.index(str(workspace.source))] = str(inbox)
    for step in range(1, 50):
        killed = [sys.executable, "-c", _KILLED_AT_A_STEP, str(step), str(inbox), *command]
        code = subprocess.run(killed, check=False, capture_output=True, env=workspace.environment, timeout=60).returncode
        if code != -signal.SIGKILL:
            break
    assert code == 0
    assert step > 6
    files = [path for path in files_in(inbox) if path.suffix == ".csv" and ".results" not in path.name]
    assert sorted(path.name.rpartition("-")[2] for path in files) == [f"{number}.csv" for number in range(4)]
    assert {path.parent.name for path in files_in(inbox)} == {"done"}
    for path in files:
        with path.with_name(f"{path.name}.results.csv").open(encoding="utf-8-sig", newline="") as report:
            assert {line["sync_outcome"] for line in csv.DictReader(report, delimiter=";")} <= {"updated", "unchanged"}
    sent = Counter((call.contact["lastname"][-2:], call.contact_id) for call in workspace.served.calls)
    assert sent == {(f"-{number}", contact.contact_id): 1 for number in range(4) for contact in workspace.contacts}
    assert all(map(workspace.in_place, workspace.contacts))


# ---- the workbook and the page


def test_the_workbook_comes_back(workspace: Workspace) -> None:
    """A workbook comes back with its wrong cells marked; corrected there and fed in, all its rows are in place."""
    workspace.export(made_up(12, wrong=2), "contacts.xlsx")
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
    assert (second.code, second.told["outcomes"]) == (0, {"updated": 2, "unchanged": 10})
    assert second.sent == {"E00001": 1, "E00003": 1}
    again_returned = openpyxl.load_workbook(workspace.folder / "fixed.results.xlsx")
    assert [cell.value for cell in again_returned["Contacts"][1]] == [cell.value for cell in sheet[1]]


def test_a_workbook_that_was_corrected_is_kept(workspace: Workspace) -> None:
    """A returned workbook that somebody has changed is not written over, however many nights pass; an untouched one is."""
    workspace.export(made_up(3, wrong=1), "contacts.xlsx")
    returned, second = workspace.folder / "contacts.results.xlsx", workspace.folder / "contacts.results-2.xlsx"
    for _ in range(2):
        assert workspace.run().code == 3
        assert not second.exists()
    book = openpyxl.load_workbook(returned)
    book["Contacts"].cell(3, 2).value = "06 00 00 99 01"
    book.save(returned)
    corrected = returned.read_bytes()
    for _ in range(3):
        finished = workspace.run()
        assert b"was edited since it was written and is kept; the new workbook is contacts.results-2.xlsx" in finished.stderr
        assert returned.read_bytes() == corrected
    assert {path.name for path in workspace.folder.glob("*.xlsx")} == {"contacts.xlsx", returned.name, second.name}


def test_what_a_report_cannot_show(workspace: Workspace) -> None:
    """A row whose wrong cell would look right as text is not sent when the CSV report is fed back in as it is."""
    workspace.export(made_up(2), "contacts.xlsx")
    book = openpyxl.load_workbook(workspace.source)
    sheet = book["Contacts"]
    sheet.append([1234567890123457024, "06 00 00 00 50", "Zoé", "Dupré"])
    sheet.append(["E50", "06 00 00 00 51", True, "Dupré"])
    book.save(workspace.source)
    age(workspace.source)
    first = workspace.run()
    assert (first.code, first.told["outcomes"]) == (3, {"updated": 2, "invalid": 2})
    fixes = openpyxl.load_workbook(workspace.report.with_suffix(".xlsx"))["To fix"]
    assert [row[5] for row in fixes.iter_rows(min_row=3, values_only=True)] == ["1234567890123457024", "TRUE"]
    workspace.source = workspace.report
    age(workspace.source)
    second = workspace.run("--report", str(workspace.folder / "again.csv"))
    assert (second.code, second.told["outcomes"]) == (3, {"unchanged": 2, "invalid": 2})
    assert second.calls == []


def test_no_workbook(workspace: Workspace) -> None:
    """With `--workbook none` none comes back, and of a CSV file only when it is asked for."""
    workspace.export(made_up(2), "contacts.xlsx")
    assert workspace.run("--workbook", "none").code == 0
    workspace.export(made_up(2))
    assert workspace.run().code == 0
    assert not list(workspace.folder.glob("*.results.xlsx"))
    assert workspace.run("--workbook", str(workspace.folder / "w.xlsx")).code == 0
    assert openpyxl.load_workbook(workspace.folder / "w.xlsx").sheetnames == ["To fix", "Contacts"]


def test_a_page(workspace: Workspace) -> None:
    """The page is written when asked for, private, without the key and with phone numbers masked unless they are asked for."""
    workspace.export(made_up(20, wrong=1))
    page = workspace.folder / "night.html"
    assert workspace.run("--page", str(page)).code == 3
    text = page.read_text(encoding="utf-8")
    assert mode(page) == 0o600
    assert KEY not in text
    assert [contact.phone for contact in workspace.contacts if contact.phone in text and not contact.wrong] == []
    workspace.run("--page", str(page), "--show-phones", "--lang", "fr")
    text = page.read_text(encoding="utf-8")
    assert workspace.contacts[5].phone in text
    assert '<html lang="fr">' in text


@pytest.mark.parametrize("option", ["--workbook", "--page"])
def test_no_place_for_another_report(workspace: Workspace, option: str) -> None:
    """A workbook or page that cannot be written stops the run before the first request."""
    workspace.export(made_up(3))
    assert_refused(workspace, workspace.run(option, str(workspace.folder / "gone" / "x")), 7)


# ---- the monitor


def test_quiet_and_with_a_log(workspace: Workspace, tmp_path: Path) -> None:
    """A quiet run leaves a log, an object a line, with ids and outcomes and no value of a field."""
    log = tmp_path / "night.log"
    workspace.export(made_up(5))
    log.touch(mode=0o644)
    finished = workspace.run("-q", "--log-file", str(log), "--log-format", "json")
    assert finished.stderr == b""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    values = [value for contact in workspace.contacts for value in (contact.phone, *contact.stored.values())]
    assert [line["message"] for line in lines if "E00003" in line["message"]] == ["row 5, contact E00003: updated"]
    assert [value for value in values if value in str(lines)] == []
    assert log.stat().st_mode & 0o077 == 0


def test_in_french(workspace: Workspace) -> None:
    """Summary and report are in French when asked for, and the codes are what they are."""
    workspace.export(made_up(5, wrong=1))
    finished = workspace.run("--lang", "fr")
    assert "contacts.csv\u202f: 5 lignes." in finished.stderr.decode()
    assert re.search(r"en \d+,\d s ", finished.stderr.decode())
    (line,) = [line for line in workspace.lines() if line["sync_outcome"] == "invalid"]
    assert line["sync_code"] == "phone-unknown"
    assert line["sync_message"].startswith("Ce numéro de téléphone n’existe pas")
    by_locale = workspace.run(env=workspace.environment | {"LANG": "fr_FR.UTF-8"}).stderr.decode()
    assert by_locale.startswith(f"{workspace.source}\u202f: 5 lignes.")
