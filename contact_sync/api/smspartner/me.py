"""The endpoint `GET /v1/me`: it checks the key, and shows the user and the credit of the account.

Source: the API's page "Vérifier ses crédits". The key travels in the query here, so the URL must not be logged.
"""

from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from contact_sync.api.endpoint import Reply, Request
from contact_sync.api.smspartner.envelope import code_of, envelope_of, quoted, successful_envelope_of, text_of
from contact_sync.errors import AccessError, ContactSyncError, Rejected, UnavailableError


class Account(NamedTuple):
    """An account whose key is valid."""

    credit: str  # number of SMS that it can send, in the API's spelling; empty when the API does not show it
    date: datetime | None  # the API's own clock
    user: str  # the name of its user, the same for each of its keys; empty when the API does not show it


class Me:
    """The endpoint, for the account that has `key`; it has no argument."""

    idempotent = True

    def __init__(self, key: str) -> None:
        self._key = key

    def request(self, _argument: None = None) -> Request:
        """Return the request."""
        return Request("GET", "me", query={"apiKey": self._key})

    def read(self, reply: Reply, _argument: None = None) -> Account:
        """Return the account.

        Raises AccessError when the API refuses the key, UnavailableError when the reply is not the API's, Transient when it may
        be another one next time.
        """
        envelope = envelope_of(reply)
        if envelope is None:
            raise UnavailableError("HTTP {status} came from something other than the API: check --base-url.", status=reply.status)
        if envelope["success"] is not True:
            with suppress(ContactSyncError, Rejected):  # which all say that the key is refused
                successful_envelope_of(reply, self._key, {})
            code, text = code_of(envelope, self._key), text_of(envelope, self._key)
            raise AccessError("The API refused the key (code {code}: {text}).", code=code, text=text)
        credits_ = envelope.get("credits")
        credit = quoted(str(credits_.get("creditSms", "")), self._key) if isinstance(credits_, dict) else ""
        user = envelope.get("user")
        name = user.get("username") if isinstance(user, dict) else None
        text = name.encode(errors="replace").decode() if isinstance(name, str) else ""  # JSON can contain half a character
        return Account(credit, reply.date, text.strip().casefold())
