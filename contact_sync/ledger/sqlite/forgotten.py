"""The contacts that were forgotten, as keyed digests: a later source that still has them must not bring them back."""

from collections.abc import Sequence
from dataclasses import dataclass

from contact_sync.ledger.digests import Fingerprints
from contact_sync.ledger.shared import Tables


@dataclass
class Forgotten:
    """The table `forgotten`."""

    database: Tables
    fingerprints: Fingerprints

    def add(self, contact_id: str) -> None:
        self.database.write("INSERT INTO forgotten VALUES (?) ON CONFLICT DO NOTHING", self.fingerprints.forgotten(contact_id))

    def digests(self) -> set[bytes]:
        """Return the digests of all forgotten contacts."""
        return {digest for (digest,) in self.database.all("SELECT digest FROM forgotten")}

    def among(self, contact_ids: Sequence[str], *, but: frozenset[bytes] = frozenset()) -> set[str]:
        digests = self.digests() - but
        if not digests:
            return set()
        # What is not ASCII is no valid id, and perhaps nothing that can be encoded.
        return {each for each in contact_ids if each.isascii() and self.fingerprints.forgotten(each) in digests}

    def remove(self, contact_ids: Sequence[str]) -> None:
        """Delete the digests of contacts that are sent again, of which the ledger keeps what it keeps of any other."""
        for contact_id in self.among(contact_ids):
            self.database.write("DELETE FROM forgotten WHERE digest = ?", self.fingerprints.forgotten(contact_id))
