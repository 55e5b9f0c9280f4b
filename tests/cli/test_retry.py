"""`retry` and `report`."""

import json
import os
import re
import time
from pathlib import Path

import openpyxl

from contact_sync.sandbox.server import Sandbox
from tests.setups import edit

from .program import Main, write


def test_retry_then_report(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """Retry sends the rest and writes all reports again, report repeats them; an unknown run is exit 2."""
    sandbox, options = served
    write("C000001;Zoé", "C000002;Léa", "C000003;Max")
    assert main("run", "contacts.csv", *options, "--rate", "0", "--limit", "1", "--page", "p.html", "--workbook", "w.xlsx") == 0
    main.read()
    for name in ("p.html", "w.xlsx"):
        Path(name).unlink()
    assert main("retry", *options, "--rate", "0", "-q") == 0
    assert main.read() == ("", "")
    assert sandbox.store["C000003"]["firstname"] == "Max"
    assert Path("p.html").exists()
    assert Path("w.xlsx").exists()
    report = Path("contacts.results.csv").read_bytes()
    assert main("report", "--state-dir", "state", "--report", "again.csv", "--json") == 0
    document = main.read_json()
    assert (document["rows"], document["outcomes"]) == (3, {"updated": 3})
    assert Path("again.csv").read_bytes() == report
    assert main("report", document["run"], *options) == 0
    for command in ("report", "retry"):
        assert main(command, "20000101T000000Z-000000", *options) == 2
        assert f"Only the rows of the last run, {document['run']}, are still kept." in main.read().err


def test_what_is_to_check_is_said_again(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """Retry and report, and the page that they write, warn as the run did, until another run; an idle retry is silent."""
    _, options = served
    given = [*options, "--rate", "0", "--page", "p.html"]
    write("C000001;06 00 00 00 01", "C000002;06 00 00 00 01", "C000003;06 00 00 00 03", header="contactId;phoneNumber")
    assert main("run", "contacts.csv", *given, "--limit", "1") == 0
    warning = "1 phone number belongs to several contacts (rows 2 and 3): check it."
    assert warning in main.read().err
    for command in ("report", "retry", "report"):
        Path("p.html").unlink()
        assert main(command, *options) == 0
        assert re.search(f"^Warning: .*{re.escape(warning)}$", main.read().err, re.MULTILINE), command
        assert warning in Path("p.html").read_text(encoding="utf-8")
    assert main("retry", *options, "-q") == 0
    assert main.read() == ("", "")
    assert main("run", write("C000001;Zoé"), *given, "-n") == 0
    main.read()
    assert main("report", *options) == 0
    assert warning in main.read().err
    assert main("run", write("C000001;Zoé"), *given) == 0
    main.read()
    assert main("report", *options) == 0
    assert "Warning:" not in main.read().err


def test_nothing_to_retry(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """A retry without a row to send says so, requests nothing, and leaves the reports as they are."""
    sandbox, options = served
    write("C000001;Zoé", ";Max")
    assert main("run", "contacts.csv", *options, "--rate", "0") == 3
    before, requests = Path("contacts.results.csv").stat().st_mtime_ns, sandbox.requests
    main.read()
    assert main("retry", *options, "--json") == 3
    output = main.read()
    assert re.fullmatch(
        r"Nothing to send again: the last run \(.*contacts\.csv, [-0-9]+ [0-9:]+\) left no row to send\.\n", output.err
    )
    assert json.loads(output.out)["requests"] == 0
    assert (Path("contacts.results.csv").stat().st_mtime_ns, sandbox.requests) == (before, requests)


def test_retry_is_offered_when_it_would_send(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """The summary offers a retry where it would send a row, and not for hidden rows."""
    _, options = served
    write("C000001;Zoé", "C000002;Léa")
    assert main("run", "contacts.csv", *options, "--rate", "0", "--limit", "1") == 0
    assert f"Next: contact-sync retry {' '.join(options)}\n" in main.read().err
    book = openpyxl.Workbook()
    for row in (("contactId", "firstname"), ("C000001", "Zoé"), ("C000002", "Léa")):
        book.worksheets[0].append(row)
    book.worksheets[0].row_dimensions[3].hidden = True
    book.save("contacts.xlsx")
    os.utime("contacts.xlsx", (time.time() - 60,) * 2)
    assert main("run", "contacts.xlsx", *options, "--rate", "0", "--workbook", "none", "--hidden", "skip") == 0
    err = main.read().err
    assert "1 unprocessed" in err
    assert "Next:" not in err


def test_a_wrong_address_is_not_offered_again(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """Where nothing has shown that the address is right, the next step is no command with it; the same command then works."""
    _, options = served
    wrong = ["--base-url", "http://127.0.0.1:1/v1", *options[2:]]
    given = ["--rate", "0", "--attempts", "1", "--max-duration", "0.5"]
    assert main("run", write("C000001;Zoé"), *wrong, *given) == 6
    err = main.read().err
    assert "127.0.0.1:1" not in err
    assert err.splitlines()[-1] == "Next: correct --base-url if it is wrong, then run the same command again."
    assert main("run", "contacts.csv", *options, *given[:2]) == 0
    assert "Next:" not in main.read().err


def test_report_repeats_the_duration(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """A repeated report shows how long its run took, where that is known."""
    _, options = served
    assert main("run", write("C000001;Zoé"), *options, "--rate", "0", "-q") == 0
    (ledger,) = Path("state").glob("*.sqlite3")
    for seconds, sentence in ((12.5, "1 request in 12.5 s (retries: 0)."), (0, "")):
        edit(ledger, "UPDATE run SET seconds = ?", seconds)
        assert main("report", *options) == 0
        assert re.findall(".*retries.*", main.read().err) == [sentence][: bool(sentence)]
