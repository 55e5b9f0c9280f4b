"""Rows of a pulled file against their base tokens: only the cells that were edited since the pull are judged and sent."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from contact_sync.errors import SourceError
from contact_sync.i18n import N_, _
from contact_sync.ledger.base_token import Base, BaseTokens, Fit
from contact_sync.model.fields import FIELDS, ID, NAMES, PHONE, ROW
from contact_sync.model.source import Chunk, Source
from contact_sync.model.violation import Violation
from contact_sync.rules.canonical import canonical_texts
from contact_sync.rules.cells import DATE, TEXTS, trim
from contact_sync.rules.columns import NOTHING_TO_SEND, Verdicts
from contact_sync.rules.conversions import is_shortened, originals

_NOTHING = (None,) * len(FIELDS)  # to send
_UNTOUCHED = Base(Fit.FITS)
_MEANT_EMPTY = {"vider", "clear", "vide", "(vide)", "(blank)", "null", "(null)", "n/a", "#n/a", "-", "--", "?"}  # in a name

_UNUSABLE = {
    Fit.MISSING: N_("empty, as in a row that was pasted in"),
    Fit.FOREIGN: N_("of another account"),
    Fit.UNKNOWN: N_("damaged, or made by another installation"),
    Fit.NEWER: N_("made by a newer version of contact-sync"),
}


class _Row(NamedTuple):
    """A row with its token; `texts` are its canonical values."""

    token: str
    undone: str  # the token of what an undo puts back, empty elsewhere
    contact_id: str
    cells: Sequence[str]
    texts: Sequence[str | None]


@dataclass
class Bases:
    """The base tokens of a pulled `source`; `blank` is the effect of a cell that was emptied."""

    tokens: BaseTokens
    source: Source
    blank: Literal["ask", "keep", "clear"]
    resend: bool  # True: also what was sent of a row since it was pulled
    successors: Callable[[Sequence[str]], Mapping[str, Sequence[str]]]  # token → those of what the API had after its row was sent
    fits: Counter[Fit] = field(default_factory=Counter)  # number of rows of each kind
    edits: Counter[str] = field(default_factory=Counter)  # field → number of rows in which it was edited
    partly_stale: int = 0  # rows of which an edited cell is sent, and another has a value from before what was sent since

    def apply(self, chunk: Chunk, verdicts: Verdicts) -> tuple[Verdicts, set[int], dict[int, list[str]]]:
        """Return `verdicts` on the edited fields alone, the positions of the rows that have none, and those of stale rows.

        A violation of a cell that was not edited is dropped: it is nobody's mistake of today. A row without a usable token, or
        with that of another contact, is wrong as a whole. A stale row has fields as they were pulled of which another value was
        sent since: nobody knows whether that was put back, or this is an older copy of the file.
        """
        place = self.source.base_position
        assert place is not None  # noqa: S101 - only a pulled file has bases
        tokens = [row[place].strip() if len(row) > place else "" for row in chunk.rows]
        successors = self.successors(tokens)
        payloads, violations = list(verdicts.payloads), dict(verdicts.violations)
        untouched: set[int] = set()
        stale: dict[int, list[str]] = {}
        edited_dates: set[int] = set()
        for at, (contact_id, cells) in enumerate(zip(verdicts.ids, chunk.rows, strict=True)):
            if at in chunk.skipped:
                continue
            found = [flaw for flaw in violations.pop(at, ()) if flaw.code != NOTHING_TO_SEND]
            if not contact_id or any(flaw.field in (ID, ROW) for flaw in found):
                violations[at] = found
                continue
            texts = canonical_texts(payloads[at], cells, self.source.mapping)
            token, _space, undone = tokens[at].partition(" ")
            row = _Row(token, undone, contact_id, cells, texts)
            sent = successors.get(tokens[at], ())
            base, overtaken = self._read(row, sent)
            self.fits[base.fit] += 1
            if base == _UNTOUCHED:  # like most rows
                payloads[at] = _NOTHING
                if overtaken:
                    stale[at] = overtaken
                else:
                    untouched.add(at)
                    if sent:  # what was sent is the base of the next edit of the report
                        cells[place] = sent[-1]
                continue
            self.partly_stale += bool(overtaken)
            is_undo = bool(undone) and self.tokens.read(undone, contact_id, texts) == _UNTOUCHED
            # What the API had before is put back as it was, whatever the rules say.
            values = texts if is_undo else payloads[at]
            payloads[at] = tuple([value if name in base.edited else None for name, value in zip(FIELDS, values, strict=True)])
            found = [] if is_undo and base.fit is Fit.FITS else self._judge(row, base, found, payloads[at])
            if found:
                violations[at] = found
            elif not any(value is not None for value in payloads[at]):
                untouched.add(at)
            if DATE in base.edited and all(flaw.field != DATE for flaw in found):
                edited_dates.add(at)
        ambiguous = [at for at in verdicts.ambiguous if at in edited_dates]
        return replace(verdicts, payloads=payloads, violations=violations, ambiguous=ambiguous), untouched, stale

    def _read(self, row: _Row, sent: Sequence[str]) -> tuple[Base, list[str]]:
        """Return the relation of a row to its token, and the fields that are stale: as they were before what was `sent` last.

        Without `resend`, fields that have a value that was sent before do not count as edited.
        """
        base = self.tokens.read(row.token, row.contact_id, row.texts)
        if base.fit is not Fit.FITS or not sent:
            return base, []
        *_earlier, since = differing = [self.tokens.read(token, row.contact_id, row.texts).edited for token in sent]
        new = base.edited.intersection(*differing)
        return base if self.resend else base._replace(edited=new), sorted(since - new)

    def _judge(self, row: _Row, base: Base, found: Sequence[Violation], payload: Sequence[str | None]) -> list[Violation]:
        """Return what is wrong with a row that is not as it was pulled."""
        if base.fit is Fit.MOVED:
            return [Violation("id-moved", ID)]
        if base.fit is not Fit.FITS:
            return [Violation("base-missing", detail={"state": _(_UNUSABLE[base.fit])})]
        self.edits.update(base.edited)
        converted = self._converted(row, base.edited)
        flaws = [flaw for flaw in found if flaw.field in base.edited] + self._emptied(row, base.edited, payload)
        return [flaw for flaw in flaws if flaw.field not in converted] + [Violation("cell-converted", name) for name in converted]

    def _emptied(self, row: _Row, edited: frozenset[str], payload: Sequence[str | None]) -> list[Violation]:
        """Return a violation for each cell that was emptied, unless the operator has said what that means."""
        if self.blank != "ask":
            return []
        emptied = [
            name
            for name, text, value in zip(FIELDS, row.texts, payload, strict=True)
            if (text == "" and value is None) or (name in NAMES and (text or "").lower() in _MEANT_EMPTY)
        ]
        return [
            Violation("cell-emptied", name, {"clear": "" if name == PHONE else _(", or write <clear> to empty it there, too")})
            for name in emptied
            if name in edited
        ]

    def _converted(self, row: _Row, edited: frozenset[str]) -> list[str]:
        """Return the edited fields whose cell has what a spreadsheet makes of the value that was pulled."""
        tokens = [row.token, row.undone] if row.undone else [row.token]
        shown = [(name, trim(row.cells[self.source.mapping[name]])) for name in FIELDS if name in edited]
        return [
            name
            for name, text in shown
            if (name in TEXTS and is_shortened(text))
            or any(self.tokens.held(token, row.contact_id, name, originals(text, name)) for token in tokens)
        ]

    def refuse_foreign(self) -> None:
        """Raise SourceError when every row was pulled from another account, or by another installation."""
        if self.fits and not self.fits.keys() - {Fit.FOREIGN, Fit.UNKNOWN}:
            raise SourceError(
                "{name} was pulled from another account, or by another installation of contact-sync, so nothing is sent: use "
                "the key and the --state-dir that it was pulled with, or pull again.",
                name=self.source.path.name,
            )
