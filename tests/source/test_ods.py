"""OpenDocument spreadsheets: shown texts, hidden rows, merged and repeated cells."""

import pytest

from contact_sync.errors import SourceError

from .reading import read, unzip, zip_parts
from .writing import HEAD, cell, number, ods, row, table

BLANK = "<table:table-cell/>"


def text_of_cell(content: str) -> str:
    """Return the text of a sheet's only cell under custom1, which has no flaw."""
    reading = read(ods(table(row(*HEAD), row("1", "a", content))))
    assert not reading.flaws
    return reading.rows[0][2]


TEXTS = {
    "leading zeros": (number("123", "00123"), "00123"),
    "a French phone": (number("612345678", "06 12 34 56 78"), "06 12 34 56 78"),
    "a sum of money": (number("12.5", "12,50 €", "currency"), "12,50 €"),
    "percent": (number("0.25", "25\u202f%", "percentage"), "25 %"),
    "percent with decimals": (number("0.256", "25,60%", "percentage"), "25,60%"),
    "a rounded decimal": (number("12.5", "13"), "13"),
    "an integral float": (number("12345.0", "12345"), "12345"),
    "a value without a text": ('<table:table-cell office:value-type="float" office:value="5"/>', "5"),
    "a decimal in General": (number("12.5", "12,5"), "12.5"),
    "a percentage that is not one": (number("12.5", "12,50 %"), "12,50 %"),
    "text before a number": (number("42", "C000042"), "C000042"),
    "a zero that shows nothing": (number("0", ""), ""),
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
    "notes and phonetic readings": (cell("a<text:note>b</text:note><text:ruby-text>c</text:ruby-text>d"), "ad"),
    "a text that looks like an error": (cell("#N/A"), "#N/A"),
    "a drawing": (cell("a", inside="<drawing:frame><text:p>b</text:p></drawing:frame>"), "a"),
    "a value that differs from the text": (cell("x").replace("office:", 'office:string-value="y" office:', 1), "y"),
    "a cell without a type": ("<table:table-cell><text:p>a</text:p></table:table-cell>", "a"),
    "a formula with an empty text": ('<table:table-cell table:formula="of:=A1"><text:p/></table:table-cell>', ""),
    "a text with a number sign": (cell("#VIP"), "#VIP"),
    "escaped as in .xlsx": (cell("_x0041_"), "_x0041_"),
    "a date": (number("", "12/06/20", "date").replace("office:value=", 'office:date-value="2020-06-12" office:v='), "12/06/20"),
}


@pytest.mark.parametrize(("content", "expected"), TEXTS.values(), ids=TEXTS)
def test_cell_is_rendered_as_shown(content: str, expected: str) -> None:
    """The text of a cell is what the spreadsheet shows, without comments, notes and drawings."""
    assert text_of_cell(content) == expected


FLAWS = {
    "an error": (cell("#N/A").replace("office:", 'calcext:value-type="error" office:', 1), "cell-error"),
    "an error without a text": (cell("").replace("office:", 'calcext:value-type="error" office:', 1), "cell-error"),
    "an error of old programs": (number("0", "#DIV/0!"), "cell-error"),
    "an error with a number": (cell("Err:502", formula="of:=X"), "cell-error"),
    "a formula without a value": ('<table:table-cell table:formula="of:=A1"/>', "cell-formula"),
    "TRUE": (number("", "VRAI", "boolean").replace("office:value=", 'office:boolean-value="TRUE" office:v='), "cell-kind"),
    "TRUE as a number": (number("1", "VRAI"), "cell-kind"),
    "a time": (number("", "x", "time").replace("office:value=", 'office:time-value="PT12H30M00.5S" office:v='), "cell-kind"),
    "a time as hours, minutes and seconds": (
        number("", "x", "time").replace("office:value=", 'office:time-value="09:55:33" office:v='),
        "cell-kind",
    ),
    "NaN": (number("NaN", "x"), "cell-kind"),
    "a negative time": (number("", "x", "time").replace("office:value=", 'office:time-value="-PT1H" office:v='), "cell-kind"),
    "a number that shows nothing": (number("0.125", ""), "cell-format"),
    "a percentage without a text": ('<table:table-cell office:value-type="percentage" office:value="0.125"/>', "cell-format"),
    "a long number": (number("9007199254740993", "9,00719925474099E+15"), "cell-kind"),
}


@pytest.mark.parametrize(("content", "code"), FLAWS.values(), ids=FLAWS)
def test_unsuitable_value_is_flagged(content: str, code: str) -> None:
    """A value that cannot be sent as text is flagged."""
    assert read(ods(table(row(*HEAD), row("1", "a", content)))).flaws == {2: [(code, "custom1")]}


def test_zero_of_a_formula_is_flagged() -> None:
    """The 0 of a formula is no name; as a custom field it is a number, and a 0 that shows nothing is a blank."""
    zero = number("0", "0", formula="of:=D9")
    reading = read(ods(table(row(*HEAD), row("1", zero, zero), row(zero, zero, zero))))
    assert reading.rows == [["1", "0 <?>", "0"]]
    assert reading.flaws == {2: [("cell-kind", "firstname")]}
    assert not read(ods(table(row(*HEAD), row("1", number("0", "", formula="of:=D9"), "a")))).flaws


HIDING = {
    "collapsed": row("2", "b", visibility="collapse"),
    "filtered": row("2", "b", visibility="filter"),
    "of height 0": row("2", "b", style_name="ro0"),
    "of nearly no height": row("2", "b", style_name="ro2"),
    "grouped": f'<table:table-row-group table:display="false">{row("2", "b")}</table:table-row-group>',
}
STYLES = (
    '<style:style style:name="ro0"><style:table-row-properties style:row-height="0cm"/></style:style>'
    '<style:style style:name="ro1"><style:table-row-properties style:row-height="0.5cm"/></style:style>'
    '<style:style style:name="ro2"><style:table-row-properties style:row-height="0.25pt"/></style:style>'
    '<style:style style:name="co1"><style:table-column-properties style:column-width="0.02in"/></style:style>'
    '<style:style style:name="co0"><style:table-column-properties style:column-width="0in"/></style:style>'
    '<style:style style:name="ta0"><style:table-properties table:display="false"/></style:style>'
)


@pytest.mark.parametrize("hidden", HIDING.values(), ids=HIDING)
def test_hidden_rows(hidden: str) -> None:
    """A row is hidden in any of these ways; the rows around it are not."""
    rows = row("1", "a", style_name="ro1"), hidden, f"<table:table-row-group>{row('3', 'c')}</table:table-row-group>"
    reading = read(ods(table(row(*HEAD), *rows), styles=STYLES), hidden="skip")
    assert (reading.numbers, reading.skipped) == ([2, 3, 4], [3])


def test_repeated_hidden_rows() -> None:
    """Repeated rows are hidden together, and blank ones among them do not count."""
    rows = (
        row("1", "a"),
        row("2", "b", number_rows_repeated=2, visibility="collapse"),
        row(BLANK, visibility="collapse"),
        row("3", "c"),
    )
    reading = read(ods(table(row(*HEAD), *rows)), hidden="skip")
    assert (reading.numbers, reading.skipped) == ([2, 3, 4, 6], [3, 4])
    assert read(ods(table(row(*HEAD), *rows))).source.hidden == [3, 4]


@pytest.mark.parametrize("hiding", ['table:visibility="collapse"', 'table:style-name="co0"', 'table:style-name="co1"'])
def test_hidden_columns(hiding: str) -> None:
    """A hidden column of a field refuses the workbook; a range up to the last column is cheap."""
    columns = f'<table:table-column/><table:table-column {hiding}/><table:table-column table:number-columns-repeated="99"/>'
    far = f'<table:table-column table:number-columns-repeated="16000" {hiding}/>'
    content = ods(table(row(*HEAD), row("1", "a", "b"), columns=columns + far), styles=STYLES)
    with pytest.raises(SourceError, match="the columns of “Prénom” are hidden"):
        read(content)
    assert read(content, hidden="skip").source.mapping == {"contactId": 0, "custom1": 2}


def test_hidden_sheet_is_not_chosen() -> None:
    """A sheet that is hidden by its style is not chosen."""
    shown = table(row(*HEAD), row("1", "a"))
    reading = read(ods(table(row(*HEAD), row("2", "b"), name="Ancienne", style="ta0"), shown, styles=STYLES))
    assert reading.rows == [["1", "a", ""]]


def test_merged_cells_are_flagged() -> None:
    """Merged cells are flagged in each row and field that they cover, whether covered cells have content or not."""
    under = cell("c").replace("table-cell", "covered-table-cell")
    rows = row("1", cell("a", number_columns_spanned=2, number_rows_spanned=2), under), row("2", under, under), row("3", "d", "e")
    reading = read(ods(table(row(*HEAD), *rows)))
    both = [("cell-merged", "firstname"), ("cell-merged", "custom1")]
    assert reading.flaws == {2: both, 3: both}
    below = ods(table(row(*HEAD), row("1", cell("a", number_rows_spanned=2)), row("2")))
    assert read(below).flaws == {2: both[:1], 3: both[:1]}
    merged = table(row("contactId", cell("Prénom", number_columns_spanned=2)), row("1", "a"))
    with pytest.raises(SourceError, match="the header of “Prénom” is merged with other cells"):
        read(ods(merged))


def test_repeated_cells() -> None:
    """A repeated cell is read in each of its columns."""
    assert read(ods(table(row(*HEAD), row("1", cell("a", number_columns_repeated=2))))).rows == [["1", "a", "a"]]


def test_tracked_deletions_are_not_rows() -> None:
    """Rows that were deleted while changes were tracked are not rows of the sheet."""
    tracked = f"<table:tracked-changes><table:deletion>{row('9', 'x')}</table:deletion></table:tracked-changes>"
    assert read(ods(tracked, table(row(*HEAD), row("1", "a")))).numbers == [2]


def test_print_header_rows_are_rows() -> None:
    """Rows that are repeated on every printed page are rows."""
    wrapped = f"<table:table-header-rows>{row(*HEAD)}</table:table-header-rows>"
    assert read(ods(table(wrapped, f"<table:table-rows>{row('1', 'a')}</table:table-rows>"))).numbered == [(2, ["1", "a", ""])]


BROKEN = {"an invalid count": cell("x", number_columns_repeated="many"), "broken XML": "<table:table-cell>"}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_invalid_content_is_refused(content: str) -> None:
    """Invalid content is refused, never left out."""
    with pytest.raises(SourceError, match=r"is damaged, or still being copied: open it, and save it as .xlsx"):
        read(ods(table(row(*HEAD), row("1", "a", content))))


def test_unnamed_column_with_only_a_title_is_dropped() -> None:
    """A column without a name that has text only above the header is dropped."""
    reading = read(ods(table(row("", "", "", "", "Contacts du CRM"), row(*HEAD), row("1", "a"))))
    assert reading.source.columns == HEAD


@pytest.mark.parametrize("name", ["Basic/Standard/Module1.xml", "META-INF/manifest.xml"])
def test_document_type_is_allowed_in_other_parts(name: str) -> None:
    """Macros and the manifest of an old OpenOffice may declare a document type; the content must not."""
    content = ods(table(row(*HEAD), row("1", "a", "b")))
    parts = unzip(content)
    assert read(zip_parts(parts | {name: b'<!DOCTYPE script:module SYSTEM "module.dtd"><x/>'})).rows == [["1", "a", "b"]]
    with pytest.raises(SourceError, match="declaration, which no workbook needs"):
        read(zip_parts(parts | {"content.xml": b"<!DOCTYPE x>" + parts["content.xml"]}))
