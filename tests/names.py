"""Names of many languages, from Faker's lists."""

import pkgutil
import re
import unicodedata
from functools import cache
from importlib import import_module

from faker.providers import person

LANGUAGES = {
    "French": ("fr_FR", "fr_BE", "fr_CA", "fr_CH"),
    "Spanish": ("es_ES", "es_AR", "es_CL", "es_CO", "es_MX"),
    "German": ("de_DE", "de_AT", "de_CH"),
    "Portuguese": ("pt_PT", "pt_BR"),
    "Nordic": ("sv_SE", "da_DK", "no_NO", "fi_FI"),
    "Italian": ("it_IT",),
    "Polish": ("pl_PL",),
    "Turkish": ("tr_TR",),
}
_ERRORS = {"AKYERΕ", "N˜zamett˜n"}  # a Greek letter in a Latin name, and a name that is damaged


@cache
def names(*locales: str) -> list[str]:
    """Return the names of some of Faker's locales, or of all."""
    found = set[str]()
    for locale in locales or [module.name for module in pkgutil.iter_modules(person.__path__)]:
        provider = import_module(f"faker.providers.person.{locale}").Provider
        for attribute in dir(provider):
            listed = getattr(provider, attribute)
            if re.search("first_name|last_name|names", attribute) and isinstance(listed, tuple | list | dict):
                found.update(name for name in listed if isinstance(name, str))
    return sorted({unicodedata.normalize("NFC", name) for name in found} - _ERRORS)


def accented(language: str) -> list[str]:
    """Return the names of a language that have a letter beyond ASCII."""
    return [name for name in names(*LANGUAGES[language]) if not name.isascii()]
