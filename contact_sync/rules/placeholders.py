"""Words that programs write in place of a value: of a cell that is still loading, and of one that is empty."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from contact_sync.i18n import _
from contact_sync.model.fields import NAMES
from contact_sync.model.violation import Column

_LOADING_WORDS = (
    # Google Sheets in its languages, each in the form of the cell and of its menus
    *("loading", "loading data", "calculating", "getting data", "chargement", "chargement en cours", "calcul en cours"),
    *("en cours de chargement", "données en cours de chargement"),
    *("wird geladen", "lädt", "laden", "cargando", "cargando datos", "caricamento", "caricamento in corso", "carregando"),
    *("a carregar", "s'està carregant", "wczytywanie", "ładowanie", "trwa ładowanie", "načítání", "načítá se", "načítava sa"),
    *("nalaganje", "učitavanje", "betöltés", "se încarcă", "yükleniyor", "läser in", "laddar", "indlæser", "laster inn"),
    *("laster", "ladataan", "hleður", "laadimine", "notiek ielāde", "įkeliama", "đang tải", "memuat", "memuatkan", "naglo-load"),
    *("загрузка", "завантаження", "зареждане", "учитавање", "φόρτωση", "טוען", "جار التحميل", "جارٍ التحميل", "در حال بارگیری"),
    *(
        "로드 중",
        "로드하는 중",
        "लोड हो रहा है",
        "กำลังโหลด",
        "読み込み中",
        "読み込んでいます",
        "正在加载",
        "正在載入",
        "載入中",
        "加载中",
    ),
)
LOADING = rf"(?i:(?P<error>{'|'.join(map(re.escape, _LOADING_WORDS))})\s?(?:\.{{2,3}}|…))"
"""The dots tell it from a name: “Laden” is one."""

NO_VALUE = frozenset(
    (
        *("null", "(null)", "<null>", "[null]", "nul", "nan", "nat", "<na>", "na", "n/a", "#n/a", "\\n", "nil", "none", "<none>"),
        *("(none)", "<nil>", "undefined", "[object object]", "system.object", "system.dbnull", "dbnull", "(blank)", "(vide)"),
    )
)
"""The words for no value of databases and programming languages, in lower case. In one row each may be a name."""
_FILLERS = frozenset(
    (
        *("-", "--", "---", "----", "–", "—", ".", "..", "...", "…", "?", "??", "???", "????", "#", "*", "**", "***", "/", "//"),  # noqa: RUF001
        *("_", "__", "___", "xxx", "xxxx", "xxxxx", "nc", "n.c", "n.c.", "n/c", "nd", "n/d", "nr", "n/r", "tbd"),
        *("inconnu", "inconnue", "inconnu(e)", "unknown", "vide", "empty", "néant", "neant", "non renseigné", "non renseigne"),
        *("non communiqué", "non communique", "à compléter", "a completer", "à renseigner", "a renseigner"),
    )
)
"""Words that people write in place of a name, in lower case. In a custom field they may be meant: `-` for no."""
_WORDS = NO_VALUE | _FILLERS
SPELLINGS = frozenset(spelt for word in _WORDS for spelt in (word, word.upper(), word.capitalize(), word.title())) | {
    *("NaN", "NaT", "[object Object]", "System.DBNull", "DBNull")
}
"""The words as programs and people spell them, for a quick test; neither is a contactId."""
_MIN_COUNT = 3  # one or two cells may be people of that name
_MIN_SHARE, _MOST = 0.1, 0.5
_SHOWN = 3


class NoValueWords:
    """A count of the cells of each column that contain a word for no value."""

    def __init__(self) -> None:
        self._words: defaultdict[str, Counter[str]] = defaultdict(Counter)  # field → word → cells

    def observe(self, field: str, values: Sequence[str | None], wrong: Iterable[str]) -> None:
        """Count a chunk of a column: the values that it sends, and the cells that have none because they are `wrong`."""
        # The test needs the hashes of the values, which are kept and needed anyway to compare rows.
        is_plain = field not in self._words and SPELLINGS.isdisjoint(values)
        cells = wrong if is_plain else chain(filter(None, values), wrong)
        if words := Counter(word for cell in cells if (word := cell.strip()).lower() in _WORDS):
            self._words[field] += words

    def find_rows(self, texts: Mapping[str, Sequence[str | None]]) -> list[int]:
        """Return the positions of the rows with nothing but such words in `texts`, by field: two or more, one in a name."""
        if self._words.keys().isdisjoint(NAMES):
            return []
        parts = len(texts.keys() & {*NAMES})  # of a name; they come first
        columns = list(texts.values())
        found: Sequence[int] = range(len(columns[0]))
        for column in columns:  # after the first one few are left
            found = [at for at in found if not (text := column[at]) or text.lower() in _WORDS]
        rows = {at: [column[at] for column in columns] for at in found}
        return [at for at, row in rows.items() if any(row[:parts]) and sum(map(bool, row)) > 1]

    def counts(self, rows: int) -> dict[str, int]:
        """Return the number of such cells of each field where they are too many to be names, of a source with `rows`."""
        counts = {
            field: sum(count for word, count in words.items() if field in NAMES or word.lower() in NO_VALUE)
            for field, words in self._words.items()
        }
        return {field: count for field, count in counts.items() if count >= max(_MIN_COUNT, _MIN_SHARE * rows)}

    def warnings(self, rows: int, columns: Mapping[str, Column]) -> list[str]:
        """Return a warning for each field of `counts`, or most cells of which are such words; `columns` are theirs."""
        full = {field: words.total() for field, words in self._words.items() if words.total() > max(_MIN_COUNT, _MOST * rows)}
        return [
            _(
                "{count} of {rows} rows have {words} in {place}, as programs write for an empty cell: empty "
                "these cells, or correct the export.",
                count=count,
                rows=rows,
                words=", ".join(word for word, _count in self._words[field].most_common(_SHOWN)),
                place=columns[field].place,
            )
            for field, count in (self.counts(rows) | full).items()
        ]
