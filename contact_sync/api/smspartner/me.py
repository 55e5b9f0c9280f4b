"""The endpoint `GET /v1/me`: whether the key is valid, and what credit the account has.

Source: the API's page "Vérifier ses crédits". The key travels in the query here, so the URL must not be logged.
"""

from urllib.parse import urlencode

from contact_sync.api.client import Reply
from contact_sync.api.smspartner.envelope import code_of, envelope_of, quoted, text_of
from contact_sync.errors import AccessError, UnavailableError
from contact_sync.i18n import _

PATH = "me"


def query(key: str) -> str:
    """The query that asks for the account of `key`."""
    return urlencode({"apiKey": key})


def credit(reply: Reply, key: str) -> str:
    """How many SMS the account can send, as the API says it; empty where it does not.

    Raises AccessError when the API refuses the key, UnavailableError when the answer is none of its own.
    """
    envelope = envelope_of(reply.body)
    if envelope is None:
        sentence = _("HTTP {status} came from something other than the API: check --base-url.", status=reply.status)
        raise UnavailableError(sentence)
    if envelope["success"] is not True:
        sentence = _(
            "The API refused the key (code {code}: {text}).",
            code=quoted(code_of(envelope), key),
            text=quoted(text_of(envelope), key),
        )
        raise AccessError(sentence)
    credits_ = envelope.get("credits")
    return quoted(str(credits_.get("creditSms", "")), key) if isinstance(credits_, dict) else ""
