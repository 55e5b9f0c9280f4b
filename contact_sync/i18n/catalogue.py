"""Every sentence an operator can read about a row, by its stable code.

`{field}` is the field it is about; other blanks are filled by whoever finds the violation. A sentence says what is wrong and
what to do, and never repeats the cell's text: it may end up in a mail.
"""

CATALOGUE: dict[str, str] = {
    # contactId
    "id-missing": "There is no contactId: fill it in, or delete the row.",
    "id-damaged": "The contactId was destroyed by Excel (1.23E+15): type it again in a cell formatted as text.",
    "id-rounded": "The contactId has more digits than Excel keeps (15), so its end is lost: "
    "type it again in a cell formatted as text.",
    "id-decimal": "The contactId ends in a decimal (12345.0): type it again without the decimals.",
    "id-total": "This looks like a total, not a contact: delete the row.",
    "id-characters": "The contactId holds a space or a character that no id has: copy it again from SMS Partner.",
    "id-length": "The contactId has more than 80 characters: copy it again from SMS Partner.",
    "id-clear": "The contactId cannot be emptied: write the id of the contact.",
    "duplicate-conflict": "Rows {rows} give different values for this contact: keep one of them.",
    # the row as a whole
    "nothing-to-send": "Nothing but a contactId: fill in a field, or delete the row.",
    "header-again": "This is the header once more, as where two files were put together: delete the row.",
    "cells-missing": "The row has {cells} cells for {columns} columns, its values may have moved: complete it where <?> stands.",
    "cells-surplus": "The row has {cells} cells for {columns} columns: quote the cell that holds the delimiter, and delete <?>.",
    "cells-moved": "The row still holds <?>, where cells had moved, or no report can show them: correct them, and delete it.",
    "duplicate-ignored": "Row {row} counts for this contact, as --duplicates asks; this one was not sent.",
    "hidden": "The row is hidden and was left out, as --hidden skip asks.",
    "forgotten": "The contact was forgotten, so the row is not sent.",
    # any text
    "text-length": "{field} has {length} characters, {limit} at most: shorten it.",
    "text-control": "{field} holds a control character or a line break: type it again.",
    "text-quoted": "{field} stands in quotation marks: take them off, and any space before them.",
    "text-damaged": "{field} holds damaged characters, as in “LefÃ¨vre”: type it again, and export as UTF-8.",
    "cell-error": "{field} shows a spreadsheet error ({error}): mend the formula.",
    "cell-formula": "{field} holds a formula that was never calculated: open the file in Excel and save it.",
    "cell-null": "{field} holds \\N, by which a database means no value: leave the cell empty.",
    "cell-kind": "{field} holds {kind} instead of text: type the value as text.",
    "cell-merged": "{field} is part of merged cells: unmerge them and fill in each row.",
    # phoneNumber
    "phone-clear": "phoneNumber cannot be emptied: write the number, or leave the cell blank.",
    "phone-damaged": "The phone number was destroyed by Excel (3.36E+10): type it again in a cell formatted as text.",
    "phone-characters": "The phone number holds letters or other characters: write digits only.",
    "phone-several": "The cell holds several phone numbers: keep one.",
    "phone-unknown": "No such phone number exists: check the digits, or begin with + and the country code.",
    "phone-not-mobile": "This is not a mobile number, so no SMS can reach it: write the mobile number.",
    # date
    "date-unknown": "The date cannot be read: write it as 31/12/2020 or 2020-12-31.",
    "date-calendar": "There is no such day in the calendar: correct the date.",
    "date-two-digits": "The year has two digits: write all four.",
    "date-serial": "This is Excel's number for a day, not a date: format the cell as a date.",
    "date-month-first": "The month stands before the day: write the day first, 31/12/2020, or 2020-12-31.",
    "date-ambiguous": "Other rows of this column have the month before the day, so this date can be read two ways: "
    "write 2020-12-31.",
    "date-range": "The date is out of range ({earliest} to {latest}): correct it.",
    "date-time": "The date has a time of day or a time zone, so the day is not certain: write the day alone.",
    # url
    "url-scheme": "The address must begin with http:// or https://: write it whole.",
    "url-host": "The address names no valid host: correct it.",
    "url-characters": "The address holds a space or a character that no address has: correct it.",
    "url-login": "The address holds a user name or a password: take it out.",
    # the API's answer
    "echo-differs": "The API confirmed, but stored something else as {field}: compare in SMS Partner; it will be sent again.",
    "echo-contact": "The API confirmed, but for another contactId: compare both contacts in SMS Partner.",
    "echo-missing": "The API confirmed without showing {field}: compare in SMS Partner; it will be sent again.",
    "api-contact-unknown": "SMS Partner knows no contact with this contactId: correct it, or delete the row.",
    "api-number-taken": "Another contact of the group already has this phone number: remove one of them.",
    "api-refused": "SMS Partner refused the row (code {code}: {text}): correct the contact.",
    "api-unreachable": "The API could not be reached: the next run sends the row again.",
    "api-no-answer": "The API did not answer ({reason}), so the row may have been applied or not: the next run sends it again.",
    "api-error": "The API failed ({reason}): the next run sends the row again.",
    "api-throttled": "The API asked for fewer requests: the next run sends the row again.",
    "api-garbled": "The API's answer could not be understood ({reason}): the next run sends the row again.",
    "api-stopped": "The run was stopped by the answer to this row: mend what the summary says, the next run sends it again.",
    "not-recorded": "The answer to this row could not be recorded: the next run sends it again.",
    # rows whose turn did not come
    "stopped": "The run stopped before this row. {reason} The next run that is not stopped sends it.",
    "limit": "The run was to send {limit} rows at most, as --limit asks: the next run sends this one.",
}

QUOTING = {"api-refused"}
"""Codes whose sentence quotes the API, which may repeat a cell: it stands in the reports, and is told nowhere else."""
