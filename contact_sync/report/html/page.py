"""The report as one HTML file: what happened, why, and the rows, to search and to sort.

It requests nothing from any network, and its content security policy forbids that. The rows are JSON in the middle of the file:
they are written in one pass, and none is kept.
"""

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from importlib.resources import files

from contact_sync.files.atomic import AtomicFile
from contact_sync.i18n import _, language
from contact_sync.model import PHONE, Batch, Line
from contact_sync.report.formats import ReportContext
from contact_sync.report.html import table
from contact_sync.report.html.headline import headline
from contact_sync.report.html.markup import Markup, safe
from contact_sync.report.html.masking import masked as without_phone
from contact_sync.report.html.outcomes import causes, outcomes
from contact_sync.report.html.timeline import facts, pace


class PageReport:
    """The report as a page that needs no network."""

    def write(self, draft: AtomicFile, batches: Iterable[Batch], context: ReportContext) -> list[str]:
        """Write the page, with phone numbers in full or masked; there is nothing to note."""
        summary, layout, masked = context.summary, context.layout, context.masked
        template = files("contact_sync.report.html").joinpath("page.html").read_text(encoding="utf-8")
        before, _rows, after = template.partition("[[lines]]")
        parts = _policy(template) | _words() | headline(summary) | table.table(summary, layout)
        parts |= {"outcomes": outcomes(summary), "causes": causes(summary, masked=masked)}
        unsent = set(range(len(layout.columns))) - set(layout.mapping.values())

        def mask(line: Line) -> Line:
            return without_phone(line, layout.mapping.get(PHONE), unsent) if masked else line

        attempts: Counter[str] = Counter()
        draft.file.write(_encoded(_filled(before, parts)))
        for text in table.rows(batches, summary.outcomes, mask, attempts):
            draft.file.write(_encoded(text))
        parts |= {"facts": facts(summary, attempts), "pace": pace(attempts)}
        draft.file.write(_encoded(_filled(after, parts)))
        return []


def _encoded(text: str) -> bytes:
    return text.encode(errors="backslashreplace")  # in JSON, the escape of a lone surrogate


def _filled(template: str, parts: Mapping[str, str]) -> str:
    return re.sub(r"\[\[(\w+)\]\]", lambda found: safe(parts[found[1]]), template)


def _policy(template: str) -> dict[str, str]:
    """Return the digests of the only style and the only script that a browser may apply."""
    return {element: Markup(_digest(element, template)) for element in ("style", "script")}


def _digest(element: str, template: str) -> str:
    (text,) = re.findall(rf"<{element}>(.*?)</{element}>", template, re.DOTALL)
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _words() -> dict[str, str]:
    """Return the words of the template."""
    return {
        "language": language(),
        "skip": _("Skip to the rows"),
        "rows": _("The rows"),
        "noscript": _("The table needs JavaScript, which is switched off here; every row is in the CSV report."),
        "search": _("Search all cells"),
        "outcome": _("Outcome"),
        "all": _("Show all rows"),
        "uncause": _("Show the other rows too"),
        "none": _("No row matches."),
        "pages": _("Pages of the table"),
        "previous": _("Previous"),
        "next": _("Next"),
    }
