"""A pulled CSV that LibreOffice has opened and saved: whatever it makes of a value, no untouched cell is an edit."""

import csv
import io
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from contact_sync.model.fields import FIELDS, NAMES, PHONE
from contact_sync.rules.cells import CUSTOM, DATE
from contact_sync.sync.run import run
from tests.source.shown import SOFFICE, convert
from tests.sync.test_pull import Desk, desk  # noqa: F401 - a fixture
from tests.sync.test_run import age

pytestmark = pytest.mark.unmeasured

SHAPES = (
    *("0", "10", "000", "0010", "100000", "1000000000", "+11612345678", "1000000000000", "1000000000000000", "10000000000000000"),
    *("100000000000000000000", "1.0", "1,0", "0.10", "10.00", "10,50", "1.", ".5", "1 000", "1,000", "1.000", "1 000,50"),
    *(
        "1,000.50",
        "-1",
        "+1",
        "(10)",
        "1-",
        "1e1",
        "1E1",
        "10E1",
        "1e-1",
        "1.5e1",
        "1E+01",
        "10%",
        "10 %",
        "1.50%",
        "$1",
        "$ 1.50",
    ),
    *("10 €", "€1", "1/1", "1-1", "1.1", "1/10", "1/2010", "10-2010", "2010-10", "1/1/1", "1.1.1", "1-1-1", "1:1", "10:30"),
    *("1:10:10", "00:30:00", "10:30 AM", "1 pm", "30:10", "48.8500000", "48.850000000001", "0x1", "1_000", "'10", "=1+1", "-x1"),
    *("@1", "#1", "10-1000", "1A1", "A1", "1E1F", "10h30", "1²", "n° 10", "1,1,1", "1'000"),
)
"""Forms of numbers and codes, in which 0 stands for any digit, and 1 for any but 0."""
DAYS = (
    *("%d/%m/%Y", "%m/%d/%Y", "%Y-%m-%d", "%d.%m.%y", "%d-%m-%Y", "%Y/%m/%d", "%Y-%m-%d 10:30:15", "%Y-%m-%dT%H:%M:%S"),
    *("%d/%m/%Y %H:%M", "%d %b", "%b %d", "%b-%d", "%b %Y", "%B %d, %Y", "%d-%b-%y", "%b%d", "%d mars", "%d janv. %Y", "août %Y"),
)
TEXTS = (
    *("TRUE", "vrai", "Faux", "false", "3 1/2", "½", "NA", '"q"', "a\nb", "'t Hooft", "https://a.fr/?a=1", "rappeler ?", "ok ?"),
    *("Łódź", "Ω", "Kovač", "😀", "merci 😀", "x ", "  y", "vendredi 3 mai 2024"),
)

CODES = {"", "cell-converted", "text-damaged", "cell-kind", "cell-format"}
UTF_8, CP1252 = (f"csv:Text - txt - csv (StarCalc):59,34,{page},1,,0,false,true,false" for page in (76, 1))


def values(chance: random.Random) -> Iterator[str]:
    """Yield values of many kinds, of which spreadsheets take most for something else."""
    while True:
        digits = {"0": "0123456789", "1": "123456789"}
        yield "".join(chance.choice(digits.get(sign, sign)) for sign in chance.choice(SHAPES))
        day = datetime(1950, 1, 1, tzinfo=UTC) + timedelta(minutes=chance.randrange(50_000_000))
        yield day.strftime(chance.choice(DAYS))
        yield f"{day.day}{chance.choice('/-.')}{day.month}{chance.choice(['', f'/{day.year}'])}"
        yield chance.choice(TEXTS)


@pytest.mark.skipif(not SOFFICE, reason="LibreOffice (soffice) is not installed")
@pytest.mark.parametrize("seed", [1, *[pytest.param(None, id=f"any {number}", marks=pytest.mark.soak) for number in range(5)]])
@pytest.mark.parametrize(
    ("read", "kind", "locale"),
    [
        ("1033,false,true", UTF_8, "en-US"),
        ("1036,false,true", UTF_8, "fr-FR"),
        ("1036,false,true", CP1252, "en-US"),
        ("1036,false,true", "ods", "fr-FR"),
        pytest.param("1033,false,true", "xlsx", "en-US", marks=pytest.mark.soak),
        pytest.param("2057,false,false", UTF_8, "fr-FR", marks=pytest.mark.soak),  # without the detection of special numbers
    ],
)
def test_no_untouched_cell_is_an_edit(desk: Desk, seed: int | None, read: str, kind: str, locale: str) -> None:  # noqa: F811
    """However a pulled CSV is opened and saved, a cell is what it was, or is flagged; workbooks have codes of their own."""
    seed = random.randrange(10**9) if seed is None else seed
    chance = random.Random(seed)
    found = values(chance)
    first, second, *_ = contact_ids = list(desk.api.store)
    for contact_id in contact_ids:
        # One value each: a flagged cell hides the others of its row.
        blank = dict.fromkeys((PHONE, DATE, *CUSTOM), "")
        assert desk.api.store.apply(contact_id, blank | {chance.choice([*NAMES, *CUSTOM]): next(found)}) == 200
    desk.api.store.apply(first, {PHONE: "+687751234"})
    desk.api.store.apply(second, {DATE: "1953-04-10"})
    desk.pull()
    content = desk.output.read_bytes()
    saved = desk.folder / f"saved.{kind.partition(':')[0]}"
    saved.write_bytes(convert(content, "csv", kind, desk.folder, locale=locale, read=f"CSV:59,34,76,1,,{read}"))
    age(saved)
    report = desk.folder / "report.csv"
    run(desk.settings(source=saved, report=report, dry_run=True, max_invalid=100.0), desk.progress)
    lines = list(csv.DictReader(io.StringIO(report.read_text(encoding="utf-8-sig"), newline=""), delimiter=";"))
    pulled = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=";")
    edits = [
        [(before[name], after[name]) for name in FIELDS if before[name] != after[name]]
        for before, after in zip(pulled, lines, strict=True)
        if after["sync_outcome"] not in {"unchanged", "invalid"}
    ]
    assert edits == [], seed
    assert {code for line in lines for code in line["sync_code"].split(",")} <= CODES
