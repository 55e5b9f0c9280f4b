"""The architecture: import directions, owners of libraries and of the wall clock, sizes and test folders."""

import ast
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.unmeasured

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "contact_sync"

FLOORS = (
    {"__main__"},
    {"cli"},
    {"sync"},
    {"api", "source", "ledger", "report", "sandbox"},
    {"files", "rules"},
    {"settings"},
    {"errors"},
    {"model"},
    {"events", "names", "packed"},
    {"i18n"},
    {"display"},
)
"""Folders and single modules from top to bottom; each imports only from itself and from the floors below its own."""

OWNERS = {
    "sqlite3": {"ledger.sqlite"},
    "psycopg": {"ledger.postgres"},
    "fcntl": {"files.lock", "files.writers"},
    "click": {"cli"},
    "tqdm": {"cli.progress"},
    "tenacity": {"sync.delivery"},
    "httpx": {"api.client", "api.failures", "api.transport"},
    "aiohttp": {"api.transport", "sandbox"},
    "asyncio": {"api", "cli.readiness", "sandbox", "sync"},
    "pandas": {"sync.duplicates"},
    "openpyxl": {"source", "report.xlsx"},
    "xlsxwriter": {"report.xlsx.new"},
    "xlrd": {"source.legacy"},
    "csv": {"source", "report"},
    "phonenumbers": {"rules", "api.smspartner"},
    "platformdirs": {"cli"},
}
"""Library -> the modules and folders that may import it."""


def _modules() -> dict[str, Path]:
    paths = {str(path.relative_to(PACKAGE).with_suffix("")).replace("/", "."): path for path in PACKAGE.rglob("*.py")}
    return {name.removesuffix(".__init__"): path for name, path in paths.items() if name != "__init__"}


def _folder(name: str) -> str:
    """Return the top folder of a module, or the module itself when it is outside of any."""
    return name.partition(".")[0]


@cache
def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = {name for name in names if name.removeprefix("contact_sync.") in MODULES}
            found |= modules if modules == names else {node.module, *modules}
    return found


MODULES = _modules()


def test_imports_point_down() -> None:
    """A module imports only from its own folder and the floors below."""
    for name, path in MODULES.items():
        floor = next((number for number, folders in enumerate(FLOORS) if _folder(name) in folders), None)
        assert floor is not None, f"{name} is on no floor"
        below = set().union(*FLOORS[floor + 1 :])
        ours = {imported.removeprefix("contact_sync.") for imported in _imports(path)} & MODULES.keys()
        folders = {_folder(imported) for imported in ours} - {_folder(name)}
        assert folders <= below, f"{name} imports {sorted(folders - below)}"


def test_no_import_cycles() -> None:
    """No module imports itself through others."""
    left = {
        name: {ours for imported in _imports(path) if (ours := imported.removeprefix("contact_sync.")) in MODULES}
        for name, path in MODULES.items()
    }
    while free := {name for name, imports in left.items() if not imports & left.keys() - {name}}:
        left = {name: imports for name, imports in left.items() if name not in free}
    assert not left


@pytest.mark.parametrize("folder", sorted({path.parent for path in MODULES.values()}))
def test_every_folder_has_a_docstring(folder: Path) -> None:
    """The docstring of a folder describes what belongs there."""
    assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))


@pytest.mark.parametrize("library", OWNERS)
def test_libraries_are_imported_by_their_owners(library: str) -> None:
    """Only its owners import a library."""
    users = {name for name, path in MODULES.items() if any(each.partition(".")[0] == library for each in _imports(path))}
    assert {name for name in users if not _is_within(name, OWNERS[library])} == set()


def _is_within(name: str, places: set[str]) -> bool:
    """Return True when a module is one of `places`, or in one of these folders."""
    return any(name == place or name.startswith(f"{place}.") for place in places)


def test_sql_is_in_the_engines() -> None:
    """Only the storage engines have SQL."""
    statement = re.compile(r"\s*(SELECT|INSERT INTO|UPDATE \w+ SET|DELETE FROM|CREATE (TEMPORARY )?TABLE|PRAGMA) ")
    users = {
        name
        for name, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and statement.match(node.value)
    }
    assert {name for name in users if not _is_within(name, {"ledger.sqlite", "ledger.postgres"})} == set()


def test_modules_are_short() -> None:
    """No module has more than 300 lines."""
    assert {name for name, path in MODULES.items() if path.read_bytes().count(b"\n") > 300} == set()


WITHOUT_COUNTERPART = {Path(), Path("benchmarks"), Path("e2e"), Path("fuzz")}
"""Test folders that concern the whole program."""


def test_test_folders_mirror_the_package() -> None:
    """Every folder of tests is named like the folder of the package that it tests."""
    folders = {path.parent.relative_to(TESTS) for path in TESTS.rglob("*.py")} - WITHOUT_COUNTERPART
    assert [folder for folder in sorted(folders) if not (PACKAGE / folder / "__init__.py").exists()] == []


def test_no_property_test_has_a_deadline() -> None:
    """The settings of property tests are in one place (conftest.py), so that no test depends on the load of the machine."""
    calls = (
        node
        for path in TESTS.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "settings"
    )
    assert [ast.unparse(call) for call in calls if any(keyword.arg == "deadline" for keyword in call.keywords)] == []


WALL_CLOCK = {
    "cli.cron",
    "cli.readiness",
    "files",
    "ledger.spool",
    "ledger.sqlite.in_place",
    "ledger.sqlite.live",
    "ledger.sqlite.confirmed",
    "ledger.folder",
    "report",
    "source",
    "sync",
}
"""Modules and folders that may read it, to record dates and to compare them with those of files."""


def test_wall_clock_is_read_only_for_dates() -> None:
    """Only modules that record or compare dates read the clock that can be set; waiting uses the monotonic clock."""
    readers = {name for name, path in MODULES.items() if _reads_the_wall_clock(path.read_text(encoding="utf-8"))}
    assert {name for name in readers if not _is_within(name, WALL_CLOCK)} == set()


@pytest.mark.parametrize(
    "code",
    [
        "import time; time.time()",
        "import time as t; t.time_ns()",
        "from time import time; time()",
        "from time import gmtime as g; g()",
        "import time; clock = time.time",
        "import datetime; datetime.datetime.now()",
        "import datetime as dt; dt.datetime.now(dt.UTC)",
        "import datetime as dt; dt.date.today()",
        "from datetime import datetime; datetime.now()",
        "from datetime import datetime as x; x.utcnow()",
        "from datetime import date as d; d.today()",
    ],
)
def test_wall_clock_is_recognised(code: str) -> None:
    """Reading the wall clock is recognised under any name."""
    assert _reads_the_wall_clock(code)


@pytest.mark.parametrize(
    "code",
    ["import time; time.monotonic()", "from datetime import datetime as x; x.fromisoformat('')", "stop.now(); day.today()"],
)
def test_other_clocks_are_not_the_wall_clock(code: str) -> None:
    """A monotonic clock or a given point in time is not the wall clock."""
    assert not _reads_the_wall_clock(code)


def _reads_the_wall_clock(code: str) -> bool:
    nodes = list(ast.walk(ast.parse(code)))
    meant: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            meant.update((alias.asname, alias.name) for alias in node.names if alias.asname)
        elif isinstance(node, ast.ImportFrom):
            meant.update((alias.asname or alias.name, f"{node.module}.{alias.name}") for alias in node.names)
    named = (ast.unparse(node).partition(".") for node in nodes if isinstance(node, (ast.Attribute, ast.Name)))
    return any(meant.get(first, first) + dot + rest in _READS for first, dot, rest in named)


_READS = {f"time.{name}" for name in ("time", "time_ns", "gmtime", "localtime", "ctime", "asctime", "strftime", "clock_gettime")}
_READS |= {"datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today"}


def test_lowest_versions() -> None:
    """Every dependency declares a lowest version, and these are what the workflow runs the tests with, too."""
    root = TESTS.parent
    subprocess.run(["make", "--silent", "--always-make", "build/lowest.txt"], cwd=root, check=True, timeout=60)
    pinned = (root / "build/lowest.txt").read_text(encoding="ascii").split()
    declared = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    assert [pin.replace("==", ">=") for pin in pinned] == [each.partition(",")[0] for each in declared]
    assert "CONSTRAINTS=build/lowest.txt" in (root / ".github/workflows/ci.yml").read_text(encoding="utf-8")
