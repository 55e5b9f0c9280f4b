"""A plan as one HTML file, which needs no script: its table is written in one pass."""

from collections.abc import Iterable, Iterator

from contact_sync.files.atomic import AtomicFile
from contact_sync.i18n import _
from contact_sync.model.fields import readable
from contact_sync.model.plan import Change, PlanSummary
from contact_sync.model.row import Outcome
from contact_sync.model.violation import place_of
from contact_sync.report.html.markup import element, filled, joined, number, template_of
from contact_sync.report.plan import legend, lines


def write(draft: AtomicFile, changes: Iterable[Change], plan: PlanSummary) -> None:
    """Write the page. Raises OSError."""
    draft.file.writelines(text.encode(errors="xmlcharrefreplace") for text in _texts(changes, plan))


def _texts(changes: Iterable[Change], plan: PlanSummary) -> Iterator[str]:
    template, of_head = template_of("plan")
    before, _rows, after = template.partition("[[rows]]")
    heads = (_("Row"), "contactId", _("Name"), _("Field"), _("SMS Partner now"), _("Yours"), _("Change"), _("What happens"))
    counts = {
        _("Contacts to update"): plan.contacts,
        _("Conflicts"): plan.conflicts,
        _("Cells to be emptied"): plan.emptied,
        _("Invalid rows, not sent"): plan.of.outcomes.get(Outcome.INVALID, 0),
    }
    parts = of_head | {
        "title": _("Plan of {name}", name=readable(plan.of.source.name)),
        "name": readable(plan.of.source.name),
        "changes": _("Changes"),
        "number": plan.number,
        "counts": joined(element("div", element("dt", name), element("dd", number(count))) for name, count in counts.items()),
        "legend": joined(element("li", f"{kind}: {sentence}", class_=kind) for kind, sentence in legend().items()),
        "head": joined(element("th", name, scope="col", role="columnheader") for name in heads),
        "footer": _("Nothing was sent. Contains personal data: share it with care."),
    }
    yield filled(before, parts)
    for change, cells in lines(changes, plan):
        row, contact_id, name, field, *others = map(str, cells[:-1])
        others = [contact_id, name, place_of(field, plan.columns), *others]
        first = element("th", row, scope="row", role="rowheader", data_name=heads[0])
        yield element("tr", first, *(element("td", cell, role="cell") for cell in others), class_=change.kind, role="row") + "\n"
    yield filled(after, parts)
