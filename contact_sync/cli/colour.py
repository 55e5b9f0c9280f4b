"""Colours on a terminal: what is well, what is wrong, and what to look at."""

import re
from collections.abc import Mapping
from functools import cache
from typing import TextIO

from contact_sync.i18n import _

RED, GREEN, YELLOW = 31, 32, 33


@cache
def _outcomes() -> dict[str, int]:
    from contact_sync.model.row import ATTENTION, IN_PLACE, LEFT, Outcome  # noqa: PLC0415 - the start needs none of it

    colours = {**dict.fromkeys(IN_PLACE, GREEN), **dict.fromkeys(ATTENTION, RED), **dict.fromkeys(LEFT, YELLOW)}
    return {str(outcome): colour for outcome, colour in colours.items()} | {Outcome.READY: GREEN}


def is_coloured(stream: TextIO | None, env: Mapping[str, str]) -> bool:
    """Return True for a terminal that shows colours, unless NO_COLOR says that its user wants none."""
    return bool(stream and not stream.closed and stream.isatty() and not env.get("NO_COLOR") and env.get("TERM") != "dumb")


def painted(text: str, colour: int) -> str:
    """Return text in a colour."""
    return f"\x1b[{colour}m{text}\x1b[0m"


def coloured(line: str) -> str:
    """Return a printed line with its colour: that of its outcome, of a warning, or of an error."""
    if (count := re.fullmatch(r" *[0-9]+ (\w+)", line)) and count[1] in _outcomes():
        return painted(line, _outcomes()[count[1]])
    beginnings = {"contact-sync: ": RED, _("Stopped: {reason}", reason=""): RED, _("Warning: {warning}", warning=""): YELLOW}
    for beginning, colour in beginnings.items():
        if line.startswith(beginning):
            return painted(beginning, colour) + line.removeprefix(beginning)
    return line
