"""The endpoint `GET /v1/group/list`: the groups of the account.

Source: the API's page "Liste des groupes", whose example says `success: false` beside the groups, surely by mistake: a list of
groups counts, whatever `success` says. The key travels in the query here, so the URL must not be logged.
"""

from typing import NamedTuple

from contact_sync.api.endpoint import Reply, Request
from contact_sync.api.smspartner.envelope import envelope_of, garbled, successful_envelope_of
from contact_sync.i18n import _


class Group(NamedTuple):
    """A group of contacts."""

    id: str
    name: str


class GroupList:
    """The endpoint, for the account that has `key`; it has no argument."""

    idempotent = True

    def __init__(self, key: str) -> None:
        self._key = key

    def request(self, _argument: None = None) -> Request:
        """Return the request."""
        return Request("GET", "group/list", query={"apiKey": self._key})

    def read(self, reply: Reply, _argument: None = None) -> list[Group]:
        """Return the groups. Raises Transient or Rejected, AccessError or ConfigError when another attempt would not help."""
        envelope = envelope_of(reply) or {}
        if not 200 <= reply.status < 300 or not isinstance(envelope.get("groups"), list):  # noqa: PLR2004 - the class of successes
            envelope = successful_envelope_of(reply, self._key, {})
        groups = envelope.get("groups")
        if not isinstance(groups, list) or not all(isinstance(each, dict) and each.get("id") for each in groups):
            raise garbled(reply, _("a list of groups was expected"))
        return [Group(str(each["id"]), str(each.get("name") or "")) for each in groups]
