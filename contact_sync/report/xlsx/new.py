"""A new workbook of the report, written with XlsxWriter a row at a time, and as text, so that 007 and 1e5 stay what was read."""

import io
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import IO, Any
from xml.sax.saxutils import escape

from xlsxwriter import Workbook
from xlsxwriter.exceptions import FileCreateError
from xlsxwriter.utility import xl_rowcol_to_cell
from xlsxwriter.worksheet import Worksheet

from contact_sync.files.atomic import AtomicFile
from contact_sync.i18n import _
from contact_sync.model.fields import ID, TO_FIX, WIDEST, readable
from contact_sync.model.report import Line, Summary
from contact_sync.report.formats import ReportContext
from contact_sync.report.xlsx import sheets
from contact_sync.report.xlsx.sheets import BOLD, COLUMNS, FIXES_WIDTHS, PLAIN, RED, Cell, Style, cell_text, fill_of, is_quoted

_WIDTH = 18
_XLSX = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
_XLSM = b"application/vnd.ms-excel.sheet.macroEnabled.main+xml"


def write(draft: AtomicFile, context: ReportContext, lines: Iterator[Line], most: int | None = None) -> list[str]:
    """Write all lines of the source, or the first `most` of those that need attention; return notes about what is not shown."""
    content = io.BytesIO()
    with opened(content) as book:
        notes = _fill(book, context, lines, most)
    if draft.path.suffix.lower() == ".xlsm":
        content = _as_xlsm(content)
    draft.file.write(content.getbuffer())
    return notes


def _fill(book: "Book", context: ReportContext, lines: Iterator[Line], most: int | None) -> list[str]:
    layout, summary = context.layout, context.summary
    columns, mapping = layout.columns, layout.mapping
    # Where there are too many columns, those that are sent.
    shown = list(range(len(columns))) if len(columns) + len(COLUMNS) <= WIDEST else sorted(mapping.values())
    column_of = {position: column for column, position in enumerate(shown)}
    first = book.add_sheet(sheets.fixes_title(summary), FIXES_WIDTHS)
    if not columns:
        note = _("Nothing was sent. This workbook only says why: correct {name} itself.", name=readable(summary.source.name))
        _fill_fixes(book, first, [], sheets.fixes_notes(summary, note))
        return []
    sheet = book.add_sheet(sheets.SHEET, [_WIDTH] * len(shown) + list(sheets.WIDTHS))
    sheet.freeze_panes(1, 0)
    sheet.repeat_rows(0)
    sheet.set_column(0, len(shown) - 1, _WIDTH, book.format(PLAIN, text=True))  # for cells that are filled in later
    if (base := layout.base_position) in column_of:
        sheet.set_column(column_of[base], column_of[base], _WIDTH, None, {"hidden": True})
    for column, name in enumerate([*(columns[position] for position in shown), *COLUMNS]):
        book.put(sheet, 0, column, name, BOLD)
    found, comments = [], sheets.COMMENTS
    for row, line in enumerate(islice(lines, most), 1):
        wrong: dict[int, str] = {}  # column → its field
        if line.needs_attention:
            cells = sheets.wrong_cells(line, layout)
            wrong = {column_of[position]: field for position, field in cells.items() if position in column_of}
            cell = xl_rowcol_to_cell(row, next(iter(wrong), column_of[mapping[ID]]))
            found.append(sheets.fix_of(line, layout, sheets.place_of(sheets.SHEET, cell)))
        for column, position in enumerate(shown):
            book.put(sheet, row, column, line.cells[position], Style(RED) if column in wrong else PLAIN)
        for column, value in sheets.results_of(line, range(len(shown), len(shown) + len(COLUMNS))):
            book.put(sheet, row, column, value, Style(fill_of(line), wrapped=True))
        for column, field in islice(wrong.items(), comments):
            text = sheets.comment_text(sheets.comment_of(line, field))
            options = {"author": sheets.AUTHOR, "width": sheets.COMMENT_WIDTH, "height": sheets.comment_height(text)}
            sheet.write_comment(row, column, text, options)
        comments -= min(comments, len(wrong))
    note = _note(len(found), sum(1 for _line in lines), summary, is_whole=most is None)
    _fill_fixes(book, first, found, sheets.fixes_notes(summary, note))
    notes = [] if most is None else [note]
    if len(shown) < len(columns):
        notes.append(_("There are too many columns that are not sent for this workbook: see the CSV report."))
    return notes


def _fill_fixes(book: "Book", sheet: Any, found: list[list[Cell]], notes: list[str]) -> None:
    book.define_name(TO_FIX, sheets.place_of(sheet.name, "$A$1"))
    book.defined_names[-1][3] = True  # hidden, for which `define_name` has no option
    if found:
        header = len(notes)  # counted from 0
        sheet.freeze_panes(header + 1, 0)
        sheet.repeat_rows(header)
        sheet.autofilter(header, 0, header + len(found), len(FIXES_WIDTHS) - 1)
    for row, cells in enumerate(sheets.fixes_table(found, notes)):
        sheet.set_row(row, sheets.row_height(cells))
        if row < len(notes):
            sheet.merge_range(row, 0, row, len(FIXES_WIDTHS) - 1, "")
        for column, cell in enumerate(cells):
            if cell.place:
                sheet.write_url(row, column, f"internal:{cell.place}")
            book.put(sheet, row, column, cell.value, cell.style)


def _note(found: int, more: int, summary: Summary, *, is_whole: bool) -> str:
    counts = {"found": found, "more": more, "name": readable(summary.source.name)}
    if found and more:
        return _(
            "This workbook shows the first {found} rows that need attention; {more} more are in the CSV report. "
            "Correct {name} itself.",
            **counts,
        )
    if found and not is_whole:
        return _(
            "This workbook shows only the rows that need attention ({found}); the others are in the CSV report. "
            "Correct {name} itself.",
            **counts,
        )
    return sheets.fixes_note(found, summary, sheets.SHEET)


def _as_xlsm(content: io.BytesIO) -> io.BytesIO:
    """Return the workbook with the content type that Excel wants of a name that ends in .xlsm, macros or not."""
    result = io.BytesIO()
    with zipfile.ZipFile(content) as before, zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as after:
        for entry in before.infolist():
            part = before.read(entry)
            after.writestr(entry, part.replace(_XLSX, _XLSM) if entry.filename == "[Content_Types].xml" else part)
    return result


class _Sheet(Worksheet):  # type: ignore[misc] # XlsxWriter has no types
    """A sheet that writes text as it is: `cell_text` has escaped it, in a way that openpyxl can read."""

    @staticmethod
    def _escape_control_characters(data: str) -> str:
        if data.startswith("<r>") and data.endswith("</r>"):  # XlsxWriter would take it for markup
            return f'<r><t xml:space="preserve">{escape(data)}</t></r>'
        return data


class Book(Workbook):  # type: ignore[misc] # XlsxWriter has no types
    """A workbook that keeps its rows in `folder` until it is closed."""

    def __init__(self, content: IO[bytes], folder: str) -> None:
        look = {"font_name": sheets.FONT, "font_size": sheets.FONT_SIZE, "valign": "top"}
        super().__init__(content, {"constant_memory": True, "tmpdir": folder, "default_format_properties": look})
        self._formats: dict[tuple[Style, bool, bool], Any] = {}

    def add_sheet(self, title: str, widths: Sequence[int]) -> Any:
        """Return a new sheet, whose columns have these widths in characters, and fit on one page of A4 when it is printed."""
        sheet = self.add_worksheet(title, _Sheet)
        sheet.set_landscape()
        sheet.set_paper(sheets.A4)
        sheet.fit_to_pages(1, 0)
        for column, width in enumerate(widths):
            sheet.set_column(column, column, width)
        return sheet

    def put(self, sheet: Any, row: int, column: int, value: str | int | None, style: Style) -> None:
        """Write a number, or a text that is never run as a formula, not even once it was edited."""
        if not value:
            if style != PLAIN:
                sheet.write_blank(row, column, None, self.format(style))
        elif isinstance(value, str):
            sheet.write_string(row, column, cell_text(value), self.format(style, text=True, quoted=is_quoted(value)))
        else:
            sheet.write_number(row, column, value, self.format(style))

    def format(self, style: Style, *, text: bool = False, quoted: bool = False) -> Any:
        """Return the format for a style, made once."""
        key = (style, text, quoted)
        if key not in self._formats:
            properties: dict[str, Any] = {"bold": style.bold, "quote_prefix": quoted, "text_wrap": style.wrapped}
            properties |= {"align": "left"} if style.wrapped else {}
            properties |= {"num_format": "@"} if text else {}
            properties |= {"bg_color": f"#{style.fill}"} if style.fill else {}
            properties |= {"font_color": f"#{sheets.LINK}", "underline": 1} if style.link else {}
            self._formats[key] = self.add_format(properties)
        return self._formats[key]


@contextmanager
def opened(content: IO[bytes]) -> Iterator[Book]:
    """Open a new workbook, and write it into `content` at the end. Raises OSError when the temporary folder is full."""
    with tempfile.TemporaryDirectory() as folder:
        book = Book(content, folder)
        try:
            yield book
            book.close()
        except FileCreateError as error:
            # The traceback would keep the archive, which XlsxWriter leaves open.
            raise error.args[0].with_traceback(None) from None
        finally:
            for sheet in book.worksheets():
                sheet.row_data_fh.close()
