"""Words that programs write in place of a value: of a cell that is still loading, and of one that is empty."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from contact_sync.i18n import _

_LOADING_WORDS = (
    # Google Sheets in its languages, each in the form of the cell and of its menus
    *("loading", "loading data", "calculating", "getting data", "chargement", "chargement en cours", "calcul en cours"),
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
        *("(none)", "undefined", "[object object]", "(blank)", "(vide)"),
    )
)
"""The words for no value of databases and programming languages, in lower case. In one row each may be a name."""
_MIN_COUNT = 3  # one or two cells may be people of that name
_MIN_SHARE = 0.1
_STEP = 16
_SHOWN = 3


class NoValueWords:
    """A count of the cells of each column that contain a word of `NO_VALUE`."""

    def __init__(self) -> None:
        self._words: defaultdict[str, Counter[str]] = defaultdict(Counter)  # field → word → cells

    def observe(self, field: str, cells: Sequence[str]) -> None:
        """Count a chunk of a column; a few cells in thousands, which are no sign of damage, may be missed."""
        sample = cells if field in self._words or len(cells) <= _STEP else cells[::_STEP]
        if not NO_VALUE.isdisjoint(map(str.lower, map(str.strip, sample))):
            self._words[field].update(word for cell in cells if (word := cell.strip()).lower() in NO_VALUE)

    def counts(self, rows: int) -> dict[str, int]:
        """Return the number of such cells of each field where they are too many to be names, of a source with `rows`."""
        counts = {field: words.total() for field, words in self._words.items()}
        return {field: count for field, count in counts.items() if count >= max(_MIN_COUNT, _MIN_SHARE * rows)}

    def warnings(self, rows: int, letters: dict[str, str]) -> list[str]:
        """Return a warning for each field of `counts`; `letters` are those of the columns of the fields."""
        return [
            _(
                "{count} of {rows} rows have {words} in column {letter} ({field}), as programs write for an empty cell: empty "
                "these cells, or correct the export.",
                count=count,
                rows=rows,
                words=", ".join(word for word, _count in self._words[field].most_common(_SHOWN)),
                letter=letters[field],
                field=field,
            )
            for field, count in self.counts(rows).items()
        ]
