"""Sentences about a row, by stable code.

`{field}` is the field concerned; the code that finds a violation fills the other placeholders. A sentence says what is wrong
and what to do, and never repeats a cell's text, because it may end up in a mail.
"""

from contact_sync.i18n import N_

CATALOGUE: dict[str, str] = {
    # contactId
    "id-missing": N_("There is no contactId: fill it in, or delete the row."),
    "id-damaged": N_("The contactId was damaged by Excel (1.23E+15, janv-25, TRUE): type it again in a cell formatted as text."),
    "id-rounded": N_(
        "The contactId has more digits than Excel keeps (15), so its end is lost: type it again in a cell formatted as text."
    ),
    "id-decimal": N_("The contactId ends in a decimal (12345.0): type it again without the decimals."),
    "id-total": N_("This looks like a total, not a contact: delete the row."),
    "id-characters": N_("The contactId contains a space or a character that is not allowed: copy it again from SMS Partner."),
    "id-length": N_("The contactId has more than 80 characters: copy it again from SMS Partner."),
    "id-clear": N_("The contactId cannot be emptied: write the id of the contact."),
    "duplicate-conflict": N_("Rows have the same contactId and different values{rows}: correct one of the ids, or delete a row."),
    # the row as a whole
    "nothing-to-send": N_("The row has only a contactId: fill in a field, or delete the row."),
    "header-again": N_("This row repeats the header, as when two files are joined: delete the row."),
    "row-deleted": N_("The row is marked for deletion ({mark}): delete it, or remove the mark to have it sent."),
    "cells-missing": N_("The row has {cells} of {columns} cells, so its values may have moved: complete it at <?>."),
    "cells-surplus": N_(
        "The row has {cells} cells for {columns} columns: put the cell that contains the delimiter in quotation marks, "
        "with no space before them, and delete <?>."
    ),
    "cells-moved": N_("The row still contains <?>: correct the marked cells, then delete <?>."),
    "duplicate-ignored": N_("Row {row} counts for this contact because of --duplicates; this row was not sent."),
    "repeats-wrong": N_("Row {row} counts for this contact and is {outcome}: correct it first, then this row."),
    "repeats-left": N_("Row {row} counts for this contact and is {outcome}: this row is in place when that one is."),
    "hidden": N_("The row is hidden and was left out because of --hidden skip."),
    "row-hidden": N_(
        "The row is hidden or filtered out, so nothing of the file was sent: clear the filter or show the row, or choose "
        "--hidden include or --hidden skip."
    ),
    "superseded": N_(
        "A newer file sets {fields} of this contact, so this row was not sent: correct the newest file, or send this one "
        "all the same with --resend."
    ),
    "edited-late": N_(
        "A newer file ({file}) sets {field} of this contact, and you have edited this row since, so nothing was sent: write the "
        "right value here, then empty the row's sync_source_at to send the row, or delete the row."
    ),
    "forgotten": N_(
        "The contact was forgotten, so the row is not sent: delete it from the source, or send it with --allow-forgotten."
    ),
    # rows of a pulled file
    "id-moved": N_(
        "The contactId is not the one that this row was pulled with: put the original contactId back, or, if one column was "
        "sorted alone, undo the sorting."
    ),
    "base-missing": N_(
        "The sync_base of this row is {state}, so it is not known which cells were edited: copy the row into the file as it was "
        "pulled, or into a file of its own without that column. contact-sync creates no contacts: create a new one in SMS "
        "Partner."
    ),
    "base-stale": N_(
        "Another value of {fields} was sent since this file was pulled, so the one that was pulled is not sent: to put it back, "
        "write it into the last report of this contact, or pull again."
    ),
    "cell-converted": N_(
        "{field} is what a spreadsheet makes of the value that was pulled (0123 becomes 123, and 1/2 a date): put the value "
        "back, or pull as .xlsx; if it is meant, write a date as 2020-12-31, and send another value in a file of its own without "
        "the column sync_base."
    ),
    "cell-emptied": N_("{field} was emptied, or says that it is empty, since the file was pulled: put the value back{clear}."),
    # a contact that was read before its update
    "conflict": N_(
        "SMS Partner has {theirs} as {field} since the file was pulled: to keep that, write it in the cell; to send yours, leave "
        "the cell as it is; then run this report or its workbook."
    ),
    "plan-differs": N_("SMS Partner has changed since the run was compared with its plan, so this row was not sent: plan again."),
    "stop-number": N_(
        "This person said STOP, and another phone number would send them SMS again: put the number back, or allow it with "
        "--allow-stop."
    ),
    "not-cleared": N_("SMS Partner confirmed that {field} is empty but kept its value: empty it on its own pages."),
    "verified-differs": N_(
        "The API confirmed the update but shows another value of {field} at the end of the run: check the contact in SMS "
        "Partner; the next run sends the row again."
    ),
    "api-unverified": N_(
        "The contact was updated but could not be read again to check that its other fields were kept: look at it in SMS "
        "Partner, or take the run back with undo."
    ),
    # any text
    "text-length": N_("{field} has {length} characters, {limit} at most: shorten it."),
    "text-control": N_("{field} contains a control character or a line break: type it again."),
    "text-quoted": N_("{field} is in quotation marks: remove the quotation marks, and any space before them."),
    "text-damaged": N_(
        "{field} contains damaged characters or markup, as in “LefÃ¨vre”, “H?lène” or <b>: type it again{likely}, and export as "
        "UTF-8."
    ),
    "cell-error": N_(
        "{field} shows a spreadsheet error ({error}): fix the formula, or export again when the sheet is calculated completely."
    ),
    "cell-formula": N_("{field} contains a formula that was never calculated: open the file in Excel and save it."),
    "cell-null": N_("{field} contains a sign or word for no value, such as \\N or NULL: leave the cell empty."),
    "clear-unknown": N_(
        "{field} contains a word in angle brackets: write <clear> to empty the field, or leave out the brackets."
    ),
    "cell-kind": N_("{field} contains {kind} instead of text: type the value as text."),
    "cell-format": N_(
        "{field} has a number format that other systems may show differently: format the cell as text and type what it shows."
    ),
    "cell-merged": N_("{field} is part of merged cells: unmerge them and fill in each row."),
    # phoneNumber
    "phone-clear": N_("{field} cannot be emptied: write the number, or leave the cell blank to keep the stored one."),
    "phone-damaged": N_(
        "The phone number was exported as a decimal number (3.36E+10, 612345678.0): export it as text, or type it again in a "
        "cell formatted as text."
    ),
    "phone-characters": N_(
        "The phone number contains letters or other characters: write digits only, or leave the cell empty to keep the stored "
        "number."
    ),
    "phone-several": N_("The cell contains several phone numbers: keep one."),
    "phone-unknown": N_(
        "This phone number does not exist: check the digits, begin with + and the country code, or leave the cell empty to keep "
        "the stored number."
    ),
    "phone-not-mobile": N_(
        "This is not a mobile number, so no SMS can reach it: write the mobile number, or leave the cell empty to keep the "
        "stored number."
    ),
    # date
    "date-unknown": N_(
        "The date cannot be read: write it as 31/12/2020 or 2020-12-31, or leave the cell empty to keep the stored one."
    ),
    "date-calendar": N_("This day does not exist: correct the date, or leave the cell empty to keep the stored one."),
    "date-two-digits": N_("The year has two digits: write all four."),
    "date-serial": N_("This is Excel's number for a day, not a date: type the date, as 31/12/2020."),
    "date-month-first": N_("The month comes before the day: write the day first, 31/12/2020, or 2020-12-31."),
    "date-ambiguous": N_(
        "The header or other dates of this file have the month before the day{rows}, so this date can be read two ways: correct "
        "those first, or write this one as 2020-12-31."
    ),
    "date-range": N_("The date is out of range ({earliest} to {latest}): correct it."),
    "date-time": N_("The date has a time of day or a time zone, so the day is not certain: write only the day."),
    # url
    "url-email": N_("This is an e-mail address, not a web address: write the web site, or leave the cell empty."),
    "url-scheme": N_("The address must begin with http:// or https://: write the whole address."),
    "url-host": N_("The address has no valid host name, or is two addresses: correct it."),
    "url-characters": N_("The address contains a space or a character that is not allowed: correct it."),
    "url-login": N_("The address contains a user name or a password: remove it."),
    # the API's answer
    "echo-differs": N_(
        "The API confirmed the update but returned another value of {field}: check the contact in SMS Partner; "
        "the next run sends the row again."
    ),
    "echo-contact": N_("The API confirmed the update of another contactId: check both contacts in SMS Partner."),
    "echo-missing": N_(
        "The API confirmed the update without returning {field}: check the contact in SMS Partner; "
        "the next run sends the row again."
    ),
    "api-contact-unknown": N_(
        "SMS Partner has no contact with this contactId, and contact-sync creates none: correct it, or delete the row."
    ),
    "api-number-taken": N_("Another contact of the group already has this phone number: correct one of the two contacts."),
    "api-refused": N_("SMS Partner refused the row (code {code}: {text}): correct the contact."),
    "api-unreachable": N_("The API could not be reached: the next run sends the row again."),
    "api-no-answer": N_(
        "The API did not answer ({reason}), so the row may have been applied or not: the next run sends it again."
    ),
    "api-error": N_("The API failed ({reason}): the next run sends the row again."),
    "api-throttled": N_("The API asked for fewer requests: the next run sends the row again."),
    "api-garbled": N_("The API's answer could not be understood ({reason}): the next run sends the row again."),
    "api-stopped": N_("The answer to this row stopped the run: correct what the summary says; the next run sends the row again."),
    "not-recorded": N_("The answer to this row could not be recorded: the next run sends it again."),
    # rows that were not reached
    "stopped": N_("The run stopped before this row. {reason} The next complete run sends it."),
    "limit": N_("The limit of {limit} rows (--limit) was reached before this row: the next run sends it."),
}

QUOTING = {"api-refused", "text-damaged", "conflict"}
"""Codes whose sentence may repeat a value, quoted by the API or as it should be: only the reports contain it."""

SYSTEM = (
    N_("Address already in use"),
    N_("Broken pipe"),
    N_("Cannot allocate memory"),
    N_("Connection refused"),
    N_("Connection reset by peer"),
    N_("Connection timed out"),
    N_("Device or resource busy"),
    N_("Disk quota exceeded"),
    N_("File exists"),
    N_("File name too long"),
    N_("File too large"),
    N_("Input/output error"),
    N_("Is a directory"),
    N_("Name or service not known"),
    N_("Network is unreachable"),
    N_("No route to host"),
    N_("No space left on device"),
    N_("No such device or address"),
    N_("No such file or directory"),
    N_("Not a directory"),
    N_("Operation not permitted"),
    N_("Permission denied"),
    N_("Read-only file system"),
    N_("Temporary failure in name resolution"),
    N_("Too many levels of symbolic links"),
)
"""The system's sentences on its most frequent errors; any other is shown in its own words."""

ANSWERS: dict[tuple[str, str], str] = {
    ("omitted", "kept"): N_("Fields that an update leaves out keep their value."),
    ("omitted", "emptied"): N_("Fields that an update leaves out are emptied: runs of pulled files send the whole contact."),
    ("phoneNumber", "optional"): N_("An update does not need the phone number."),
    ("phoneNumber", "required"): N_("An update needs the phone number: runs of pulled files send it, too."),
    ("clear", "emptied"): N_("{field} is emptied when it is sent empty."),
    ("clear", "kept"): N_("{field} keeps its value when it is sent empty."),
    ("own", "accepted"): N_("A contact may be sent its own phone number."),
    ("own", "refused"): N_("A contact that is sent its own phone number is refused (code 15)."),
    ("long", "cut"): N_("A name of 33 characters is cut."),
    ("long", "stored"): N_("A name of 33 characters is stored."),
    ("long", "refused"): N_("A name of 33 characters is refused."),
    ("date", "iso"): N_("Dates are shown as 2020-06-12."),
    ("date", "day-first"): N_("Dates are shown as 12-06-2020."),
}
"""(Question that the API's documentation leaves open, answer) → the sentence of a probe."""
