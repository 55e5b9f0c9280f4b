"""The house stands: imports point down, there are no circles, and each library has its owners."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "contact_sync"

FLOORS = (
    {"__main__"},
    {"cli"},
    {"invocation"},
    {"console"},
    {"run", "doctor", "inbox", "schedule", "ping", "options", "logs"},
    {"channel", "guard", "places", "state"},
    {"settings"},
    {"plan", "send", "sandbox"},
    {"attempt"},
    {"validate", "api.contact_update"},
    {"api.contact_detail", "api.me"},
    {"load", "report", "rules", "damage", "ledger", "breaker", "api.client"},
    {"api.limiter", "api.echo", "api.envelope", "fingerprint", "formula", "lock", "stop"},
    {"errors"},
    {"model"},
    {"i18n.catalogue", "packed"},
    {"i18n"},
    {"i18n.french"},
)
"""From top to bottom; a module may import only from floors below its own, or, within a folder, its neighbours."""

OWNERS = {
    "sqlite3": {"ledger"},
    "fcntl": {"lock"},
    "click": {"cli", "invocation", "options"},
    "tqdm": {"console"},
    "tenacity": {"attempt"},
    "httpx": {"api.client"},
    "aiohttp": {"api.client", "sandbox"},
    "asyncio": {"doctor", "api.client", "api.limiter", "attempt", "send", "stop", "channel", "sandbox"},
    "pandas": {"plan"},
    "openpyxl": {"load", "report"},
    "xlrd": {"load"},
    "csv": {"load", "report"},
    "phonenumbers": {"rules", "validate", "api.echo"},
    "platformdirs": {"invocation", "options"},
}


def _modules() -> dict[str, Path]:
    paths = {str(path.relative_to(PACKAGE).with_suffix("")).replace("/", "."): path for path in PACKAGE.rglob("*.py")}
    return {name.removesuffix(".__init__"): path for name, path in paths.items() if name != "__init__"}


def _room(name: str) -> str:
    """The room a module belongs to: itself, or its folder where the folder is one room."""
    return name.partition(".")[0] if name.startswith(("load", "report", "ledger")) else name


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


MODULES = _modules()


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_down(name: str) -> None:
    """A module imports only from the floors below it."""
    if name == "api":
        return
    floor = next((height for height, rooms in enumerate(FLOORS) if _room(name) in rooms), None)
    assert floor is not None, f"{name} stands on no floor"
    below = set().union(*FLOORS[floor + 1 :])
    ours = {imported.removeprefix("contact_sync.") for imported in _imports(MODULES[name])} & MODULES.keys()
    rooms = {_room(imported) for imported in ours} - {_room(name), "api"}
    assert rooms <= below, f"{name} imports {sorted(rooms - below)}"


@pytest.mark.parametrize("library", OWNERS)
def test_each_library_has_its_owners(library: str) -> None:
    """Only its owners import a library."""
    users = {_room(name) for name, path in MODULES.items() if any(i.partition(".")[0] == library for i in _imports(path))}
    assert users <= OWNERS[library]


WALL_CLOCK = {"run", "attempt", "load", "state", "doctor", "inbox", "report"}
"""Who may read it: to date what happened, and to compare it with a file's. What waits goes by a clock that cannot be set."""


def test_nothing_waits_by_the_wall_clock() -> None:
    """The clock that can be set, and is in the night of the clock change, is read by those who write down dates alone."""
    readers = {_room(name) for name, path in MODULES.items() if _reads_the_wall_clock(path.read_text(encoding="utf-8"))}
    assert readers <= WALL_CLOCK


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
