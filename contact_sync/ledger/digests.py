"""Keyed digests: what lets the ledger recognise a value without keeping it.

HMAC-SHA256 under a random key of this installation, so that a stolen ledger cannot be searched for phone numbers.
"""

import hmac
import os
import secrets
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

from contact_sync.errors import StorageError
from contact_sync.i18n import _
from contact_sync.model import FIELDS

_KNOWN_BYTES = 8
_UNKNOWN = bytes(_KNOWN_BYTES)

NOTHING = _UNKNOWN * len(FIELDS)
"""Digests of which none is known."""

_PERSON = ("phoneNumber", "firstname", "lastname")
_KEY_BYTES = 32
# Neither occurs in a value: validation refuses control characters.
_BETWEEN, _ABSENT = "\x1f", "\x00"


class Fingerprints:
    """Digests of rows and fields under one installation key (`key`, 32 bytes)."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def account(self, base_url: str, name: str) -> str:
        """Name an account, 16 hex digits: the same API and key (or chosen name) always give the same."""
        return self._digest(f"account{_BETWEEN}{base_url}{_BETWEEN}{name}")[:8].hex()

    def row(self, contact_id: str, payload: Sequence[str | None]) -> bytes:
        """Digest a whole payload, 16 bytes: equal means the same values for the same fields of the same contact."""
        return self._digest(contact_id + _BETWEEN + _BETWEEN.join([_ABSENT if v is None else v for v in payload]))[:16]

    def fields(self, contact_id: str, payload: Sequence[str | None]) -> bytes:
        """Digest each value, 8 bytes a field in the order of `FIELDS`; zeros where the payload does not carry it."""
        return b"".join(
            [
                _UNKNOWN if value is None else self._digest(f"{contact_id}{_BETWEEN}{position}{_BETWEEN}{value}")[:_KNOWN_BYTES]
                for position, value in enumerate(payload)
            ]
        )

    def _digest(self, text: str) -> bytes:
        # The name of an account may hold bytes of the command line that are no UTF-8; values never do.
        return hmac.digest(self._key, text.encode(errors="surrogateescape"), "sha256")


def agree(carried: bytes, known: bytes) -> bool:
    """Whether each field that is `carried` is `known` to have that value."""
    return all(one in (_UNKNOWN, other) for one, other in zip(_split(carried), _split(known), strict=True))


def changes_identity(carried: bytes, known: bytes) -> bool | None:
    """Whether name and number are all others than were known; None where not all of them are both carried and known."""
    pairs = [(new, old) for field, new, old in zip(FIELDS, _split(carried), _split(known), strict=True) if field in _PERSON]
    if any(_UNKNOWN in pair for pair in pairs):
        return None
    return all(new != old for new, old in pairs)


def without(known: bytes, fields: Collection[str]) -> bytes:
    """What is left of `known` when nothing is certain any more of the `fields`."""
    return b"".join(_UNKNOWN if field in fields else one for field, one in zip(FIELDS, _split(known), strict=True))


def renewed(known: bytes, carried: bytes) -> bytes:
    """What is known when, beside what was `known`, the `carried` values are certain."""
    return b"".join(old if new == _UNKNOWN else new for new, old in zip(_split(carried), _split(known), strict=True))


def _split(digests: bytes) -> list[bytes]:
    return [digests[start : start + _KNOWN_BYTES] for start in range(0, len(NOTHING), _KNOWN_BYTES)]


def installation(folder: Path) -> Fingerprints:
    """Digests under the key kept in `folder`, made at first use with mode 0600.

    Raises StorageError when the key can be neither read nor made.
    """
    path = folder / "digest.key"
    try:
        if not path.exists():
            _create(path)
        path.chmod(0o600)  # whatever a copy or a backup made of it
        key = path.read_bytes()
    except OSError as error:
        raise StorageError(
            _(
                "The installation key {path} cannot be read or made ({reason}): check the folder.",
                path=path,
                reason=error.strerror,
            )
        ) from error
    if len(key) != _KEY_BYTES:
        raise StorageError(
            _(
                "The installation key {path} is damaged: restore it, or delete it and the ledgers beside it "
                "(every row is then sent once more).",
                path=path,
            )
        )
    return Fingerprints(key)


def _create(path: Path) -> None:
    """Put a new key in place whole, unless another process was quicker."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
