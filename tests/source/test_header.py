"""The header row and the fields of its columns."""

from itertools import pairwise

import pytest

from contact_sync.errors import ConfigError, SourceError
from contact_sync.model.fields import FIELDS, ID
from contact_sync.source import aliases
from contact_sync.source.aliases import normalise_header
from contact_sync.source.header import find_header, letter

from .reading import read, text

ALIASES = {
    ID: ["contactId", "Contact ID", "CONTACT_ID", "id contact", "ID", "Identifiant", "\u00a0Contact\u202fId\u00a0", "Contact-ID"],
    "phoneNumber": [
        "phoneNumber",
        "Téléphone",
        "Tél.",
        "tel",
        "Portable",
        "Mobile",
        "GSM",
        "Numéro",
        "N° tél",
        "Téléphone portable",
        "Numéro de téléphone portable",
        "Mobile Phone Number",
    ],
    "firstname": ["firstname", "First name", "Prénom", "PRÉNOM", "prenom", "Pre\u0301nom"],
    "lastname": ["lastname", "Last Name", "Nom", "Nom de famille"],
    "date": ["date", "Date de\nnaissance", "Naissance", "Anniversaire", "birthday", "Birth date", "Date of birth", "Né(e) le"],
    "url": ["url", "URL", "Lien", "Site web", "Site", "Page Web", "Website URL"],
    "custom1": ["custom1", "Custom 1", "Champ personnalisé 1", "perso1", "Champ 1"],
    "custom4": ["custom4", "Champ personnalisé 4", "Perso 4"],
}


@pytest.mark.parametrize("field", ALIASES)
def test_aliases(field: str) -> None:
    """A header is recognised in English and French, without case, accents, spaces and punctuation."""
    other, alias = ("lastname", "nom") if field == ID else (ID, "contactId")
    if field == "lastname":
        other, alias = ID, "id"
    for header in ALIASES[field]:
        assert read(text(f'{alias};"{header}"')).source.mapping == {other: 0, field: 1}


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("N° de téléphone", "phoneNumber"),
        ("n° tel. portable", "phoneNumber"),
        ("Nº de portable", "phoneNumber"),
        ("№ mobile", "phoneNumber"),
        ("No. GSM", "phoneNumber"),
        ("Num. de portable", "phoneNumber"),
        ("N° de téléphone *", "phoneNumber"),
        ("Phone No.", "phoneNumber"),
        ("Tel. no", "phoneNumber"),
        ("Téléphone n°", "phoneNumber"),
        ("Champ personnalisé n°1", "custom1"),
        ("Champ perso n° 4", "custom4"),
        ("Custom № 2", "custom2"),
        ("Custom no. 3", "custom3"),
        ("Custom No 1", "custom1"),
        ("Custom 1 - Ville", "custom1"),
        ("Champ 2 : code client", "custom2"),
        ("Ville (custom1)", "custom1"),
        ("Code client (champ personnalisé 3)", "custom3"),
        ("Nom(s)", "lastname"),
        ("Date (m/d/y)", "date"),
        ("Date de naiss.", "date"),
        ("url (https)", "url"),
        ("Téléphone 1", "phoneNumber"),
        ("Téléphone n°1", "phoneNumber"),
        ("Tél. (1)", "phoneNumber"),
        ("Téléphone principal", "phoneNumber"),
        ("Téléphone (E.164)", "phoneNumber"),
        ("Téléphone (format international)", "phoneNumber"),
        ("Mobile (ex. 0612345678)", "phoneNumber"),
        ("Portable [obligatoire]", "phoneNumber"),
        ("Phone 1 - Value", "phoneNumber"),
        ("Primary phone", "phoneNumber"),
        ("Date de naissance (JJ/MM/AAAA)", "date"),
        ("Date de naissance (jj-mm-aaaa)", "date"),
        ("Date de naissance JJ/MM/AAAA", "date"),
        ("Date de naissance : jj/mm/aa", "date"),
        ("Birthday (YYYY-MM-DD)", "date"),
        ("Birth date (mm/dd/yyyy)", "date"),
        ("Date de naissance (format : JJ/MM/AAAA)", "date"),
        ("Naissance [AAAA-MM-JJ]", "date"),
        ("Prénom (32 caractères max)", "firstname"),
        ("Prénom (facultatif)", "firstname"),
        ("Nom (texte)", "lastname"),
        ("Nom 1", "lastname"),
        ("Site web (https://…)", "url"),
        ("Champ 1 (optionnel)", "custom1"),
    ],
)
def test_hints_do_not_matter(header: str, field: str) -> None:
    """A hint on the form of the values, a number sign and the number of a first column do not matter."""
    assert read(text(f'contactId;Ville;"{header}"', "1;a;b")).source.mapping == {ID: 0, field: 2}


@pytest.mark.parametrize(
    "header",
    [
        *(
            "Téléphone (bureau)",
            "Téléphone (fixe)",
            "Mobile (conjoint)",
            "Date (création)",
            "Nom (entreprise)",
            "Nom - usage",
            "Ville (perso)",
            "N°",
            "N° 1",
            "n",
        ),
        *("Phone 1 - Type", "Phone 1 - Label", "Téléphone secondaire", "Tél. 2", "Mobile 3", "Identifiant 1"),
        *("N° client", "N° de rue", "N° de contrat", "Numéro de sécurité sociale", "Lieu de naissance (JJ)", "Nom du conjoint"),
    ],
)
def test_other_words_matter(header: str) -> None:
    """A word that says whose or which value it is makes another column."""
    assert read(text(f'contactId;custom2;"{header}"', "1;a;b")).source.mapping == {ID: 0, "custom2": 1}


@pytest.mark.parametrize(
    "headers",
    [
        ("Téléphone 1", "Téléphone 2"),
        ("Phone 1 - Value", "Phone 2 - Value"),
        ("Téléphone principal", "Téléphone secondaire"),
        ("Téléphone 1", "Mobile 1"),
        ("Date de naissance", "Date de naissance (JJ/MM/AAAA)"),
        ("N° de téléphone", "Téléphone portable"),
    ],
)
def test_two_columns_that_may_be_a_field_are_refused(headers: tuple[str, str]) -> None:
    """Where two columns may be a field, the operator chooses one."""
    content = text(f"contactId;{';'.join(headers)}", "1;a;b")
    with pytest.raises(
        SourceError, match=r"columns B “.*” and C “.*” both mean (phoneNumber|date): .*choose with --map"
    ) as refusal:
        read(content)
    field = "date" if "mean date" in str(refusal.value) else "phoneNumber"
    assert read(content, renames={headers[0]: field}).source.mapping == {ID: 0, field: 1}


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("Prénom usuel", "firstname"),
        ("Prénom du contact *", "firstname"),
        ("contact.firstname", "firstname"),
        ("contact_firstname", "firstname"),
        ("Vorname", "firstname"),
        ("Nom d’usage", "lastname"),
        ("Nom usuel (obligatoire)", "lastname"),
        ("Nom du contact", "lastname"),
        ("Nachname", "lastname"),
        ("Nom (en majuscules)", "lastname"),
        ("contact.phoneNumber", "phoneNumber"),
    ],
)
def test_second_choices(header: str, field: str) -> None:
    """A header that may mean something else is a field where no column has its plain name, which wins."""
    plain, other = {"firstname": "Prénom", "lastname": "Nom", "phoneNumber": "Tel"}[field], "custom1"
    assert read(text(f"contactId;{header};{other}", "1;a;b")).source.mapping[field] == 1
    assert read(text(f"contactId;{header};{plain}", "1;a;b")).source.mapping[field] == 2


def test_second_choices_of_one_field_are_refused() -> None:
    """Two second choices for one field refuse the file."""
    with pytest.raises(SourceError, match="“Nom usuel” and C “Nom d'usage” both mean lastname"):
        read(text("contactId;Nom usuel;Nom d'usage", "1;a;b"))


def test_plain_name_wins_over_the_first_of_several() -> None:
    """Beside a column with the name of a field, numbered ones are further columns."""
    assert read(text("contactId;Téléphone;Téléphone 1;Téléphone 2", "1;a;b;c")).source.mapping == {ID: 0, "phoneNumber": 1}


def test_header_of_many_columns_is_searched_quickly() -> None:
    """A header search compares no more than a few names letter by letter, and refuses too many columns before it compares any."""
    words = [f"{a}{b}{c}{d}" for a in "bcdfg" for b in "aeiou" for c in "lmnprst" for d in ("ton", "bert", "rand", "vier")]
    compared = 0

    def count(_one: str, _other: str) -> int:
        nonlocal compared
        compared += 1
        return 9

    aliases._near_fields.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aliases, "_distance", count)
        assert find_header([(1, words)], {}) is None
        assert compared < len(words)
        aliases._near_fields.cache_clear()
        compared = 0
        found = find_header([(1, ["contactId", "nom", *words * 200])], {})
    aliases._near_fields.cache_clear()
    assert found
    assert len(found.cells) > 16_384
    assert compared == 0


VALUES = ["1001", "Durand", "Paul", "0612345678", "12/05/1980", "paul@exemple.fr", "contact12", "Dave"]


@pytest.mark.parametrize("word", ["Mobile", "Portable", "Site", "Date", "Id", "Nom", "ID;Mobile", "Id;Dave;Mobile", "Lien;Web"])
def test_refusal_repeats_no_cell(word: str) -> None:
    """The refusal of a file without a header repeats none of its cells, even where some are words for fields."""
    try:
        source = read(text(*[";".join([*VALUES, word])] * 3)).source
    except SourceError as refused:
        sentences = [str(refused)]
        assert not any(cell in sentences[0] for cell in word.split(";"))
    else:
        sentences = source.findings + source.warnings
    assert not any(value in sentence for value in VALUES for sentence in sentences)


def test_columns_of_an_uncertain_header_are_letters() -> None:
    """Where a row of a contact resembles a header, sentences name its columns by their letters."""
    source = read(text("Id;Mobile;Durand;0612345678", "1;0612345679;x;y")).source
    assert source.findings[-1] == "Not sent, copied to the report: column C, column D."
    with pytest.raises(SourceError, match="the name of column A is close to contactId: write contactId in its place"):
        read(text("contact12;Durand;Dave", "1;0612345679;x"))


def test_findings_name_a_limited_number_of_columns() -> None:
    """The summary names the first of very many columns."""
    finding = read(text("contactId;nom;" + ";".join(f"x{n}" for n in range(300)), "1;a" + ";b" * 300)).source.findings[-1]
    assert finding.endswith("x99 and 200 more.")


def test_normalise_header() -> None:
    """Ligatures become two letters, and letters of other scripts are removed."""
    assert normalise_header("Œuvre n° 2") == "oeuvren2"
    assert normalise_header("Æ-ß") == "aess"
    assert normalise_header("cont\u0430ctId") == "contctid"


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("fisrtname", "firstname"),
        ("first nme", "firstname"),
        ("fristnam", "firstname"),
        ("prenon", "firstname"),
        ("télephonne", "phoneNumber"),
        ("phone nubmer", "phoneNumber"),
        ("dtae", "date"),
        ("urls", "url"),
        ("custom", "custom1"),
        ("custom5", "custom1"),
        ("date2", "date"),
        ("url 2", "url"),
        ("firstname2", "firstname"),
        ("phoneNumber 2", "phoneNumber"),
        ("l\u0430stname", "lastname"),
    ],
)
def test_typo_of_a_field_is_refused(header: str, field: str) -> None:
    """A header that is nearly a field refuses the file and suggests the field."""
    with pytest.raises(SourceError) as refusal:
        read(text(f"contactId;Ville;{header}", "1;a;b"))
    assert str(refusal.value) == (
        f'contacts.csv, row 1: column C “{header}” is close to {field}: correct the header, or give --map "{header}={field}".'
    )
    assert read(text(f"contactId;Ville;{header}", "1;a;b"), renames={header: field}).source.mapping == {ID: 0, field: 2}


@pytest.mark.parametrize("header", ["contactI", "cnotactId", "cont\u0430ctId", "identifiannt"])
def test_typo_of_the_id_is_refused(header: str) -> None:
    """A header that is nearly contactId refuses the file."""
    with pytest.raises(SourceError, match="is close to contactId"):
        read(text(f"nom;{header}", "a;1"))


OTHER_HEADERS = """note;notes;ville;email;e-mail;mail;age;code;groupe;pays;sexe;civilité;société;adresse;cp;commentaire;statut
langue;contrat;client;siret;fax;tel2;mobile2;titre;photo;contrats;portail;source;newsletter;opt-in;tags;liste;points;fidélité
entreprise;fonction;surnom;pseudo;champ5;perso5;champs;username;nickname;birthplace;contact;Téléphone 2;Téléphone fixe;Nom complet
Nom de naissance;Lieu de naissance;Date de création;Code postal;ID client"""


@pytest.mark.parametrize("header", OTHER_HEADERS.replace("\n", ";").split(";"))
def test_other_headers_are_not_typos(header: str) -> None:
    """A column that is not a field is copied to the report, even with a short name."""
    source = read(text(f"contactId;Prénom;{header}", "1;a;b")).source
    assert source.mapping == {ID: 0, "firstname": 1}
    assert source.findings[-1] == f"Not sent, copied to the report: {header}."


def test_every_alias_is_recognised() -> None:
    """Every alias is recognised as its field."""
    for alias, field in aliases._FIELD_OF.items():
        assert aliases.match_fields([alias], {}) == {0: field}


def test_second_similar_column_is_not_a_typo() -> None:
    """A column similar to a field that the file has is not a typo of it."""
    assert read(text("contactId;Téléphone;Téléphones", "1;a;b")).source.mapping == {ID: 0, "phoneNumber": 1}
    assert read(text("contactId;Téléphone;phoneNumber2", "1;a;b")).source.mapping == {ID: 0, "phoneNumber": 1}


def test_edit_distance() -> None:
    """Insertions, deletions, substitutions and swaps of neighbours count one each."""
    words = ["firstname", "fisrtname", "fisrtnme", "firstnames", "", "lastname"]
    assert [aliases._distance(a, b) for a, b in pairwise(words)] == [1, 1, 3, 10, 8]
    assert all(aliases._distance(a, b) == aliases._distance(b, a) for a in words for b in words)


def test_rename_wins_over_an_alias() -> None:
    """--map names a column, and wins over the meaning of its header."""
    reading = read(text("Numéro;Libellé;Nom", "1;a;b"), renames={"numero": "contactid", "LIBELLE": "custom1"})
    assert reading.source.mapping == {ID: 0, "lastname": 2, "custom1": 1}


def test_rename_of_a_missing_column_or_field() -> None:
    """--map must name a column and a field that exist."""
    with pytest.raises(ConfigError, match=r"--map names a column “libelle” that contacts\.csv does not have"):
        read(text("contactId;nom", "1;a"), renames={"Libellé": "custom1"})
    with pytest.raises(ConfigError, match="--map names a column “synccode”"):
        read(text("contactId;nom;sync_code", "1;a;b"), renames={"sync_code": "custom1"})
    with pytest.raises(ConfigError, match="custom9 is not a field; the fields are contactId, phoneNumber"):
        read(text("contactId;nom", "1;a"), renames={"nom": "custom9"})


def test_rename_resolves_duplicate_columns() -> None:
    """--map chooses between columns of one field; two of them in --map are refused."""
    content = text("contactId;Téléphone;Mobile;Ligne", "1;a;b;c")
    with pytest.raises(SourceError, match=r"columns B “Téléphone” and C “Mobile” both mean phoneNumber: .*choose with --map"):
        read(content)
    assert read(content, renames={"Mobile": "phoneNumber"}).source.mapping == {ID: 0, "phoneNumber": 2}
    assert read(content, renames={"Ligne": "phoneNumber"}).source.mapping == {ID: 0, "phoneNumber": 3}
    with pytest.raises(SourceError, match="columns C “Mobile” and D “Ligne” both mean phoneNumber"):
        read(content, renames={"Mobile": "phoneNumber", "Ligne": "phoneNumber"})


@pytest.mark.parametrize("header", ["contactld;firstname", "contactId;fisrt\u200bname"])
def test_typo_that_cannot_be_typed(header: str) -> None:
    """The refusal of a typo that is not shown, or has invisible characters, proposes no option with it."""
    with pytest.raises(
        SourceError, match=r"the name of column [AB] is close to (contactId|firstname): write \1 in its place"
    ) as it:
        read(text(header, "1;a"))
    assert "--map" not in str(it.value)


def test_exact_header_wins_over_a_typo_above() -> None:
    """A title that is nearly a header does not hide the header below it."""
    assert read(text("Contacts;Prénon", "contactId;Prénom", "1;Léa")).rows == [["1", "Léa"]]


def test_first_header_wins() -> None:
    """A header that is repeated further down is a row: no row between the two is lost."""
    assert len(read(text("contactId;nom;x", "1;a;", "contactId;nom;prenom", "2;b;c")).rows) == 3


def test_all_fields_in_one_file() -> None:
    """A file may have all the fields of the API."""
    assert set(read(text(";".join((ID, *FIELDS)), "1" + ";a" * 9)).source.mapping) == {ID, *FIELDS}


def test_long_headers_are_shortened_in_sentences() -> None:
    """A very long header is shortened in findings."""
    findings = read(text("contactId;nom;" + "x" * 5000, "1;a;b")).source.findings
    assert findings[-1] == f"Not sent, copied to the report: {'x' * 39}…."


def test_column_letters() -> None:
    """Columns have the letters of a spreadsheet."""
    assert [letter(position) for position in (0, 25, 26, 51, 52, 701, 702, 16_383)] == [
        "A",
        "Z",
        "AA",
        "AZ",
        "BA",
        "ZZ",
        "AAA",
        "XFD",
    ]


def test_refusal_shows_headers_far_to_the_right() -> None:
    """The refusal names the fields of the row that has most of them, in any column."""
    with pytest.raises(SourceError, match=r"row 2 looks like the header \(prénom, nom\), but none"):
        read(text("Date", ";" * 15 + "prénom;nom", "a;b"))
    with pytest.raises(SourceError, match="row 1 contains firstname"):
        read(text(";" * 15 + "prénom", "a;b"))


@pytest.mark.parametrize(
    ("header", "shown", "column"),
    [
        ("N° client;Nom;Prénom;Tél. portable", "Nom, Prénom, Tél. portable", "N° client"),
        ("Nom;Prénom;Code adhérent", "Nom, Prénom", "Code adhérent"),
        ("Nom;Prénom;Ville", "Nom, Prénom", "Réf client"),
        ('N° "x";Nom;Prénom', "Nom, Prénom", "Réf client"),
        ("Nom;Prénom;Tel;Date;Url;Custom1;Custom2", "Nom, Prénom, Tel, Date, Url and 2 more", "Réf client"),
    ],
)
def test_header_without_an_id(header: str, shown: str, column: str) -> None:
    """The refusal of a header without an id names its fields as they are written, and the column that may have the ids."""
    with pytest.raises(SourceError) as refused:
        read(text("Liste;;", ";;", header, "A1;Dupont;Jean;0612345678"))
    assert f"row 3 looks like the header ({shown}), but none of its columns is recognised as contactId." in str(refused.value)
    assert str(refused.value).endswith(f'--map "{column}=contactId".')


@pytest.mark.parametrize("header", ["N° contact", "Nº contact", "Numéro contact", "Contact n°", "N° contact *", "Num. contact"])
def test_number_of_the_contact(header: str) -> None:
    """The number of the contact is its id where no column has a plain name for it."""
    assert read(text(f"Nom;{header}", "a;1")).source.mapping == {ID: 1, "lastname": 0}
    assert read(text(f"Nom;{header};Identifiant", "a;1;2")).source.mapping == {ID: 2, "lastname": 0}


@pytest.mark.parametrize("header", ["Identifiant 1", "Contact ID 2", "Numéro de contact", "Contact number", "N° client"])
def test_other_numbers_are_no_id(header: str) -> None:
    """An id has no second, and the number of something else, or to call, is no id."""
    with pytest.raises(SourceError):
        read(text(f"Nom;{header}", "a;1"))
    assert read(text(f"Nom;N° contact;{header}", "a;1;2")).source.mapping == {ID: 1, "lastname": 0}


@pytest.mark.parametrize("lines", [("001;Dupont;Jean",), ('"001;Dupont;Jean"', '"002;Dupont;Jean"')])
def test_refusal_repeats_no_values(lines: tuple[str, ...]) -> None:
    """The refusal of a file without a header, which may be sent as a mail, repeats no value of its first row."""
    with pytest.raises(SourceError, match="row 1 contains no known field name\\.") as refused:
        read(text(*lines))
    assert "Dupont" not in str(refused.value)
