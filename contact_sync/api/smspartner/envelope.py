"""The envelope of every reply: `success`, `code` and, when something is wrong, a text; and the codes that all endpoints share.

Source: the API's pages, which show six shapes of it; `code` is a number or a text, and its meaning depends on the endpoint. Each
endpoint's own table of codes is incomplete, so those of the general error page count everywhere. Success is what the body says
(`success` is true), never the HTTP status.
"""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from contact_sync.api.endpoint import Reply
from contact_sync.display import redacted
from contact_sync.errors import AccessError, ConfigError, Rejected, Transient
from contact_sync.i18n import N_, _
from contact_sync.model.fields import ROW
from contact_sync.model.violation import Violation

_MAX_QUOTED = 200  # characters of the API's text

_ACCESS = {
    "10": N_("the API key is wrong"),
    "20": N_("the account is disabled"),
    "30": N_("the account is blocked"),
    "40": N_("the account is not allowed to use the API"),
    "96": N_("this machine's IP address is not authorised"),
}
"""Codes of the general error page that every request would get."""

_THROTTLED = "429"
_RETRYABLE = {"408", "425", _THROTTLED, "500", "502", "503", "504"}
"""HTTP statuses, and codes of the same meaning, after which another attempt may succeed."""


def envelope_of(reply: Reply) -> dict[str, Any] | None:
    """Return the envelope, a JSON object with a boolean `success`; None when the body is anything else.

    Text around it, such as a notice of PHP, and an encoding other than UTF-8 change nothing about what it says.
    """
    try:
        return _as_envelope(json.loads(reply.body, object_pairs_hook=_object))
    except RecursionError:
        return None
    except ValueError:
        return _embedded_envelope(_text_of_body(reply))


def _as_envelope(document: Any) -> dict[str, Any] | None:
    return document if isinstance(document, dict) and isinstance(document.get("success"), bool) else None


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object. Raises ValueError where it says two different things under one name."""
    document = dict(members)
    if len(document) < len(members) and any(repr(document[name]) != repr(value) for name, value in members):
        raise ValueError
    return document


def _text_of_body(reply: Reply) -> str:
    """Return the body as text: UTF-8 where it is valid, else the charset of its header, else Latin-1."""
    declared = re.search(r"charset\s*=\s*[\"']?([\w.:-]+)", reply.headers.get("content-type", ""), re.IGNORECASE)
    for charset in ("utf-8", declared[1] if declared else "latin-1"):
        with suppress(LookupError, ValueError):
            return reply.body.decode(charset)
    return reply.body.decode("latin-1")


def _embedded_envelope(text: str) -> dict[str, Any] | None:
    """Return the one envelope in a text that is not JSON as a whole; None when there are several, or one that is cut.

    Objects within other JSON are not taken for it, nor is anything beside one with a `success` that is not valid JSON.
    """
    envelopes, end, depth = [], 0, 0
    while start := _OBJECT.search(text, end):
        begin = start.start()
        depth = _depth(text, end, begin, depth)
        is_nested = depth > 0 and text[end:begin].rstrip()[-1:] in {"[", ",", ":"}
        try:
            document, end = _decoder.raw_decode(text, begin)
        except RecursionError:
            return None
        except ValueError:
            document, end = None, _closing(text, begin)
            if not end or '"success"' in text[begin:end]:
                return None
        if envelope := _as_envelope(document):
            if is_nested:
                return None
            envelopes.append(envelope)
    return envelopes[0] if len(envelopes) == 1 else None


_OBJECT = re.compile(r'\{\s*"')  # other braces are those of the surrounding text
_BRACKET = re.compile(r"[][{}]")
_decoder = json.JSONDecoder(object_pairs_hook=_object)


def _depth(text: str, start: int, end: int, depth: int) -> int:
    """Return how many brackets are open at `end`, when `depth` are at `start`; those that close none are only text."""
    for bracket in _BRACKET.finditer(text, start, end):
        depth = depth + 1 if bracket[0] in "[{" else max(0, depth - 1)
    return depth


def _closing(text: str, start: int) -> int:
    """Return the end of what the bracket at `start` opens, 0 when nothing closes it."""
    depth = 0
    for bracket in _BRACKET.finditer(text, start):
        depth += 1 if bracket[0] in "[{" else -1
        if depth == 0:
            return bracket.end()
    return 0


def successful_envelope_of(reply: Reply, key: str, codes: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """Return the envelope of a success.

    `codes` are those of the endpoint that reject one argument for certain: code → name and field of the violation. Raises
    Transient or Rejected for this argument, AccessError or ConfigError when every argument would get the same reply.
    """
    if 300 <= reply.status < 400:  # noqa: PLR2004 - the class of redirects
        target = quoted(_origin(reply.headers.get("location", "")), key) or _("elsewhere")
        raise ConfigError("The API redirects to {target}: correct --base-url; nothing was sent there.", target=target)
    envelope = envelope_of(reply)
    if envelope is None:
        raise _without_envelope(reply)
    if envelope["success"] is True and 200 <= reply.status < 300:  # noqa: PLR2004 - the class of successes
        return envelope
    raise _refusal(reply, envelope, key, codes)


def _origin(url: str) -> str:
    """Return scheme, host and port of a URL, whose other parts may repeat what was sent; empty where it names no host."""
    with suppress(ValueError):
        parts = urlsplit(url)
        if parts.hostname and parts.scheme in {"http", "https"}:
            host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
            return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")
    return ""


def code_of(envelope: dict[str, Any], key: str) -> str:
    """Return the code as text, as it may be reported; empty when there is none."""
    return quoted(_raw_code_of(envelope), key)


def _raw_code_of(envelope: dict[str, Any]) -> str:
    code = envelope.get("code")
    return str(code).strip() if isinstance(code, int | str) else ""


def text_of(envelope: dict[str, Any], key: str) -> str:
    """Return the API's explanation as it may be reported: `message`, `error` or `errors`, each a text, a list or an object."""
    for name in ("message", "error", "errors"):
        text = envelope.get(name)
        if isinstance(text, list):
            text = text[0] if text else None
        if isinstance(text, dict):
            text = text.get("message")
        if text and isinstance(text, str | int | float):
            return quoted(str(text), key)
    return _("no reason given")


def quoted(text: str, key: str) -> str:
    """Return foreign text as it may appear in a report: without the key, on one line, shortened."""
    return "".join(c if c.isprintable() else " " for c in redacted(text, [key]))[:_MAX_QUOTED]


def _without_envelope(reply: Reply) -> Exception:
    """Return the error for a reply that is not the API's JSON."""
    if reply.status in {401, 403}:
        return AccessError("The API refused access (HTTP {status}): check the API key and the base URL.", status=reply.status)
    if str(reply.status) in _RETRYABLE:
        return _failure(reply, str(reply.status))
    if reply.status < 300 and _is_page(reply):  # noqa: PLR2004 - the class of successes
        reason = _("HTTP {status}, a web page: check --base-url, which ends in /v1", status=reply.status)
    else:
        reason = _("HTTP {status}, not the API's JSON", status=reply.status)
    return garbled(reply, reason)


def garbled(reply: Reply, reason: str) -> Transient:
    """Return the error for a reply that is not what the API documents."""
    return Transient(Violation("api-garbled", detail={"reason": reason}), reply.status)


def _is_page(reply: Reply) -> bool:
    start = reply.body[:200].lstrip().lower()
    return "html" in reply.headers.get("content-type", "").lower() or start.startswith((b"<!doctype html", b"<html"))


def _refusal(reply: Reply, envelope: dict[str, Any], key: str, codes: Mapping[str, tuple[str, str]]) -> Exception:
    """Return the error for an envelope that is not a success."""
    code, status = _raw_code_of(envelope), str(reply.status)
    shown = quoted(code, key)
    if envelope["success"] is True:
        code = ""  # it is not that of a refusal
    if code in _ACCESS:
        return AccessError("The API refused: {reason} (code {code}).", reason=_(_ACCESS[code]), code=code)
    if reply.status in {401, 403}:
        return AccessError("The API refused access (HTTP {status}): check the API key.", status=status)
    if status in _RETRYABLE or code in _RETRYABLE:
        cause = code if status not in _RETRYABLE or code == _THROTTLED else status
        return _failure(reply, cause, api_code=shown, is_api_response=True)
    if envelope["success"] is True:
        violation = Violation("api-garbled", detail={"reason": _("success, but HTTP {status}", status=status)})
        return Transient(violation, reply.status, shown, is_api_response=True)
    name, field = codes.get(code, ("api-refused", ROW))
    detail = {"code": shown or _("none"), "text": text_of(envelope, key)}
    return Rejected(Violation(name, field, detail), reply.status, shown)


def _failure(reply: Reply, cause: str, *, api_code: str = "", is_api_response: bool = False) -> Transient:
    """Return the error for an HTTP status or a code (`cause`) that is in `_RETRYABLE`."""
    throttled = cause == _THROTTLED
    reason = f"HTTP {cause}" if cause == str(reply.status) else _("code {code}", code=cause)
    return Transient(
        Violation("api-throttled") if throttled else Violation("api-error", detail={"reason": reason}),
        reply.status,
        api_code,
        is_api_response=is_api_response,
        maybe_applied=not throttled,
        throttled=throttled,
        pause=reply.retry_after,
    )
