"""The report as an HTML page: its content and its safety."""

import json
import os
import re
import time
import tracemalloc
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from contact_sync.errors import StorageError
from contact_sync.files.atomic import open_atomic
from contact_sync.model.report import Batch, Cause
from contact_sync.model.source import Layout
from contact_sync.model.violation import Violation
from contact_sync.names import Purpose
from contact_sync.packed import pack
from contact_sync.report import formats
from contact_sync.report.formats import ReportContext
from contact_sync.report.html import page
from tests.report.pages import A_RUN, HOSTILE, LAYOUT, UNCHANGED, batches_of, line, summary_of, write


class Parsed(HTMLParser):
    """A page as an HTML parser reads it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self._within = ""
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record an element."""
        self._within = tag
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        """Leave an element."""
        self._within = self._within.removesuffix(tag)

    def handle_data(self, data: str) -> None:
        """Record text and scripts."""
        if self._within == "script":
            self.scripts[-1] += data
        elif self._within != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        """The visible text."""
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        """Return the attributes of the elements that have these."""
        return [found for name, found in self.tags if name == tag and attributes.items() <= found.items()]

    @property
    def lines(self) -> list[list[Any]]:
        """The rows in its JSON."""
        return json.loads(self.scripts[0])  # type: ignore[no-any-return]


def test_headline_and_title(path: Path) -> None:
    """A page says in one sentence, and in its title, how many contacts are in place and how many are not."""
    parsed = Parsed(write(path, A_RUN))
    assert "Rows need attention 11 of 12 contacts are in place; 1 row needs attention." in parsed.text
    assert "contacts.csv: 11 of 12 contacts are in place; 1 row needs attention." in parsed.words


@pytest.mark.parametrize(
    ("outcomes", "sentence"),
    [
        ({}, "The file has no data row."),
        ({"updated": 1}, "The one contact is in place."),
        ({"updated": 1200, "unchanged": 30, "duplicate": 4}, "All 1,234 contacts are in place."),
        ({"updated": 1, "failed": 1}, "1 of 2 contacts is in place; 1 row is left for the next run."),
        (
            {"altered": 1, "rejected": 1, "unprocessed": 2},
            "0 of 4 contacts are in place; 2 rows need attention; 2 rows are left for the next run.",
        ),
        ({"ready": 3, "invalid": 1}, "3 of 4 rows are ready to be sent; 1 row needs attention."),
        ({"invalid": 4}, "0 of 4 contacts are in place; 4 rows need attention."),
        ({"ready": 1, "unchanged": 2}, "2 of 3 contacts are in place; 1 of 3 rows is ready to be sent."),
    ],
)
def test_grammar_of_the_headline(path: Path, outcomes: dict[str, int], sentence: str) -> None:
    """The sentence agrees with the numbers in grammar."""
    lines = [line(1, "C1", "", "", "", outcome=outcome) for outcome, count in outcomes.items() for _ in range(count)]
    assert sentence in Parsed(write(path, lines)).text


@pytest.mark.parametrize(
    ("outcomes", "sentence"),
    [
        ({"ready": 3}, "3 of 3 rows are ready to be sent."),
        ({"duplicate": 1, "invalid": 300}, "0 of 301 rows are ready to be sent; 300 rows need attention."),
        ({"ready": 1, "unchanged": 2}, "2 of 3 contacts are in place; 1 of 3 rows is ready to be sent."),
    ],
)
def test_headline_of_a_check(path: Path, outcomes: dict[str, int], sentence: str) -> None:
    """A check, which sends nothing, calls a contact in place only where an earlier run has put it there."""
    lines = [line(1, "C1", outcome=outcome) for outcome, count in outcomes.items() for _ in range(count)]
    text = Parsed(write(path, lines, summary_of(lines, purpose=Purpose.CHECK))).text
    assert f"attention {sentence}" in text


def test_duplicates_share_the_fate_of_their_row(path: Path) -> None:
    """A duplicate is in place only if the row that counts for it is; one of a row that is ready is ready."""
    lines = [line(1, "C1", outcome="rejected"), *(line(number, "C1", outcome="duplicate") for number in range(2, 6))]
    text = Parsed(write(path, lines, summary_of(lines, repeats={"rejected": 4}))).text
    assert "0 of 5 contacts are in place; 1 row needs attention; 4 rows repeat one that is not in place." in text
    lines = [line(1, "C1", outcome="ready"), line(2, "C1", outcome="duplicate")]
    text = Parsed(write(path, lines, summary_of(lines, repeats={"ready": 1}))).text
    assert "2 of 2 rows are ready to be sent." in text
    assert "in place" not in text.partition("Outcomes")[0]


def test_rows_left_out_on_request(path: Path) -> None:
    """Rows that no run sends, because they are hidden or forgotten, are not counted as left for the next run."""
    lines = [line(2, "C2"), *(line(row, "", outcome="unprocessed", code="hidden") for row in (3, 4))]
    asked = [Cause("unprocessed", "hidden", "", 2, 3, "It is hidden.")]
    text = Parsed(write(path, lines, summary_of(lines, causes=asked))).text
    assert "Nothing needs attention 1 of 3 contacts is in place; 2 rows were left out." in text
    asked += [Cause("unprocessed", "limit", "", 1, 5, "It was one too many.")]
    lines += [line(5, "C5", outcome="unprocessed", code="limit")]
    text = Parsed(write(path, lines, summary_of(lines, causes=asked))).text
    assert "next run 1 of 4 contacts is in place; 1 row is left for the next run; 2 rows were left out." in text


def test_stopped_run(path: Path) -> None:
    """The page of a stopped run shows the reason and the warnings."""
    summary = summary_of(A_RUN, reasons=["The API is <down>."], warnings=["Half the rows."])
    assert "The run was stopped" in (text := Parsed(write(path, A_RUN, summary)).text)
    assert "Stopped: The API is <down>." in text
    assert "Warning: Half the rows." in text


def test_run_without_problems(path: Path) -> None:
    """The page of a run without problems asks for nothing and leaves out empty sections."""
    parsed = Parsed(write(path, [line(2, "C2", "", "", "", outcome="unchanged")]))
    assert "Nothing needs attention" in parsed.text
    for absent in ("Why", "What to fix", "requests a second", "Requests", "How the file was read", "Need attention"):
        assert absent not in parsed.text
    assert "To be continued by the next run" in Parsed(write(path, [line(2, "C2", "", "", "", outcome="failed")])).text


def test_facts(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page names file, time, run, requests, duration and pace."""
    monkeypatch.setenv("TZ", "CET-1")
    time.tzset()
    summary = summary_of(A_RUN, requests=1234, retries=5, seconds=3725.0, findings=["It is cp1252."], notes=["Two were cut."])
    parsed = Parsed(write(path, A_RUN, summary))
    monkeypatch.undo()
    time.tzset()
    assert "2026-03-03, 01:30 CET" in parsed.text
    assert parsed.all("time", datetime="2026-03-03T00:30:00Z")
    for fact in (
        "File contacts.csv /srv/contacts",
        "Run 20260303T003000Z-a1b2c3",
        "Requests 1,234 including 5 retries",
        "Duration 1 h 2 min",
        "Pace 1.0 requests a second",
        "How the file was read It is cp1252. Two were cut.",
        "Up to 1.0 requests a second, between 01:30:20 and 01:30:30",
    ):
        assert fact in parsed.text
    assert len(parsed.all("rect", width="0.88", height="1")) == 10


def test_pace_that_was_asked_for(path: Path) -> None:
    """A page has the pace that was allowed, also as a line in the plot, and the answers that asked for fewer requests."""
    parsed = Parsed(write(path, A_RUN, summary_of(A_RUN, rate=2.5, throttled=1200)))
    assert "Pace 1.0 requests a second at most 2.50 were allowed" in parsed.text
    assert "Throttled 1,200 answers that asked for fewer requests (429)" in parsed.text
    assert len(parsed.all("line", x1="0", x2="10", y1="0.25")) == 1
    assert "counted when their row ended; dashed: the pace that was allowed" in parsed.text
    parsed = Parsed(write(path, A_RUN, summary_of(A_RUN, rate=0)))
    assert not parsed.all("line")
    assert "allowed" not in parsed.text


@pytest.mark.parametrize(("seconds", "expected"), [(0.25, "0.2 s"), (61.0, "1 min 1 s"), (7260.0, "2 h 1 min")])
def test_duration_units(path: Path, seconds: float, expected: str) -> None:
    """The duration of a run is given in hours, minutes or seconds."""
    assert f"Duration {expected}" in Parsed(write(path, A_RUN, summary_of(A_RUN, seconds=seconds))).text


def test_run_id_without_a_time(path: Path) -> None:
    """A page has no time when the id of the run contains none."""
    summary = summary_of(A_RUN)
    summary.run = "rehearsal"
    assert not Parsed(write(path, A_RUN, summary)).all("time")


def test_outcomes(path: Path) -> None:
    """Each outcome has its number, its meaning, and a length of the bar that is never too short to be seen."""
    lines = [line(n, "", "", "", "", outcome="unchanged") for n in range(2000)] + [line(1, "", "", "", "", outcome="failed")]
    parsed = Parsed(write(path, lines))
    assert "2,001 All rows 1 failed 2,000 unchanged" in parsed.text
    meaning = "Not confirmed by the API: the next run sends it again."
    assert parsed.all("button", **{"data-outcomes": "failed", "data-meaning": meaning, "aria-pressed": "false"})
    assert parsed.all("svg", role="img", **{"aria-label": "failed 1, unchanged 2,000"})
    (rect,) = parsed.all("rect", **{"class": "failed"})
    assert float(rect["width"] or 0) > 5
    (rect,) = parsed.all("rect", **{"class": "unchanged"})
    assert float(rect["x"] or 0) + float(rect["width"] or 0) == pytest.approx(1000, abs=0.1)


def test_causes(path: Path) -> None:
    """A cause has its rows, its sentence, its column and its first row; those of a single row are folded away."""
    columns = LAYOUT.columns_of_fields
    causes = [
        Cause("invalid", "phone-not-mobile", "phoneNumber", 1200, 31, "Write <the> number.", column=columns["phoneNumber"]),
        Cause("invalid", "text-length", "firstname", 2, 40, "", column=columns["firstname"]),
        Cause("unprocessed", "stopped", "", 9, 50, "Told above."),
        *(Cause("failed", f"made-up-{number}", "", 1, number, "") for number in range(10)),
    ]
    parsed = Parsed(write(path, A_RUN, summary_of(A_RUN, causes=causes)))
    assert "1,200 rows: Write <the> number. invalid “Téléphone” (column D) first in row 31" in parsed.text
    assert "2 rows: “Prénom” (column B) has … characters, … at most: shorten it. invalid first in row 40" in parsed.text
    assert "1 row: made-up-3 failed row 3" in parsed.text
    assert "10 more causes" in parsed.text
    assert "Told above." not in parsed.text
    named = {"data-outcomes": "invalid", "data-code": "phone-not-mobile", "data-field": "phoneNumber", "aria-pressed": "false"}
    assert len(parsed.all("button", **named)) == 1


def test_what_is_new_since_the_last_run(path: Path) -> None:
    """A page says how many problems are new since the last run, and of which cause, where there is one to compare with."""
    causes = [Cause("invalid", "a", "", 5, 2, "Fix it.", fresh=3), Cause("invalid", "b", "", 5, 2, "Mend it.", fresh=0)]
    text = Parsed(write(path, A_RUN, summary_of(A_RUN, causes=causes))).text
    assert "3 problems are new since the last run. What to fix" in text
    assert "5 rows: Fix it. 3 new invalid first in row 2 5 rows: Mend it. invalid" in text
    alone = [Cause("invalid", "a", "", 5, 2, "Fix it.")]
    assert "new" not in Parsed(write(path, A_RUN, summary_of(A_RUN, causes=alone))).text
    single = [Cause("invalid", "a", "", 1, 2, "Fix it.")]
    assert "What to fix" not in Parsed(write(path, A_RUN, summary_of(A_RUN, causes=single))).text


def test_what_is_new_in_french(path: Path, french: None) -> None:
    """In French what is new has its noun, with which it agrees, and the day is written as there."""
    causes = [Cause("invalid", "a", "", 5, 2, "A.", fresh=3), Cause("invalid", "b", "", 5, 2, "B.", fresh=1)]
    text = Parsed(write(path, A_RUN, summary_of(A_RUN, causes=causes))).text
    assert "4 problèmes nouveaux depuis la dernière exécution." in text
    assert re.search(r"A\. 3 nouvelles lignes .* B\. 1 nouvelle ligne ", text)
    assert re.search(r"\b\d\d/\d\d/\d{4} à \d\d:\d\d", text)


def test_cause_of_rows_with_different_texts(path: Path) -> None:
    """A hint on the text of one row is left out where other rows have other texts."""
    message = "firstname contains damaged characters (it was probably “Lefèvre”)."
    causes = [
        Cause("invalid", "text-damaged", "firstname", 2, 7, message, is_shared=False),
        Cause("invalid", "text-damaged", "lastname", 2, 8, message),
    ]
    text = Parsed(write(path, A_RUN, summary_of(A_RUN, causes=causes))).text
    assert (
        "2 rows: firstname contains damaged characters or markup, as in “LefÃ¨vre”, “H?lène” or <b>: type it again, and export "
        "as UTF-8." in text
    )
    assert text.count("it was probably") == 1


def test_rows(path: Path) -> None:
    """Every row is there once: number, outcome, code, fields, message, and the source's cells as read."""
    parsed = Parsed(write(path, A_RUN))
    assert len(parsed.lines) == 12
    assert parsed.lines[-1] == [31, "invalid", "phone-not-mobile", "phoneNumber", "Fix it.", "C31", "Bob", "01 12 34 56 31", "x"]
    assert "Row Cell What to do Outcome ID A Prénom B Téléphone D Note" in parsed.text
    assert len(parsed.all("th", scope="col")) == 8


def test_message_without_the_column_beside_it(path: Path) -> None:
    """A row about one column does not repeat it in its message; one about several does."""
    place, other = (LAYOUT.columns_of_fields[field].place for field in ("phoneNumber", "firstname"))
    lines = [line(2, fields="phoneNumber", message=f"{place}: Fix it.")]
    lines += [line(3, fields="phoneNumber,firstname", message=f"{place}: Fix it. {other}: Mend it.")]
    assert [one[4] for one in Parsed(write(path, lines)).lines] == ["Fix it.", f"{place}: Fix it. {other}: Mend it."]


def test_column_with_a_blank_header(path: Path) -> None:
    """A column with a blank header is named by its position."""
    with open_atomic(path, 0o600) as begun:
        formats.write("page", begun, [], ReportContext(summary_of([]), Layout(["ID", " "], ["A", "B"], {"contactId": 0}, ";")))
    assert "ID A Column 2" in Parsed(path).text


def test_hostile_cells(path: Path) -> None:
    """The text of a cell or a sentence stays text: it cannot end a script or begin an element, and is preserved exactly."""
    lines = [line(number, text, text, text, text, message=text) for number, text in enumerate(HOSTILE)]
    causes = [Cause(HOSTILE[0], HOSTILE[2], HOSTILE[3], 1, 2, HOSTILE[0])]
    summary = summary_of(lines, causes=causes, warnings=list(HOSTILE), reasons=list(HOSTILE), findings=list(HOSTILE))
    summary.run = HOSTILE[0]
    with open_atomic(path, 0o600) as begun:
        layout = LAYOUT._replace(columns=list(HOSTILE[:4]))
        formats.write("page", begun, batches_of(lines), ReportContext(summary, layout, masked=False))
    parsed = Parsed(path)
    assert [one[5:] for one in parsed.lines] == [[text] * 4 for text in HOSTILE]
    assert [one[4] for one in parsed.lines] == list(HOSTILE)
    assert len(parsed.scripts) == 3
    assert not parsed.all("img")
    assert "Stopped: </script><script>window.ran = 1</script>" in parsed.text
    assert "\u2028" not in parsed.scripts[0]


def test_lone_surrogates(path: Path) -> None:
    """Lone surrogates, also in a file name, break neither the page nor the cell."""
    lines = [line(2, "a\ud800b", "\\\udfff", "", "")]
    summary = summary_of(lines, warnings=["\ud800"])
    summary.source = Path(os.fsdecode(b"/srv/h\xe9.csv"))
    parsed = Parsed(write(path, lines, summary))
    assert parsed.lines[0][5:7] == ["a\ud800b", "\\\udfff"]
    assert "File h\ufffd.csv" in parsed.text


def test_masked_phone_numbers(path: Path) -> None:
    """A masked number keeps its first 4 and last 2 characters, and its digits occur nowhere in the file, in any notation.

    What is no number is shown: it may be what is to be corrected.
    """
    lines = [
        line(
            2,
            "C2",
            "0612345678",
            " 06 12 34 56 78",
            "call 06 12 34 56 78 or +33 (6) 12-34-56-78, not 0612345679",
            message="33612345678!",
        ),
        line(3, "C123", "Ann", "C123", "C123"),
        line(4, "C4", "", "", "06"),
        line(5, "C5", "NC", "NC ", "NC", message="NC?"),
        line(6, "C6", "", "06 12 34", ""),
    ]
    summary = summary_of(lines, causes=[Cause("rejected", "api-refused", "", 1, 2, "Refused (code 15: +33 6 12 34 56 78).")])
    parsed = Parsed(write(path, lines, summary, masked=True))
    first, short, empty, word, part = (one[4:] for one in parsed.lines)
    assert first == [
        "33•••••••78!",
        "C2",
        "0•••••••78",
        " 06 •••••••••78",
        "call 06 1••••••••78 or +33 (•••••••78, not 0612••••79",
    ]
    assert short == ["", "C123", "Ann", "C123", "C123"]
    assert word == ["NC?", "C5", "NC", "NC ", "NC"]
    assert part[3] == "06 1••34"
    assert empty == ["", "C4", "", "", "06"]
    assert not re.search(r"6\W*1\W*2\W*3\W*4\W*5\W*6\W*7\W*8", path.read_text(encoding="utf-8"))


def test_examples_of_sentences_are_not_masked(path: Path) -> None:
    """A sentence of the program is shown as it is: the number in it is nobody's."""
    sentence = Violation("phone-damaged", "phoneNumber").sentence()
    assert re.search(r"\d{9}", sentence)
    lines = [line(2, "C2", "", "6,12E+08", "", outcome="invalid", code="phone-damaged", fields="phoneNumber", message=sentence)]
    parsed = Parsed(write(path, lines, summary_of(lines), masked=True))
    assert parsed.lines[0][4] == sentence


def test_phone_numbers_in_full(path: Path) -> None:
    """Numbers are masked only on request, and then also in columns that are not sent."""
    lines = [line(2, "C2", "", "0612345678", "0612345678")]
    assert Parsed(write(path, lines)).lines[0][7:] == ["0612345678", "0612345678"]
    with open_atomic(path, 0o600) as begun:
        layout = LAYOUT._replace(mapping={"contactId": 0, "custom1": 2})
        formats.write("page", begun, batches_of(lines), ReportContext(summary_of(lines), layout))
    assert Parsed(path).lines[0][7:] == ["0612345678", "0612••••78"]


def test_more_rows_than_the_limit(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more rows than the limit, those that need attention are shown first, in the file's order; the others are counted."""
    monkeypatch.setattr(page, "LIMIT", 6)
    outcomes = ["updated"] * 3 + ["unprocessed"] * 4 + ["unchanged"] * 1200 + ["invalid", "failed", "altered"]
    lines = [line(number, "C", "", "", "", outcome=outcome) for number, outcome in enumerate(outcomes, 2)]
    parsed = Parsed(write(path, lines))
    assert [one[1] for one in parsed.lines] == ["unprocessed"] * 3 + ["invalid", "failed", "altered"]
    assert "This page shows 6 rows, those that need attention first; 1,204 others are only in the CSV report." in parsed.text
    monkeypatch.setattr(page, "LIMIT", 1210)
    parsed = Parsed(write(path, lines))
    assert len(parsed.lines) == 1210
    assert "only" not in parsed.text


def test_pace_includes_rows_over_the_limit(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pace includes the rows that the page does not show."""
    monkeypatch.setattr(page, "LIMIT", 1)
    text = Parsed(write(path, [line(n, "C", "", "", "")._replace(attempts=3) for n in range(10)])).text
    assert "Up to 3.0 requests a second" in text


def test_bars_of_a_long_run(path: Path) -> None:
    """The plot of a long run has at most 60 bars; the caption gives the average pace of the highest."""
    lines = [line(hour, "", "", "", "")._replace(at=f"2026-03-03T{hour:02}:00:00Z", attempts=720) for hour in range(24)]
    parsed = Parsed(write(path, lines))
    assert len(parsed.all("rect", width="0.88")) == 24
    assert "Up to 0.4 requests a second" in parsed.text
    lines = [line(day, "", "", "", "")._replace(at=f"2026-03-{day:02}T00:00:00Z") for day in range(1, 31)]
    assert len(Parsed(write(path, lines)).all("rect", width="0.88")) == 30


@pytest.mark.unmeasured
def test_memory(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory does not grow with the number of rows: one batch is kept at a time."""
    monkeypatch.setattr(page, "LIMIT", 20_000)
    rows = 100_000

    def pages() -> Iterator[Batch]:
        for start in range(0, rows, 1000):
            numbers = list(range(start, start + 1000))
            yield Batch(numbers, pack([["C" * 20, "x" * 20, "", ""] for _ in numbers]), UNCHANGED, {})

    tracemalloc.start()
    with open_atomic(path, 0o600) as begun:
        summary = summary_of([], rows=rows, outcomes={"unchanged": rows})
        formats.write("page", begun, pages(), ReportContext(summary, LAYOUT))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert path.stat().st_size > 1_000_000
    assert peak < 2_000_000


def test_full_disk(path: Path) -> None:
    """A page that cannot be written is a StorageError, and the old page stays."""
    write(path, A_RUN)
    before = path.read_bytes()

    def refused() -> Iterator[Batch]:
        raise OSError(28, "No space left on device")
        yield

    with pytest.raises(StorageError, match=r"cannot be written \(No space left on device\)"), open_atomic(path, 0o600) as begun:
        formats.write("page", begun, refused(), ReportContext(summary_of(A_RUN), LAYOUT, masked=False))
    assert path.read_bytes() == before


def test_content_security_policy(path: Path) -> None:
    """A page requests nothing, and its policy allows only its own style and its own script."""
    parsed = Parsed(write(path, A_RUN))
    (policy,) = parsed.all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert (policy["content"] or "").startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in (policy["content"] or "")
    for _, attributes in parsed.tags:
        assert not {"src", "style", "onclick", "srcset", "action"} & attributes.keys()
    assert not parsed.all("link")
    assert "//" not in re.sub(r"//srv|  // .*", "", path.read_text(encoding="utf-8"))


def test_french(path: Path, french: None) -> None:
    """In French the whole page is French, including its numbers."""
    lines = [line(n, "", "", "", "", outcome="unchanged") for n in range(1234)]
    lines += [line(2, "", "", "", "", outcome="invalid", code="id-missing")]
    lines += [line(3, "", "", "", ""), line(9, "", "", "", "")]
    causes = [Cause("invalid", "id-missing", "contactId", 2, 2, "")]
    parsed = Parsed(write(path, lines, summary_of(lines, seconds=1.5, causes=causes)))
    page = path.read_text(encoding="utf-8")
    assert parsed.all("html", lang="fr")
    assert re.search("<title>contacts\\.[a-z.]+\u202f: 1\u202f236 contacts", page)
    assert re.search("<title>[0-9:]{8}\u202f: 1</title>", page)
    assert "2 lignes\u202f: " in "".join(parsed.words)
    assert "1\u202f236 contacts sur 1\u202f237 sont en place\u202f; 1 ligne est à corriger." in "".join(parsed.words).replace(
        "  ", " "
    )
    assert "1,5 s" in parsed.text
    assert json.loads(parsed.scripts[1])["words"]["shown"] == "Lignes {first} à {last} sur {rows}"
    for english in ("rows", "Search", "contacts are", "Next", "Show"):
        assert english not in parsed.text
