"""The language of everything that operators read: English, or a translation from a gettext catalogue.

A sentence is identified by its English text; variable parts are `{placeholders}`. `catalogue` has the sentences about rows,
`locale` the translations. Values of placeholders come from anywhere, so they are made printable here (`contact_sync.display`).
"""

import gettext as _gettext
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from contact_sync.display import printable

if TYPE_CHECKING:
    from datetime import datetime

LANGUAGES = ("en", "fr")

_DOMAIN = "contact_sync"
_LOCALE = f"{os.path.dirname(__file__)}/locale"  # noqa: PTH120 - without pathlib the program starts sooner
_language = LANGUAGES[0]
_translations = _gettext.NullTranslations()


def set_language(name: str) -> None:
    """Set the language of the process to one of `LANGUAGES`."""
    global _language, _translations  # noqa: PLW0603 - a process has one language, as it has one locale
    _language = name
    _translations = _gettext.translation(_DOMAIN, _LOCALE, [name], fallback=name == LANGUAGES[0])
    # click translates its own sentences by the default domain, in the language that the environment names.
    _gettext.bindtextdomain(_DOMAIN, _LOCALE)
    _gettext.textdomain(_DOMAIN)
    os.environ["LANGUAGE"] = name


def language() -> str:
    """Return the language in use."""
    return _language


def gettext(sentence: str) -> str:
    """Translate a sentence, its placeholders unfilled."""
    return _translations.gettext(sentence)


def N_(sentence: str) -> str:  # noqa: N802 - the name that gettext's tools know
    """Mark a sentence of a table for translation, and return it unchanged."""
    return sentence


def NN_(singular: str, plural: str) -> tuple[str, str]:  # noqa: N802 - as `N_`
    """Mark both forms of a sentence that another library takes from the catalogue, and return them."""
    return singular, plural


def _(sentence: str, /, **values: object) -> str:
    """Translate a sentence and fill in its placeholders; one without values may be complete already."""
    return gettext(sentence).format(**_printable(values)) if values else gettext(sentence)


def ngettext(singular: str, plural: str, count: int, /, **values: object) -> str:
    """Translate a sentence in the plural form for `count` and fill in its placeholders, `{count}` among them."""
    return _translations.ngettext(singular, plural, count).format(**{"count": count, **_printable(values)})


def decimal(number: float, form: str = ".1f") -> str:
    """Return a number, with one decimal or in another `form`, in the notation of the language in use."""
    return f"{number:{form}}".replace(".", "," if _language == "fr" else ".")


def local_time(at: "datetime", clock: str = "%H:%M") -> str:
    """Return a day and, in the form `clock`, a time of day, in local time and in the notation of the language in use."""
    local = at.astimezone()
    day = {"year": f"{local:%Y}", "month": f"{local:%m}", "day": f"{local:%d}"}
    return _("{year}-{month}-{day}, {time}", **day, time=f"{local:{clock}}")


def labelled(label: object, text: str) -> str:
    """Return a label and what it stands for, with the colon of the language in use."""
    return _("{label}: {text}", label=label, text=text)


def quoted(text: str) -> str:
    """Return a text of click with the quotation marks of the language in use; what is to be typed, as 'a=b', keeps its own."""
    return re.sub("'([^'=]*)'", "«\u202f\\1\u202f»", text) if _language == "fr" else text


def _printable(values: Mapping[str, object]) -> dict[str, object]:
    """Return values, all but numbers as text, as they may be displayed."""
    return {name: value if isinstance(value, int | float) else printable(str(value)) for name, value in values.items()}
