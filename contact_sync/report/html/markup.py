"""HTML in which text can only be text: what is not known to be markup is made harmless where it goes in."""

from collections.abc import Iterable
from html import escape

from contact_sync.i18n import language


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


NOTHING = Markup()


def safe(text: str) -> Markup:
    """Return text as it may stand in an element or an attribute; HTML as it is."""
    return text if isinstance(text, Markup) else Markup(escape(text))


def joined(parts: Iterable[str], between: str = "") -> Markup:
    """Return text and HTML, one after the other."""
    return Markup(between.join(map(safe, parts)))


def element(name: str, /, *inside: str, **attributes: object) -> Markup:
    """Return an element; an attribute that Python cannot name so is given as `class_` or `aria_label`."""
    named = "".join(f' {key.rstrip("_").replace("_", "-")}="{safe(str(value))}"' for key, value in attributes.items())
    return Markup(f"<{name}{named}>{joined(inside)}</{name}>")


def number(value: float, decimals: int = 0) -> str:
    """Return a number as people write it in the language in use."""
    text = f"{value:,.{decimals}f}"
    return text.translate({ord(","): "\u202f", ord("."): ","}) if language() == "fr" else text
