"""The comparison of a contact that the API shows with the values that were sent."""

import unicodedata
from datetime import date, datetime
from typing import Any

import phonenumbers

from contact_sync.model import ID, PHONE, Pending, Violation


def differences(echo: Any, row: Pending) -> list[Violation]:
    """Return one violation for each field that the API shows with another value than `row` sent.

    `echo` is its `contact` object, with the field names of writes or of reads.
    """
    if not isinstance(echo, dict) or echo.get(ID) is None:
        return [Violation("echo-missing", ID)]
    if str(echo[ID]) != row.contact_id:
        return [Violation("echo-contact", ID)]
    found = []
    for field, sent in row.contact.items():
        stored = echo.get(field, echo.get("phone") if field == PHONE else None)
        if stored is None and sent:
            found.append(Violation("echo-missing", field))
        elif not _same(field, sent, "" if stored is None else str(stored)):
            found.append(Violation("echo-differs", field))
    return found


def _same(field: str, sent: str, stored: str) -> bool:
    """Return True when two spellings of a value mean the same."""
    if sent == stored or not sent:
        return sent == stored
    if field == "date":
        return _day(stored) == date.fromisoformat(sent)
    if field == PHONE:
        return _e164(stored) == sent
    return unicodedata.normalize("NFC", stored) == unicodedata.normalize("NFC", sent)


def _day(text: str) -> date | None:
    """Parse a date in either of the spellings that the API's page shows."""
    for spelling in ("%Y-%m-%d", "%d-%m-%Y"):
        try:
            return datetime.strptime(text, spelling).date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            continue
    return None


def _e164(text: str) -> str:
    try:
        number = phonenumbers.parse(text, "FR")  # the API reads a number without + as French
    except phonenumbers.NumberParseException:
        return ""
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
