"""HTML that is escaped by default: text becomes markup only through this module."""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from html import escape
from importlib.resources import files

from contact_sync.i18n import _, language


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


def duration(seconds: float) -> str:
    """Return a duration in words."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return _("{hours} h {minutes} min", hours=number(hours), minutes=minutes)
    if minutes:
        return _("{minutes} min {seconds} s", minutes=minutes, seconds=rest)
    return _("{seconds} s", seconds=number(seconds, 1))


def section(name: str, title: str, *inside: str) -> Markup:
    """Return a section that is labelled by its title."""
    return element("section", element("h2", title, id=f"{name}-title"), *inside, id=name, aria_labelledby=f"{name}-title")


def drawing(box: str, caption: str, *shapes: Markup, **attributes: str) -> Markup:
    """Return shapes stretched to the size of their place on the page."""
    return element("svg", *shapes, **attributes, role="img", aria_label=caption, viewBox=box, preserveAspectRatio="none")


def filled(template: str, parts: Mapping[str, str]) -> str:
    """Return a template with its `[[parts]]`."""
    return re.sub(r"\[\[(\w+)\]\]", lambda found: safe(parts[found[1]]), template)


def template_of(name: str) -> tuple[str, dict[str, str]]:
    """Return the template of a whole page with its style and its script, and the parts of its head: the language, and a policy.

    A browser applies its own style and its own script, if any, and nothing else.
    """
    page = _text("head.html") + _text(f"{name}.html")
    allowed = ["default-src 'none'"]
    for kind, names in (("style", ("base.css", f"{name}.css")), ("script", (f"{name}.js",))):
        if (blank := f"[[{kind}]]") in page:
            text = "\n" + "".join(map(_text, names))
            page = page.replace(blank, text)
            allowed.append(f"{kind}-src 'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'")
    allowed += ["base-uri 'none'", "form-action 'none'"]
    return page, {"language": language(), "policy": Markup("; ".join(allowed))}


def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
