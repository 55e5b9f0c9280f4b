"""What all answers of the API have in common: an envelope with `success`, `code` and, when something is wrong, words.

Source: the API's pages, which show six shapes of it; `code` is a number or a text, and its meaning depends on the endpoint.
"""

import json
from typing import Any

from contact_sync.i18n import _

_QUOTED = 200
"""Characters of the API's own words that are reported at most."""


def envelope_of(body: bytes) -> dict[str, Any] | None:
    """The body if it is what the API speaks: a JSON object with a boolean `success`."""
    try:
        envelope = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return envelope if isinstance(envelope, dict) and isinstance(envelope.get("success"), bool) else None


def code_of(envelope: dict[str, Any]) -> str:
    """The code as text; empty when there is none."""
    found = envelope.get("code")
    return str(found).strip() if isinstance(found, int | str) else ""


def text_of(envelope: dict[str, Any]) -> str:
    """What the API says in words: `message`, `error` or `errors`, as text, list or object."""
    for name in ("message", "error", "errors"):
        said = envelope.get(name)
        if isinstance(said, list):
            said = said[0] if said else None
        if isinstance(said, dict):
            said = said.get("message")
        if said:
            return str(said)
    return _("no reason given")


def quoted(text: str, key: str) -> str:
    """Foreign text as it may stand in a report: without the key, on one line, not too long."""
    return "".join(c if c.isprintable() else " " for c in text.replace(key, "***"))[:_QUOTED]
