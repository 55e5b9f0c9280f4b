"""OpenDocument spreadsheets: what the XML says beside its values."""

import io
import zipfile

import pytest

from contact_sync.errors import SourceError

from .reading import read
from .writing import HEAD, cell, number, ods, row, table, zipped

BLANK = "<table:table-cell/>"


def one(content: str) -> str:
    """Return the text of a sheet's only cell under custom1, which has no flaw."""
    reading = read(ods(table(row(*HEAD), row("1", "a", content))))
    assert not reading.flaws
    return reading.rows[0][2]


TEXTS = {
    "zeros": (number("123", "00123"), "00123"),
    "a French phone": (number("612345678", "06 12 34 56 78"), "612345678"),
    "a sum of money": (number("12.5", "12,50 €", "currency"), "12.5"),
    "percent": (number("0.25", "25 %", "percentage"), "25%"),
    "percent with decimals": (number("0.256", "25,60%", "percentage"), "25.60%"),
    "a rounded decimal": (number("12.5", "13"), "12.5"),
    "an integral float": (number("12345.0", "12345"), "12345"),
    "no text beside the value": ('<table:table-cell office:value-type="float" office:value="5"/>', "5"),
    "a negative number": (number("-5", "-5"), "-5"),
    "paragraphs": (cell("a</text:p><text:p>b"), "a\nb"),
    "white space": (cell(" a \n b<text:s text:c='2'/>c<text:tab/>d<text:line-break/>e"), "a b  c\td\ne"),
    "runs and links": (cell("<text:span>L<text:a>é</text:a></text:span>a"), "Léa"),
    "a list": (
        cell("").replace("<text:p></text:p>", "<text:list><text:list-item><text:p>x</text:p></text:list-item></text:list>"),
        "x",
    ),
    "a comment": (cell("a", inside="<office:annotation><text:p>b</text:p></office:annotation>"), "a"),
    "a comment inside": (cell("a<office:annotation><text:p>b</text:p></office:annotation>c"), "ac"),
    "notes and readings aside": (cell("a<text:note>b</text:note><text:ruby-text>c</text:ruby-text>d"), "ad"),
    "a text like an error, left to the rules": (cell("#N/A"), "#N/A"),
    "a drawing": (cell("a", inside="<drawing:frame><text:p>b</text:p></drawing:frame>"), "a"),
    "a value beside the text": (cell("x").replace("office:", 'office:string-value="y" office:', 1), "y"),
    "no kind": ("<table:table-cell><text:p>a</text:p></table:table-cell>", "a"),
    "a formula that shows nothing": ('<table:table-cell table:formula="of:=A1"><text:p/></table:table-cell>', ""),
    "no error": (cell("#VIP"), "#VIP"),
    "escaped as in .xlsx": (cell("_x0041_"), "_x0041_"),
    "a day": (number("", "12/06/20", "date").replace("office:value=", 'office:date-value="2020-06-12" office:v='), "2020-06-12"),
}


@pytest.mark.parametrize(("content", "expected"), TEXTS.values(), ids=TEXTS)
def test_text(content: str, expected: str) -> None:
    """A cell's text is what a person sees, and no text of anything beside it."""
    assert one(content) == expected


FLAWS = {
    "an error": (cell("#N/A").replace("office:", 'calcext:value-type="error" office:', 1), "cell-error"),
    "an error that shows nothing": (cell("").replace("office:", 'calcext:value-type="error" office:', 1), "cell-error"),
    "an error of old programs": (number("0", "#DIV/0!"), "cell-error"),
    "an error with a number": (cell("Err:502", formula="of:=X"), "cell-error"),
    "a formula without a value": ('<table:table-cell table:formula="of:=A1"/>', "cell-formula"),
    "true": (number("", "VRAI", "boolean").replace("office:value=", 'office:boolean-value="true" office:v='), "cell-kind"),
    "true as a number": (number("1", "VRAI"), "cell-kind"),
    "a time": (number("", "x", "time").replace("office:value=", 'office:time-value="PT12H30M00.5S" office:v='), "cell-kind"),
    "a time as on a clock": (
        number("", "x", "time").replace("office:value=", 'office:time-value="09:55:33" office:v='),
        "cell-kind",
    ),
    "a number that is none": (number("NaN", "x"), "cell-kind"),
    "a negative time": (number("", "x", "time").replace("office:value=", 'office:time-value="-PT1H" office:v='), "cell-kind"),
    "a long number": (number("9007199254740993", "9,00719925474099E+15"), "cell-kind"),
}


@pytest.mark.parametrize(("content", "code"), FLAWS.values(), ids=FLAWS)
def test_flaws(content: str, code: str) -> None:
    """A value that stands for no text is flagged."""
    assert read(ods(table(row(*HEAD), row("1", "a", content)))).flaws == {2: [(code, "custom1")]}


HIDING = {
    "collapsed": row("2", "b", visibility="collapse"),
    "filtered": row("2", "b", visibility="filter"),
    "of no height": row("2", "b", style_name="ro0"),
    "grouped": f'<table:table-row-group table:display="false">{row("2", "b")}</table:table-row-group>',
}
STYLES = (
    '<style:style style:name="ro0"><style:table-row-properties style:row-height="0cm"/></style:style>'
    '<style:style style:name="ro1"><style:table-row-properties style:row-height="0.5cm"/></style:style>'
    '<style:style style:name="co0"><style:table-column-properties style:column-width="0in"/></style:style>'
    '<style:style style:name="ta0"><style:table-properties table:display="false"/></style:style>'
)


@pytest.mark.parametrize("hidden", HIDING.values(), ids=HIDING)
def test_hidden_rows(hidden: str) -> None:
    """Rows that are not shown are hidden, in whichever of four ways, and those around them are not."""
    rows = row("1", "a", style_name="ro1"), hidden, f"<table:table-row-group>{row('3', 'c')}</table:table-row-group>"
    reading = read(ods(table(row(*HEAD), *rows), styles=STYLES), hidden="skip")
    assert (reading.numbers, reading.skipped) == ([2, 3, 4], [3])


def test_hidden_rows_that_are_repeated() -> None:
    """Rows that are alike are hidden together, and blank ones among them do not count."""
    rows = (
        row("1", "a"),
        row("2", "b", number_rows_repeated=2, visibility="collapse"),
        row(BLANK, visibility="collapse"),
        row("3", "c"),
    )
    reading = read(ods(table(row(*HEAD), *rows)), hidden="skip")
    assert (reading.numbers, reading.skipped) == ([2, 3, 4, 6], [3, 4])
    with pytest.raises(SourceError, match="hidden or filtered-out rows, 2 in all"):
        read(ods(table(row(*HEAD), *rows)))


@pytest.mark.parametrize("hiding", ['table:visibility="collapse"', 'table:style-name="co0"'])
def test_hidden_columns(hiding: str) -> None:
    """A hidden column of a field refuses the workbook; hidden columns to the far right are no work."""
    columns = f'<table:table-column/><table:table-column {hiding}/><table:table-column table:number-columns-repeated="99"/>'
    far = f'<table:table-column table:number-columns-repeated="16000" {hiding}/>'
    content = ods(table(row(*HEAD), row("1", "a", "b"), columns=columns + far), styles=STYLES)
    with pytest.raises(SourceError, match="the columns of firstname are hidden"):
        read(content)
    assert read(content, hidden="skip").source.mapping == {"contactId": 0, "custom1": 2}


def test_sheets_that_are_not_shown() -> None:
    """A sheet whose style hides it is not chosen."""
    shown = table(row(*HEAD), row("1", "a"))
    reading = read(ods(table(row(*HEAD), row("2", "b"), name="Ancienne", style="ta0"), shown, styles=STYLES))
    assert reading.rows == [["1", "a", ""]]


def test_merged_cells() -> None:
    """Merged cells are flagged in each row and field they cover, whatever lies under them."""
    under = cell("c").replace("table-cell", "covered-table-cell")
    rows = row("1", cell("a", number_columns_spanned=2, number_rows_spanned=2), under), row("2", under, under), row("3", "d", "e")
    reading = read(ods(table(row(*HEAD), *rows)))
    both = [("cell-merged", "firstname"), ("cell-merged", "custom1")]
    assert reading.flaws == {2: both, 3: both}
    below = ods(table(row(*HEAD), row("1", cell("a", number_rows_spanned=2)), row("2")))
    assert read(below).flaws == {2: both[:1], 3: both[:1]}
    merged = table(row("contactId", cell("Prénom", number_columns_spanned=2)), row("1", "a"))
    with pytest.raises(SourceError, match="the header of firstname is merged with other cells"):
        read(ods(merged))


def test_repeated_cells() -> None:
    """A cell that stands for several is in each of them."""
    assert read(ods(table(row(*HEAD), row("1", cell("a", number_columns_repeated=2))))).rows == [["1", "a", "a"]]


def test_rows_of_something_else() -> None:
    """Rows that were deleted while changes were tracked are none of the sheet's."""
    tracked = f"<table:tracked-changes><table:deletion>{row('9', 'x')}</table:deletion></table:tracked-changes>"
    assert read(ods(tracked, table(row(*HEAD), row("1", "a")))).numbers == [2]


def test_header_rows() -> None:
    """Rows that are repeated on every page in print are rows."""
    wrapped = f"<table:table-header-rows>{row(*HEAD)}</table:table-header-rows>"
    assert read(ods(table(wrapped, f"<table:table-rows>{row('1', 'a')}</table:table-rows>"))).numbered == [(2, ["1", "a", ""])]


BROKEN = {
    "a kind that is none": cell("x", "colour"),
    "no value": cell("x", "float"),
    "a value that is none": number("x", "x"),
    "a time that is none": number("", "x", "time").replace("office:value=", 'office:time-value="soon" office:v='),
    "a count that is none": cell("x", number_columns_repeated="many"),
    "no XML": "<table:table-cell>",
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_damage(content: str) -> None:
    """What is not understood is refused, never left out."""
    with pytest.raises(SourceError, match=r"is damaged, or still being copied: open it, and save it as .xlsx"):
        read(ods(table(row(*HEAD), row("1", "a", content))))


def test_a_column_with_nothing_but_a_title() -> None:
    """A column without a name that holds text only above the header is none."""
    reading = read(ods(table(row("", "", "", "", "Contacts du CRM"), row(*HEAD), row("1", "a"))))
    assert reading.source.columns == HEAD


@pytest.mark.parametrize("name", ["Basic/Standard/Module1.xml", "META-INF/manifest.xml"])
def test_a_document_type_beside_the_contents(name: str) -> None:
    """Macros of any age, and the manifest of an old OpenOffice, declare a document type; the contents must not."""
    content = ods(table(row(*HEAD), row("1", "a", "b")))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {one: archive.read(one) for one in archive.namelist()}
    assert read(zipped(parts | {name: b'<!DOCTYPE script:module SYSTEM "module.dtd"><x/>'})).rows == [["1", "a", "b"]]
    with pytest.raises(SourceError, match="declaration, which no workbook needs"):
        read(zipped(parts | {"content.xml": b"<!DOCTYPE x>" + parts["content.xml"]}))
