"""The report as a page: what it says, that nothing in it runs but its own script, and how it does in a browser."""

import json
import os
import re
import shutil
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from contact_sync.errors import StorageError
from contact_sync.files.atomic import open_atomic
from contact_sync.model import Batch, Cause, Layout, Line, Outcome, Summary
from contact_sync.packed import pack
from contact_sync.report.html import page as report_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage
    from playwright.sync_api import Page as Tab

COLUMNS = ("ID", "Prénom", "Téléphone", "Note")
MAPPING = {"contactId": 0, "firstname": 1, "phoneNumber": 2}
LAYOUT = Layout(list(COLUMNS), ["A", "B", "D", "E"], MAPPING, ";")
LETTERS = {"contactId": "A", "firstname": "B", "phoneNumber": "D"}
UNCHANGED = Line([], 0, "unchanged", "", "", "", 0, None, "", "")
HOSTILE = (
    "</script><script>window.ran = 1</script>",
    "<!-- <script>",
    "<img src=x onerror='window.ran = 1'>",
    "\"'&amp;&<>`\\",
    "a\u2028b\u2029c",
    "a\x00b\x85c",
    "]]]> [[page]]",
)


def line(number: int, *cells: str, outcome: str = "updated", code: str = "", fields: str = "", message: str = "") -> Line:
    """A row that was sent, or was not to be, and what came of it."""
    sent = outcome in {"updated", "rejected", "failed", "altered"}
    at = f"2026-03-03T00:30:{number % 60:02}Z" if sent else ""
    return Line(list(cells), number, outcome, code, fields, message, int(sent), 200 if sent else None, "", at)


def summed(lines: Iterable[Line], **told: Any) -> Summary:
    """The summary of a run that ended so."""
    outcomes = Counter(told.outcome for told in lines)
    given: dict[str, Any] = {"rows": outcomes.total(), "outcomes": dict(outcomes), "letters": LETTERS} | told
    return Summary("20260303T003000Z-a1b2c3", Path("/srv/contacts/contacts.csv"), Path("contacts.results.csv"), **given)


def paged(lines: Sequence[Line]) -> Iterator[Batch]:
    """The pages of these lines, a few on each."""
    for start in range(0, len(lines), 1000):
        some = lines[start : start + 1000]
        others = {told.number: told for told in some if told.outcome != "unchanged"}
        yield Batch([told.number for told in some], pack([told.cells for told in some]), UNCHANGED, others)


def write(path: Path, lines: Sequence[Line], summary: Summary | None = None, *, masked: bool = False) -> Path:
    """Write a page."""
    with open_atomic(path, 0o600) as begun:
        report_page.write(begun, summary or summed(lines), LAYOUT, paged(lines), masked=masked)
    return path


class Parsed(HTMLParser):
    """A page as an HTML parser understands it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self._within = ""
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take down an element."""
        self._within = tag
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        """Be outside again."""
        self._within = self._within.removesuffix(tag)

    def handle_data(self, data: str) -> None:
        """Take down what people read, and what programs do."""
        if self._within == "script":
            self.scripts[-1] += data
        elif self._within != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        """All that people read."""
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        """The elements with these attributes."""
        return [found for name, found in self.tags if name == tag and attributes.items() <= found.items()]

    @property
    def lines(self) -> list[list[Any]]:
        """The rows that it holds."""
        return json.loads(self.scripts[0])  # type: ignore[no-any-return]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the page goes."""
    return tmp_path / "contacts.results.html"


A_NIGHT = [
    *(line(number, f"C{number}", "Zoé", f"06 12 34 56 {number}", "") for number in range(20, 30)),
    line(30, "C30", "Ann", "06 12 34 56 30", "", outcome="unchanged"),
    line(
        31,
        "C31",
        "Bob",
        "01 12 34 56 31",
        "x",
        outcome="invalid",
        code="phone-not-mobile",
        fields="phoneNumber",
        message="Fix it.",
    ),
]


def test_the_sentence(path: Path) -> None:
    """A page says in one sentence, and in the title, how much is in place and how much is not."""
    parsed = Parsed(write(path, A_NIGHT))
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
        ({"ready": 1, "unchanged": 2}, "2 of 3 contacts are in place; 1 of 3 rows is ready to be sent."),
    ],
)
def test_sentences(path: Path, outcomes: dict[str, int], sentence: str) -> None:
    """The sentence agrees with the numbers, in grammar too."""
    lines = [line(1, "C1", "", "", "", outcome=outcome) for outcome, count in outcomes.items() for _ in range(count)]
    assert sentence in Parsed(write(path, lines)).text


def test_rows_that_were_left_out(path: Path) -> None:
    """Rows that no run sends, since they are hidden or forgotten, are not said to be left for the next."""
    lines = [line(2, "C2"), *(line(row, "", outcome="unprocessed", code="hidden") for row in (3, 4))]
    asked = [Cause("unprocessed", "hidden", "", 2, 3, "It is hidden.")]
    text = Parsed(write(path, lines, summed(lines, causes=asked))).text
    assert "Nothing needs attention 1 of 3 contacts is in place; 2 rows were left out on request." in text
    asked += [Cause("unprocessed", "limit", "", 1, 5, "It was one too many.")]
    lines += [line(5, "C5", outcome="unprocessed", code="limit")]
    text = Parsed(write(path, lines, summed(lines, causes=asked))).text
    assert "next run 1 of 4 contacts is in place; 1 row is left for the next run; 2 rows were left out on request." in text


def test_a_stopped_run(path: Path) -> None:
    """A run that was stopped says why, and a warning is told beside it."""
    summary = summed(A_NIGHT, reasons=["The API is <down>."], warnings=["Half the rows."])
    assert "The run was stopped" in (text := Parsed(write(path, A_NIGHT, summary)).text)
    assert "Stopped: The API is <down>." in text
    assert "Warning: Half the rows." in text


def test_a_good_night(path: Path) -> None:
    """Where all is well nothing is asked for, and what has nothing to show is not there."""
    parsed = Parsed(write(path, [line(2, "C2", "", "", "", outcome="unchanged")]))
    assert "Nothing needs attention" in parsed.text
    for absent in ("Why", "Requests over time", "Requests", "How the file was read", "those that need attention"):
        assert absent not in parsed.text
    assert "To be continued by the next run" in Parsed(write(path, [line(2, "C2", "", "", "", outcome="failed")])).text


def test_the_facts(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page names file, time, run, requests, duration and pace."""
    monkeypatch.setenv("TZ", "CET-1")
    time.tzset()
    summary = summed(A_NIGHT, requests=1234, retries=5, seconds=3725.0, findings=["It is cp1252."], notes=["Two were cut."])
    parsed = Parsed(write(path, A_NIGHT, summary))
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


@pytest.mark.parametrize(("seconds", "told"), [(0.25, "0.2 s"), (61.0, "1 min 1 s"), (7260.0, "2 h 1 min")])
def test_the_duration(path: Path, seconds: float, told: str) -> None:
    """How long a run took is told in the units that people would use."""
    assert f"Duration {told}" in Parsed(write(path, A_NIGHT, summed(A_NIGHT, seconds=seconds))).text


def test_a_run_of_another_name(path: Path) -> None:
    """A run whose name tells no time has none."""
    summary = summed(A_NIGHT)
    summary.run = "rehearsal"
    assert not Parsed(write(path, A_NIGHT, summary)).all("time")


def test_the_outcomes(path: Path) -> None:
    """Each outcome has its number, its sign and what it means, and a length of the bar that can be seen."""
    lines = [line(n, "", "", "", "", outcome="unchanged") for n in range(2000)] + [line(1, "", "", "", "", outcome="failed")]
    parsed = Parsed(write(path, lines))
    assert "unchanged 2,000 Already in place; nothing was sent." in parsed.text
    assert "failed 1 Not confirmed by the API: the next run sends it again." in parsed.text
    assert parsed.all("svg", role="img", **{"aria-label": "unchanged 2,000, failed 1"})
    (rect,) = parsed.all("rect", **{"class": "failed"})
    assert float(rect["width"] or 0) > 5
    assert float(rect["x"] or 0) + float(rect["width"] or 0) == pytest.approx(1000, abs=0.1)


def test_the_causes(path: Path) -> None:
    """A cause has its rows, its sentence, its column and its first row; beyond ten they are folded away."""
    causes = [
        Cause("invalid", "phone-not-mobile", "phoneNumber", 1200, 31, "Write <the> mobile number."),
        Cause("invalid", "text-length", "firstname", 2, 40, ""),
        Cause("unprocessed", "stopped", "", 9, 50, "Told above."),
        *(Cause("failed", f"made-up-{number}", "", 1, number, "") for number in range(10)),
    ]
    parsed = Parsed(write(path, A_NIGHT, summed(A_NIGHT, causes=causes)))
    assert "1,200 rows: Write <the> mobile number. invalid phoneNumber, column D first in row 31" in parsed.text
    assert "2 rows: firstname has … characters, … at most: shorten it. invalid firstname, column B first in row 40" in parsed.text
    assert "1 row: made-up-3 failed row 3" in parsed.text
    assert "2 more causes" in parsed.text
    assert "Told above." not in parsed.text
    named = {"data-outcome": "invalid", "data-code": "phone-not-mobile", "data-field": "phoneNumber", "aria-pressed": "false"}
    assert len(parsed.all("button", **named)) == 1


def test_the_rows(path: Path) -> None:
    """Every row is there once: number, outcome, code, fields, message, and the source's cells as read."""
    parsed = Parsed(write(path, A_NIGHT))
    assert len(parsed.lines) == 12
    assert parsed.lines[-1] == [31, "invalid", "phone-not-mobile", "phoneNumber", "Fix it.", "C31", "Bob", "01 12 34 56 31", "x"]
    assert "Row Outcome Code What to do ID A Prénom B Téléphone D Note" in parsed.text
    assert len(parsed.all("th", scope="col")) == 8


def test_a_column_without_a_name(path: Path) -> None:
    """A column whose header is blank is called by its place."""
    with open_atomic(path, 0o600) as begun:
        report_page.write(begun, summed([]), Layout(["ID", " "], ["A", "B"], {"contactId": 0}, ";"), [], masked=True)
    assert "ID A Column 2" in Parsed(path).text


def test_hostile_cells(path: Path) -> None:
    """Whatever is in a cell or in a sentence is text: it ends no script, begins no element, and comes out as it went in."""
    lines = [line(number, text, text, text, text, message=text) for number, text in enumerate(HOSTILE)]
    causes = [Cause(HOSTILE[0], HOSTILE[2], HOSTILE[3], 1, 2, HOSTILE[0])]
    summary = summed(lines, causes=causes, warnings=list(HOSTILE), reasons=list(HOSTILE), findings=list(HOSTILE))
    summary.run = HOSTILE[0]
    with open_atomic(path, 0o600) as begun:
        report_page.write(begun, summary, LAYOUT._replace(columns=list(HOSTILE[:4])), paged(lines), masked=False)
    parsed = Parsed(path)
    assert [told[5:] for told in parsed.lines] == [[text] * 4 for text in HOSTILE]
    assert [told[4] for told in parsed.lines] == list(HOSTILE)
    assert len(parsed.scripts) == 3
    assert not parsed.all("img")
    assert "Stopped: </script><script>window.ran = 1</script>" in parsed.text
    assert "\u2028" not in parsed.scripts[0]


def test_half_a_character(path: Path) -> None:
    """Text that is no Unicode costs neither the page nor the cell; so does the name of a file."""
    lines = [line(2, "a\ud800b", "\\\udfff", "", "")]
    summary = summed(lines, warnings=["\ud800"])
    summary.source = Path(os.fsdecode(b"/srv/h\xe9.csv"))
    parsed = Parsed(write(path, lines, summary))
    assert parsed.lines[0][5:7] == ["a\ud800b", "\\\udfff"]
    assert "File h\ufffd.csv" in parsed.text


def test_masked(path: Path) -> None:
    """A masked number keeps its first 4 and last 2 characters, and its digits are nowhere in the file, however written."""
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
    ]
    summary = summed(lines, causes=[Cause("rejected", "api-refused", "", 1, 2, "Refused (code 15: +33 6 12 34 56 78).")])
    parsed = Parsed(write(path, lines, summary, masked=True))
    first, short, empty = (told[4:] for told in parsed.lines)
    assert first == [
        "33•••••••78!",
        "C2",
        "0•••••••78",
        " 06 •••••••••78",
        "call 06 1••••••••78 or +33 (•••••••78, not 0612••••79",
    ]
    assert short == ["", "C123", "Ann", "••••", "C123"]
    assert empty == ["", "C4", "", "", "06"]
    assert not re.search(r"6\W*1\W*2\W*3\W*4\W*5\W*6\W*7\W*8", path.read_text(encoding="utf-8"))


def test_not_masked(path: Path) -> None:
    """Nothing is masked unless it is asked for; then also what could be a number in a column that is not sent."""
    lines = [line(2, "C2", "", "0612345678", "0612345678")]
    assert Parsed(write(path, lines)).lines[0][7:] == ["0612345678", "0612345678"]
    with open_atomic(path, 0o600) as begun:
        report_page.write(
            begun, summed(lines), LAYOUT._replace(mapping={"contactId": 0, "custom1": 2}), paged(lines), masked=True
        )
    assert Parsed(path).lines[0][7:] == ["0612345678", "0612••••78"]


def test_more_rows_than_fit(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more rows than a page holds those that need attention are taken first, in the file's order, and the others counted."""
    monkeypatch.setattr(report_page, "LIMIT", 6)
    outcomes = ["updated"] * 3 + ["unprocessed"] * 4 + ["unchanged"] * 1200 + ["invalid", "failed", "altered"]
    lines = [line(number, "C", "", "", "", outcome=outcome) for number, outcome in enumerate(outcomes, 2)]
    parsed = Parsed(write(path, lines))
    assert [told[1] for told in parsed.lines] == ["unprocessed"] * 3 + ["invalid", "failed", "altered"]
    assert "This page shows 6 rows, those that need attention first; 1,204 others are only in the CSV report." in parsed.text
    monkeypatch.setattr(report_page, "LIMIT", 1210)
    parsed = Parsed(write(path, lines))
    assert len(parsed.lines) == 1210
    assert "only" not in parsed.text


def test_attempts_of_rows_that_do_not_fit(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pace is that of all rows, also of those that have no place on the page."""
    monkeypatch.setattr(report_page, "LIMIT", 1)
    text = Parsed(write(path, [line(n, "C", "", "", "")._replace(attempts=3) for n in range(10)])).text
    assert "Up to 3.0 requests a second" in text


def test_a_long_night(path: Path) -> None:
    """However long the sending took, its plot has at most 60 bars, and one that stands for many seconds shows their average."""
    lines = [line(hour, "", "", "", "")._replace(at=f"2026-03-03T{hour:02}:00:00Z", attempts=720) for hour in range(24)]
    parsed = Parsed(write(path, lines))
    assert len(parsed.all("rect", width="0.88")) == 24
    assert "Up to 0.4 requests a second" in parsed.text
    lines = [line(day, "", "", "", "")._replace(at=f"2026-03-{day:02}T00:00:00Z") for day in range(1, 31)]
    assert len(Parsed(write(path, lines)).all("rect", width="0.88")) == 30


def test_memory(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many rows there are, only a page of them is held at a time."""
    monkeypatch.setattr(report_page, "LIMIT", 20_000)
    rows = 100_000

    def pages() -> Iterator[Batch]:
        for start in range(0, rows, 1000):
            numbers = list(range(start, start + 1000))
            yield Batch(numbers, pack([["C" * 20, "x" * 20, "", ""] for _ in numbers]), UNCHANGED, {})

    tracemalloc.start()
    with open_atomic(path, 0o600) as begun:
        report_page.write(begun, summed([], rows=rows, outcomes={"unchanged": rows}), LAYOUT, pages(), masked=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert path.stat().st_size > 1_000_000
    assert peak < 2_000_000


def test_a_full_disk(path: Path) -> None:
    """When the page cannot be written there is a sentence, and the old one stays."""
    write(path, A_NIGHT)
    before = path.read_bytes()

    def refused() -> Iterator[Batch]:
        raise OSError(28, "No space left on device")
        yield

    with pytest.raises(StorageError, match=r"cannot be written \(No space left on device\)"), open_atomic(path, 0o600) as begun:
        report_page.write(begun, summed(A_NIGHT), LAYOUT, refused(), masked=False)
    assert path.read_bytes() == before


def test_nothing_from_elsewhere(path: Path) -> None:
    """A page asks for nothing, and its policy forbids it to: only its own style and its own script count."""
    parsed = Parsed(write(path, A_NIGHT))
    (policy,) = parsed.all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert (policy["content"] or "").startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in (policy["content"] or "")
    for _, attributes in parsed.tags:
        assert not {"src", "style", "onclick", "srcset", "action"} & attributes.keys()
    assert not parsed.all("link")
    assert "//" not in re.sub(r"//srv|  // .*", "", path.read_text(encoding="utf-8"))


def test_french(path: Path, french: None) -> None:
    """In French the whole page is French, its numbers too."""
    lines = [line(n, "", "", "", "", outcome="unchanged") for n in range(1234)]
    lines += [line(2, "", "", "", "", outcome="invalid", code="id-missing")]
    parsed = Parsed(write(path, lines, summed(lines, seconds=1.5)))
    assert parsed.all("html", lang="fr")
    assert "1\u202f234 contacts sur 1\u202f235 sont en place\u202f; 1 ligne est à corriger." in "".join(parsed.words).replace(
        "  ", " "
    )
    assert "1,5 s" in parsed.text
    assert json.loads(parsed.scripts[1])["words"]["shown"] == "Lignes {first} à {last} sur {rows}"
    for english in ("rows", "Search", "contacts are", "Next", "Show"):
        assert english not in parsed.text


# In a browser.

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"))), None)
in_a_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")

Open = Callable[..., "Tab"]


@pytest.fixture(scope="module")
def chromium() -> Iterator["Browser"]:
    """The browser of this machine."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - not where there is no browser

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def browse(chromium: "Browser", path: Path) -> Iterator[Open]:
    """A function that opens the page of these lines; by the end nothing may have gone wrong or been asked of a network."""
    wrong: list[str] = []
    asked: list[str] = []
    contexts = []

    def log(message: "ConsoleMessage") -> None:
        wrong.append(message.text)

    def browse(lines: Sequence[Line], summary: Summary | None = None, **options: Any) -> "Tab":
        context = chromium.new_context(**options)
        contexts.append(context)
        tab = context.new_page()
        tab.set_default_timeout(10_000)
        tab.on("console", log)
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(write(path, lines, summary).as_uri())
        return tab

    yield browse
    for context in contexts:
        context.close()
    assert not wrong
    assert set(asked) == {path.as_uri()}


def shown(tab: "Tab") -> list[str]:
    """The numbers of the rows that are shown."""
    return tab.locator("tbody th").all_inner_texts()


def many(count: int) -> list[Line]:
    """So many rows, of which a few need somebody."""
    return [
        line(
            n,
            f"C{n}",
            f"Zoé {n % 7}",
            f"06 {n:08}",
            "",
            outcome="invalid",
            code="id-missing",
            fields="contactId",
            message="Type it.",
        )
        if n % 100 == 50
        else line(n, f"C{n}", f"Zoé {n % 7}", f"06 {n:08}", "préfère le courriel, après 18 h", outcome="unchanged")
        for n in range(2, count + 2)
    ]


@in_a_browser
def test_search(browse: Open) -> None:
    """A search in all cells regards neither case nor accents, and says how many rows it left."""
    tab = browse(A_NIGHT)
    assert len(shown(tab)) == 12
    tab.get_by_role("searchbox", name="Search all cells").fill("ZOE")
    tab.get_by_text("Rows 1 to 10 of 10").wait_for()
    tab.get_by_role("searchbox").fill("nobody")
    tab.get_by_role("status").get_by_text("No row matches.").wait_for()
    assert shown(tab) == []
    tab.get_by_role("button", name="Show all rows").click()
    assert len(shown(tab)) == 12


@in_a_browser
def test_filter(browse: Open) -> None:
    """Rows are shown of one outcome, of those that need somebody, or of one cause, whose cells are marked."""
    lines = [
        *A_NIGHT,
        line(
            40,
            "C",
            "",
            "1",
            "",
            outcome="invalid",
            code="id-missing,phone-not-mobile",
            fields="contactId,phoneNumber",
            message="Two.",
        ),
        line(
            41,
            "C",
            "",
            "1",
            "",
            outcome="invalid",
            code="phone-not-mobile,id-missing",
            fields="contactId,phoneNumber",
            message="No.",
        ),
    ]
    cause = Cause("invalid", "phone-not-mobile", "phoneNumber", 2, 31, "Write the mobile number.")
    tab = browse(lines, summed(lines, causes=[cause]))
    tab.get_by_role("combobox", name="Outcome").select_option(label="unchanged (1)")
    assert shown(tab) == ["30"]
    tab.get_by_role("combobox", name="Outcome").select_option(label="those that need attention (3)")
    assert shown(tab) == ["31", "40", "41"]
    button = tab.get_by_role("button", name="Write the mobile number.")
    button.click()
    assert shown(tab) == ["31", "40"]
    assert button.get_attribute("aria-pressed") == "true"
    assert tab.locator("td.wrong").all_inner_texts() == ["01 12 34 56 31", "C", "1"]
    assert tab.locator("#cause span").inner_text() == "Only rows with this cause: Write the mobile number."
    tab.get_by_role("button", name="Show the other rows too").click()
    assert len(shown(tab)) == 14
    button.click()
    button.click()
    assert len(shown(tab)) == 14
    assert button.get_attribute("aria-pressed") == "false"


@in_a_browser
def test_sort(browse: Open) -> None:
    """A click on a header sorts by its column, numbers by their value, another the other way round, and the header says so."""
    tab = browse([line(2, "C10", "é", "", ""), line(3, "C9", "f", "", ""), line(10, "c1", "E", "", "", outcome="invalid")])
    head = tab.get_by_role("columnheader", name="ID")
    assert head.get_attribute("aria-sort") == "none"
    for order, numbers in (("ascending", ["10", "3", "2"]), ("descending", ["2", "3", "10"])):
        head.get_by_role("button").click()
        assert shown(tab) == numbers
        assert head.get_attribute("aria-sort") == order
    tab.get_by_role("columnheader", name="Prénom").get_by_role("button").click()
    assert shown(tab) == ["10", "2", "3"]
    assert head.get_attribute("aria-sort") == "none"
    tab.get_by_role("columnheader", name="Row").get_by_role("button").click()
    assert shown(tab) == ["2", "3", "10"]


@in_a_browser
def test_by_keyboard(browse: Open) -> None:
    """Everything can be done without a mouse, and where the focus is can be seen."""
    lines = many(450)
    tab = browse(lines, summed(lines, causes=[Cause("invalid", "id-missing", "contactId", 4, 50, "Type it.")]))
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "Skip to the rows"
    tab.keyboard.press("Enter")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.id") == "search"
    assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    tab.keyboard.type("C12")
    tab.get_by_text("Rows 1 to 11 of 11").wait_for()
    tab.keyboard.press("Tab")
    tab.keyboard.type("inv")
    tab.get_by_text("No row matches.").first.wait_for()
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    assert len(shown(tab)) == 200
    next_page = tab.get_by_role("button", name="Next")
    next_page.focus()
    tab.keyboard.press("Enter")
    assert shown(tab)[0] == "202"
    tab.keyboard.press("Enter")
    assert tab.get_by_role("status").inner_text() == "Rows 401 to 450 of 450"
    assert next_page.is_disabled()
    assert tab.evaluate("document.activeElement.className") == "sheet"
    tab.get_by_role("button", name="Previous").press("Enter")
    assert shown(tab)[0] == "202"
    tab.get_by_role("button", name="Type it.").press("Enter")
    assert shown(tab) == ["50", "150", "250", "350", "450"]


@in_a_browser
def test_what_a_screen_reader_finds(browse: Open) -> None:
    """Landmarks, headings, pictures, controls and the table have names, and a row is called by its number."""
    tab = browse(A_NIGHT, summed(A_NIGHT, causes=[Cause("invalid", "phone-not-mobile", "phoneNumber", 1, 31, "Fix it.")]))
    for role, name in (
        ("heading", "11 of 12 contacts are in place; 1 row needs attention."),
        ("region", "Outcomes"),
        ("region", "Why"),
        ("region", "Requests over time"),
        ("img", "updated 10, unchanged 1, invalid 1"),
        ("img", "Up to 1.0 requests a second"),
        ("search", None),
        ("table", "The rows"),
        ("navigation", "Pages of the table"),
        ("rowheader", "31"),
        ("button", "1 row: Fix it. invalid phoneNumber, column D row 31"),
    ):
        assert tab.get_by_role(role, name=name).first.is_visible(), (role, name)  # type: ignore[arg-type]
    assert tab.get_by_role("main").count() == tab.get_by_role("banner").count() == tab.get_by_role("contentinfo").count() == 1


@in_a_browser
def test_hostile_cells_in_a_browser(browse: Open) -> None:
    """Nothing in a cell or a sentence runs, and each is shown as it is written."""
    lines = [line(number, text, text, text, text, message=text) for number, text in enumerate(HOSTILE)]
    summary = summed(lines, causes=[Cause("updated", "", "", 1, 2, HOSTILE[2])], warnings=list(HOSTILE))
    tab = browse(lines, summary)
    tab.get_by_role("button", name="onerror").click()
    assert tab.evaluate("window.ran") is None
    assert tab.evaluate("[...document.querySelectorAll('tbody td:last-child')].map((cell) => cell.textContent)") == list(HOSTILE)


@in_a_browser
def test_the_policy_holds(chromium: "Browser", path: Path) -> None:
    """What is slipped into a page does not run and is not fetched."""
    write(path, A_NIGHT)
    slipped = "<script>window.ran = 1</script><img src='http://127.0.0.1:9/x' onerror='window.ran = 1'></body>"
    path.write_text(path.read_text(encoding="utf-8").replace("</body>", slipped), encoding="utf-8")
    tab = chromium.new_page()
    failed: list[tuple[str, str | None]] = []
    tab.on("requestfailed", lambda request: failed.append((request.url, request.failure)))
    tab.goto(path.as_uri())
    assert tab.evaluate("window.ran") is None
    assert failed == [("http://127.0.0.1:9/x", "csp")]
    assert len(shown(tab)) == 12
    tab.close()


def luminance(color: str) -> float:
    """The relative luminance of a colour, as WCAG has it."""
    channels = [int(value) / 255 for value in re.findall(r"\d+", color)[:3]]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


CONTRASTS = """() => [...document.querySelectorAll("h1, h2, p, small, dt, dd, li, label, th, td, span, code, button, b")]
  .filter((element) => element.checkVisibility() && !element.disabled).map((element) => {
    let behind = element;
    const ground = () => getComputedStyle(behind).backgroundColor;
    while (ground() === "rgba(0, 0, 0, 0)") behind = behind.parentElement;
    return [getComputedStyle(element).color, ground(), element.textContent];
  })"""


@in_a_browser
def test_light_and_dark(browse: Open) -> None:
    """A page follows the colours of the machine, and what is written in them can be read."""
    lines = [line(n, "C", "", "0", "", outcome=outcome, fields="phoneNumber") for n, outcome in enumerate(Outcome)]
    grounds = set()
    for scheme in ("light", "dark"):
        tab = browse(lines, summed(lines, causes=[Cause("invalid", "x", "", 1, 2, "Fix it.")]), color_scheme=scheme)
        grounds.add(tab.evaluate("getComputedStyle(document.body).backgroundColor"))
        for ink, paper, text in tab.evaluate(CONTRASTS):
            dark, light = sorted([luminance(ink), luminance(paper)])
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (scheme, ink, paper, text)
        for sign in ("updated", "unchanged", "duplicate", "ready", "altered", "invalid", "rejected", "failed", "unprocessed"):
            fill = tab.evaluate(f"getComputedStyle(document.querySelector('rect.{sign}')).fill")
            dark, light = sorted([luminance(fill), luminance(tab.evaluate("getComputedStyle(document.body).backgroundColor"))])
            assert (light + 0.05) / (dark + 0.05) >= 3, (scheme, sign)
    assert len(grounds) == 2


@in_a_browser
def test_on_a_phone_and_on_paper(browse: Open) -> None:
    """On a small screen only the table moves sideways; on paper nothing is left that can only be clicked."""
    tab = browse(A_NIGHT, viewport={"width": 360, "height": 640})
    assert tab.evaluate("document.documentElement.scrollWidth") == 360
    tab.emulate_media(media="print")
    assert not tab.get_by_role("searchbox").is_visible()
    assert tab.get_by_role("row").count() == 13


@in_a_browser
def test_french_in_a_browser(browse: Open, french: None) -> None:
    """What the script says is French too, with its numbers."""
    tab = browse(many(1500))
    assert tab.get_by_role("status").inner_text() == "Lignes 1 à 200 sur 1\u202f500"


MEASURED = """async () => {
  const status = document.getElementById("shown"), search = document.getElementById("search");
  const changed = () => new Promise((done) => new MutationObserver(done).observe(status, { childList: true }));
  const times = [];
  for (const text of ["zoé 3", "c1234"]) {
    const begun = performance.now();
    const change = changed();
    search.value = text;
    search.dispatchEvent(new Event("input"));
    await change;
    times.push(performance.now() - begun);
  }
  search.value = "";
  const begun = performance.now();
  document.querySelector("th[data-by='6'] button").click();
  return [...times, performance.now() - begun];
}"""


@in_a_browser
def test_50_000_rows(browse: Open, path: Path) -> None:
    """With as many rows as a page holds it is written, opened, searched and sorted without a wait."""
    lines = many(50_000)
    begun = time.process_time()
    write(path, lines)
    assert time.process_time() - begun < 6
    tab = browse(lines)
    opened = tab.evaluate("performance.getEntriesByType('navigation')[0].domComplete")
    first, second, sort = tab.evaluate(MEASURED)
    assert opened < 15_000
    assert first < 15_000  # everything is made ready for searching
    assert second < 15_000
    assert sort < 15_000
    assert len(shown(tab)) == 200
