"""The house stands: imports point down, there are no circles, and each library has its owners."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "contact_sync"

FLOORS = (
    {"__main__"},
    {"cli"},
    {"sync"},
    {"api", "source", "ledger", "report", "sandbox"},
    {"files", "rules"},
    {"settings"},
    {"errors"},
    {"model"},
    {"packed"},
    {"i18n"},
)
"""Folders and single modules from top to bottom; each imports only from itself and from the floors below its own."""

OWNERS = {
    "sqlite3": {"ledger.sqlite"},
    "fcntl": {"files.lock"},
    "click": {"cli"},
    "tqdm": {"cli.console"},
    "tenacity": {"sync.delivery"},
    "httpx": {"api.client"},
    "aiohttp": {"api.client", "sandbox"},
    "asyncio": {"api", "cli.commands.doctor", "sandbox", "sync"},
    "pandas": {"sync.stage"},
    "openpyxl": {"source", "report.xlsx"},
    "xlrd": {"source.legacy"},
    "csv": {"source", "report"},
    "phonenumbers": {"rules", "api.smspartner"},
    "platformdirs": {"cli"},
}
"""Library -> the modules and folders that may import it."""


def _modules() -> dict[str, Path]:
    paths = {str(path.relative_to(PACKAGE).with_suffix("")).replace("/", "."): path for path in PACKAGE.rglob("*.py")}
    return {name.removesuffix(".__init__"): path for name, path in paths.items() if name != "__init__"}


def _room(name: str) -> str:
    """The folder of a module, or the module itself where it stands outside of any."""
    return name.partition(".")[0]


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


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_down(name: str) -> None:
    """A module imports only from the floors below it."""
    floor = next((height for height, rooms in enumerate(FLOORS) if _room(name) in rooms), None)
    assert floor is not None, f"{name} is on no floor"
    below = set().union(*FLOORS[floor + 1 :])
    ours = {imported.removeprefix("contact_sync.") for imported in _imports(MODULES[name])} & MODULES.keys()
    rooms = {_room(imported) for imported in ours} - {_room(name)}
    assert rooms <= below, f"{name} imports {sorted(rooms - below)}"


def test_no_circle() -> None:
    """No module imports itself, however many others lie between."""
    above = {
        name: {ours for i in _imports(path) if (ours := i.removeprefix("contact_sync.")) in MODULES}
        for name, path in MODULES.items()
    }
    while ground := {name for name, below in above.items() if not below & above.keys() - {name}}:
        above = {name: below for name, below in above.items() if name not in ground}
    assert not above


@pytest.mark.parametrize("folder", sorted({path.parent for path in MODULES.values()}))
def test_a_folder_says_what_it_is(folder: Path) -> None:
    """Every folder has a docstring that says what belongs there."""
    assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))


@pytest.mark.parametrize("library", OWNERS)
def test_each_library_has_its_owners(library: str) -> None:
    """Only its owners import a library."""
    users = {name for name, path in MODULES.items() if any(i.partition(".")[0] == library for i in _imports(path))}
    assert {name for name in users if not _is_within(name, OWNERS[library])} == set()


def _is_within(name: str, rooms: set[str]) -> bool:
    """Whether a module is one of these, or in one of these folders."""
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


WALL_CLOCK = {"cli.commands.doctor", "files", "ledger.state_dir", "report", "source", "sync"}
"""Who may read it: to date what happened, and to compare it with a file's. What waits goes by a clock that cannot be set."""


def test_nothing_waits_by_the_wall_clock() -> None:
    """The clock that can be set, and is in the night of the clock change, is read by those who write down dates alone."""
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
def test_the_wall_clock_has_many_names(code: str) -> None:
    """Whoever reads the wall clock is known, whatever it is called."""
    assert _reads_the_wall_clock(code)


@pytest.mark.parametrize(
    "code",
    ["import time; time.monotonic()", "from datetime import datetime as x; x.fromisoformat('')", "stop.now(); day.today()"],
)
def test_another_clock(code: str) -> None:
    """Who reads another clock, or a moment that is given, is not taken for one who reads the wall clock."""
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
