"""A folder of pages: one a run of a file, and an index."""

import html
import json
import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from contact_sync.sandbox.server import Sandbox

from .program import Main, write


def lines_of(name: str = "pages/index.html") -> list[tuple[str, str]]:
    """Return the state and the title of each page in the index, and check its link."""
    text = Path(name).read_text(encoding="utf-8")
    found = re.findall(r'<li class="(\w+)"><time.*?</time> <a href="(.*?)">(.*?)</a>', text)
    assert all((Path(name).parent / unquote(link)).is_file() for _, link, _ in found)
    return [(state, html.unescape(title)) for state, _, title in found]


def test_inbox_leaves_a_page_a_file(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """Each file of an inbox leaves a page, also one that was refused, and the index lists those of all nights."""
    _, options = served
    Path("in").mkdir()
    write("C000001;Zoé", name="in/a.csv")
    write("x;y", name="in/b.csv", header="one;two")
    given = ["run", "in", *options, "--rate", "0", "--page", "pages"]
    assert main(*given, "--json") == 4
    first, second = map(json.loads, main.read().out.splitlines())
    assert re.fullmatch(r"pages/\d{8}T\d{6}Z-a\.csv\.results\.html", first["page"])
    assert Path(second["page"]).is_file()
    assert lines_of() == [("stopped", "b.csv: Nothing was sent."), ("fine", "a.csv: The one contact is in place.")]
    write("C000001;Zoé", ";Max", name="in/a.csv")
    assert main(*given, "--report-mode", "640") == 3
    assert [state for state, _ in lines_of()].count("needed") == 1
    assert len(lines_of()) == 3
    assert Path("pages/index.html").stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in Path("in").iterdir()) == ["done", "failed"]


def test_index_of_a_night_without_a_file(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """The index says that no file has arrived."""
    _, options = served
    Path("in").mkdir()
    assert main("run", "in", *options, "--page", "pages") == 0
    assert "No file has arrived in in." in Path("pages/index.html").read_text(encoding="utf-8")
    assert main("run", "in", *options, "--page", "pages", "--expect-by", "00:00") == 4
    assert "expected by 00:00" in Path("pages/index.html").read_text(encoding="utf-8")


def test_rehearsal_has_its_own_index(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """A rehearsal and a check list their own pages, and leave the index of the real runs alone."""
    _, options = served
    Path("in").mkdir()
    write("C000001;Zoé", name="in/a.csv")
    write("C000001;Zoé", name="b.csv")
    for more in (["--sandbox"], ["-n", *options]):
        assert main("run", "in", "b.csv", *more, "--rate", "0", "--page", "pages") == 0
    assert not Path("pages/index.html").exists()
    assert [title for _, title in lines_of("pages/index.rehearsal.html")] == [
        "[rehearsal] b.csv: The one contact would be in place.",
        "[rehearsal] a.csv: The one contact would be in place.",
    ]
    assert len(lines_of("pages/index.check.html")) == 2


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        ("p.html", "--page names a folder here"),
        ("b.csv", "--page would overwrite b.csv, which is not a report"),
        ("in", "--page must not be the inbox or a folder in it"),
        ("in/done", "--page must not be the inbox or a folder in it"),
    ],
)
def test_unfit_folder(main: Main, page: str, sentence: str) -> None:
    """A page that cannot be a folder of pages is refused before anything is run."""
    Path("in").mkdir()
    write("C000001;Zoé", name="in/a.csv")
    before = write("C000001;Zoé", name="b.csv").read_bytes()
    assert main("run", "in", "--sandbox", "--page", page) == 2
    assert sentence in main.read().err
    assert Path("b.csv").read_bytes() == before
    assert [path.name for path in Path("in").iterdir()] == ["a.csv"]


def test_title_is_text(main: Main) -> None:
    """The name of a file is no markup in the index."""
    Path("in").mkdir()
    write("C000001;Zoé", name="in/<b>&amp;.csv")
    assert main("run", "in", "--sandbox", "--rate", "0", "--page", "pages") == 0
    assert lines_of("pages/index.rehearsal.html")[0][1].startswith("[rehearsal] <b>&amp;.csv: ")
    assert "<b>" not in Path("pages/index.rehearsal.html").read_text(encoding="utf-8")


def test_no_page(main: Main) -> None:
    """Without a page, or with none, there is no folder of pages."""
    Path("in").mkdir()
    write("C000001;Zoé", name="in/a.csv")
    assert main("run", "in", "--sandbox", "--rate", "0", "--page", "none") == 0
    assert sorted(path.name for path in Path().iterdir()) == ["in"]
