"""The index of a folder of pages: one line a page, the newest first, and how the last run ended."""

import html
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import quote

from contact_sync.files.atomic import AtomicFile
from contact_sync.i18n import _
from contact_sync.report.html.markup import Markup, element, filled, joined, template_of
from contact_sync.report.html.sections import when

_BEGINNING = 1 << 16  # bytes of a page, which has its state and its title there
_FACTS = re.compile(r'<meta name="state" content="(\w+)">\s*<title>(.*?)</title>', re.DOTALL)


def write(draft: AtomicFile, run: str, pages: Iterable[Path], notices: Sequence[str]) -> None:
    """Write the index of these `pages`, and the `notices` of the last run, whose id is `run`. Raises OSError."""
    template, of_head = template_of("index")
    parts = of_head | {
        "title": _("Runs of contact-sync"),
        "last": joined([_("Last run:"), when(run)], " "),
        "notices": joined(element("li", notice, class_="stopped") for notice in notices),
        "pages": joined(map(_line, pages)),
    }
    draft.file.write(filled(template, parts).encode(errors="xmlcharrefreplace"))


def _line(page: Path) -> Markup:
    """Return the line of a page, with its state and its title."""
    with page.open("rb") as file:
        facts = _FACTS.search(file.read(_BEGINNING).decode(errors="replace"))
    state, title = (facts[1], html.unescape(facts[2])) if facts else ("", page.name)
    link = element("a", title, href=quote(os.fsencode(page.name)))
    return element("li", when(page.name), " ", link, class_=state)
