"""A pulled file as a workbook, written a row at a time: every cell is text, also those that are filled in later."""

from collections.abc import Iterable, Sequence

from contact_sync.errors import ConfigError
from contact_sync.files.atomic import AtomicFile
from contact_sync.i18n import _
from contact_sync.model.fields import BASE_COLUMN, LAST_ROW, VERBATIM
from contact_sync.report.pulled import COLUMNS as CSV_COLUMNS
from contact_sync.report.pulled import EDITABLE
from contact_sync.report.xlsx.new import opened
from contact_sync.report.xlsx.sheets import BOLD, PLAIN, Style, cell_text, is_quoted

COLUMNS = (*CSV_COLUMNS[:-1], VERBATIM, BASE_COLUMN)
_WIDTH, _HIDDEN = 18, 2
_GREY = Style("EEEEEE")


def write(draft: AtomicFile, rows: Iterable[Sequence[str]], advice: Sequence[str] = ()) -> None:
    """Write the contacts, and a sheet with advice, by default on what may be edited.

    Raises OSError, and ConfigError for too many rows.
    """
    with opened(draft.file) as book:
        sheet = book.add_sheet("Contacts", [_WIDTH] * len(COLUMNS))
        text, grey = (book.format(style, text=True) for style in (PLAIN, _GREY))
        quoted = book.format(PLAIN, text=True, quoted=True)
        hidden = len(COLUMNS) - _HIDDEN
        sheet.set_column(0, EDITABLE - 1, _WIDTH, text)
        sheet.set_column(EDITABLE, hidden - 1, _WIDTH, grey)
        sheet.set_column(hidden, len(COLUMNS) - 1, _WIDTH, grey, {"hidden": True})
        sheet.freeze_panes(1, 1)
        sheet.repeat_rows(0)
        for column, name in enumerate(COLUMNS):
            book.put(sheet, 0, column, name, BOLD)
        row = 0
        for row, cells in enumerate(rows, 1):
            if row >= LAST_ROW:
                raise ConfigError(
                    "There are more contacts than a sheet has rows: write a .csv file, or choose groups with --group."
                )
            for column, cell in enumerate([*cells[:-1], "", cells[-1]]):
                if cell:
                    style = grey if column >= EDITABLE else quoted if is_quoted(cell) else text
                    sheet.write_string(row, column, cell_text(cell), style)
        sheet.autofilter(0, 0, row, len(COLUMNS) - 1)
        readme = book.add_sheet(_("Read me"), [100])
        for number, sentence in enumerate(advice or _readme()):
            book.put(readme, number, 0, sentence, Style(wrapped=True))


def _readme() -> list[str]:
    return [
        _("Edit the cells of the white columns, save, and run the file: only the edited cells are sent."),
        _("Never change a contactId. Rows may be deleted; new ones are not sent."),
        _("Sort the whole table, never one column of it: a row whose contactId has moved is not sent."),
        _("To empty a field, write <clear> in its cell: an emptied cell is only reported."),
        _("The grey columns are for reading, and are not sent. Hidden ones show which cells were edited: leave them there."),
    ]
