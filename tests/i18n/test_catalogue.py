"""The catalogue of sentences about rows."""

import ast
import re
from pathlib import Path
from string import Formatter

import pytest

from contact_sync.i18n.catalogue import CATALOGUE
from contact_sync.model.violation import Violation

PACKAGE = Path(__file__).parents[2] / "contact_sync"


def _placeholders(code: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(CATALOGUE[code]) if name}


def _constants() -> set[str]:
    """Return every string literal of the program, except those of the catalogue."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py") if path.name != "catalogue.py"]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


@pytest.mark.parametrize("code", CATALOGUE)
def test_sentence_is_well_formed(code: str) -> None:
    """A code is lower-case words with hyphens; a sentence is complete, one line, and not a formula."""
    assert re.fullmatch("[a-z]+(-[a-z]+)*", code)
    message = Violation(code, "firstname", dict.fromkeys(_placeholders(code) - {"field"}, "1")).sentence()
    assert re.fullmatch(r"[A-Za-z].*[.]", message)
    assert "{" not in message


def test_every_code_is_used() -> None:
    """The program uses every code of the catalogue."""
    assert CATALOGUE.keys() - _constants() == set()


def test_every_violation_fills_its_sentence() -> None:
    """Each violation with a literal code has a sentence and provides exactly its placeholders."""
    found = 0
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Violation"):
                continue
            code = node.args[0]
            details = [argument for argument in (*node.args, *(k.value for k in node.keywords)) if isinstance(argument, ast.Dict)]
            if isinstance(code, ast.Constant):
                found += 1
                assert code.value in CATALOGUE, path
                given = {key.value for detail in details for key in detail.keys if isinstance(key, ast.Constant)}
                literal = details or len(node.args) < 3
                assert not literal or _placeholders(str(code.value)) - {"field"} == given, (path, code.value)
    assert found > 20


def test_message_of_a_violation() -> None:
    """The message of a violation contains its field and its details."""
    violation = Violation("text-length", "lastname", {"length": "40", "limit": "32"})
    assert violation.sentence() == "lastname has 40 characters, 32 at most: shorten it."
    assert Violation("hidden").sentence() == CATALOGUE["hidden"]
