"""Pages to test with."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from contact_sync.files.atomic import open_atomic
from contact_sync.model.report import Batch, Line, Summary
from contact_sync.model.source import Layout
from contact_sync.packed import pack
from contact_sync.report import formats
from contact_sync.report.formats import ReportContext

COLUMNS = ("ID", "Prénom", "Téléphone", "Note")
MAPPING = {"contactId": 0, "firstname": 1, "phoneNumber": 2}
LAYOUT = Layout(list(COLUMNS), ["A", "B", "D", "E"], MAPPING, ";")
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
    """Return a row with its outcome."""
    sent = outcome in {"updated", "rejected", "failed", "altered"}
    at = f"2026-03-03T00:30:{number % 60:02}Z" if sent else ""
    return Line(list(cells), number, outcome, code, fields, message, int(sent), 200 if sent else None, "", at)


def summary_of(lines: Iterable[Line], **facts: Any) -> Summary:
    """Return the summary of a run with these rows."""
    outcomes = Counter(one.outcome for one in lines)
    given: dict[str, Any] = {"rows": outcomes.total(), "outcomes": dict(outcomes)} | facts
    return Summary("20260303T003000Z-a1b2c3", Path("/srv/contacts/contacts.csv"), Path("contacts.results.csv"), **given)


def batches_of(lines: Sequence[Line]) -> Iterator[Batch]:
    """Yield these lines in batches."""
    for start in range(0, len(lines), 1000):
        some = lines[start : start + 1000]
        others = {one.number: one for one in some if one.outcome != "unchanged"}
        yield Batch([one.number for one in some], pack([one.cells for one in some]), UNCHANGED, others)


def write(path: Path, lines: Sequence[Line], summary: Summary | None = None, *, masked: bool = False) -> Path:
    """Write a page."""
    with open_atomic(path, 0o600) as begun:
        formats.write("page", begun, batches_of(lines), ReportContext(summary or summary_of(lines), LAYOUT, masked=masked))
    return path


A_RUN = [
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
