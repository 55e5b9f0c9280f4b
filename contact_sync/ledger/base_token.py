"""Base tokens: they let a pulled file prove what each of its rows held, without holding a value twice.

A token travels with its row through sorting, filtering, joining and other formats. It tells which cells were edited since the
pull, and that the contactId beside it is the one it was made for. All parts are truncated HMAC-SHA-256 under the key of the
installation; the sizes make a token of 88 characters, and an edit that is not seen one in 2^32.

    v1.HEAD.BODY   HEAD: 3 random bytes, the mark of the account
                   BODY: MAC of all the rest, digest of the contactId, row digest, a digest for each field

The row digest covers everything, so an untouched row takes one HMAC.
"""

import re
import secrets
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum, auto
from functools import lru_cache
from typing import NamedTuple

from contact_sync.ledger.digests import FIRST_FIELDS, Fingerprints

_VERSION = "v1"
_SALT, _PART, _FIELD = 3, 6, 4  # bytes: of the random part, of each other digest, of the digest of a field
_HEAD = _SALT + _PART
_SIGNS = b"+-"  # in place of `+/`, and not `-_`: programs take `_x8_` in a workbook for an escape
_FIELDS_AT = 3 * _PART
_BODY = _FIELDS_AT + _FIELD * len(FIRST_FIELDS)
_UNTOUCHED: frozenset[str] = frozenset()


class Fit(Enum):
    """The relation of a token to the row that it is in."""

    FITS = auto()
    MOVED = auto()  # made for another contactId
    FOREIGN = auto()  # made for another account
    UNKNOWN = auto()  # damaged, or made by another installation
    NEWER = auto()  # of a later version
    MISSING = auto()


class Base(NamedTuple):
    """The comparison of a row with its token."""

    fit: Fit
    edited: frozenset[str] = _UNTOUCHED  # fields whose value is another than when the token was made


class BaseTokens:
    """Issues and reads the tokens of one account, named by a keyed digest; None to read those of any account."""

    def __init__(self, fingerprints: Fingerprints, account: str | None) -> None:
        self._digest = fingerprints.base
        self._account = account
        self._mark = lru_cache(self._mark_of)  # a file has few pulls

    def new_head(self) -> str:
        """Return the first part of the tokens of one pull. Raises ValueError for the tokens of any account."""
        if self._account is None:
            raise ValueError("a token belongs to an account")
        salt = secrets.token_bytes(_SALT)
        return f"{_VERSION}.{_encoded(salt + self._mark_of(salt))}"

    def issue(self, head: str, contact_id: str, values: Sequence[str]) -> str:
        """Return the token of a contact whose fields have these canonical `values`, in the order of `FIRST_FIELDS`."""
        place = f"{head}\x1f{contact_id}"
        fields = b"".join([self._field(place, field, value) for field, value in zip(FIRST_FIELDS, values, strict=True)])
        rest = self._identity(place) + self._row(place, fields, values) + fields
        return f"{head}.{_encoded(self._mac(head, rest) + rest)}"

    def revise(self, token: str, contact_id: str, values: Mapping[str, str]) -> str:
        """Return a token that fits with other values of some fields; the base of the others stays, which may differ from the API.

        Its row digest fits no row, as not all values are known here: such a row is compared field by field.
        """
        head, _dot, body_text = token.rpartition(".")
        body, place = bytearray(_decoded(body_text)), f"{head}\x1f{contact_id}"
        body[2 * _PART : _FIELDS_AT] = bytes(_PART)
        for field, value in values.items():
            at = _FIELDS_AT + _FIELD * FIRST_FIELDS.index(field)
            body[at : at + _FIELD] = self._field(place, field, value)
        body[:_PART] = self._mac(head, bytes(body[_PART:]))
        return f"{head}.{_encoded(bytes(body))}"

    def read(self, token: str, contact_id: str, values: Sequence[str | None]) -> Base:
        """Return the relation of a token to its row; a value of None stands for a column that the file does not have."""
        head, _dot, body_text = token.rpartition(".")
        body = _decoded(body_text)
        place = f"{head}\x1f{contact_id}"
        if fit := self._misfit(token, head, body):
            return Base(fit)
        fields = body[_FIELDS_AT:]
        if None not in values and body[2 * _PART : _FIELDS_AT] == self._row(place, fields, values):
            return Base(Fit.FITS)
        if body[:_PART] != self._mac(head, body[_PART:]):
            return Base(Fit.UNKNOWN)
        if body[_PART : 2 * _PART] != self._identity(place):
            return Base(Fit.MOVED)
        starts = range(0, len(fields), _FIELD)
        edited = [
            field
            for field, value, start in zip(FIRST_FIELDS, values, starts, strict=True)
            if value is not None and fields[start : start + _FIELD] != self._field(place, field, value)
        ]
        return Base(Fit.FITS, frozenset(edited))

    def held(self, token: str, contact_id: str, field: str, values: Iterable[str]) -> bool:
        """Return True when a token that fits was made for one of these values of a field."""
        head, _dot, body = token.rpartition(".")
        at = _FIELDS_AT + _FIELD * FIRST_FIELDS.index(field)
        digest = _decoded(body)[at : at + _FIELD]
        return any(digest == self._field(f"{head}\x1f{contact_id}", field, value) for value in values)

    def _misfit(self, token: str, head: str, body: bytes) -> Fit | None:
        """Return the reason why a token cannot be compared with any row, None where it can."""
        if not token:
            return Fit.MISSING
        version, _dot, mark = head.partition(".")
        if version != _VERSION and re.fullmatch("v[0-9]+", version or token.partition(".")[0]):
            return Fit.NEWER
        salted = _decoded(mark)
        if version != _VERSION or len(salted) != _HEAD or len(body) != _BODY:
            return Fit.UNKNOWN
        is_foreign = self._account is not None and salted[_SALT:] != self._mark(salted[:_SALT])
        return Fit.FOREIGN if is_foreign else None

    def _mark_of(self, salt: bytes) -> bytes:
        return self._digest("account", f"{salt.hex()}\x1f{self._account}")[:_PART]

    def _mac(self, head: str, rest: bytes) -> bytes:
        return self._digest("mac", f"{head}\x1f{rest.hex()}")[:_PART]

    def _identity(self, place: str) -> bytes:
        return self._digest("id", place)[:_PART]

    def _row(self, place: str, fields: bytes, values: Sequence[str | None]) -> bytes:
        return self._digest("row", "\x1f".join([place, fields.hex(), *map(str, values)]))[:_PART]

    def _field(self, place: str, field: str, value: str) -> bytes:
        return self._digest("field", f"{place}\x1f{field}\x1f{value}")[:_FIELD]


def _encoded(part: bytes) -> str:
    return b64encode(part, _SIGNS).decode()


def _decoded(text: str) -> bytes:
    """Return what a part of a token says; nothing where it is none."""
    try:
        return b64decode(text.encode("ascii"), _SIGNS)
    except ValueError:
        return b""
