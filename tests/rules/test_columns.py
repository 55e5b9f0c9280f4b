"""The rules over whole columns."""

import datetime as dt
import re
import tracemalloc
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contact_sync.errors import ConfigError
from contact_sync.model.fields import FIELDS, ID, Schema
from contact_sync.model.source import Chunk
from contact_sync.model.violation import Violation
from contact_sync.rules import cells
from contact_sync.rules.cells import BLANK, TEXTS, Reading, read_date, read_id, read_text, read_url
from contact_sync.rules.columns import FAST_PATHS, Policy, Validator, Verdicts
from contact_sync.rules.phones import read_phone

pytestmark = pytest.mark.unmeasured

TODAY = dt.date(2025, 11, 24)
MAPPING = {field: place for place, field in enumerate((ID, *FIELDS))}
CLEAN = ["00123", "06 12 34 56 78", "Chloé", "Lefèvre", "13/06/2020", "https://exemple.fr/a", "un", "deux", "trois", ""]
SENT = ("+33612345678", "Chloé", "Lefèvre", "2020-06-13", "https://exemple.fr/a", "un", "deux", "trois", None)


def chunk(*rows: list[str], flaws: dict[int, list[Violation]] | None = None) -> Chunk:
    """Return a chunk of rows that begin on line 2."""
    return Chunk(list(range(2, 2 + len(rows))), list(rows), flaws or {})


def validator(**policy: str) -> Validator:
    """Return a validator for rows with a column for each field."""
    return Validator(MAPPING, Policy(today=TODAY, **policy))  # type: ignore[arg-type]


def verdicts(*rows: list[str], flaws: dict[int, list[Violation]] | None = None, **policy: str) -> Verdicts:
    """Return the verdicts on rows."""
    return validator(**policy).validate(chunk(*rows, flaws=flaws))


def row(**cells: str) -> list[str]:
    """Return a row with these cells, all others blank, for contact 1."""
    return [cells.get(field, "1" if field == ID else "") for field in (ID, *FIELDS)]


def codes(found: Verdicts) -> dict[int, list[tuple[str, str]]]:
    """Return (field, code) of each row's violations by position."""
    return {position: [(flaw.field, flaw.code) for flaw in flaws] for position, flaws in found.violations.items()}


def test_clean_row() -> None:
    """A clean row becomes the payload, and its blank cell is not sent."""
    found = verdicts(CLEAN)
    assert found == Verdicts(["00123"], [SENT], {}, [])


def test_no_rows() -> None:
    """A chunk without rows has no verdicts."""
    assert verdicts() == Verdicts([], [], {}, [])


def test_every_violation_in_order() -> None:
    """All violations of a row are reported, contactId first and then in the order of the fields."""
    bad = ["1 2", "0123456789", "a\nb", "LefÃ¨vre", "31/02/2020", "www.a.fr", "#REF!", "x" * 256, '="x"', "\x07!"]
    assert codes(verdicts(CLEAN, bad)) == {
        1: [
            (ID, "id-characters"),
            ("phoneNumber", "phone-not-mobile"),
            ("firstname", "text-control"),
            ("lastname", "text-damaged"),
            ("date", "date-calendar"),
            ("url", "url-scheme"),
            ("custom1", "cell-error"),
            ("custom2", "text-length"),
            ("custom3", "cell-formula"),
            ("custom4", "text-control"),
        ]
    }


def test_wrong_cell_sends_nothing() -> None:
    """A wrong cell has no value, the other cells of its row keep theirs, and a wrong id is empty."""
    found = verdicts(["1 2", *CLEAN[1:3], "x" * 33, *CLEAN[4:]])
    assert found.ids == [""]
    assert found.payloads == [(*SENT[:2], None, *SENT[3:])]


def test_flawed_cell_is_not_judged_again() -> None:
    """The loader's flaws are merged with the violations in the order of the fields; their cells are not judged again."""
    flaws = {1: [Violation("cell-merged", "custom1"), Violation("cell-kind", "firstname", {"kind": "a date"})], 2: []}
    bad = ["", *CLEAN[1:2], "a\nb", "x" * 33, *CLEAN[4:6], "#REF!", *CLEAN[7:]]
    found = verdicts(CLEAN, bad, CLEAN, flaws=flaws)
    assert codes(found) == {
        1: [(ID, "id-missing"), ("firstname", "cell-kind"), ("lastname", "text-length"), ("custom1", "cell-merged")]
    }
    assert found.payloads[1][1] is None
    assert found.payloads[0] == found.payloads[2] == SENT


def test_flawed_cell_is_not_cleared() -> None:
    """A cell that the loader could not read does not empty its field, even where blank cells do."""
    found = verdicts(CLEAN, flaws={0: [Violation("cell-formula", "lastname"), Violation("id-rounded", ID)]}, blank="clear")
    assert found.payloads[0][2] is None
    assert found.ids == [""]


def test_flaw_of_a_column_that_is_not_sent() -> None:
    """A flaw in a column that is not sent comes last, and all fields are still judged."""
    found = verdicts(["1", "0123456789", *CLEAN[2:]], flaws={0: [Violation("cell-error", "custom4", {"error": "#REF!"})]})
    assert codes(found) == {0: [("phoneNumber", "phone-not-mobile"), ("custom4", "cell-error")]}


@pytest.mark.parametrize("cells", [["1", "0123456789"], ["", "x", *["#REF!"] * 20]])
def test_row_flawed_as_a_whole(cells: list[str]) -> None:
    """A row with too few or too many cells is not judged and sends nothing, because its values may have moved."""
    flaw = Violation("cells-missing", detail={"cells": "2", "columns": "10"})
    found = verdicts(CLEAN, cells, CLEAN, flaws={1: [flaw]}, blank="clear")
    assert found.violations == {1: [flaw]}
    assert found.ids == ["00123", "", "00123"]
    assert found.payloads[1] == (None,) * 9


def test_nothing_to_send() -> None:
    """A row with nothing but a contactId gets `nothing-to-send`, unless it has another violation."""
    assert codes(verdicts(row(), row(contactId=""), row(lastname="a\nb"), row(custom1="x"))) == {
        0: [("", "nothing-to-send")],
        1: [(ID, "id-missing")],
        2: [("lastname", "text-control")],
    }


def test_blank_clears_by_policy() -> None:
    """Under `--blank clear` a blank cell empties its field, but never the phone number, and never a field without a column."""
    assert verdicts(row(), blank="clear").payloads == [(None, *[""] * 8)]
    assert verdicts(row(lastname="\u200b\xa0", date=" "), blank="clear").payloads == [(None, *[""] * 8)]
    some = Validator({ID: 0, "url": 1}, Policy(today=TODAY, blank="clear")).validate(chunk(["1", ""]))
    assert some.payloads == [(None, None, None, None, "", None, None, None, None)]
    phone = Validator({ID: 0, "phoneNumber": 1}, Policy(today=TODAY, blank="clear")).validate(chunk(["1", ""]))
    assert codes(phone) == {0: [("", "nothing-to-send")]}


def test_clear_word_always_clears() -> None:
    """The words for emptying a field work under each policy, and count as something to send."""
    found = verdicts(row(custom2="<clear>", date="<vider>"))
    assert found.payloads == [(None, None, None, "", None, None, "", None, None)]
    assert not found.violations


def test_ambiguous_dates() -> None:
    """Rows whose day could be the month are listed by position, those of other rows are not."""
    days = ["03/04/2020", "2020-04-03", "13/04/2020", "04/04/2020", "", "05-06-2020", "06/13/2020"]
    found = verdicts(*[row(date=day) for day in days])
    assert found.ambiguous == [0, 5]
    assert codes(found) == {4: [("", "nothing-to-send")], 6: [("date", "date-month-first")]}


def test_corrections_are_counted() -> None:
    """Corrections are counted by field over all chunks."""
    judge = validator()
    for _ in range(2):
        judge.validate(
            chunk(row(contactId="'1", phoneNumber="612345678"), row(phoneNumber="0612345678"), row(phoneNumber="0692123456"))
        )
    assert sorted((field, count) for (field, _), count in judge.notes.items()) == [
        (ID, 2),
        ("phoneNumber", 2),
        ("phoneNumber", 2),
    ]


def test_region() -> None:
    """A national number is one of the region, whose letters may be lower-case; an unknown region is refused."""
    found = verdicts(row(phoneNumber="0470 12 34 56"), row(phoneNumber="06 12 34 56 78"), region="be")
    assert found.payloads[0][0] == "+32470123456"
    assert [flaw.code for flaw in found.violations[1]] == ["phone-unknown"]
    for region in ("XX", "", "FRA"):
        with pytest.raises(ConfigError, match="ISO 3166"):
            validator(region=region)


def test_mapping() -> None:
    """Fields are read from the columns of the mapping, and cells of other columns are ignored."""
    found = Validator({"lastname": 3, ID: 1}, Policy(today=TODAY)).validate(chunk(["#REF!", "7", "\0", "Dupont"]))
    assert found == Verdicts(["7"], [(None, None, "Dupont", *[None] * 6)], {}, [])


def test_schema() -> None:
    """A payload has the fields of the schema, in its order."""
    schema = Schema(ID, ("lastname", "custom1"))
    found = Validator({ID: 0, "custom1": 1, "lastname": 2}, Policy(today=TODAY), schema).validate(chunk(["7", "x", "Dupont"]))
    assert found.payloads == [("Dupont", "x")]


def test_dates_end_two_years_from_today() -> None:
    """A date may be up to two years ahead."""
    assert codes(verdicts(row(date="24/11/2027"), row(date="25/11/2027"))) == {1: [("date", "date-range")]}


def test_long_cells_are_not_cached() -> None:
    """Long cells are read like any other, and memory does not grow with them."""
    judge = validator()
    tracemalloc.start()
    for number in range(50):
        found = judge.validate(chunk(row(date=f"{number}" + "x" * 100_000)))
        assert codes(found) == {0: [("date", "date-unknown")]}
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 1_000_000


# The fast path of a column returns what reading its cells does

IRREGULAR = [
    *("Anne  Marie", "Jean\xa0Paul", "D&#039;Arcy", "H?lène", "Ren√©", "Loading...", "R&D", "https://exemple.fr/?a=1&amp;b=2"),
    *(
        "",
        " ",
        "\xa0",
        "\u200b",
        "<clear>",
        "#REF!",
        "Err:502",
        "NA",
        '="1"',
        "'1",
        "1e5",
        "12.0",
        "total",
        "a\nb",
        "\n",
        "a b",
        " a ",
    ),
    *("0612345678", "06 12 34 56 78", "06.12.34.56.78", "06-12.34 56.78", "+33 6 12 34 56 78", "061234567.0", "+3361234567.0"),
    *(
        "-0612345678",
        ".0612345678",
        "06123456.00",
        "612345678",
        "0692123456",
        "0123456789",
        "0612345678\n0712345678",
        "0612345678\n",
    ),
    *("12/06/2020", "06/13/2020", "2020-06-12", "31/02/2020", "43994", "12/06/20", "x" * 33, "x" * 256, "é" * 32, "e\u0301" * 32),
    *(
        "https://exemple.fr/a",
        "http://a.fr",
        "HTTP://a.fr",
        "https://exemple..fr",
        "https://a@exemple.fr",
        "https://exemple.fr:80/",
    ),
    *("https://exemple.fr/a b", "https://exemple.fr\\a", "https://exemple.fr?x\nhttps://a.fr", " https://a.fr", "www.a.fr"),
    *(
        "LefÃ¨vre",
        "voilÃ ",
        "voilÃ",
        "voilÃ\xa0",
        "IRMÃ ANA",
        "Å“uf",
        "Château",
        "â€™",
        "x\ufffd",
        "\ud800",
        "\ue000",
        "😀",
        "\u202ex",
    ),
    *(
        "janv-25",
        "TRUE",
        "null",
        "01/02/2024",
        "https://b.frhttps://b.fr",
        "https://a.fr/https://b.fr",
        "00123",
        "C0001",
        "5e1f",
        "a" * 80,
        "a" * 81,
        "été",
        "１",
        "'1'",
        "x=1",
        "x<y",
        "#1",
        "\x85",
        "\x1f",
        "\u2028x",
        "12\u202f€",
        "---",
        "\\N",
        ' "Dupont"',
    ),
]
PLAIN = {
    ID: "C0001",
    "phoneNumber": "06 12 34 56 78",
    "date": "12/06/2020",
    "url": "https://exemple.fr/a",
    **dict.fromkeys(TEXTS, "Chloé"),
}
ALSO_PLAIN = {
    ID: "C0002",
    "phoneNumber": "0611223344",
    "date": "13/06/2020",
    "url": "https://exemple.fr/b",
    **dict.fromkeys(TEXTS, "Zoé"),
}


def plain_cells(field: str, count: int) -> list[str]:
    """Return different plain cells: those that repeat are read once, those that differ by the test of the whole column."""
    if field == "date":
        return [
            f"{n % 18 + 13}/{n // 18 % 12 + 1:02}/{1950 + n // 216}".replace("29/02", "28/02").replace("30/02", "28/02")
            for n in range(count)
        ]
    first = {ID: "C{:04}", "phoneNumber": "06 12 {:06}", "url": "https://exemple.fr/{}"}.get(field, "Chloé {}")
    return [first.format(n) for n in range(count)]


def read(field: str, cell: str) -> Reading:
    """Read one cell without the rest of its column."""
    if field == ID:
        return read_id(cell)
    if field == "phoneNumber":
        return read_phone(cell, "FR")
    if field == "date":
        return read_date(cell, TODAY + dt.timedelta(days=730))
    return read_url(cell) if field == "url" else read_text(cell, field)


def check_column(field: str, cells: list[str]) -> None:
    """Compare the verdicts on a column with the readings of its cells."""
    mapping = {ID: 0, field: 0} if field == ID else {ID: 0, field: 1}
    found = Validator({**mapping, "custom4" if field != "custom4" else "custom3": 2}, Policy(today=TODAY)).validate(
        chunk(*[[cell if field == ID else "1", cell, "x"] for cell in cells])
    )
    values = found.ids if field == ID else [payload[FIELDS.index(field)] for payload in found.payloads]
    for position, cell in enumerate(cells):
        reading = read(field, cell)
        expected = reading.value or "" if field == ID else None if reading is BLANK else reading.value
        assert values[position] == expected, (field, cell)
        assert found.violations.get(position, []) == ([reading.violation] if reading.violation else []), (field, cell)
        assert (position in found.ambiguous) is reading.ambiguous


@pytest.mark.parametrize("field", [ID, *FIELDS])
def test_irregular_cell_among_plain_ones(field: str) -> None:
    """Each irregular cell is read as if it were the only one, and its neighbours are not affected."""
    for cell in IRREGULAR:
        check_column(field, [cell])
        check_column(field, [PLAIN[field]] * 20 + [cell] + [PLAIN[field]] * 20)
        check_column(field, [*plain_cells(field, 20), cell, *plain_cells(field, 20)])


BREAKING = {
    "id-clear": ["<clear>"],
    "id-total": ["Total général"],
    "id-missing": ["NULL"],
    "id-damaged": ["1.23E+15"],
    "id-decimal": ["12345.0"],
    "id-characters": ["12 345"],
    "id-length": ["a" * 81],
    "cell-error": ["#REF!"],
    "cell-formula": ["=SUM(A1)"],
    "cell-null": ["\\N"],
    "clear-unknown": ["<vide>"],
    "text-damaged": ["LefÃ¨vre", "https://exemple.fr/Ã©"],
    "text-control": ["a\nb"],
    "text-quoted": ['"Dupont"'],
    "text-length": ["x" * 33, "x" * 256, "https://exemple.fr/" + "x" * 255],
    "phone-clear": ["<vider>"],
    "phone-damaged": ["3.36E+10"],
    "phone-several": ["0612345678 / 0712345678"],
    "phone-characters": ["06 12 34 56 7O"],
    "date-serial": ["43994"],
    "date-month-first": ["1/31/1980"],
    "date-two-digits": ["12/06/20"],
    "date-time": ["12/06/2020 14:30"],
    "date-unknown": ["June 2020"],
    "url-scheme": ["www.exemple.fr"],
    "url-characters": ["https://exemple.fr/a b"],
    "url-email": ["contact@exemple.fr"],
    "url-login": ["https://moi:x@exemple.fr"],
    "url-host": ["https://exemple..fr"],
}
"""Code of a rule → cells, one of which breaks it, whatever its field; a new rule needs a line here."""
LONG = 300
"""Plain cells before and after that one: more than are tested at once."""


@pytest.mark.parametrize(("field", "code"), [(field, rule.code) for field in (ID, *FIELDS) for rule in cells.RULES_OF[field]])
def test_every_rule_is_effective_in_a_long_column(field: str, code: str) -> None:
    """A cell that breaks a rule is found among hundreds of plain cells."""
    violations = {cell: read(field, cell).violation for cell in BREAKING[code]}
    cell, expected = next((cell, violation) for cell, violation in violations.items() if violation and violation.code == code)
    plain = row(**{field: PLAIN[field], "custom4" if field != "custom4" else "custom3": "x"})
    place = MAPPING[field]
    for column in ([PLAIN[field]] * LONG, plain_cells(field, LONG)):
        found = verdicts(*[[*plain[:place], text, *plain[place + 1 :]] for text in [*column, cell, *column]])
        assert found.violations == {LONG: [expected]}


@pytest.mark.parametrize("code", ["a-new-code", "cell-null"])
@pytest.mark.parametrize(("field", "text"), list(ALSO_PLAIN.items()))
def test_new_rule_is_effective_in_a_long_column(monkeypatch: pytest.MonkeyPatch, field: str, text: str, code: str) -> None:
    """A rule that no fast path knows is applied to every cell, although its field's fast path accepts the cell that breaks it."""
    rule = cells.Rule((field,), code, cells.reject_match(re.escape(text)))
    plain = row(**{field: PLAIN[field], "custom4" if field != "custom4" else "custom3": "x"})
    place = MAPPING[field]
    columns = [[PLAIN[field]] * LONG, [each for each in plain_cells(field, LONG + 1) if each != text][:LONG]]
    both = [[[*plain[:place], each, *plain[place + 1 :]] for each in [*column, text, *column]] for column in columns]
    assert not any(verdicts(*rows).violations for rows in both)
    monkeypatch.setitem(cells.RULES_OF, field, [*cells.RULES_OF[field], rule])
    assert [codes(verdicts(*rows)) for rows in both] == [{LONG: [(field, code)]}] * 2


def test_fast_paths_cover_rules_that_exist() -> None:
    """Every code that a fast path covers is the code of a rule, so that no misspelt one switches it off."""
    assert {code for fast_path in FAST_PATHS.values() for code in fast_path.covers} <= {rule.code for rule in cells.RULES}


@given(st.sampled_from([ID, *FIELDS]), st.lists(st.sampled_from(IRREGULAR) | st.text(max_size=12), max_size=30))
def test_column_equals_its_cells(field: str, cells: list[str]) -> None:
    """A column of any text is judged as its cells one by one."""
    check_column(field, cells)


@given(
    st.sampled_from([ID, *FIELDS]),
    st.lists(st.lists(st.sampled_from(IRREGULAR) | st.text(max_size=3), min_size=1, max_size=3), min_size=1, max_size=3),
    st.integers(0, 40),
)
def test_repeated_cells_equal_single_ones(field: str, parts: list[list[str]], plain: int) -> None:
    """Cells that repeat, in this chunk or in one before, are judged as if each were the only one."""
    check_column(field, [*parts[0] * 9, *plain_cells(field, plain)])
    mapping = {ID: 0, **({} if field == ID else {field: 1}), "custom4" if field != "custom4" else "custom3": 2}
    kept = Validator(mapping, Policy(today=TODAY))
    for part in parts:
        rows = [[cell if field == ID else "1", cell, "x"] for cell in part * 9]
        once = Validator(mapping, Policy(today=TODAY))
        assert kept.validate(chunk(*rows)) == once.validate(chunk(*rows))


@given(st.lists(st.from_regex(r"(\+33|0)?[ .]?[67]( ?[-. ]?[0-9]{1,2}){3,5}(\.0)?", fullmatch=True), max_size=6))
def test_phone_column_equals_its_cells(cells: list[str]) -> None:
    """A column of numbers is judged as its cells one by one."""
    check_column("phoneNumber", cells)


CELL = (
    st.sampled_from(IRREGULAR)
    | st.text(max_size=40)
    | st.text(st.characters(categories=["Cf", "Cs", "Zs", "Cc", "Co", "Nd"]), max_size=6)
)
ROW_OF_ANY_TEXT = st.lists(CELL, min_size=10, max_size=10)


@given(st.lists(ROW_OF_ANY_TEXT, max_size=20), st.sampled_from(["keep", "clear"]))
def test_any_text(rows: list[list[str]], blank: str) -> None:
    """Rows of any text get a verdict each, and what is sent is clean text of the right length."""
    found = verdicts(*rows, blank=blank)
    assert len(found.ids) == len(found.payloads) == len(rows)
    for position, (contact, payload) in enumerate(zip(found.ids, found.payloads, strict=True)):
        assert contact.isascii()
        assert bool(contact) or found.violations[position]
        assert any(value is not None for value in payload) or found.violations[position]
        assert payload[0] != ""
        assert all(len(name or "") <= 32 for name in payload[1:3])
        for value in filter(None, payload):
            assert value.encode() == value.strip().encode()
            assert not {unicodedata.category(char) for char in value} & {"Cc", "Cs", "Co", "Zl", "Zp"}
    for flaws in found.violations.values():
        assert all(flaw.sentence() for flaw in flaws)
        assert len({flaw.field for flaw in flaws}) == len(flaws)


@given(st.lists(ROW_OF_ANY_TEXT, max_size=10))
def test_payload_is_stable(rows: list[list[str]]) -> None:
    """A payload fed back as cells is the same payload; without its wrong cells a row may look like a totals row."""
    once = verdicts(*rows)
    again = verdicts(
        *[[contact, *(value or "" for value in payload)] for contact, payload in zip(once.ids, once.payloads, strict=True)]
    )
    for position, payload in enumerate(once.payloads):
        if position not in once.violations:
            assert again.ids[position] == once.ids[position]
            assert again.payloads[position] == tuple(value or None for value in payload)


def test_totals_row_has_no_other_mistake() -> None:
    """Sums in other columns of a totals row are not judged: the row is to be deleted."""
    found = verdicts(
        CLEAN, row(contactId="TOTAL", phoneNumber="30", date="12,50"), row(contactId="3", lastname="Total", date="4")
    )
    assert codes(found) == {1: [(ID, "id-total")], 2: [(ID, "id-total")]}


def test_totals_row_with_its_label_elsewhere() -> None:
    """A totals row is flagged also where its contactId is a count; a contact who is called so, and has a phone number, is not."""
    total = row(contactId="3", lastname="Total", custom1="12,50")
    found = verdicts(
        CLEAN, total, row(contactId="4", lastname="Total", phoneNumber="0612345678"), row(contactId="", lastname="Total")
    )
    assert codes(found) == {1: [(ID, "id-total")], 3: [(ID, "id-total")]}
    assert found.ids == ["00123", "", "4", ""]
