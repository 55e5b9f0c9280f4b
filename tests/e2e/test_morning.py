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

from contact_sync.sandbox.server import Behaviour, Faults

from .night import KEY, PROGRAM, Finished, Night, age, assert_books, assert_refused, files_in, made_up, mode, wait_until

Nightly = Callable[..., Night]


def told(night: Night, command: str, *options: str, code: int = 0, env: dict[str, str] | None = None) -> str:
    """What another command says on stdout; nothing it prints holds the key."""
    arguments = [str(PROGRAM), command, *options, "--state-dir", str(night.state)]
    environment = night.environment | (env or {})
    done = subprocess.run(arguments, check=False, capture_output=True, env=environment, timeout=60)
    assert done.returncode == code, done.stderr.decode()
    assert KEY.encode() not in done.stdout + done.stderr
    assert b"Traceback" not in done.stderr
    return done.stdout.decode()


def again(night: Night, *options: str) -> Finished:
    """Run `retry` to its end."""
    command = [
        str(PROGRAM),
        "retry",
        "--base-url",
        night.served.base_url,
        "--state-dir",
        str(night.state),
        "--rate",
        "0",
        "--json",
    ]
    before = len(night.served.calls)
    done = subprocess.run([*command, *options], check=False, capture_output=True, env=night.environment, timeout=60)
    return Finished(done.returncode, done.stdout, done.stderr, night.served.calls[before:], time.monotonic())


# ---- again


def test_after_an_api_that_was_down(nightly: Nightly) -> None:
    """What an API that was down left undone is sent without the file, once, and the whole report is brought up to date."""
    night = nightly()
    night.export(made_up(60))
    night.served.script = {contact.contact_id: [Behaviour(status=500)] * 9 for contact in night.contacts[20:24]}
    first = night.run("--limit", "40")
    assert assert_books(night, first, 3) == {"updated": 36, "failed": 4, "unprocessed": 20}
    assert f"Next: contact-sync retry --base-url {night.served.base_url} --state-dir {night.state}".encode() in first.stderr
    night.source.unlink()
    night.served.script.clear()
    second = again(night)
    assert assert_books(night, second, 0) == {"updated": 60}
    assert second.sent == {contact.contact_id: 1 for contact in [*night.contacts[20:24], *night.contacts[40:]]}
    assert second.told["requests"] == 24
    assert all(map(night.in_place, night.contacts))
    third = again(night)
    assert (third.code, third.calls) == (0, [])


def test_interrupted_again(night: Night) -> None:
    """A row that failed stays so, with its code, until its turn comes again; nothing of it is hidden behind exit code 0."""
    night.export(made_up(6))
    night.served.script = {contact.contact_id: [Behaviour(status=500)] * 9 for contact in night.contacts[1:4]}
    assert assert_books(night, night.run(), 3) == {"updated": 3, "failed": 3}
    night.served.script.clear()
    assert assert_books(night, again(night, "--limit", "1"), 3) == {"updated": 4, "failed": 2}
    assert [line["sync_code"] for line in night.lines() if line["sync_outcome"] == "failed"] == ["api-error"] * 2
    assert json.loads(told(night, "history", "--contact", "E00002", "--json"))[0]["outcome"] == "failed"
    assert assert_books(night, again(night), 0) == {"updated": 6}


@pytest.mark.parametrize(
    "options", [["--page", "{source}"], ["--workbook", "{source}"], ["--page", "{report}"], ["--workbook", "{report}"]]
)
def test_one_place_for_two_files(night: Night, options: list[str]) -> None:
    """A report that would take the place of the source, or of another report, is refused, whatever the command."""
    night.export(made_up(3))
    source = night.source.read_bytes()
    places = [option.format(source=night.source, report=night.report) for option in options]
    assert_refused(night, night.run(*places), 2)
    night.run()
    report = night.report.read_bytes()
    assert again(night, *places).code == 2
    told(night, "report", *places, code=2)
    told(night, "report", "--report", str(night.source), code=2)
    assert (night.source.read_bytes(), night.report.read_bytes()) == (source, report)


def test_the_reports_keep_their_places(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is taken up again writes all the reports of the run, where they were, for those who could read them."""
    night.export(made_up(6))
    page = night.folder / "night.html"
    monkeypatch.chdir(night.folder)
    first = night.run("--limit", "2", "--page", "night.html", "--report", "here.csv", "--report-mode", "640")
    assert first.code == 0
    monkeypatch.chdir("/")
    page.unlink()
    assert again(night).code == 0
    shown = page.read_text(encoding="utf-8")
    assert [contact.contact_id for contact in night.contacts if contact.contact_id not in shown] == []
    assert mode(night.folder / "here.csv") == 0o640
    assert (night.folder / "here.csv").read_bytes().count(b";updated;") == 6


def test_a_workbook_whose_report_has_its_name(night: Night) -> None:
    """The returned workbook never takes the place of the source."""
    night.export(made_up(3), "contacts.xlsx")
    source = night.source.read_bytes()
    assert night.run("--report", str(night.folder / "contacts.csv")).code == 0
    assert night.source.read_bytes() == source
    assert (night.folder / "contacts.results.xlsx").exists()


def test_after_a_kill(night: Night) -> None:
    """A run that was killed can be taken up as well, and sends what was not confirmed."""
    night.export(made_up(100))
    running = night.start("--rate", "50", "--workers", "8")
    running.wait_for(50)
    running.kill()
    sent = {call.contact_id for call in running.arrived()}
    second = again(night)
    assert assert_books(night, second, 0) == {"updated": 100}
    assert all(map(night.in_place, night.contacts))
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
def test_nothing_to_take_up(night: Night, how: str, words: bytes) -> None:
    """A run that a guard stopped, or that never came to send, is not taken up, nor that of another account."""
    options = {"other run": ["20000101T000000Z-abcdef"], "other account": ["--account", "other"]}.get(how, [])
    night.export(made_up(10, wrong=5 if how == "guard" else 0))
    if how == "staging":
        night.export(made_up(200_000))
        running = night.start()
        wait_until(lambda: any(path.stat().st_size > 1_000_000 for path in night.state.glob("*.sqlite3-wal")))
        running.kill()
    elif how != "nothing":
        night.run(*(["--max-invalid", "10"] if how == "guard" else []))
    refused = again(night, *options)
    assert (refused.code, refused.calls) == (2, [])
    assert words in refused.stderr
    assert b"Traceback" not in refused.stderr


@pytest.mark.parametrize(("options", "code"), [([], 3), (["--limit", "9"], 3), (["--max-invalid", "5"], 4)])
def test_the_report_again(night: Night, options: list[str], code: int) -> None:
    """The last run's report comes out of the ledger as it was, byte for byte, here or elsewhere, without key or file."""
    night.export(made_up(30, wrong=3))
    assert assert_books(night, night.run(*options), code)
    report = night.report.read_bytes()
    night.report.unlink()
    night.source.unlink()
    environment = {"CONTACT_SYNC_API_KEY": ""}
    told(night, "report", env=environment)
    assert night.report.read_bytes() == report
    elsewhere = night.folder / "again.csv"
    told(night, "report", "--report", str(elsewhere), env=environment)
    assert elsewhere.read_bytes() == report


def test_no_report_of_half_a_file(night: Night) -> None:
    """Of a file that turned out to be damaged, or of a run that was killed while it read, there is no report to write again."""
    night.export(made_up(5000))
    with night.source.open("ab") as file:
        file.write(b'E99999;"0600000000;Zo\n')
    age(night.source)
    assert night.run().code == 4
    told(night, "report", code=2)
    assert not night.report.exists()


# ---- the past


def test_the_history(nightly: Nightly) -> None:
    """Runs and what became of a contact are told, newest first, with no value of any field."""
    night = nightly()
    night.export(made_up(20, wrong=1))
    night.run()
    night.export(made_up(20, version="-Petit"))
    night.served.script["E00002"] = [Behaviour(code=404)]
    night.run()
    runs = json.loads(told(night, "history", "--json"))
    assert [run["outcomes"] for run in runs] == [{"updated": 19, "rejected": 1}, {"updated": 19, "invalid": 1}]
    assert [run["exit_code"] for run in runs] == [3, 3]
    assert told(night, "history", "--last", "1").count("\n") == 1
    events = json.loads(told(night, "history", "--contact", "E00002", "--json"))
    assert [(event["outcome"], event["code"], event["number"]) for event in events] == [
        ("rejected", "api-contact-unknown", 4),
        ("updated", "", 4),
    ]
    assert set(events[1]["sent"].split(",")) == {"phoneNumber", "firstname", "lastname"}
    assert night.contacts[2].lastname not in told(night, "history", "--contact", "E00002") + json.dumps(events)
    wrong = json.loads(told(night, "history", "--contact", "E00001", "--json"))
    assert [(event["outcome"], event["fields"]) for event in wrong] == [("updated", ""), ("invalid", "phoneNumber")]


def test_forgetting(night: Night) -> None:
    """After a contact is forgotten nothing in the state folder holds its id or its number; the others are untouched."""
    night.export(made_up(40, version="-Unique", wrong=2))
    night.run()
    contact, other = night.contacts[6], night.contacts[7]
    marks = [text.encode() for text in (contact.contact_id, contact.phone, contact.stored["phone"])]
    assert all(any(mark in path.read_bytes() for path in files_in(night.state)) for mark in marks)
    told(night, "forget", contact.contact_id)
    assert not any(mark in path.read_bytes() for path in files_in(night.state) for mark in marks)
    assert json.loads(told(night, "history", "--contact", contact.contact_id, "--json")) == []
    assert json.loads(told(night, "history", "--contact", other.contact_id, "--json"))
    told(night, "forget", contact.contact_id)
    told(night, "forget", other.contact_id, "--account", "nobody", code=2)
    told(night, "report")
    lines = night.lines()
    assert len(lines) == 40
    assert [line["contactId"] for line in lines if not line["contactId"]] == [""]
    after = night.run()
    assert after.sent == {contact.contact_id: 1}


def test_forgetting_a_row_that_was_wrong(night: Night) -> None:
    """Also a row whose id was not certain is forgotten."""
    night.export(made_up(3))
    with night.source.open("ab") as file:
        file.write(b"C000077;0600000077;Zaphod;Beeblebrox;more\n")
    age(night.source)
    night.run()
    assert any(b"Beeblebrox" in path.read_bytes() for path in files_in(night.state))
    told(night, "forget", "C000077")
    assert not any(b"Beeblebrox" in path.read_bytes() for path in files_in(night.state))


def test_old_text_goes(night: Night) -> None:
    """The text of the last run's rows is deleted after a week, and the history of a run after the days it is kept for."""
    night.export(made_up(30, version="-Unique"))
    night.run()
    name = b"-Unique"
    assert any(name in path.read_bytes() for path in files_in(night.state))
    _age_the_last_run(night, days=8)
    assert again(night).code == 2
    assert not any(name in path.read_bytes() for path in files_in(night.state))
    assert json.loads(told(night, "history", "--contact", "E00000", "--json"))
    _age_the_last_run(night, days=30)
    assert assert_books(night, night.run("--keep-days", "20"), 0) == {"unchanged": 30}
    assert [run["outcomes"] for run in json.loads(told(night, "history", "--json"))] == [{"unchanged": 30}]
    assert json.loads(told(night, "history", "--contact", "E00000", "--json")) == []


def _age_the_last_run(night: Night, days: int) -> None:
    import sqlite3  # noqa: PLC0415 - to turn back the clock

    (path,) = night.state.glob("*.sqlite3")
    then = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - days * 86400))
    db = sqlite3.connect(path)
    with db:
        db.execute("UPDATE run SET started = ?", (then,))
    db.close()


# ---- the doctor


def findings(night: Night, *options: str, code: int = 2, **env: str) -> dict[bool, str]:
    """What the doctor finds well, and what not."""
    found = json.loads(told(night, "doctor", "--base-url", night.served.base_url, "--json", *options, code=code, env=env))
    return {well: "\n".join(each["finding"] for each in found if each["ok"] is well) for well in (True, False)}


def test_a_healthy_night(night: Night) -> None:
    """Before the first run and after a good one everything is well."""
    assert findings(night, code=0)[False] == ""
    night.export(made_up(3))
    night.run()
    found = findings(night, code=0)
    for words in ("the key is valid", "SMS", "clock is right", "can be written", "succeeded is of", "crontab", "Times of day"):
        assert words in found[True]


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ("key", "The API refused the key (code 10"),
        ("no key", "There is no API key"),
        ("down", "cannot be reached, or does not answer"),
        ("failed", "ended with exit code 3"),
        ("open", "Others can look into the state folder"),
        ("old", "is the schedule on?"),
        ("closed", "cannot be written"),
    ],
)
def test_an_unhealthy_night(night: Night, trouble: str, words: str) -> None:
    """Each thing that is not well is told with what to do, and exit code 2."""
    night.export(made_up(3))
    env: dict[str, Any] = {}
    options: list[str] = []
    match trouble:
        case "key":
            night.served.key = "another"
        case "no key":
            env["CONTACT_SYNC_API_KEY"] = ""
        case "down":
            options = ["--base-url", "http://127.0.0.1:1/v1"]
        case "failed":
            night.served.faults = Faults(altered=1)
            night.run()
        case "open":
            night.run()
            night.state.chmod(0o755)
        case "old":
            night.run()
            _age_the_last_run(night, days=3)
        case "closed":
            night.state.touch()
    assert words in findings(night, *options, **env)[False]


# ---- the inbox


def inbox_run(night: Night, *options: str) -> "subprocess.CompletedProcess[bytes]":
    """Run the folder with what has arrived in it."""
    command = night.command(*options)
    command[command.index(str(night.source))] = str(night.folder / "inbox")
    return subprocess.run(command, check=False, capture_output=True, env=night.environment, timeout=60)


def arrive(night: Night, name: str, contacts: int, **how: Any) -> None:
    """Let a file arrive."""
    folder = night.folder / "inbox"
    folder.mkdir(exist_ok=True)
    night.export(made_up(contacts, **how))
    night.source.rename(folder / name)
    time.sleep(0.02)


def names(night: Night) -> set[str]:
    """What is in the inbox, without its stamps."""
    inbox = night.folder / "inbox"
    return {re.sub(r"/[0-9]{8}T[0-9]{6}Z-", "/STAMP-", str(path.relative_to(inbox))) for path in files_in(inbox)}


def test_an_inbox(night: Night) -> None:
    """Files are run in order of arrival and put away with their reports; the later of two wins; a refused one says why."""
    arrive(night, "b.csv", 5, version="-First")
    arrive(night, "a.csv", 5, version="-Second")
    (night.folder / "inbox" / "c.csv").write_text("x;y\n1;2\n", encoding="ascii")
    os.utime(night.folder / "inbox" / "c.csv", (1, 1))
    done = inbox_run(night, "--expect-by", "00:00")
    assert done.returncode == 4
    assert names(night) == {
        "done/STAMP-b.csv",
        "done/STAMP-b.csv.results.csv",
        "done/STAMP-a.csv",
        "done/STAMP-a.csv.results.csv",
        "failed/STAMP-c.csv",
        "failed/STAMP-c.csv.txt",
    }
    assert all(map(night.in_place, night.contacts))
    empty = inbox_run(night, "--expect-by", "00:00")
    assert (empty.returncode, b"No file has arrived in" in empty.stderr) == (0, True)
    for folder in ("done", "failed"):
        shutil.rmtree(night.folder / "inbox" / folder)
    missing = inbox_run(night, "--expect-by", "00:00")
    assert missing.returncode == 4
    assert b"No file has arrived" in missing.stderr


def test_an_inbox_while_the_api_is_down(night: Night) -> None:
    """A file whose run could not end stays, and those after it wait."""
    arrive(night, "a.csv", 5)
    arrive(night, "b.csv", 5)
    night.served.key = "another"
    assert inbox_run(night).returncode == 5
    assert names(night) == {"a.csv", "a.csv.results.csv", "b.csv"}
    night.served.key = KEY
    assert inbox_run(night).returncode == 0
    assert {name for name in names(night) if name.startswith("done/")} == names(night)


def test_an_inbox_with_rows_left(night: Night) -> None:
    """A file stays until all of its rows have been sent, whether a limit, an error or the API kept them; then it goes."""
    arrive(night, "a.csv", 6)
    assert inbox_run(night, "--limit", "2").returncode == 0
    assert names(night) == {"a.csv", "a.csv.results.csv"}
    night.served.script = {night.contacts[4].contact_id: [Behaviour(status=500)] * 9}
    assert inbox_run(night).returncode == 3
    assert names(night) == {"a.csv", "a.csv.results.csv"}
    night.served.script.clear()
    assert inbox_run(night).returncode == 0
    assert names(night) == {"done/STAMP-a.csv", "done/STAMP-a.csv.results.csv"}
    assert all(map(night.in_place, night.contacts))


def test_the_report_of_a_file_that_was_put_away(night: Night) -> None:
    """The last run's report is written again where its file is by now, and nothing is left in the inbox."""
    arrive(night, "a.csv", 6, wrong=1)
    assert inbox_run(night).returncode == 3
    before = names(night)
    (report,) = (night.folder / "inbox" / "failed").glob("*.results.csv")
    content = report.read_bytes()
    report.unlink()
    told(night, "report")
    assert names(night) == before
    assert report.read_bytes() == content


def test_an_inbox_with_hidden_rows(night: Night) -> None:
    """Rows that are left out on purpose do not keep a file."""
    night.export(made_up(4), "contacts.xlsx")
    book = openpyxl.load_workbook(night.source)
    book["Contacts"].row_dimensions[3].hidden = True
    (night.folder / "inbox").mkdir()
    book.save(night.folder / "inbox" / "a.xlsx")
    age(night.folder / "inbox" / "a.xlsx")
    assert inbox_run(night, "--hidden", "skip").returncode == 0
    assert "done/STAMP-a.xlsx" in names(night)


@pytest.mark.parametrize("option", ["--sandbox", "--dry-run"])
def test_an_inbox_rehearsed(night: Night, option: str) -> None:
    """A rehearsal moves nothing."""
    arrive(night, "a.csv", 5)
    assert inbox_run(night, option).returncode == 0
    assert names(night) == {"a.csv", "a.csv.results.csv"}
    assert night.served.calls == []


@pytest.mark.parametrize("option", ["--report", "--workbook", "--page"])
def test_one_place_for_many_files(night: Night, option: str) -> None:
    """A folder's files cannot share a report."""
    arrive(night, "a.csv", 5)
    refused = inbox_run(night, option, str(night.folder / "x"))
    assert refused.returncode == 2
    assert b"each file has its own reports" in refused.stderr
    assert names(night) == {"a.csv"}


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


def test_an_inbox_killed_at_any_step(night: Night) -> None:
    """However often the run is killed, each row is sent to its end once and each file is put away once, with its report."""
    for number in range(4):
        arrive(night, f"{number}.csv", 10, version=f"-{number}")
    inbox = night.folder / "inbox"
    command = night.command()
    command[command.index(str(night.source))] = str(inbox)
    for step in range(1, 50):
        killed = [sys.executable, "-c", _KILLED_AT_A_STEP, str(step), str(inbox), *command]
        code = subprocess.run(killed, check=False, capture_output=True, env=night.environment, timeout=60).returncode
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
    sent = Counter((call.contact["lastname"][-2:], call.contact_id) for call in night.served.calls)
    assert sent == {(f"-{number}", contact.contact_id): 1 for number in range(4) for contact in night.contacts}
    assert all(map(night.in_place, night.contacts))


# ---- the workbook and the page


def test_the_workbook_comes_back(night: Night) -> None:
    """A workbook comes back with its wrong cells marked; corrected there and fed in, all its rows are in place."""
    night.export(made_up(12, wrong=2), "contacts.xlsx")
    night.run()
    returned = night.folder / "contacts.results.xlsx"
    assert mode(returned) == 0o600
    book = openpyxl.load_workbook(returned)
    fixes, sheet = book["To fix"], book["Contacts"]
    assert [row[0] for row in fixes.iter_rows(min_row=3, values_only=True)] == [3, 5]
    for number in (3, 5):
        comment = sheet.cell(number, 2).comment
        assert comment
        assert "No such phone number exists" in comment.text
        sheet.cell(number, 2).value = f"06 00 00 99 0{number}"
    book.save(night.folder / "fixed.xlsx")
    age(night.folder / "fixed.xlsx")
    night.source = night.folder / "fixed.xlsx"
    second = night.run()
    assert (second.code, second.told["outcomes"]) == (0, {"updated": 2, "unchanged": 10})
    assert second.sent == {"E00001": 1, "E00003": 1}
    again_returned = openpyxl.load_workbook(night.folder / "fixed.results.xlsx")
    assert [cell.value for cell in again_returned["Contacts"][1]] == [cell.value for cell in sheet[1]]


def test_a_workbook_that_was_corrected_is_kept(night: Night) -> None:
    """A returned workbook that somebody has changed is not written over, however many nights pass; an untouched one is."""
    night.export(made_up(3, wrong=1), "contacts.xlsx")
    returned, second = night.folder / "contacts.results.xlsx", night.folder / "contacts.results-2.xlsx"
    for _ in range(2):
        assert night.run().code == 3
        assert not second.exists()
    book = openpyxl.load_workbook(returned)
    book["Contacts"].cell(3, 2).value = "06 00 00 99 01"
    book.save(returned)
    corrected = returned.read_bytes()
    for _ in range(3):
        finished = night.run()
        assert b"was changed since it was written, and is kept: the new workbook is contacts.results-2.xlsx" in finished.stderr
        assert returned.read_bytes() == corrected
    assert {path.name for path in night.folder.glob("*.xlsx")} == {"contacts.xlsx", returned.name, second.name}


def test_what_a_report_cannot_show(night: Night) -> None:
    """A row whose wrong cell would look right as text is not sent when the CSV report is fed back in as it is."""
    night.export(made_up(2), "contacts.xlsx")
    book = openpyxl.load_workbook(night.source)
    sheet = book["Contacts"]
    sheet.append([1234567890123457024, "06 00 00 00 50", "Zoé", "Dupré"])
    sheet.append(["E50", "06 00 00 00 51", True, "Dupré"])
    book.save(night.source)
    age(night.source)
    first = night.run()
    assert (first.code, first.told["outcomes"]) == (3, {"updated": 2, "invalid": 2})
    fixes = openpyxl.load_workbook(night.report.with_suffix(".xlsx"))["To fix"]
    assert [row[5] for row in fixes.iter_rows(min_row=3, values_only=True)] == ["1234567890123457024", "TRUE"]
    night.source = night.report
    age(night.source)
    second = night.run("--report", str(night.folder / "again.csv"))
    assert (second.code, second.told["outcomes"]) == (3, {"unchanged": 2, "invalid": 2})
    assert second.calls == []


def test_no_workbook(night: Night) -> None:
    """With `--workbook none` none comes back, and of a CSV file only when it is asked for."""
    night.export(made_up(2), "contacts.xlsx")
    assert night.run("--workbook", "none").code == 0
    night.export(made_up(2))
    assert night.run().code == 0
    assert not list(night.folder.glob("*.results.xlsx"))
    assert night.run("--workbook", str(night.folder / "w.xlsx")).code == 0
    assert openpyxl.load_workbook(night.folder / "w.xlsx").sheetnames == ["To fix", "Contacts"]


def test_a_page(night: Night) -> None:
    """The page is written when asked for, private, without the key and with phone numbers masked unless they are asked for."""
    night.export(made_up(20, wrong=1))
    page = night.folder / "night.html"
    assert night.run("--page", str(page)).code == 3
    text = page.read_text(encoding="utf-8")
    assert mode(page) == 0o600
    assert KEY not in text
    assert [contact.phone for contact in night.contacts if contact.phone in text and not contact.wrong] == []
    night.run("--page", str(page), "--show-phones", "--lang", "fr")
    text = page.read_text(encoding="utf-8")
    assert night.contacts[5].phone in text
    assert '<html lang="fr">' in text


@pytest.mark.parametrize("option", ["--workbook", "--page"])
def test_no_place_for_another_report(night: Night, option: str) -> None:
    """A workbook or page that cannot be written stops the run before the first request."""
    night.export(made_up(3))
    assert_refused(night, night.run(option, str(night.folder / "gone" / "x")), 7)


# ---- the monitor


def test_quiet_and_with_a_log(night: Night, tmp_path: Path) -> None:
    """A quiet run leaves a log, an object a line, with ids and outcomes and no value of a field."""
    log = tmp_path / "night.log"
    night.export(made_up(5))
    log.touch(mode=0o644)
    finished = night.run("-q", "--log-file", str(log), "--log-format", "json")
    assert finished.stderr == b""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    values = [value for contact in night.contacts for value in (contact.phone, *contact.stored.values())]
    assert [line["message"] for line in lines if "E00003" in line["message"]] == ["row 5, contact E00003: updated"]
    assert [value for value in values if value in str(lines)] == []
    assert log.stat().st_mode & 0o077 == 0


def test_in_french(night: Night) -> None:
    """Summary and report are in French when asked for, and the codes are what they are."""
    night.export(made_up(5, wrong=1))
    finished = night.run("--lang", "fr")
    assert "contacts.csv\u202f: 5 ligne(s)." in finished.stderr.decode()
    assert re.search(r"en \d+,\d secondes\.", finished.stderr.decode())
    (line,) = [line for line in night.lines() if line["sync_outcome"] == "invalid"]
    assert line["sync_code"] == "phone-unknown"
    assert line["sync_message"].startswith("Ce numéro de téléphone n'existe pas")
    by_locale = night.run(env=night.environment | {"LANG": "fr_FR.UTF-8"}).stderr.decode()
    assert by_locale.startswith(f"{night.source}\u202f: 5 ligne(s).")
