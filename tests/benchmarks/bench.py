"""Speed and memory of contact-sync, as ratios against floors and peers in the same session: `make bench`.

Whole processes alternate with their reference, since the speed of a machine drifts; the median counts.
`python bench.py PART ...` runs only some parts; `--rows` sets the size of the large files. The floors are always run
(`floors.py`), the peers when they are installed (`peers.py`).
"""

import argparse
import csv
import datetime as dt
import hashlib
import itertools
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import timeit
import venv
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import peers

from contact_sync.errors import ATTENTION_CODE
from contact_sync.ledger.base_token import BaseTokens
from contact_sync.ledger.digests import Fingerprints
from contact_sync.model.fields import FIELDS

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PROGRAM = str(Path(sys.executable).with_name("contact-sync"))
FLOORS = [sys.executable, str(HERE / "floors.py")]
HEADER = ["contactId", "phoneNumber", "firstname", "lastname", "date", "url", "custom1", "custom2", "custom3", "custom4"]
SURNAMES = ["O'Brien", "D'Arcy", "L'Hôte", "Lefèvre", "N'Diaye", "Müller", "Façon", "D’Angelo", "Beauchêne", "Œuvrard"]
FAULTS = [
    ["", "1.23E+15"],
    ["0123456789", "06123"],
    ["LefÃ¨vre", "#N/A"],
    ["x" * 40],
    ["31/02/2020", "12/06/20"],
    ["www.a.fr"],
    ["#REF!"],
    ['="x"'],
    ["#REF!"],
    ["#REF!"],
]
"""For each column, cells that break a rule."""
NAMES = ["Zoé", "Léa", "Chloé", "Noé", "Loïc", "Anaïs", "Gaël", "Rémi", "Inès", "Théo"]


class Cost(NamedTuple):
    """Cost of one process: wall-clock seconds, CPU seconds, peak megabytes."""

    wall: float
    cpu: float
    memory: float


ENVIRONMENT = os.environ | {"CONTACT_SYNC_API_KEY": "made-up-key-1234"}
ENVIRONMENT.pop(
    "PYTHONDONTWRITEBYTECODE", None
)  # else each process compiles the whole program, which an installed one never does


def cost(command: list[str]) -> Cost:
    """Run a command to its end and return its cost."""
    begun = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in {0, ATTENTION_CODE}:
        raise SystemExit(f"exit code {process.returncode} of {' '.join(command)}")
    return Cost(time.monotonic() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def median_costs(*commands: Callable[[], list[str]], times: int = 3) -> list[Cost]:
    """Return the median cost of each command; the commands alternate, `times` rounds."""
    rounds = [[cost(command()) for command in commands] for _ in range(times)]
    return [Cost(*map(statistics.median, zip(*costs, strict=True))) for costs in zip(*rounds, strict=True)]


TABLE = ["| what | contact-sync | against | | ratio |", "|---|---|---|---|---|"]


def print_line(line: str) -> None:
    """Print a line of the table at once."""
    print(line, flush=True)  # noqa: T201 - the result of the program


def add_row(what: str, ours: float, against: str, theirs: float, unit: str) -> None:
    """Add a line to the table."""
    TABLE.append(f"| {what} | {ours:.2f} {unit} | {against} | {theirs:.2f} {unit} | {ours / theirs:.2f} |")
    print_line(TABLE[-1])


class Server:
    """A server in a process of its own."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        self._process, self._out = process, process.stdout
        self.base_url = f"http://127.0.0.1:{self._out.readline().strip()}/v1"

    def stop(self) -> dict[str, float]:
        """Stop the server and return its statistics (`server.py`)."""
        self._process.send_signal(signal.SIGTERM)
        seen: dict[str, float] = json.loads(self._out.read())
        return seen


@contextmanager
def serving(delay: int, fails: int = 0) -> Iterator[Server]:
    """Serve updates that are confirmed after `delay` milliseconds; with `fails`, every n-th fails."""
    command = [sys.executable, str(HERE / "server.py"), str(delay), str(fails)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Server(process)
        finally:
            process.terminate()


def send_command(source: str, server: Server, folder: Path, workers: int) -> Callable[[], list[str]]:
    """Return a function that makes the command to send all rows without a rate limit, each time with a new ledger."""
    command = [PROGRAM, "run", source, "--base-url", server.base_url, "--rate", "0", "--workers", str(workers), "-q"]
    return lambda: [*command, "--state-dir", tempfile.mkdtemp(dir=folder)]


def plain_row(i: int) -> list[str]:
    """Return a valid row; rows are distinct."""
    day = f"{i % 28 + 1:02d}/{i % 12 + 1:02d}/{1950 + i % 50}"
    phone = f"0600{i * 7 % 1_000_000:06d}"  # not consecutive, which is a warning
    url = f"https://boutique.example/{i}"
    return [f"C{i:07d}", phone, NAMES[i % 10], f"Dupont{i % 977}", day, url, "Carte Or", f"a{i % 100}", "", "v"]


def accented_row(i: int) -> list[str]:
    """Return a valid row with ten full cells, a hexadecimal id, apostrophes and accents."""
    token = hashlib.sha256(b"%d" % i).hexdigest()
    row = plain_row(i)
    row[:2] = f"{token[:12]}x", f"+336{12_000_000 + i * 7 % 80_000_000:08d}"
    row[3] = SURNAMES[i % 10]
    return [*row[:5], f"https://boutique.example/{token[:8]}", "Carte d'Or", f"réf. {i % 1000}", "N'a pas répondu", "l'été"]


def faulty_row(i: int) -> list[str]:
    """Return a row of which one cell in fifty breaks a rule."""
    row = plain_row(i)
    for column, faults in enumerate(FAULTS):
        draw = int.from_bytes(hashlib.sha256(b"%d %d" % (i, column)).digest()[:4])
        if draw % 50 == 0:
            row[column] = faults[draw // 50 % len(faults)]
    return row


KINDS = {"plain": plain_row, "apostrophes and accents": accented_row, "2% faulty cells": faulty_row}


def write_csv(path: Path, rows: int, delimiter: str = ";", make_row: Callable[[int], list[str]] = plain_row) -> Path:
    """Write a source with ten columns."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(HEADER)
        writer.writerows(map(make_row, range(rows)))
    backdate(path)
    return path


def write_workbook(path: Path, rows: int, make_row: Callable[[int], list[str]] = plain_row) -> Path:
    """Write the same rows as a workbook, beside them as CSV."""
    import openpyxl  # noqa: PLC0415 - not for the other parts

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Contacts")
    with write_csv(path.with_suffix(".csv"), rows, make_row=make_row).open(encoding="utf-8", newline="") as file:
        for cells in csv.reader(file, delimiter=";"):
            sheet.append(cells)
    book.save(path)
    backdate(path)
    return path


def backdate(path: Path) -> None:
    """Make a file a minute old: a recently changed source is watched first."""
    os.utime(path, (time.time() - 60, time.time() - 60))


def install(folder: Path) -> Path:
    """Install the program as its users do, not editable, which makes every start slower; return the folder of its commands."""
    installed = folder / "installed"
    venv.create(installed, with_pip=True)
    command = [str(installed / "bin/pip"), "install", "--quiet", "--constraint", str(ROOT / "constraints.txt"), str(ROOT)]
    subprocess.run(command, check=True)
    return installed / "bin"


def start(folder: Path, _: int) -> None:
    """Measure the time until the program responds."""
    commands = install(folder)
    program, python = str(commands / "contact-sync"), str(commands / "python")
    ours, usage, theirs = median_costs(
        lambda: [program, "--version"], lambda: [program, "run", "--help"], lambda: [python, "-c", "pass"], times=9
    )
    add_row("`--version`, CPU", ours.cpu, "`python -c pass`", theirs.cpu, "s")
    add_row("`run --help`, CPU", usage.cpu, "`python -c pass`", theirs.cpu, "s")
    source = str(write_csv(folder / "first.csv", 100))
    with serving(0) as server:
        bare = [*FLOORS, "bare_aiohttp", source, server.base_url, "8"]
        ours, theirs = median_costs(send_command(source, server, folder, 8), lambda: bare, times=9)
    add_row("first `run` of 100 rows, CPU", ours.cpu, "bare aiohttp loop", theirs.cpu, "s")


def load(folder: Path, rows: int) -> None:
    """Measure loading, validating and reporting a large CSV file of each kind, against only reading it."""
    for kind, make_row in KINDS.items():
        source = str(write_csv(folder / "large.csv", rows, make_row=make_row))
        ours, by_pandas, by_csv = median_costs(
            lambda path=source: [PROGRAM, "check", path, "-q"],  # type: ignore[misc]
            lambda path=source: [*FLOORS, "pandas_alone", path],  # type: ignore[misc]
            lambda path=source: [*FLOORS, "csv_alone", path],  # type: ignore[misc]
        )
        what = f"`check`, {rows:,} rows, {kind}"
        add_row(f"{what}, CPU", ours.cpu, "`pandas.read_csv` alone", by_pandas.cpu, "s")
        add_row(f"{what}, CPU", ours.cpu, "`csv.reader` alone", by_csv.cpu, "s")
        add_row(f"{what}, memory", ours.memory, "`pandas.read_csv` alone", by_pandas.memory, "MB")


def workbook(folder: Path, rows: int) -> None:
    """Measure loading, validating and reporting a workbook, and the one that is returned, against openpyxl alone."""
    rows = max(1, rows // 10)
    source = str(write_workbook(folder / "large.xlsx", rows))
    ours, theirs = median_costs(lambda: [PROGRAM, "check", source, "-q"], lambda: [*FLOORS, "openpyxl_alone", source], times=2)
    add_row(f"`check`, {rows:,} rows of xlsx, CPU", ours.cpu, "openpyxl alone", theirs.cpu, "s")
    rows = max(1, rows // 5)
    source, report = str(write_workbook(folder / "returned.xlsx", rows, faulty_row)), str(folder / "returned.check.csv")
    returned, without, theirs = median_costs(
        lambda: [PROGRAM, "check", source, "-q", "--report", report],
        lambda: [PROGRAM, "check", source, "-q", "--report", report, "--workbook", "none"],
        lambda: [*FLOORS, "openpyxl_writes", report, str(folder / "written.xlsx")],
    )
    what = f"returned workbook of {rows:,} rows, 2% faulty cells (`check` with it less without it), CPU"
    add_row(what, returned.cpu - without.cpu, "openpyxl writing the same cells", theirs.cpu, "s")


def send(folder: Path, _: int) -> None:
    """Measure 10,000 rows sent to a server that responds after 20 ms, 64 at a time."""
    source = str(write_csv(folder / "send.csv", 10_000))
    with serving(20) as server:
        ours, bare = median_costs(
            send_command(source, server, folder, 64), lambda: [*FLOORS, "bare_aiohttp", source, server.base_url, "64"], times=5
        )
        busy = server.stop()["busy"]
    add_row("`run`, 10,000 rows, 64 workers, 20 ms, CPU", ours.cpu, "bare aiohttp loop", bare.cpu, "s")
    add_row(
        "`run`, 10,000 rows, 64 workers, 20 ms, time", ours.wall, f"bare aiohttp loop (server busy {busy:.0%})", bare.wall, "s"
    )


def others(folder: Path, _: int) -> None:
    """Measure 1,000 rows against each peer, and 10,000 against those that send as many at a time."""
    for count, workers, delay in ((1_000, 16, 20), (10_000, 64, 20)):
        source = write_csv(folder / f"others{count}.csv", count, ",")
        with serving(delay) as server:
            commands = {
                name: command
                for name, command in peers.commands(source, server.base_url).items()
                if name.endswith(f", {workers} at a time") or (workers == 16 and "at a time" not in name)
            }
            what = f"`run`, {count:,} rows, {workers} workers, {delay} ms"
            for name, command in commands.items():
                ours, theirs = median_costs(send_command(str(source), server, folder, workers), partial(list, command), times=1)
                add_row(f"{what}, time", ours.wall, name, theirs.wall, "s")
                add_row(f"{what}, CPU", ours.cpu, name, theirs.cpu, "s")


def idle(folder: Path, rows: int) -> None:
    """Measure a run in which nothing has changed, against `check`."""
    rows = max(1, rows // 10)
    source = str(write_csv(folder / "idle.csv", rows))
    with serving(0) as server:
        run = send_command(source, server, folder, 64)()
        cost(run)
        ours, theirs = median_costs(lambda: run, lambda: [PROGRAM, "check", source, "-q"])
        sent = int(server.stop()["requests"])
    add_row(f"`run`, {rows:,} rows unchanged, CPU ({sent - rows} requests)", ours.cpu, "`check` of the same", theirs.cpu, "s")
    add_row(f"`run`, {rows:,} rows unchanged, memory", ours.memory, "`check` of the same", theirs.memory, "MB")


def pace(folder: Path, _: int) -> None:
    """Measure the time for N rows at a rate, against N / rate, and the busiest second at the server."""
    for rate, delay, fails in ((5, 20, 0), (50, 200, 0), (50, 20, 50), (500, 20, 0)):
        rows = rate * (60 if rate == 5 else 10)
        source, state = str(write_csv(folder / f"pace{rate}.csv", rows)), tempfile.mkdtemp(dir=folder)
        with serving(delay, fails) as server:
            options = ["--base-url", server.base_url, "--state-dir", state, "--rate", str(rate), "--workers", "128", "-q"]
            command = [PROGRAM, "run", source, *options]
            spent = cost(command)
            load = server.stop()
        attempts = int(load["requests"])
        what = f"{attempts} attempts at {rate}/s, {delay} ms, {attempts - rows} of them retries, first to last"
        add_row(f"{what} (busiest second: {load['busiest']})", load["span"], "attempts / rate", (attempts - 1) / rate, "s")
        if rate == 5:  # the usual one
            add_row(f"{attempts} attempts at {rate}/s, CPU of the whole process", spent.cpu, "time", spent.wall, "s")


def hosts(folder: Path, _: int) -> None:
    """Measure the pace of three hosts that share an account in PostgreSQL, and the CPU of one against SQLite."""
    sys.path.append(str(HERE.parents[1]))
    from tests.postgres import binaries, serve  # noqa: PLC0415 - a server, which few parts need

    if binaries() is None:
        print_line("hosts: skipped, PostgreSQL (initdb) is not installed")
        return
    with serve() as postgres, ThreadPoolExecutor() as pool:
        for rate, seconds in ((5, 30), (50, 20), (300, 20)):
            url, source = postgres.create(f"rate{rate}"), folder / f"hosts{rate}"
            with serving(20) as server:
                commands = []
                for host in range(3):
                    rows = write_csv(
                        source.with_suffix(f".{host}.csv"), rate * seconds // 3, make_row=partial(_row_of_host, host)
                    )
                    commands.append(_paced(rows, server, folder, rate, "--ledger", url))
                list(pool.map(cost, commands))
                load = server.stop()
            attempts = int(load["requests"])
            what = f"{attempts} attempts of three hosts at {rate}/s together, while all send (busiest second: {load['busiest']})"
            add_row(what, load["steady"], "the rate", rate, "/s")
        source = write_csv(folder / "hosts.csv", 500)
        names = (f"cpu{number}" for number in itertools.count())
        with serving(20) as server:
            shared, alone = median_costs(
                lambda: _paced(source, server, folder, 50, "--ledger", postgres.create(next(names))),
                lambda: _paced(source, server, folder, 50),
            )
        add_row("`run`, 500 rows at 50/s, ledger in PostgreSQL, CPU", shared.cpu, "SQLite", alone.cpu, "s")


def _row_of_host(host: int, i: int) -> list[str]:
    """Return a valid row of a contact that only this host has."""
    return [f"H{host}{i:06d}", *plain_row(i)[1:]]


def _paced(source: Path, server: Server, folder: Path, rate: int, *options: str) -> list[str]:
    """Return the command to send all rows at a rate, with a new state folder."""
    there = ["--base-url", server.base_url, "--state-dir", tempfile.mkdtemp(dir=folder)]
    return [PROGRAM, "run", str(source), *there, "--rate", str(rate), "--workers", "16", "-q", *options]


def growth(folder: Path, rows: int) -> None:
    """Measure CPU time per row and memory for sources of four sizes, and plot them."""
    sizes = [max(1, rows // part) for part in (1000, 100, 10, 1)]
    sources = {size: str(write_csv(folder / f"grow{size}.csv", size)) for size in (1, *sizes, *(size // 5 for size in sizes))}

    def steady_cost(size: int, command: Callable[[str], list[str]]) -> Cost:
        """Return the cost of a source; of a small one, the start is most of it, and varies by more than its rows take."""
        (found,) = median_costs(partial(command, sources[size]), times=9 if size <= 10_000 else 1)
        return found

    checked = [steady_cost(size, lambda source: [PROGRAM, "check", source, "-q"]) for size in (1, *sizes)]
    with serving(0) as server:
        sent_sizes = [size // 5 for size in sizes]
        sent = [steady_cost(size, lambda source: send_command(source, server, folder, 64)()) for size in (1, *sent_sizes)]
    for what, (start, *costs), counts in (("check", checked, sizes), ("run", sent, sent_sizes)):
        many, few = counts[-1], counts[0]
        per_row = [(cost.cpu - start.cpu) / size * 1e6 for cost, size in zip(costs, counts, strict=True)]
        add_row(f"`{what}`, {many:,} rows, CPU a row", per_row[-1], f"{few:,} rows", per_row[0], "µs")
        add_row(f"`{what}`, {many:,} rows, memory", costs[-1].memory, f"{few:,} rows", costs[0].memory, "MB")
        CURVES[what] = (counts, per_row, [cost.memory for cost in costs])


@contextmanager
def sandbox(contacts: int) -> Iterator[str]:
    """Serve a sandbox with made-up contacts, and yield its base URL."""
    command = [PROGRAM, "sandbox", "--port", "0", "--contacts", str(contacts)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            yield process.stderr.readline().partition(" at ")[2].partition(" ")[0]
        finally:
            process.terminate()


def pull_command(base_url: str, folder: Path, rate: int) -> list[str]:
    """Return the command that pulls every contact into a workbook."""
    options = ["--base-url", base_url, "--state-dir", tempfile.mkdtemp(dir=folder), "--rate", str(rate), "-q"]
    return [PROGRAM, "pull", "-o", str(folder / "pulled.xlsx"), *options]


def pull(folder: Path, rows: int) -> None:
    """Measure a pull into a workbook against a bare loop of the same requests, its memory, and its pace."""
    many, few = max(1, rows // 10), max(1, rows // 50)
    with sandbox(many) as base_url:
        bare = [*FLOORS, "bare_pull", str(folder / "bare.xlsx"), base_url]
        ours, theirs = median_costs(lambda: pull_command(base_url, folder, 0), lambda: bare)
    with sandbox(few) as base_url:
        small = cost(pull_command(base_url, folder, 0))
    add_row(f"`pull`, {many:,} contacts to xlsx, CPU", ours.cpu, "bare aiohttp loop and openpyxl", theirs.cpu, "s")
    add_row(f"`pull`, {many:,} contacts to xlsx, memory", ours.memory, f"{few:,} contacts", small.memory, "MB")
    with sandbox(4_000) as base_url:
        paced = cost(pull_command(base_url, folder, 10))
    requests = 2 + 5 * (40 + 1)  # user and groups; of each group its pages, and one that shows its end
    add_row(f"`pull`, {requests} requests at 10/s, time", paced.wall, "requests / rate", (requests - 1) / 10, "s")


def edits(folder: Path, rows: int) -> None:
    """Measure the requests and the CPU of a run of 200 edits in a pulled file, and the base tokens of its rows."""
    many, edited, state = max(1_000, rows // 10), 200, tempfile.mkdtemp(dir=folder)
    pulled = folder / "pulled.csv"
    with sandbox(many) as base_url:
        options = ["--base-url", base_url, "--state-dir", state, "--rate", "0", "--json"]
        cost([PROGRAM, "pull", "-o", str(pulled), *options])
        # A pulled file remembers only its pull; its report has what was sent, and is edited further.
        for turn, path in (("the first", pulled), ("the second", folder / "pulled.results.csv")):
            _edit(path, edited, turn)
            command = [PROGRAM, "run", str(path), *options]
            done = subprocess.run(command, capture_output=True, check=True, env=ENVIRONMENT)
            requests = json.loads(done.stdout)["requests"]
            what = f"{turn} `run` of {edited} edits in {many:,} pulled rows, requests"
            add_row(what, requests, "a read and an update of each", 2 * edited, "")
        idle = [PROGRAM, "run", str(pulled), *options[:-1], "-q"]
        ours, theirs = median_costs(lambda: idle, lambda: [PROGRAM, "check", str(pulled), "--state-dir", state, "-q"])
    add_row(f"`run`, {many:,} pulled rows, nothing edited, CPU", ours.cpu, "`check` of the same", theirs.cpu, "s")
    fingerprints, row = Fingerprints(bytes(32)), ["value"] * len(FIELDS)
    tokens = BaseTokens(fingerprints, "account")
    token = tokens.issue(tokens.new_head(), "C1", row)
    floor = _microseconds(lambda: fingerprints.base("row", "C1\x1f" + "\x1f".join(row)))
    written = _microseconds(lambda: tokens.issue(token.rpartition(".")[0], "C1", row))
    add_row("base token of a row, written, CPU", written, "one HMAC-SHA-256 of the row", floor, "µs")
    untouched = _microseconds(lambda: tokens.read(token, "C1", row))
    add_row("base token of an untouched row, checked, CPU", untouched, "one HMAC-SHA-256 of the row", floor, "µs")


def _microseconds(call: Callable[[], object], times: int = 20_000) -> float:
    """Return the CPU time of a call: the least of five series."""
    return min(timeit.repeat(call, number=times, repeat=5, timer=time.process_time)) / times * 1e6


def _edit(pulled: Path, edited: int, value: str) -> None:
    """Write another value into one field of so many rows."""
    with pulled.open(encoding="utf-8-sig", newline="") as file:
        header, *lines = csv.reader(file, delimiter=";")
    for number in range(edited):
        lines[number * len(lines) // edited][header.index("custom2")] = f"{value} {number}"
    with pulled.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, delimiter=";").writerows([header, *lines])
    backdate(pulled)


CURVES: dict[str, tuple[list[int], list[float], list[float]]] = {}
"""Command → sizes, CPU a row in µs, memory in MB."""

PLOT_FILE = HERE / "growth.svg"


def plot() -> None:
    """Draw the plot of growth."""
    import matplotlib as mpl  # noqa: PLC0415 - not for the other parts

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "contact-sync"
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    for what, (sizes, per_row, memory) in CURVES.items():
        left.plot(sizes, per_row, marker="o", label=what)
        right.plot(sizes, memory, marker="o", label=what)
    left.set(title="CPU a row, after the start", xlabel="rows", ylabel="µs", xscale="log", yscale="log")
    right.set(title="Peak memory", xlabel="rows", ylabel="MB", xscale="log", ylim=(0, None))
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(PLOT_FILE, metadata={"Date": None})


PARTS = {part.__name__: part for part in (start, load, workbook, idle, send, pull, edits, pace, hosts, others, growth)}
README = HERE / "README.md"


def write_readme(machine: str) -> None:
    """Replace the table of the benchmarks' README."""
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition("<!-- speed -->\n")
    _, _, after = rest.partition("<!-- /speed -->\n")
    README.write_text("\n".join([f"{before}<!-- speed -->", machine, "", *TABLE, f"<!-- /speed -->\n{after}"]), encoding="utf-8")


def main() -> None:
    """Run the parts and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=" ".join(PARTS))
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--readme", action="store_true", help="replace the table of tests/benchmarks/README.md, and the plot")
    arguments = parser.parse_args()
    day = dt.datetime.now(dt.UTC).date()
    machine = f"{day}, {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}:"
    for line in (machine, "", *TABLE):
        print_line(line)
    folder = Path(tempfile.mkdtemp(prefix="contact-sync-bench-"))
    try:
        for part in arguments.parts or PARTS:
            PARTS[part](folder, arguments.rows)
    finally:
        shutil.rmtree(folder)
    if arguments.readme:
        write_readme(machine)
        if CURVES:
            plot()


if __name__ == "__main__":
    main()
