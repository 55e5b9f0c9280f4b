"""Mobile phone numbers: from the text of a cell to E.164."""

import re
from contextlib import suppress
from typing import Any

import phonenumbers

from contact_sync.i18n import _
from contact_sync.model.fields import PHONE
from contact_sync.model.violation import Violation
from contact_sync.rules.cells import FULL_WIDTH, Reading, read_special, strip_excel_quoting, trim

_ARABIC = {zero + digit: str(digit) for zero in (0x0660, 0x06F0) for digit in range(10)}
_MOBILE = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE)
_OVERSEAS = ("GF", "GP", "MQ", "RE")  # with Mayotte, Saint-Barthélemy and Saint-Martin, which share the codes of two of them
_is_overseas_code = re.compile("(?:262|590|594|596)[67][0-9]{8}", re.ASCII).fullmatch

_france: Any = phonenumbers.PhoneMetadata.metadata_for_region("FR")
FRENCH_MOBILE: str = _france.mobile.national_number_pattern
"""The pattern of phonenumbers for a French mobile, without the leading 0; a call of phonenumbers takes 20 µs."""
_is_french_mobile = re.compile(rf"(?P<prefix>0|(?:\+|00)?33)?(?P<mobile>{FRENCH_MOBILE})", re.ASCII).fullmatch
_find_national = re.compile(r"(?P<prefix>(?:\+|00)33|0|33)?0?(?P<mobile>[67][0-9]{8})", re.ASCII).fullmatch


def read_phone(cell: str, region: str) -> Reading:
    """Read a mobile phone number as E.164; a national number is read as one of `region`."""
    text = " ".join(strip_excel_quoting(trim(cell)).translate(FULL_WIDTH | _ARABIC).split())
    if special := read_special(PHONE, text):
        return special
    digits = re.sub("[^0-9+]", "", text)
    if region == "FR" and (plain := _is_french_mobile(digits)):
        return Reading("+33" + plain["mobile"], note="" if plain["prefix"] else _("leading 0 restored"))
    note = ""
    number = _valid_number(digits, region) if re.fullmatch(r"\+?[0-9]{7,15}", digits) else None
    if number is None and (number := _overseas(digits, region)):
        note = _("country code of an overseas department added")
    if number is None:
        return Reading(None, Violation("phone-unknown", PHONE))
    if phonenumbers.number_type(number) not in _MOBILE:
        return Reading(None, Violation("phone-not-mobile", PHONE))
    return Reading(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164), note=note)


def _valid_number(digits: str, region: str) -> phonenumbers.PhoneNumber | None:
    with suppress(phonenumbers.NumberParseException):
        number = phonenumbers.parse(digits, region)
        return number if phonenumbers.is_valid_number(number) else None
    return None


def _overseas(digits: str, region: str) -> phonenumbers.PhoneNumber | None:
    """Return the mobile of an overseas department that France's own plan calls 0692123456 (Réunion: +262 692 123456).

    Phones in France show it as +33 692 123456 too. The departments share France's plan, so a number belongs to one of them; one
    that fits none or several is not read. In France their own codes may be without + or 00, as 33 may be.
    """
    if region == "FR" and _is_overseas_code(digits):
        return _valid_number(f"+{digits}", region)
    national = _find_national(digits)
    if not national or (region != "FR" and national["prefix"] not in ("+33", "0033")):
        return None
    found = {str(number): number for department in _OVERSEAS if (number := _valid_number(f"0{national['mobile']}", department))}
    return found.popitem()[1] if len(found) == 1 else None
