"""A plan as a workbook, written a row at a time, in three colours."""

from collections.abc import Iterable

from contact_sync.errors import ConfigError
from contact_sync.files.atomic import AtomicFile
from contact_sync.i18n import _
from contact_sync.model.fields import LAST_ROW, readable
from contact_sync.model.plan import Change, Kind, PlanSummary
from contact_sync.report.plan import COLUMNS, legend, lines
from contact_sync.report.xlsx.new import opened
from contact_sync.report.xlsx.sheets import BOLD, PLAIN, Style

_WIDTHS = (9, 14, 24, 14, 28, 28, 11, 50, 16)
FILLS = {Kind.OWN: "E8F5E4", Kind.FOREIGN: "E3EDF9", Kind.CONFLICT: "FBD5D3"}


def write(draft: AtomicFile, changes: Iterable[Change], plan: PlanSummary) -> None:
    """Write the changes, and a sheet that explains them. Raises OSError, ConfigError for too many."""
    with opened(draft.file) as book:
        sheet = book.add_sheet("Plan", _WIDTHS)
        sheet.freeze_panes(1, 2)
        sheet.repeat_rows(0)
        for column, name in enumerate(COLUMNS):
            book.put(sheet, 0, column, name, BOLD)
        row = 0
        for row, (change, cells) in enumerate(lines(changes, plan), 1):
            if row >= LAST_ROW:
                raise ConfigError("There are more changes than a sheet has rows: write a .csv file.")
            for column, cell in enumerate(cells):
                book.put(sheet, row, column, cell, Style(FILLS[change.kind]))
        sheet.autofilter(0, 0, row, len(COLUMNS) - 1)
        readme = book.add_sheet(_("Read me"), [18, 80])
        book.put(readme, 0, 0, plan.number or _("Plan"), BOLD)
        book.put(readme, 0, 1, readable(plan.of.source), PLAIN)
        for number, (kind, sentence) in enumerate(legend().items(), 1):
            book.put(readme, number, 0, f"{kind}", Style(FILLS[kind]))
            book.put(readme, number, 1, sentence, PLAIN)
