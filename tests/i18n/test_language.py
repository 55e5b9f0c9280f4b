"""Everything that operators read exists in English and in French."""

import ast
import datetime as dt
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

from contact_sync.api.smspartner import contact_update
from contact_sync.errors import ContactSyncError, Interrupted, SourceError
from contact_sync.i18n import LANGUAGES, phrase, speak, spoken
from contact_sync.i18n.catalogue import CATALOGUE
from contact_sync.i18n.french import FRENCH
from contact_sync.model import Violation
from contact_sync.rules.columns import Policy, Validator
from contact_sync.source import Choices, detect, open_source

PACKAGE = Path(__file__).parents[2] / "contact_sync"
TREES = {str(path.relative_to(PACKAGE)): ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")}
TABLES = {
    "model.py": CATALOGUE.values(),
    "source/detect.py": detect._OTHERS.values(),
    "api/smspartner/contact_update.py": contact_update._ACCESS.values(),
}
"""Where `phrase` is given a sentence out of a table, and the sentences of that table."""

UNCONVERTED = {"sandbox/server.py"}
"""Modules that speak English alone: the sandbox is for those who rehearse and develop."""

THIN = "\u202f"
CODE = re.compile(r'--map "[^"]*"|\{[^}]*\}|<\?>|https?://|=[0-9]+%|[0-9]{2}:[0-9]{2}')


def _calls(tree: ast.Module, *names: str) -> list[ast.Call]:
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [node for node in nodes if ast.unparse(node.func).rpartition(".")[2] in names]


def _phrases() -> list[tuple[str, ast.Call]]:
    return [(name, call) for name, tree in TREES.items() for call in _calls(tree, "phrase")]


def _sentence(call: ast.Call) -> str | None:
    """The sentence that a call of `phrase` spells out; None where it comes out of a table."""
    return call.args[0].value if isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str) else None


SPELLED = {sentence for _, call in _phrases() if (sentence := _sentence(call))}
SPOKEN = SPELLED.union(*TABLES.values())


def blanks(sentence: str) -> set[str]:
    """The names of a sentence's blanks."""
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}


def faults(french: str) -> list[str]:
    """What of a sentence is not set as French is; its code and its blanks do not count."""
    text = CODE.sub("x", french)
    found = re.findall(rf"(?<!{THIN})[;:!?%]", text)
    found += re.findall(rf"«(?!{THIN})|(?<!{THIN})»", text)
    return found + re.findall('["“”]|  ', text)


def test_every_sentence_has_its_french() -> None:
    """No sentence that is said, or stands in a table, is missing."""
    assert len(SPELLED) > 100
    assert SPOKEN - FRENCH.keys() == set()


def test_tables_are_known() -> None:
    """Only known modules give `phrase` anything but a sentence that is spelled out, so that none is overlooked."""
    assert {name for name, call in _phrases() if _sentence(call) is None} == TABLES.keys()


def test_no_french_is_left_over() -> None:
    """No sentence is kept that nobody says."""
    assert FRENCH.keys() - SPOKEN == set()


def test_every_call_fills_its_blanks() -> None:
    """Each call that spells out its sentence gives all of its blanks, and no others."""
    for name, call in _phrases():
        sentence, given = _sentence(call), {keyword.arg for keyword in call.keywords}
        if sentence is not None and None not in given:
            assert blanks(sentence) == given, (name, sentence)


@pytest.mark.parametrize("english", FRENCH)
def test_a_french_sentence(english: str) -> None:
    """It has the blanks of the English one and is set as French is."""
    french = FRENCH[english]
    assert blanks(french) == blanks(english)
    assert faults(french) == []
    assert english.endswith(".") == french.endswith(".")


@pytest.mark.parametrize(
    "wrong", ["a : b", "a: b", "a ? ", "a!", "10 %", "« a »", f"«{THIN}a »", "un “mot”", 'un "mot"', f"a{THIN}: b ; c", "a  b"]
)
def test_what_is_no_french_is_found(wrong: str) -> None:
    """A common space, an English quotation mark and the like do not pass."""
    assert faults(wrong)


def test_what_is_french_passes() -> None:
    """Code, addresses and blanks with a format are left alone."""
    assert not faults(f'«{THIN}{{a:g}}{THIN}»{THIN}: 10{THIN}%, <?> http://x 500=5%, --map "a b=c".')


def _kinds(kind: type[ContactSyncError]) -> Iterator[str]:
    yield kind.__name__
    for narrower in kind.__subclasses__():
        yield from _kinds(narrower)


@pytest.mark.parametrize("name", sorted(TREES.keys() - UNCONVERTED))
def test_errors_speak_the_language_in_use(name: str) -> None:
    """No error for operators is made of English words alone."""
    for call in _calls(TREES[name], *_kinds(ContactSyncError), "RefusedError"):
        assert not (call.args and _is_english(call.args[0])), ast.unparse(call)


def _is_english(node: ast.expr) -> bool:
    spelled = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return spelled or isinstance(node, ast.JoinedStr | ast.BinOp)


def test_english_is_spoken() -> None:
    """Unless another language is asked for, a sentence is said as it is written."""
    assert spoken() == "en" == LANGUAGES[0]
    assert phrase("{name} is empty: export it again.", name="a{b}.csv") == "a{b}.csv is empty: export it again."


@pytest.mark.usefixtures("french")
@pytest.mark.parametrize("sentence", FRENCH)
def test_a_known_sentence_is_said_in_french(sentence: str) -> None:
    """A sentence that has its French is never said in English."""
    filled = dict.fromkeys(blanks(sentence), 7)
    assert phrase(sentence, **filled) == FRENCH[sentence].format(**filled)


@pytest.mark.usefixtures("french")
def test_a_violation_in_french() -> None:
    """What is wrong with a row is told in the language in use at the time it is told."""
    found = Violation("text-length", "lastname", {"length": "40", "limit": "32"})
    assert found.message == f"lastname a 40 caractères, 32 au plus{THIN}: raccourcissez le texte."
    speak("en")
    assert found.message == "lastname has 40 characters, 32 at most: shorten it."


@pytest.mark.usefixtures("french")
def test_an_order_to_stop_in_french() -> None:
    """An error is told in French."""
    assert str(Interrupted(15)) == "Interrompu par SIGTERM."


@pytest.mark.usefixtures("french")
def test_a_source_in_french(tmp_path: Path) -> None:
    """A source with mistakes is told of in French, from its findings to its rows."""
    path = tmp_path / "contacts.csv"
    path.write_text(
        "contactId;phoneNumber;date\nC1;0612345678;31/02/2020\nC2;12;\n;0612345678\nC4;612345678;\n", encoding="utf-8"
    )
    with open_source(path, Choices(), clock=lambda: 4e9) as source:
        validator = Validator(source.mapping, Policy(today=dt.date(2026, 1, 1)))
        (chunk,) = source.chunks()
        told = validator.validate(chunk).violations
    assert source.findings == [
        "CSV, séparateur ;, encodage utf-8, en-tête à la ligne 1.",
        f"Colonnes reconnues{THIN}: contactId, phoneNumber, date.",
    ]
    assert {chunk.numbers[position]: [violation.message for violation in found] for position, found in told.items()} == {
        2: [f"Ce jour n'existe pas dans le calendrier{THIN}: corrigez la date."],
        3: [
            f"Ce numéro de téléphone n'existe pas{THIN}: vérifiez les chiffres, ou commencez par + et l'indicatif du pays.",
        ],
        4: [
            f"La ligne a 2 cellule(s) pour 3 colonnes, ses valeurs ont pu se décaler{THIN}: complétez-la là où figure <?>.",
        ],
    }
    assert dict(validator.notes) == {("phoneNumber", "0 initial rétabli, qu'un tableur avait supprimé"): 1}


@pytest.mark.usefixtures("french")
def test_a_refusal_by_the_child_in_french(tmp_path: Path) -> None:
    """The process that reads workbooks of old kinds speaks the language of its parent."""
    path, content = tmp_path / "contacts.ods", io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", "<encryption-data/>")
        archive.writestr("content.xml", "<x/>")
    path.write_bytes(content.getvalue())
    with (
        pytest.raises(SourceError, match=f"Le fichier contacts.ods est protégé par un mot de passe{THIN}: enregistrez-le sans"),
        open_source(path, Choices(), clock=lambda: 4e9),
    ):
        pass
