"""The code of a number format, divided into its sections and their parts (ECMA-376 Part 1, 18.8.31)."""

import re
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from itertools import takewhile
from typing import NamedTuple

NUMERIC = 3  # sections for numbers: positive, negative, zero; the fourth is for text

_SEPARATOR = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|[_*].|(?P<end>;)', re.DOTALL)
_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|_(?P<space>.)|\*(?P<fill>.)|\[\$(?P<currency>[^\]]*)\]'
    r"|\[(?P<colour>(?i:black|blue|cyan|green|magenta|red|white|yellow|colou?r ?\d+))\]"
    r"|\[(?P<condition>(?:<=|>=|<>|<|>|=)-?\d+(?:\.\d+)?)\]|(?P<digit>[0#?])|(?P<point>\.)|(?P<comma>,)|(?P<percent>%)"
    r"|(?P<general>(?i:General))|(?P<text>@)|(?P<date>(?i:y+|m+|d+|h+|s+))|(?P<slash>/)"
    # No-break spaces are thousands separators to a French LibreOffice, but not to Excel.
    r"|(?P<literal>[-+$() :!^&'~{}<>=]|[^\x00-\x7f\xa0\u202f])",
    re.DOTALL,
)
_FRENCH = re.compile(r"(?i)|0*40c|x-euro[12]|0*[12]")  # 1 and 2: a euro sign before or after the number
_LOCALE = re.compile(r"(?i)(?!f[48]00)[0-9a-f]{1,4}")  # others mean the reader's long date, or digits other than 0 to 9
_LAYOUT = re.compile(r"(?P<whole>#,(?=[#0])#*0*|[0#?]*)(?P<thousands>(?:(?<=[0#?]),+)?)(?:\.(?:0+#*|0*\?+|#+))?(?P<more>,*)")


class UnsureError(Exception):
    """A format is not rendered."""


class Part(NamedTuple):
    """A part of a section: `literal` text, or a placeholder of another kind, named like the groups of `_TOKEN`."""

    kind: str
    text: str


class Pattern(NamedTuple):
    """The digits and literals around the decimal point of a section."""

    whole: Sequence[Part]
    decimals: Sequence[Part]
    whole_digits: str  # the placeholders among them
    decimal_digits: str
    has_point: bool
    is_grouped: bool
    is_general: bool
    scale: int  # powers of ten that the number is multiplied by


class Section(NamedTuple):
    """One section of a format."""

    code: str
    condition: tuple[str, Decimal] | None = None
    parts: Sequence[Part] | None = None  # None when it is not rendered
    pattern: Pattern | None = None  # None when it does not show a number, or is not rendered

    def is_for(self, kind: str) -> bool:
        """Return True when it has a part of that kind, `text` or `date`."""
        return any(part.kind == kind for part in self.parts or ())


@lru_cache(1024)
def parse(code: str) -> Sequence[Section]:
    """Return the sections of a format."""
    ends = [match.start() for match in _SEPARATOR.finditer(code) if match["end"]]
    starts = [0, *(end + 1 for end in ends)]
    return [_parse_section(code[start:end]) for start, end in zip(starts, [*ends, len(code)], strict=True)]


def _parse_section(code: str) -> Section:
    tokens: list[Part] = []
    at = 0
    while at < len(code):
        match = _TOKEN.match(code, at)
        if match is None or match.lastgroup is None:
            return Section(code)
        tokens.append(Part(match.lastgroup, match[match.lastgroup]))
        at = match.end()
    head = list(takewhile(_is_head, tokens))
    body = tokens[len(head) :]
    locales = [part.text.partition("-")[2] for part in tokens if part.kind == "currency"]
    if any(map(_is_head, body)) or not all(_FRENCH.fullmatch(one) or _LOCALE.fullmatch(one) for one in locales):
        return Section(code)  # LibreOffice does not accept a colour or a condition behind anything else
    condition = next((part.text for part in head if part.kind == "condition"), "")
    sign = condition.rstrip("-.0123456789")
    parts = [_to_literal(part) for part in body]
    section = Section(code, (sign, Decimal(condition.removeprefix(sign))) if sign else None, parts)
    try:
        pattern = _parse_pattern(parts)
    except UnsureError:
        return section
    has_separators = pattern.has_point or pattern.is_grouped
    if has_separators and not all(map(_FRENCH.fullmatch, locales)):
        return section
    if any(part.kind == "percent" for part in parts) and any(part.kind == "currency" for part in body):
        return section  # LibreOffice shows General
    return section._replace(pattern=pattern)


def _is_head(part: Part) -> bool:
    return part.kind in ("colour", "condition") or (part.kind == "currency" and part.text.startswith("-"))


def _to_literal(part: Part) -> Part:
    """Return a part as literal text, if it is shown as such."""
    match part.kind:
        case "space":
            return Part("literal", " ")
        case "fill":
            return Part("literal", "")
        case "currency":
            return Part("literal", part.text.partition("-")[0])
        case "quoted" | "escaped":
            return Part("literal", part.text)
    return part


def _parse_pattern(parts: Sequence[Part]) -> Pattern:
    whole: list[Part] = []
    decimals: list[Part] = []
    into = whole
    layout = ""  # the placeholders, commas, and the point
    for part in parts:
        match part.kind:
            case "digit" | "general":
                digit = part.text if part.kind == "digit" else "0"
                into.append(Part("digit", digit))
                layout += digit
            case "point" if into is whole:
                into = decimals
                layout += "."
            case "comma":
                layout += ","
            case "literal" | "percent":
                into.append(Part("literal", part.text))
            case _:
                raise UnsureError
    if not (found := _LAYOUT.fullmatch(layout)):
        raise UnsureError  # spreadsheets disagree
    percents = sum(part.kind == "percent" for part in parts)
    if percents > 1:
        raise UnsureError  # the same
    is_general = any(part.kind == "general" for part in parts)
    scale = 2 * percents - 3 * (len(found["thousands"]) + len(found["more"]))
    has_point, is_grouped = into is decimals, "," in found["whole"]
    return Pattern(whole, decimals, digits_of(whole), digits_of(decimals), has_point, is_grouped, is_general, scale)


def digits_of(parts: Sequence[Part]) -> str:
    """Return the placeholders of digits among `parts`."""
    return "".join(part.text for part in parts if part.kind == "digit")


@lru_cache(1024)
def numeric_sections(code: str) -> Sequence[Section]:
    """Return the sections for numbers: without the fourth, and without a last one for text."""
    sections = parse(code)
    return sections[: len(sections) - 1 if sections[-1].is_for("text") else NUMERIC]
