"""Numbers in number formats, and the texts that LibreOffice shows for them. Run as a program, it writes `files/shown.json`."""

import csv
import io
import json
import random
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import xlsxwriter

SOFFICE = shutil.which("soffice")
TRUTH = Path(__file__).parent / "files" / "shown.json"
SEED, COUNT = 1, 2000
CSV = "csv:Text - txt - csv (StarCalc):44,34,76"  # the texts as shown; further options would write the values
Pair = tuple[float, str]

COMMON = (
    *('"C"000000', '"CLI-"0', "000000", "00000", "0000000000", "000-000", "00 00 00", r"000\ 000", '"N° "0', "000000_ ", r"\C0"),
    *("00 00 00 00 00", '0#" "##" "##" "##" "##', '00"."00"."00"."00"."00', '00"-"00"-"00"-"00"-"00', "000000000"),
    *('"+34 "000" "000" "000', '"+41 "00" "000" "00" "00', '"+"000000000', '"+33 "0" "00" "00" "00" "00', '"06 12"0000000'),
    *("0%", "0.0%", "0.00%", "0 %", r"0.0\ %", "[Red]0%", "#,##0%", "0.0%;-0.0%"),
    *("0", "0.0", "0.00", "0.000", "#,##0", "#,##0.00", '#,##0.00 "€"', "#,##0.00 €", r"#,##0.00\ [$€-40C]", '0" h"', '0.0" kg"'),
    *("#,##0;[Red]-#,##0", "0.00;[Red]-0.00", "0;-0;;@", "000000;-000000;;@", '0;-0;"zéro"', "[$-40C]000000", '[=0]"-";0'),
    r'_-* #,##0.00\ [$€-40C]_-;-* #,##0.00\ [$€-40C]_-;_-* "-"??\ [$€-40C]_-;_-@_-',
)
"""Formats that people use."""
RARE = (
    *("# ##0", "#,##0.###", "#,##0.0,", "#,##0_);(#,##0)", "#.##", "$#,##0.00", "(0.00)", "*-0", "+0;-0;0", '0"."00', "0.###"),
    *('0.0,,"M"', "0.00E+00", "0.0?", "000", "??/??", "0_)", "[$USD] 0.00", "[<1]0.00%;0", '[>100]"grand";0.0', "[Red]-0;0"),
    *('General" h"', '"C"General', ".00", "0.", r"[$€-2]\ #,##0.00", "[$$-409]#,##0.00", "[$-809]000000", "0,", "0/0", "0%%"),
    *("##-##-##", "#,##0-00", '[=1]0" jour";0" jours"', '[<10]"petit";[<100]"moyen";"grand"', "0;;", '#,##0.00;(#,##0.00);"-"'),
    *("#,#", "0,000", '[>=1000000]0.0,,"M";[>=1000]0.0,"k";0', "(00) 00 00 00", "0.0.0", '[<>5]0;"cinq"', '0;[=0]"-"', "??0"),
)
_TEXTS = (
    '"-"',
    '" "',
    r"\ ",
    "-",
    " ",
    '"."',
    r"\.",
    '"/"',
    '"A"',
    "_ ",
    "_)",
    '"+33 "',
    "(",
    ")",
    '"€"',
    '"0"',
    " €",
    "[$€-40C]",
)


def pairs(seed: int, count: int) -> list[Pair]:
    """Return made-up numbers, each with a number format."""
    chance = random.Random(seed)
    return [(_value(chance), _format(chance)) for _ in range(count)]


def _value(chance: random.Random) -> float:
    kind = chance.randrange(10)
    if kind < 4:
        return chance.randint(0, 10 ** chance.choice((1, 4, 6, 9, 12)))
    if kind < 6:
        return chance.randint(10**8, 10**9 - 1)
    if kind == 6:
        return -chance.choice((chance.randint(0, 99_999), round(chance.random() * 1000, 2)))
    if kind == 7:
        return chance.choice((0.5, 1.5, 2.5, 0.125, 0.285, 0.065, 1.005, 2.675, 0.145, 1234.565, 0.005, 99.995, 0.0049))
    return chance.random() if kind == 8 else round(chance.random() * 10 ** chance.randint(0, 6), chance.randint(1, 3))


def _format(chance: random.Random) -> str:
    kind = chance.random()
    if kind < 0.6:
        return chance.choice(COMMON)
    if kind < 0.8:
        return chance.choice(RARE)
    first = _section(chance)
    sections = [first, "-" + re.sub(r"\[(?:Red|\$-40C)\]", "", first), chance.choice(('"-"', "", '"zéro"', "0"))]
    return ";".join(sections[: chance.choice((1, 1, 2, 3))])


def _section(chance: random.Random) -> str:
    digits = ["".join(chance.choice("000#") for _ in range(chance.randint(1, 4))) for _ in range(chance.choice((1, 1, 2, 4)))]
    text = chance.choice(("", "", "[Red]", "[$-40C]")) + chance.choice(("", "", *_TEXTS))
    text += chance.choice(("#,##0", "0", chance.choice(_TEXTS).join(digits)))
    text += chance.choice(("", "", "." + "".join(chance.choice("000#?") for _ in range(chance.randint(1, 4)))))
    return text + chance.choice(("", "", "", ",", "%", " %")) + chance.choice(("", "", *_TEXTS))


def workbook(numbers: list[Pair]) -> bytes:
    """Return an .xlsx with these numbers under custom1, in contacts that are numbered from 1."""
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream) as book:
        sheet, formats = book.add_worksheet(), {code: book.add_format({"num_format": code}) for _, code in numbers}
        sheet.write_row(0, 0, ["contactId", "custom1"])
        sheet.set_column(1, 1, 60)
        for row, (value, code) in enumerate(numbers, 1):
            sheet.write_string(row, 0, str(row))
            sheet.write_number(row, 1, value, formats[code])
    return stream.getvalue()


def convert(content: bytes, suffix: str, kind: str, folder: Path, *, locale: str = "fr-FR", read: str = "") -> bytes:
    """Return a file as the LibreOffice of a `locale` saves it in another format; `read` is the filter that reads it."""
    profile = folder / f"profile-{locale}" / "user"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "registrymodifications.xcu").write_text(
        '<oor:items xmlns:oor="http://openoffice.org/2001/registry"><item oor:path="/org.openoffice.Setup/L10N">'
        f'<prop oor:name="ooSetupSystemLocale" oor:op="fuse"><value>{locale}</value></prop></item></oor:items>',
        encoding="utf-8",
    )
    source, saved = folder / f"numbers.{suffix}", folder / "saved"
    source.write_bytes(content)
    options = [f"-env:UserInstallation=file://{profile.parent}", "--headless", *([f"--infilter={read}"] if read else [])]
    command = [SOFFICE or "soffice", *options, "--convert-to", kind, "--outdir", str(saved), str(source)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return (saved / source.name).with_suffix("." + kind.partition(":")[0]).read_bytes()


def texts_of(content: bytes, suffix: str, folder: Path) -> list[str]:
    """Return what LibreOffice shows in the second column of a workbook of `workbook`, row by row."""
    table = convert(content, suffix, CSV, folder).decode()
    return [row[1] for row in csv.reader(io.StringIO(table, newline=""))][1:]


if __name__ == "__main__":
    numbers = pairs(SEED, COUNT)
    with tempfile.TemporaryDirectory() as place:
        shown = texts_of(workbook(numbers), "xlsx", Path(place))
    lines = [json.dumps([*pair, text], ensure_ascii=False) for pair, text in zip(numbers, shown, strict=True)]
    TRUTH.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
