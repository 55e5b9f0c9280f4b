"""Every cell of a spreadsheet is sent correctly or flagged: a manifest of files, from their bytes to the contacts that are sent.

Case numbers (C01, X07) are those of the project's survey of real files; A.3 to A.7 are its chapters on cells.
"""

import codecs
import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.chart import BarChart

from contact_sync.ledger.digests import Fingerprints
from contact_sync.ledger.sqlite import SqliteLedger
from contact_sync.model.report import lines_of
from contact_sync.model.violation import Violation
from contact_sync.rules.columns import Policy, Validator
from contact_sync.settings import Settings
from contact_sync.source import SourceOptions, open_source
from contact_sync.sync.stage import stage
from tests.setups import begin_run

from .reading import book_bytes, edit_parts, sheet, text, worker_inside
from .test_archive import SHEET
from .writing import cell, ods, row, row_records, table, xls, xlsb

Sent = tuple[str, dict[str, str]]
Expected = dict[int, Sent | str]
"""Row number → what is sent for it, or the codes it is flagged with."""


def judge(content: bytes, folder: Path) -> Expected:
    """Load, validate and stage a file; return for each of its rows what would be sent, or the codes of its violations."""
    path = folder / "contacts.csv"
    path.write_bytes(content)
    with (
        worker_inside(),
        SqliteLedger(None, Fingerprints(bytes(32))) as ledger,
        open_source(path, SourceOptions(), clock=lambda: 4e9) as source,
    ):
        begin_run(ledger, "run")
        validator = Validator(source.mapping, Policy(today=dt.date(2026, 11, 24)))
        stage(source, validator, ledger, Settings(), tick=lambda _: None)
        pending = {row.number: (row.contact_id, row.contact) for row in ledger.claim(-1, 1000)}
        ledger.report_unsent_as(Violation("stopped", detail={"reason": ""}), ready=False)
        violations = {line.number: " ".join(filter(None, (line.code, line.fields))) for line in lines_of(ledger.batches())}
    return violations | pending


def sent(contact_id: str, **contact: str) -> Sent:
    """Return the expectation that a row is sent."""
    return contact_id, contact


def all_sent(rows: int, **contact: str) -> Expected:
    """Return the expectation that the contacts 1, 2, … in the rows 2, 3, … are sent with the same fields."""
    return {number + 1: sent(str(number), **contact) for number in range(1, rows + 1)}


DUPONT = sent("001", lastname="Dupont", firstname="Jean")
HEAD = "contactId;lastname;firstname"
NOTHING = "nothing-to-send"
DECOMPOSED = "e\u0301"

CSV: dict[str, tuple[bytes, Expected]] = {
    # A.1 delimiter and structure
    "C01 semicolons": (text(HEAD, "001;Dupont;Jean"), {2: DUPONT}),
    "C02 tabs": (text(HEAD.replace(";", "\t"), "001\tDupont\tJean"), {2: DUPONT}),
    "C03 commas": (
        text(HEAD.replace(";", ","), '001,"Dupont, fils",Jean'),
        {2: sent("001", lastname="Dupont, fils", firstname="Jean")},
    ),
    "C04 a comma too many": (
        text("contactId,custom1,lastname", '001,"12,50",Dupont', "002,12,50,Durand"),
        {2: sent("001", custom1="12,50", lastname="Dupont"), 3: "cells-surplus"},
    ),
    "C05 commas in cells": (
        text("contactId;lastname;custom1", "001;Dupont, Durand et Cie, SA;12,50"),
        {2: sent("001", lastname="Dupont, Durand et Cie, SA", custom1="12,50")},
    ),
    "C06 bars": (text("contactId|lastname", "001|Dupont"), {2: sent("001", lastname="Dupont")}),
    "C22 line breaks in cells": (
        b'contactId;custom1\r\n1;"a\r\nb"\r\n2;"c\n"\r\n3;d\r\n',
        {2: "text-control custom1", 4: sent("2", custom1="c"), 6: sent("3", custom1="d")},
    ),
    "C20 line ends of old Macs": (b"contactId;nom\r1;a\r2;b\r", {2: sent("1", lastname="a"), 3: sent("2", lastname="b")}),
    "C21 mixed line ends": (
        b"contactId;nom\n1;a\r2;b\r\n3;c",
        {2: sent("1", lastname="a"), 3: sent("2", lastname="b"), 4: sent("3", lastname="c")},
    ),
    "C26 a short row": (text(HEAD, "001;Dupont;Jean", "002;Petit"), {2: DUPONT, 3: "cells-missing"}),
    "C27 a long row": (text(HEAD, "001;Dupont;Jean", "2;a;b;c"), {2: DUPONT, 3: "cells-surplus"}),
    "C29 unnamed columns": (text(HEAD + ";;;", "001;Dupont;Jean;;;", ";;;;;"), {2: DUPONT}),
    "C30 trailing delimiters": (
        text(HEAD, "001;Dupont;Jean;", "002;a;b; ; "),
        {2: DUPONT, 3: sent("002", lastname="a", firstname="b")},
    ),
    "C31 blank lines": (text("", "", HEAD, "", "001;Dupont;Jean", "  ", " ; ;", "2;a;"), {5: DUPONT, 8: sent("2", lastname="a")}),
    "C32 sep=": (text("sep=;", HEAD, "001;Dupont;Jean"), {3: DUPONT}),
    "C33 sep= after a byte order mark": (codecs.BOM_UTF8 + text("sep=|", "contactId|nom", "1|a"), {3: sent("1", lastname="a")}),
    "C34 titles above the header": (text("Contacts du CRM", "", HEAD, "001;Dupont;Jean"), {4: DUPONT}),
    "C35 titles with the delimiter": (text("Contacts;du;CRM", HEAD, "001;Dupont;Jean"), {3: DUPONT}),
    "C38 headers as people write them": (
        text('\u00a0Contact ID\u00a0; Prénom ;Nom\u202f;"Date de\nnaissance"', "001;Jean;Dupont;12/06/1980"),
        {3: sent("001", firstname="Jean", lastname="Dupont", date="1980-06-12")},
    ),
    "C41 a total row": (text(HEAD, "001;Dupont;Jean", "TOTAL;;30"), {2: DUPONT, 3: "id-total contactId"}),
    "C42 a comment": (text("# export CRM", HEAD, "001;Dupont;Jean"), {3: DUPONT}),
    "C61 a header only": (text(HEAD), {}),
    "C63 cut off": (text(HEAD, "001;Dupont;Jean") + b"002;Mar", {2: DUPONT, 3: "cells-missing"}),
    "C65 Ctrl-Z": (text(HEAD, "001;Dupont;Jean") + b"\x1a", {2: DUPONT}),
    "C66 Unicode separators are not line breaks": (
        text("contactId;custom1;nom", "1;a\u2028b;c", "2;a\x85b;c", "3;a\x0cb;c"),
        {2: "text-control custom1", 3: "text-control custom1", 4: "text-control custom1"},
    ),
    "C69 a workbook named .csv": (sheet(["contactId", "nom"], ["1", "a"]), {2: sent("1", lastname="a")}),
    "C71 a cell of 1 MB": (
        text("contactId;nom", "1;" + "a" * 1_000_000, "2;b"),
        {2: "text-length lastname", 3: sent("2", lastname="b")},
    ),
    "C75 single quotes": (
        text("contactId;nom", "'001';'Dupont'", "2;b"),
        {2: "id-characters contactId", 3: sent("2", lastname="b")},
    ),
    "C77 spaces after commas": (
        text("contactId, lastname", '001, "Dupont, Jr"', "2, b"),
        {2: "cells-surplus", 3: sent("2", lastname="b")},
    ),
    "a repeated header": (
        text(HEAD, "001;Dupont;Jean", HEAD, "2;a;b"),
        {2: DUPONT, 3: "header-again", 4: sent("2", lastname="a", firstname="b")},
    ),
    # A.2 encodings
    "C07 byte order mark": (codecs.BOM_UTF8 + text("contactId,nom", "1,é"), {2: sent("1", lastname="é")}),
    "C08 byte order mark and quotes": (codecs.BOM_UTF8 + text('"contactId";"nom"', "1;é"), {2: sent("1", lastname="é")}),
    "C09 two byte order marks": (codecs.BOM_UTF8 * 2 + text("contactId;nom", "1;é"), {2: sent("1", lastname="é")}),
    "C10 cp1252": (text("contactId;nom", "1;Bœuf – 5 € d’été", encoding="cp1252"), {2: sent("1", lastname="Bœuf – 5 € d’été")}),
    "C12 UTF-16 LE": (codecs.BOM_UTF16_LE + text("contactId\tnom", "1\té", encoding="utf-16-le"), {2: sent("1", lastname="é")}),
    "C13 UTF-16 BE": (codecs.BOM_UTF16_BE + text("contactId;nom", "1;é", encoding="utf-16-be"), {2: sent("1", lastname="é")}),
    "C14 UTF-16 without a mark": (text("contactId;nom", "1;é", encoding="utf-16-le"), {2: sent("1", lastname="é")}),
    "C15 Mac Roman": (
        text("contactId;nom", "1;Hélène", "2;Zoé", encoding="mac_roman"),
        {2: sent("1", lastname="Hélène"), 3: sent("2", lastname="Zoé")},
    ),
    "cp850": (
        text("contactId;nom", "1;Hélène", "2;Zoé", encoding="cp850"),
        {2: sent("1", lastname="Hélène"), 3: sent("2", lastname="Zoé")},
    ),
    "C17 text that was damaged before": (
        text("contactId;nom", "1;LefÃ¨vre", "2;b"),
        {2: "text-damaged lastname", 3: sent("2", lastname="b")},
    ),
    # A.3 identifiers
    "A.3 identifiers": (
        text(
            "contactId;nom",
            *(
                "00123;a",
                "'00456;b",
                '"=""00789""";c',
                "\u202d001\u202c;d",
                "０１２;e",
                "9007199254740993;f",
                "5e1g;g",
                "nulle;h",
            ),
            *("1,23457E+15;x", "NULL;x", "12345.0;x", "12345,00;x", "١٢٣;x", "12 3;x", ";x", "é;x", "<clear>;x", f"{'a' * 81};x"),
            "Total général;x",
        ),
        {
            2: sent("00123", lastname="a"),
            3: sent("00456", lastname="b"),
            4: sent("00789", lastname="c"),
            5: sent("001", lastname="d"),
            6: sent("012", lastname="e"),
            7: sent("9007199254740993", lastname="f"),
            8: sent("5e1g", lastname="g"),
            9: sent("nulle", lastname="h"),
            10: "id-damaged contactId",
            11: "id-missing contactId",
            12: "id-decimal contactId",
            13: "id-decimal contactId",
            14: "id-characters contactId",
            15: "id-characters contactId",
            16: "id-missing contactId",
            17: "id-characters contactId",
            18: "id-clear contactId",
            19: "id-length contactId",
            20: "id-total contactId",
        },
    ),
    "A.3 ids that were rounded": (
        text("contactId;nom", *(f"12345678901234{n}000;a{n}" for n in range(3)), "5;b"),
        {2: "id-rounded contactId", 3: "id-rounded contactId", 4: "id-rounded contactId", 5: sent("5", lastname="b")},
    ),
    "A.3 duplicates": (
        text("contactId;nom", "1;a", "2;b", "'1;A", "3;c", "2;b"),
        {
            2: "duplicate-conflict contactId",
            3: sent("2", lastname="b"),
            4: "duplicate-conflict contactId",
            5: sent("3", lastname="c"),
            6: "repeats-left",
        },
    ),
    "A.3 ids that differ by leading zeros are two contacts": (
        text("contactId;nom", "00123;a", "123;b"),
        {2: sent("00123", lastname="a"), 3: sent("123", lastname="b")},
    ),
    # A.4 texts
    "A.4 words that pandas reads as missing": (
        text(
            "contactId;nom",
            *(f"{n};{word}" for n, word in enumerate(["NA", "null", "None", "nan", "N/A", "-", "TRUE", "1e5", "inf"])),
        ),
        {
            2 + n: sent(str(n), lastname=word)
            for n, word in enumerate(["NA", "null", "None", "nan", "N/A", "-", "TRUE", "1e5", "inf"])
        },
    ),
    "A.4 texts": (
        text(
            "contactId;nom;custom1",
            *(
                "1;#N/A;",
                "2;#REF!;",
                "3;#NOM?;",
                f"4;{'é' * 33};",
                f"5;{DECOMPOSED * 32};",
                "6;a\u200bb\u00ad;",
                "7;D’Arc-Été 😀;",
            ),
            *("8;=A1;", '9;"=CONCAT(A1)";', "10;;=1+1", "11;<vider>;<clear>", "12;\ue000;", "13;a\x07b;", "14;;", "15; ;\u00a0"),
        ),
        {
            2: "cell-error lastname",
            3: "cell-error lastname",
            4: "cell-error lastname",
            5: "text-length lastname",
            6: sent("5", lastname="é" * 32),
            7: sent("6", lastname="ab"),
            8: sent("7", lastname="D’Arc-Été 😀"),
            9: sent("8", lastname="=A1"),
            10: "cell-formula lastname",
            11: sent("10", custom1="=1+1"),
            12: sent("11", lastname="", custom1=""),
            13: "text-damaged lastname",
            14: "text-control lastname",
            15: NOTHING,
            16: NOTHING,
        },
    ),
    # A.5 dates
    "A.5 dates": (
        text(
            "contactId;date",
            *("1;12/06/2020", "2;12-06-2020", "3;12.06.2020", "4;2020-06-12", "5;2020-06-12 00:00:00", "6;2020-06-12T00:00"),
            *(
                "7;12/06/20",
                "8;43994",
                "9;2020-06-12T22:30:00Z",
                "10;29/02/2021",
                "11;31/04/2020",
                "12;0000-00-00",
                "13;31/12/9999",
            ),
            *("14;12 juin 2020", "15;1/2/2020 18:00", "16;20200612", "17;28/02/1900", "18;12/06/0020"),
        ),
        all_sent(6, date="2020-06-12")
        | {
            8: "date-two-digits date",
            9: "date-serial date",
            10: "date-time date",
            11: "date-calendar date",
            12: "date-calendar date",
            13: "date-calendar date",
            14: "date-range date",
            15: "date-unknown date",
            16: "date-time date",
            17: "date-unknown date",
            18: "date-range date",
            19: "date-range date",
        },
    ),
    "A.5 a month-first column": (
        text("contactId;date", "1;06/13/2020", "2;03/04/2020", "3;25/12/2020", "4;2020-03-04"),
        {2: "date-month-first date", 3: "date-ambiguous date", 4: sent("3", date="2020-12-25"), 5: sent("4", date="2020-03-04")},
    ),
    "A.5 a header with the month first": (
        text("contactId;Date de naissance (mm/jj/aaaa)", "1;03/04/2020", "2;2020-03-04"),
        {2: "date-ambiguous date", 3: sent("2", date="2020-03-04")},
    ),
    "A.5 dates with the month first in another column": (
        text("contactId;date;Inscription", "1;03/04/2020;12/31/2023"),
        {2: "date-ambiguous date"},
    ),
    # A.6 phones
    "A.6 phones": (
        text(
            "contactId;tel",
            *(
                "1;0612345678",
                "2;612345678",
                "3;33612345678",
                "4;+33 6 12 34 56 78",
                "5;06.12.34.56.78",
                "6;+33 (0)6 12 34 56 78",
            ),
            *("7;0033612345678", "8;06\u00a012\u202f34 56 78", "9;'0612345678", "10;٠٦١٢٣٤٥٦٧٨"),
            *("11;O612345678", "12;0612345678 poste 12", "13;33612345678.0", "14;0123456789", "15;0612345678 / 0712345678"),
            *("16;6,12E+08", "17;3.36E+10", "18;06123", "19;<vider>", "20;0692123456"),
        ),
        all_sent(10, phoneNumber="+33612345678")
        | {
            12: "phone-characters phoneNumber",
            13: "phone-characters phoneNumber",
            14: "phone-damaged phoneNumber",
            15: "phone-not-mobile phoneNumber",
            16: "phone-several phoneNumber",
            17: "phone-damaged phoneNumber",
            18: "phone-damaged phoneNumber",
            19: "phone-unknown phoneNumber",
            20: "phone-clear phoneNumber",
            21: sent("20", phoneNumber="+262692123456"),
        },
    ),
    # A.7 addresses
    "A.7 addresses": (
        text(
            "contactId;url",
            *("1;https://a.fr", "2;HTTP://a.fr/?next=javascript:x", "3; https://a.fr ", "4;https://exémple.fr/é"),
            *(
                "5;www.a.fr",
                "6;javascript:alert(1)",
                '7;"https://a.fr/a\tb"',
                "8;https://a.fr\\b",
                "9;https://a..fr",
                "10;https://a.fr:99999",
            ),
            *(
                "11;https://u:p@a.fr",
                "12;https://a.fr/a b",
                "13;Cliquez ici",
                "14;https://localhost",
                f"15;https://a.fr/{'a' * 255}",
            ),
        ),
        {
            2: sent("1", url="https://a.fr"),
            3: sent("2", url="http://a.fr/?next=javascript:x"),
            4: sent("3", url="https://a.fr"),
            5: sent("4", url="https://exémple.fr/é"),
            6: "url-scheme url",
            7: "url-scheme url",
            8: "url-characters url",
            9: "url-characters url",
            10: "url-host url",
            11: "url-host url",
            12: "url-login url",
            13: "url-characters url",
            14: "url-scheme url",
            15: "url-host url",
            16: "text-length url",
        },
    ),
}


def workbook_with_cells(*rows: Sequence[Any], **cells: tuple[Any, str | None]) -> bytes:
    """Return a workbook of these rows in which some cells have another value, and perhaps a number format."""

    def change(table: Any) -> None:
        for place, (value, number_format) in cells.items():
            table[place] = value
            if number_format:
                table[place].number_format = number_format

    return sheet(*rows, change=change)


def with_sheets(**sheets: str) -> bytes:
    """Return a workbook with these sheets: `contacts`, `text` or `chart`, optionally `hidden`."""
    made: Any = openpyxl.Workbook()
    made.remove(made.active)
    for title, (kind, *state) in ((title, kinds.split()) for title, kinds in sheets.items()):
        if kind == "chart":
            chart = BarChart()
            made.create_chartsheet(title).add_chart(chart)
            continue
        table = made.create_sheet(title)
        for values in {"contacts": [ROW, ["1", "a"]], "text": [["Bonjour"]]}[kind]:
            table.append(values)
        if state:
            table.sheet_state = "veryHidden"
    return book_bytes(made)


ROW = ["contactId", "nom"]
EVENING = dt.datetime(2020, 6, 12, 18)  # noqa: DTZ001 - a spreadsheet knows no time zones
A = sent("1", lastname="a")

BOOKS: dict[str, tuple[bytes, Expected]] = {
    "X01 text stays text": (
        sheet(ROW, ["001", "NA"], ["002", "null"], ["003", "1e5"], ["004", " x "]),
        {n + 1: sent(f"00{n}", lastname=name) for n, name in enumerate(["NA", "null", "1e5", "x"], 1)},
    ),
    "A.3 numbers as ids": (
        workbook_with_cells(
            ROW,
            *(["", "a"] for _ in range(7)),
            A2=(123, "00000"),
            A3=(12345.0, None),
            A4=(1e15, None),
            A5=(True, None),
            A6=(dt.date(2020, 6, 12), None),
            A7=(9007199254740993, "0"),
            A8=(12.5, None),
        ),
        {
            2: sent("00123", lastname="a"),
            3: sent("12345", lastname="a"),
            4: "id-rounded contactId",
            5: "cell-kind contactId",
            6: "cell-kind contactId",
            7: "id-rounded contactId",
            8: sent("12.5", lastname="a"),
        },
    ),
    "A.5 dates in a workbook": (
        workbook_with_cells(
            ["contactId", "date"],
            *([str(n), ""] for n in range(1, 9)),
            B2=(dt.date(2020, 6, 12), None),
            B3=(EVENING, None),
            B4=(43994, None),
            B5=(0, "dd/mm/yyyy"),
            B6=(60, "dd/mm/yyyy"),
            B7=(dt.timedelta(hours=30), None),
            B8=("12/06/2020", None),
            B9=(-1, "dd/mm/yyyy"),
        ),
        {
            2: sent("1", date="2020-06-12"),
            3: "date-time date",
            4: "date-serial date",
            5: "cell-kind date",
            6: "date-range date",
            7: "cell-kind date",
            8: sent("7", date="2020-06-12"),
            9: "date-range date",
        },
    ),
    "A.6 phones in a workbook": (
        workbook_with_cells(
            ["contactId", "tel"],
            *([str(n), ""] for n in range(1, 5)),
            B2=(612345678, '0#" "##" "##" "##" "##'),
            B3=(33612345678, None),
            B4=("+33612345678", None),
            B5=(33612345678.5, None),
        ),
        all_sent(3, phoneNumber="+33612345678") | {5: "phone-unknown phoneNumber"},
    ),
    "X07 formulas never calculated": (
        sheet(ROW, ["1", "=UPPER(A1)"], ["2", "b"]),
        {2: "cell-formula lastname", 3: sent("2", lastname="b")},
    ),
    "X08 error cells": (
        sheet(ROW, *([str(n), error] for n, error in enumerate(["#REF!", "#SPILL!", "#N/A", "a"]))),
        {2: "cell-error lastname", 3: "cell-error lastname", 4: "cell-error lastname", 5: sent("3", lastname="a")},
    ),
    "X09 merged cells": (
        sheet(ROW, ["1", "a"], ["2", None], ["3", "c"], change=lambda table: table.merge_cells("B2:B3")),
        {2: "cell-merged lastname", 3: "cell-merged lastname", 4: sent("3", lastname="c")},
    ),
    "X11 a hidden sheet first": (with_sheets(Param="contacts hidden", Liste="contacts"), {2: A}),
    "X12 a cover sheet first": (with_sheets(LisezMoi="text", Liste="contacts"), {2: A}),
    "X12d a chart first": (with_sheets(Graphique="chart", Liste="contacts"), {2: A}),
    "X13 values in a free field": (
        workbook_with_cells(
            ["contactId", "custom1"],
            *([str(n), ""] for n in range(1, 6)),
            B2=(True, None),
            B3=(12.5, '#,##0.00 "€"'),
            B4=(0.25, "0%"),
            B5=(0.1 + 0.2, None),
            B6=(1e15, None),
        ),
        {
            2: "cell-kind custom1",
            3: sent("2", custom1="12,50 €"),
            4: sent("3", custom1="25%"),
            5: sent("4", custom1="0.3"),
            6: "cell-kind custom1",
        },
    ),
    "X15b a wrong dimension": (
        edit_parts(sheet(ROW, ["1", "a"]), {SHEET: lambda part: part.replace(b'ref="A1:B2"', b'ref="A1"')}),
        {2: A},
    ),
    "X15e a stray space": (workbook_with_cells(ROW, ["1", "a"], A1048576=(" ", None)), {2: A}),
    "X17 escaped characters": (
        sheet(ROW, ["1", "Du_x000D_\n_x0041_"], ["2", "  b "]),
        {2: "text-control lastname", 3: sent("2", lastname="b")},
    ),
    "X20 headers of other kinds": (sheet([*ROW, None, 2020, dt.date(2020, 6, 12)], ["1", "a", None, 5, 6]), {2: A}),
    "X21 titles above": (sheet(["Contacts"], [], ROW, ["1", "a"]), {4: A}),
    "X22 a table at C4": (sheet([], [], [], [None, None, *ROW], [None, None, "1", "a"]), {5: A}),
    "X23 blank rows and a total row": (sheet(ROW, ["1", "a"], [], [" "], ["TOTAL", 30]), {2: A, 5: "id-total contactId"}),
    "X26 a link that shows a text": (sheet(["contactId", "url"], ["1", "Cliquez ici"]), {2: "url-scheme url"}),
    "X31 a CSV file": (text("contactId;nom", "1;a"), {2: A}),
    "X42 .xls": (
        xls(["contactId", "nom", "date"], ["00123", "Léa", 43994.0], [7.0, "b", "12/06/2020"]),
        {2: "date-serial date", 3: sent("7", lastname="b", date="2020-06-12")},
    ),
    "X43 .ods": (ods(table(row(*ROW), row("1", "a"), row(cell("2"), cell("#N/A", "string")))), {2: A, 3: "cell-error lastname"}),
    ".xlsb": (xlsb(row_records(0, *ROW, None), row_records(1, "1", "a", None)), {2: A}),
    "X45 a long cell": (sheet(ROW, ["1", "a" * 32_767], ["2", "b"]), {2: "text-length lastname", 3: sent("2", lastname="b")}),
}


@pytest.mark.parametrize(("content", "expected"), [*CSV.values(), *BOOKS.values()], ids=[*CSV, *BOOKS])
def test_manifest(content: bytes, expected: Expected, tmp_path: Path) -> None:
    """Each file gives the result in the manifest."""
    assert judge(content, tmp_path) == expected
