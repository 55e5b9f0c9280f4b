"""Headers among the data rows, as where exports were joined one after the other."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from contact_sync.errors import SourceError
from contact_sync.model.fields import FIELDS, ID
from contact_sync.model.source import Chunk
from contact_sync.model.violation import Violation
from contact_sync.rules.cells import TEXTS
from contact_sync.source.aliases import match_fields, names_in, normalise_header
from contact_sync.source.kinds import kind_of

_LONG_WORD = 5  # letters; in the column of ids, a longer name of that column is no id
_has_digit = re.compile(r"\d").search
_find_without_digit = re.compile(r"\n[^\d\n]*(?=\n)").search


class HeaderSearch:
    """A search for further headers of a table whose first has these columns; `mapping` is that of the source."""

    def __init__(self, columns: Sequence[str], mapping: Mapping[str, int]) -> None:
        self._fields = {position: field for field, position in mapping.items()}
        self._id = mapping[ID]
        self._id_name = columns[self._id]
        # What the first header says goes before the aliases: `--map` may have given a name another meaning.
        names = enumerate(map(normalise_header, columns))
        self._own = {name: self._fields.get(position, "") for position, name in names if name}

    def find(self, rows: Sequence[Sequence[str]]) -> dict[int, bool]:
        """Return the position of each row that is a header → True when the fields are in the columns of the first header."""
        ids = [row[self._id] for row in rows]
        positions = {*names_in(ids), *self._without_id(rows, ids)}
        if self._id_name in ids:  # which `--map` may name
            positions.update(position for position, cell in enumerate(ids) if cell == self._id_name)
        named = {position: self._names(rows[position]) for position in sorted(positions)}
        return {at: {p: field for p, field in names.items() if field} == self._fields for at, names in named.items() if names}

    def flag(self, chunk: Chunk, name: str) -> None:
        """Add a flaw to each row that is a header; raises `SourceError` where the rows below it have their fields elsewhere."""
        for position, has_same_fields in self.find(chunk.rows).items():
            if not has_same_fields:
                raise SourceError(
                    "{name}: row {row} is a second header, whose columns are not those of the first, so the values below it "
                    "would go into wrong fields: split the file in two, or arrange the columns below it like those above.",
                    name=name,
                    row=chunk.numbers[position],
                )
            chunk.flaws.setdefault(position, []).append(Violation("header-again"))

    @staticmethod
    def _without_id(rows: Sequence[Sequence[str]], ids: Sequence[str]) -> list[int]:
        """Return the positions of the rows with two names of fields and no id, by which nearly every contact is told apart."""
        if not _find_without_digit("\n" + "\n".join(ids) + "\n"):
            return []
        positions = [position for position, cell in enumerate(ids) if not _has_digit(cell)]
        names = Counter(at for column in zip(*map(rows.__getitem__, positions), strict=False) for at in names_in(column))
        return [positions[at] for at, count in names.items() if count > 1]

    def _names(self, row: Sequence[str]) -> dict[int, str]:
        """Return the field of each cell that is the name of a column, empty for one that is not sent; none for a contact."""
        own = {at: self._own[name] for at, cell in enumerate(row) if (name := normalise_header(cell)) in self._own}
        named = match_fields(list(row), {}) | own
        fields = {*named.values()} & {ID, *FIELDS}
        # Names and custom fields may have any text; a contact with a name of a column in another field breaks the rule of that.
        if len(fields) > 1 and not (fields.isdisjoint(TEXTS) or _has_digit(row[self._id]) or any(map(_is_value, row))):
            return named if ID in fields else {self._id: ID} | named
        if ID not in fields:
            return {}
        if len(named) > 1 and all(position in named for position, cell in enumerate(row) if cell.strip()):
            return named
        is_long = len(normalise_header(row[self._id])) > _LONG_WORD
        return named if named.get(self._id) == ID and (is_long or len(fields) > 1) else {}


def _is_value(cell: str) -> bool:
    return "@" in cell or bool(kind_of(cell))
