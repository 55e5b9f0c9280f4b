"""The language of errors in the command line and in the config file."""

import errno
import os
import re
from pathlib import Path

import click
import pytest

from contact_sync.cli.language import CLICK
from contact_sync.i18n.catalogue import SYSTEM

from .program import Main, config, write

WRONG = [
    ("pull", "Il manque l’option «\u202f-o\u202f» / «\u202f--output\u202f»."),
    ("run", "Il manque l’argument «\u202fFILE...\u202f»."),
    ("completion", "Il manque l’argument «\u202f{bash|zsh|fish}\u202f». Au choix\u202f: bash, zsh, fish"),
    ("rum", "La commande «\u202frum\u202f» n’existe pas. Vouliez-vous dire «\u202frun\u202f»"),
    ("run x --nonsense", "L’option «\u202f--nonsense\u202f» n’existe pas."),
    ("run x --rate", "Il faut une valeur à l’option «\u202f--rate\u202f»."),
    ("run x --quiet=1", "L’option «\u202f--quiet\u202f» ne prend pas de valeur."),
    ("check a b c", "Arguments en trop (b c)"),
    (
        "run x --blank no",
        "«\u202fno\u202f» n’est pas dans la liste\u202f: «\u202fask\u202f», «\u202fkeep\u202f», «\u202fclear\u202f».",
    ),
    ("run x --rate fast", "Valeur incorrecte pour «\u202f--rate\u202f»\u202f: écrivez le nombre de requêtes par seconde"),
    ("run x --workers 0", "écrivez un nombre entier de 1 à 256."),
    ("run x --report -", "écrivez le nom d’un fichier ou d’un dossier."),
    ("help nothing", "Il n’y a pas d’aide sur «\u202fnothing\u202f»"),
]


@pytest.mark.parametrize("variable", ["LANG", "LC_ALL", "CONTACT_SYNC_LANG"])
@pytest.mark.parametrize(("arguments", "sentence"), WRONG)
def test_usage_error_in_french(main: Main, variable: str, arguments: str, sentence: str) -> None:
    """Each kind of usage error is in the language of the environment, although no option has been read yet."""
    main.env[variable] = "fr"
    assert main(*arguments.split()) == 2
    err = main.read().err
    assert sentence in err
    assert not re.search("Error|Missing|No such|Invalid|write|'", err)


@pytest.mark.parametrize("arguments", ["--lang fr --rate x", "--rate x --lang=fr", "--nonsense --lang fr"])
def test_option_for_the_language(main: Main, arguments: str) -> None:
    """--lang counts for the errors of all other options, wherever it is."""
    main.env["LANG"] = "en_GB.UTF-8"
    assert main("run", "c.csv", *arguments.split()) == 2
    assert "Erreur\u202f:" in main.read().err


def test_language_before_the_command(main: Main) -> None:
    """--lang before the command works as it does after it, where the last one counts; before no command it does no harm."""
    main.env["LANG"] = "en_GB.UTF-8"
    write("C000001;Zoé")
    for given in (["--lang", "fr", "check"], ["--lang=fr", "check"], ["--lang", "en", "check", "--lang", "fr"]):
        assert main(*given, "contacts.csv") == 0
        assert "1 ligne" in main.read().err
    assert main("--lang", "fr", "check", "contacts.csv", "--nonsense") == 2
    assert "L’option" in main.read().err
    assert main("--lang", "fr", "rum") == 2
    assert "n’existe pas" in main.read().err
    assert main("--lang", "de", "check", "contacts.csv") == 2
    assert "'de' is not one of 'en', 'fr'." in main.read().err
    assert main("--lang", "fr", "help", "files") == main("--lang", "fr", "--version") == 0
    main.read()
    assert main("--lang", "fr", "schedule", "contacts.csv") == 0
    assert "--lang fr" in main.read().out


@pytest.mark.parametrize("written", ["lang = 'fr'\nrate = 'x'", "lang = 'fr'\nnonsense = 1"])
def test_language_of_the_config_file(main: Main, tmp_path: Path, written: str) -> None:
    """The config file's language counts for what is wrong with the file itself, at its usual place and with --config."""
    usual = config(written, str(tmp_path / ".config/contact-sync/config.toml"))
    assert main("run", "c.csv") == 2
    first = main.read().err
    assert re.search("Erreur|Le fichier de configuration", first)
    other = usual.rename("other.toml")
    other.write_bytes(b"\xef\xbb\xbf" + other.read_bytes())  # a byte order mark, as Windows programs write it
    assert main("run", "c.csv", "--config", other) == 2
    assert main.read().err == first.replace(str(usual), "other.toml")


@pytest.mark.parametrize("content", ["lang =", "lang = 3\nrate = 'x'", "lang = ['fr']", "lang = " + "[" * 5000])
def test_config_file_without_a_language(main: Main, content: str) -> None:
    """A config file that names no language is one error in the language of --lang, or else in English."""
    path = config(content)
    assert main("run", "c.csv", "--config", path, "--lang", "fr") == 2
    assert re.search("Erreur|Le fichier de configuration", main.read().err)
    assert main("run", "c.csv", "--config", path) == 2
    assert re.search("Error|The config file", main.read().err)


def test_options_of_another_command(main: Main) -> None:
    """What follows -- is no option of the command itself."""
    assert main("schedule", "c.csv", "--at", "x", "--", "--lang", "fr", "--json") == 2
    out, err = main.read()
    assert "is not a time of day" in err
    assert out == ""


def test_help_is_in_english(main: Main) -> None:
    """The help is the same in every language."""
    assert main("run", "--help") == main("--help") == 0
    english = main.read().out
    main.env["LANG"] = "fr_FR.UTF-8"
    assert main("run", "--help") == main("--help") == 0
    assert main.read().out == english


def test_lines_of_the_help(main: Main) -> None:
    """Without a command the help is shown as --help shows it; choices are on one line with their error."""
    assert main("--help") == 0
    shown = main.read().out
    assert main() == 2
    assert main.read().err == shown
    assert main("completion") == 2
    assert "Error: Missing argument '{bash|zsh|fish}'. Choose from: bash, zsh, fish" in main.read().err.splitlines()


def test_reason_of_the_system(main: Main) -> None:
    """What the system says of its most frequent errors is translated, also for a ping."""
    main.env["LANG"] = "fr_FR.UTF-8"
    assert main("check", "c.csv", "--config", "missing") == 2
    assert "(fichier ou dossier introuvable)" in main.read().err
    assert main("check", write("C1;Zoé"), "--ping", "http://127.0.0.1:1") == 0
    assert "Le ping n’a pas pu être envoyé (connexion refusée)" in main.read().err


def test_system_has_these_words() -> None:
    """The reasons in the catalogue are those of this system, so that they can be found."""
    known = {os.strerror(number) for number in errno.errorcode}
    assert {text for text in SYSTEM if "name resolution" not in text and "service" not in text} <= known


@pytest.mark.parametrize("arguments", ["run x --rate fast", "run", "run x --nonsense", "forget C1 --nonsense", "rum"])
def test_json_of_a_usage_error(main: Main, arguments: str) -> None:
    """With --json a usage error is an object, too, with the sentence alone."""
    assert main(*arguments.split(), "--json") == 2
    document = main.read_json()
    assert re.match("Invalid value|Missing argument|No such", document.pop("error"))
    assert document == {"exit_code": 2}


def test_sentences_of_click() -> None:
    """Click still has the sentences that are translated here."""
    source = "".join(path.read_text(encoding="utf-8") for path in Path(click.__file__).parent.glob("*.py"))
    for sentence in CLICK:
        assert sentence.replace("\n", "\\n").replace("\t", "\\t") in source
