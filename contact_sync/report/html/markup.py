"""HTML that is escaped by default: text becomes markup only through this module."""

from collections.abc import Iterable
from html import escape

from contact_sync.i18n import language


class Markup(str):
    """Text that is HTML."""

    __slots__ = ()


NOTHING = Markup()


def safe(text: str) -> Markup:
    """Return text escaped for an element or an attribute, and HTML as it is."""
    return text if isinstance(text, Markup) else Markup(escape(text))


def joined(parts: Iterable[str], between: str = "") -> Markup:
    """Return text and HTML joined."""
    return Markup(between.join(map(safe, parts)))


def element(name: str, /, *inside: str, **attributes: object) -> Markup:
    """Return an element; attributes are given as `class_` or `aria_label` where HTML has `class` or `aria-label`."""
    named = "".join(f' {key.rstrip("_").replace("_", "-")}="{safe(str(value))}"' for key, value in attributes.items())
    return Markup(f"<{name}{named}>{joined(inside)}</{name}>")


def number(value: float, decimals: int = 0) -> str:
    """Return a number in the notation of the language in use."""
    text = f"{value:,.{decimals}f}"
    return text.translate({ord(","): "\u202f", ord("."): ","}) if language() == "fr" else text


def section(name: str, title: str, *inside: str) -> Markup:
    """Return a section that is labelled by its title."""
    return element("section", element("h2", title, id=f"{name}-title"), *inside, aria_labelledby=f"{name}-title")
