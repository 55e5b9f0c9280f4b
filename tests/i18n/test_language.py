"""Everything that operators read exists in English and in French."""

import ast
import datetime as dt
import gettext
import io
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from contact_sync.errors import ContactSyncError, Interrupted, SourceError
from contact_sync.i18n import LANGUAGES, _, language, ngettext, set_language
from contact_sync.model.violation import Violation
from contact_sync.rules.columns import Policy, Validator
from contact_sync.source import SourceOptions, open_source

PACKAGE = Path(__file__).parents[2] / "contact_sync"
TREES = {str(path.relative_to(PACKAGE)): ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")}

THIN = "\u202f"
CODE = re.compile(r'--map "[^"]*"|\{[^}]*\}|<\?>|https?://|=[0-9]+%|[0-9]{2}:[0-9]{2}')


def _kinds_of(kind: type[ContactSyncError]) -> Iterator[str]:
    yield kind.__name__
    for narrower in kind.__subclasses__():
        yield from _kinds_of(narrower)


ERRORS = sorted({*_kinds_of(ContactSyncError)} - {Interrupted.__name__})
TRANSLATING = ("_", "ngettext", "from_os_error", *ERRORS)
"""The functions and classes that translate the sentence they are given."""

Sentence = str | tuple[str, ...]
"""A sentence, or its singular and its plural."""


def _as_sentence(text: str | Sequence[str] | None) -> Sentence:
    return text if isinstance(text, str) else tuple(text or ())


def _forms(string: Sentence) -> tuple[str, ...]:
    return string if isinstance(string, tuple) else (string,)


def catalogue() -> Catalog:
    """Return the French catalogue from its source."""
    with (PACKAGE / "i18n/locale/fr/LC_MESSAGES/contact_sync.po").open("rb") as file:
        return read_po(file, locale="fr")


def marked_sentences() -> set[Sentence]:
    """Return every sentence of the program that is marked for translation."""
    keywords = {"_": None, "N_": None, "NN_": (1, 2), "ngettext": (1, 2), "from_os_error": None, **dict.fromkeys(ERRORS)}
    with warnings.catch_warnings(action="ignore"):
        return {message for _file, _line, message, *_more in extract_from_dir(PACKAGE, keywords=keywords)}


FRENCH: dict[Sentence, Sentence] = {
    _as_sentence(message.id): _as_sentence(message.string) for message in catalogue() if message.id
}
PAIRS = [pair for id_, string in FRENCH.items() for pair in zip(_forms(id_), _forms(string), strict=True)]


def _calls(tree: ast.Module, *names: str) -> list[ast.Call]:
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [node for node in nodes if ast.unparse(node.func).rpartition(".")[2] in names]


def _literals(call: ast.Call) -> list[str]:
    """Return the literal sentences of a call; none when it takes them from a table."""
    given = call.args[: 2 if ast.unparse(call.func) == "ngettext" else 1]
    return [node.value for node in given if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def placeholders(sentence: str) -> set[str]:
    """Return the names of a sentence's placeholders."""
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}


def typography_errors(french: str) -> list[str]:
    """Return the violations of French typography in a sentence, except in its code and its placeholders."""
    text = CODE.sub("x", french)
    found = re.findall(rf"(?<!{THIN})[;:!?%]", text)
    found += re.findall(rf"«(?!{THIN})|(?<!{THIN})»", text)
    return found + re.findall(r"""["“”]|  |\w'\w|\w\(s\)""", text)


def test_every_sentence_is_translated() -> None:
    """The catalogue has exactly the sentences of the program, none of them empty or fuzzy (`make translations`)."""
    assert len(FRENCH) > 300
    assert FRENCH.keys() == marked_sentences()
    assert [
        message.id for message in catalogue() if message.id and (message.fuzzy or not all(_forms(_as_sentence(message.string))))
    ] == []


def test_catalogue_is_compiled() -> None:
    """The compiled catalogue matches its source (`make translations`)."""
    compiled = io.BytesIO()
    write_mo(compiled, catalogue())
    with (PACKAGE / "i18n/locale/fr/LC_MESSAGES/contact_sync.mo").open("rb") as file:
        translations = gettext.GNUTranslations(file)
    compiled.seek(0)
    assert translations._catalog == gettext.GNUTranslations(compiled)._catalog  # type: ignore[attr-defined]


def test_only_tables_translate_variables() -> None:
    """Only sentences that are marked elsewhere, such as in a table, are translated from a variable."""
    calls = [(name, call) for name, tree in TREES.items() for call in _calls(tree, *TRANSLATING)]
    assert {name for name, call in calls if not _literals(call)} == {
        "api/smspartner/envelope.py",
        "cli/console.py",
        "cli/options.py",
        "errors.py",
        "i18n/__init__.py",
        "ledger/postgres/database.py",
        "model/violation.py",
        "report/formats.py",
        "source/opening.py",
        "sync/base.py",
        "sync/guards.py",
    }


def test_every_call_fills_its_placeholders() -> None:
    """Each call with a literal sentence provides exactly its placeholders."""
    for name, tree in TREES.items():
        for call in _calls(tree, *TRANSLATING):
            given = {keyword.arg for keyword in call.keywords}
            given |= {"count"} if ast.unparse(call.func) == "ngettext" else set()
            given |= {"reason"} if ast.unparse(call.func).endswith(".from_os_error") else set()
            for sentence in _literals(call):
                if None not in given:
                    assert placeholders(sentence) <= given, (name, sentence)
            assert None in given or not _literals(call) or given <= set().union({"count"}, *map(placeholders, _literals(call))), (
                name
            )


def test_no_function_rebinds_the_translation() -> None:
    """A function that translates binds no other value to `_`."""
    for name, tree in TREES.items():
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and _calls(ast.Module([function], []), "_"):
                assert "_" not in _bound(function), (name, function.name)


def _bound(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """Return the names that a function binds, except those of its comprehensions."""
    given = function.args
    names = {
        argument.arg for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg) if argument
    }
    left: list[ast.AST] = list(function.body)
    while left:
        node = left.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        if not isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp | ast.Lambda | ast.FunctionDef):
            left.extend(ast.iter_child_nodes(node))
    return names


def test_french_sentences_match_the_english_ones() -> None:
    """A French sentence has the placeholders of the English one and follows French typography."""
    assert [pair for pair in PAIRS if len({frozenset(placeholders(sentence)) for sentence in pair}) > 1] == []
    assert [pair for pair in PAIRS if len({sentence.endswith(".") for sentence in pair}) > 1] == []
    found = {french: typography_errors(french.replace("H?lène", "")) for _english, french in PAIRS}
    assert {french: errors for french, errors in found.items() if errors} == {}


def test_french_has_one_word_for_the_sandbox() -> None:
    """The sandbox is « bac à sable » in each French sentence; only an option and a command have its English name."""
    named = [french for english, french in PAIRS if "sandbox" in english.replace("--sandbox", "")]
    assert len(named) >= 4
    assert [french for french in named if "bac à sable" not in french] == []
    assert [french for _english, french in PAIRS if "sandbox" in french.replace("--sandbox", "")] == []


@pytest.mark.parametrize(
    "wrong",
    [
        "a : b",
        "a: b",
        "a ? ",
        "a!",
        "10 %",
        "« a »",
        f"«{THIN}a »",
        "un “mot”",
        'un "mot"',
        f"a{THIN}: b ; c",
        "a  b",
        "l'a",
        "ligne(s)",
    ],
)
def test_typography_errors_are_found(wrong: str) -> None:
    """An ordinary space, an English quotation mark and the like are errors."""
    assert typography_errors(wrong)


def test_correct_typography_passes() -> None:
    """Code, addresses and placeholders with a format are ignored."""
    assert not typography_errors(f'«{THIN}{{a:g}}{THIN}»{THIN}: 10{THIN}%, <?> http://x 500=5%, --map "a b=c".')


def test_errors_are_translated() -> None:
    """No error for operators is an untranslated English sentence."""
    for name, tree in TREES.items():
        for call in _calls(tree, *ERRORS):
            assert not (call.args and isinstance(call.args[0], ast.JoinedStr | ast.BinOp)), (name, ast.unparse(call))
        for call in _calls(tree, "RefusedError"):
            assert not _literals(call), (name, ast.unparse(call))


def test_english_is_the_default() -> None:
    """Without another language a sentence is printed as it is in the code."""
    assert language() == "en" == LANGUAGES[0]
    assert _("{name} is empty: export it again.", name="a{b}.csv") == "a{b}.csv is empty: export it again."


@pytest.mark.usefixtures("french")
def test_translations_are_used() -> None:
    """A sentence with a translation is never printed in English."""
    for english, translation in FRENCH.items():
        if isinstance(english, str) and isinstance(translation, str):
            filled = dict.fromkeys(placeholders(english), 7)
            assert _(english, **filled) == translation.format(**filled)


@pytest.mark.usefixtures("french")
def test_plurals_in_french() -> None:
    """French uses the singular for zero, English the plural."""
    sentences = ("{source}: {count} row.", "{source}: {count} rows.")
    assert [ngettext(*sentences, count, source="a") for count in (0, 1, 2)] == [
        f"a{THIN}: 0 ligne.",
        f"a{THIN}: 1 ligne.",
        f"a{THIN}: 2 lignes.",
    ]
    set_language("en")
    assert [ngettext(*sentences, count, source="a") for count in (0, 1, 2)] == ["a: 0 rows.", "a: 1 row.", "a: 2 rows."]


@pytest.mark.usefixtures("french")
def test_violation_in_french() -> None:
    """The message of a violation is in the language at the time it is read."""
    found = Violation("text-length", "lastname", {"length": "40", "limit": "32"})
    assert found.sentence() == f"lastname a 40 caractères, 32 au plus{THIN}: raccourcissez le texte."
    set_language("en")
    assert found.sentence() == "lastname has 40 characters, 32 at most: shorten it."


@pytest.mark.usefixtures("french")
def test_interruption_in_french() -> None:
    """An error is translated."""
    assert str(Interrupted(15)) == "Interruption (SIGTERM)."


@pytest.mark.usefixtures("french")
def test_source_in_french(tmp_path: Path) -> None:
    """The findings and row messages of a source with mistakes are in French."""
    path = tmp_path / "contacts.csv"
    path.write_text(
        "contactId;phoneNumber;date\nC1;0612345678;31/02/2020\nC2;12;\n;0612345678\nC4;612345678;\n", encoding="utf-8"
    )
    with open_source(path, SourceOptions(), clock=lambda: 4e9) as source:
        validator = Validator(source.mapping, Policy(today=dt.date(2026, 1, 1)))
        (chunk,) = source.chunks()
        violations = validator.validate(chunk).violations
    assert source.findings == [
        "CSV, séparateur ;, encodage utf-8, en-tête à la ligne 1.",
        f"Colonnes reconnues{THIN}: contactId, phoneNumber, date.",
    ]
    unknown = (
        f"Ce numéro de téléphone n’existe pas{THIN}: vérifiez les chiffres, commencez par + et l’indicatif du pays, ou laissez "
        "la cellule vide pour garder le numéro enregistré."
    )
    assert {chunk.numbers[position]: [violation.sentence() for violation in found] for position, found in violations.items()} == {
        2: [f"Ce jour n’existe pas{THIN}: corrigez la date, ou laissez la cellule vide pour garder celle qui est enregistrée."],
        3: [unknown],
        4: [
            f"La ligne n’a que 2 des 3 cellules attendues, ses valeurs ont pu se décaler{THIN}: complétez-la à l’endroit de <?>."
        ],
    }
    assert dict(validator.notes) == {("phoneNumber", "0 initial rétabli"): 1}


@pytest.mark.usefixtures("french")
def test_legacy_reader_in_french(tmp_path: Path) -> None:
    """The child process that reads legacy workbooks uses the language of its parent."""
    path, content = tmp_path / "contacts.ods", io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", "<encryption-data/>")
        archive.writestr("content.xml", "<x/>")
    path.write_bytes(content.getvalue())
    with (
        pytest.raises(SourceError, match=f"Le fichier contacts.ods est protégé par un mot de passe{THIN}: enregistrez-le sans"),
        open_source(path, SourceOptions(), clock=lambda: 4e9),
    ):
        pass
