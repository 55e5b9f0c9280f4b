"""Keyed digests: they let the ledger recognise a value without keeping it.

HMAC-SHA256 under a random key of this installation, so that a stolen ledger cannot be searched for phone numbers. Digests are by
the name of a field: fields may be added, removed and reordered, and what was confirmed before keeps its meaning.
"""

import errno
import hmac
import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from contact_sync.errors import StorageError
from contact_sync.files.private import private

FieldDigests = Mapping[str, bytes]  # field name → digest (8 bytes) of its value. A field whose value is not known is absent.

_DIGEST_BYTES = 8
_IDENTITY = ("phoneNumber", "firstname", "lastname")

FIRST_FIELDS = ("phoneNumber", "firstname", "lastname", "date", "url", "custom1", "custom2", "custom3", "custom4")
"""Fields of the first release, which labelled a field by its position in this list. Frozen: confirmed digests depend on it."""
_LABELS = {field: str(position) for position, field in enumerate(FIRST_FIELDS)}

_VERSION = b"\x01"  # first byte of stored digests; names the way they are computed and written

_KEY = "digest.key"
_KEY_BYTES = 32
# Neither occurs in a value: validation refuses control characters.
_SEPARATOR, _ABSENT = "\x1f", "\x00"


class Fingerprints:
    """Digests of rows and fields under one installation key (`key`, 32 bytes)."""

    def __init__(self, key: bytes) -> None:
        self.key = key
        self._prepared = hmac.new(key, digestmod="sha256")  # `hmac.digest` would prepare the key each time

    def account(self, base_url: str, name: str) -> str:
        """Return the name of an account, 16 hex digits, the same for the same API and key (or chosen name)."""
        return self._digest(f"account{_SEPARATOR}{base_url}{_SEPARATOR}{name}")[:8].hex()

    def row(self, contact_id: str, values: Mapping[str, str]) -> bytes:
        """Return one digest, 16 bytes, of a contactId and all values (field name → value) that it carries, in any order."""
        parts = [contact_id, *[values.get(field, _ABSENT) for field in FIRST_FIELDS]]
        for field in sorted(values.keys() - _LABELS.keys()):
            parts += field, values[field]
        return self._digest(_SEPARATOR.join(parts))[:16]

    def payloads(self, rows: Sequence[tuple[str, Sequence[str | None]]]) -> list[bytes]:
        """Return what `row` does for contactIds and the values of `FIRST_FIELDS`, None where there is none, in half the time."""
        texts = [[contact_id, *[_ABSENT if value is None else value for value in values]] for contact_id, values in rows]
        return [self._digest(_SEPARATOR.join(text))[:16] for text in texts]

    def fields(self, contact_id: str, values: Mapping[str, str]) -> FieldDigests:
        """Return the digest of each value (field name → value) that a contact carries."""
        labelled = [(field, _LABELS.get(field, field), value) for field, value in values.items()]
        return {field: self._digest(_SEPARATOR.join((contact_id, *rest)))[:_DIGEST_BYTES] for field, *rest in labelled}

    def forgotten(self, contact_id: str) -> bytes:
        """Return the digest, 16 bytes, that is left of a contact that was forgotten."""
        return self._digest(f"forgotten{_SEPARATOR}{contact_id}")[:16]

    def base(self, kind: str, text: str) -> bytes:
        """Return the digest, 32 bytes, of a part of a base token (`base_token`); `kind` names the part."""
        return self._digest(f"base-{kind}{_SEPARATOR}{text}")

    def plan(self, kind: str, text: str) -> bytes:
        """Return the digest, 32 bytes, of a part of a plan; `kind` names the part."""
        return self._digest(f"plan-{kind}{_SEPARATOR}{text}")

    def proof(self) -> bytes:
        """Return a digest, 32 bytes, that shows if a key is this one."""
        return self._digest(f"proof{_SEPARATOR}")

    def _digest(self, text: str) -> bytes:
        digest = self._prepared.copy()
        # The name of an account may contain bytes of the command line that are not UTF-8; values never do.
        digest.update(text.encode(errors="surrogateescape"))
        return digest.digest()


def agree(carried: FieldDigests, known: FieldDigests) -> bool:
    """Return True when each field that is carried is known to have that value."""
    return carried.items() <= known.items()


def changes_identity(carried: FieldDigests, known: FieldDigests) -> bool | None:
    """Return True when name and phone number all differ; None unless all of them are both carried and known."""
    if not all(field in carried and field in known for field in _IDENTITY):
        return None
    return all(carried[field] != known[field] for field in _IDENTITY)


def pack(digests: FieldDigests) -> bytes:
    """Return digests as they are stored: the version, the names of the fields joined by `,`, a line feed, the digests."""
    return b"%b%b\n%b" % (_VERSION, ",".join(digests).encode(), b"".join(digests.values()))


def unpack(stored: bytes) -> FieldDigests:
    """Return the digests that `pack` was given; none when they are of another version, so that the contact is sent again."""
    names, _newline, digests = stored.removeprefix(_VERSION).partition(b"\n")
    if not stored.startswith(_VERSION) or not names:
        return {}
    starts = range(0, len(digests), _DIGEST_BYTES)
    return {name: digests[start : start + _DIGEST_BYTES] for name, start in zip(names.decode().split(","), starts, strict=False)}


def from_first_release(stored: bytes) -> bytes:
    """Return what the first release stored, a digest for each of its fields and zeros for an unknown one, as `pack` writes it."""
    digests = {name: stored[start : start + _DIGEST_BYTES] for start, name in zip(range(0, 72, 8), FIRST_FIELDS, strict=True)}
    return pack({name: digest for name, digest in digests.items() if any(digest)})


def is_installed(folder: Path) -> bool:
    """Return True when `folder` has the key of an installation."""
    return os.path.lexists(folder / _KEY)


def installation(folder: Path, *, may_create: bool = True, key: bytes | None = None) -> Fingerprints:
    """Return digests under the key kept in `folder`, which is created at first use with mode 0600, as `key` if given.

    Raises StorageError when the key can be neither read nor created, or is missing and not to be created.
    """
    path = folder / _KEY
    with StorageError.from_os_error(
        "The installation key {path} cannot be read or made ({reason}): check the folder.", path=path
    ):
        if not is_installed(folder):
            if not may_create:
                raise StorageError(
                    "The installation key {path} is missing, but there are ledgers beside it: restore it from a backup, or "
                    "delete the ledgers too (every row is then sent once more).",
                    path=path,
                )
            _create(path, key or secrets.token_bytes(_KEY_BYTES))
    return Fingerprints(read_key(path))


def read_key(path: Path) -> bytes:
    """Return the key in a file. Raises StorageError when it cannot be read or is none."""
    with (
        StorageError.from_os_error("The installation key {path} cannot be read or made ({reason}): check the folder.", path=path),
        private(path, os.O_RDONLY) as descriptor,
    ):
        key = os.read(descriptor, _KEY_BYTES + 1)
    if len(key) != _KEY_BYTES:
        raise StorageError(
            "The installation key {path} is damaged: restore it, or delete it and the ledgers beside it "
            "(every row is then sent once more).",
            path=path,
        )
    return key


def _create(path: Path, key: bytes) -> None:
    """Write a new key completely before it gets its name, unless another process was faster."""
    with NamedTemporaryFile(prefix=f"{path.name}.", dir=path.parent) as draft:
        draft.write(key)
        draft.flush()
        os.fsync(draft.fileno())
        with suppress(FileExistsError):
            try:
                os.link(draft.name, path)
            except OSError as error:
                if error.errno not in {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}:
                    raise
                with path.open("xb") as file:  # a file system without hard links: a crash here leaves a key that is damaged
                    file.write(key)
