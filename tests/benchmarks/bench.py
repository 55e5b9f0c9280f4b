"""How fast and how large contact-sync is, as ratios against floors and peers in the same run: `make bench`.

Whole processes, taken in turn with what they are compared with, since machines drift; the median of each.
`python bench.py PART ...` runs some parts only; `--rows` sets how many rows the large files have. Beside the floors, which are
here, it runs the peers that are installed.
"""

import argparse
import csv
import datetime as dt
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import peers

HERE = Path(__file__).parent
PROGRAM = str(Path(sys.executable).with_name("contact-sync"))
FLOORS = [sys.executable, str(HERE / "floors.py")]
HEADER = ["contactId", "phoneNumber", "firstname", "lastname", "date", "url", "custom1", "custom2", "custom3", "custom4"]
NAMES = ["Zoé", "Léa", "Chloé", "Noé", "Loïc", "Anaïs", "Gaël", "Rémi", "Inès", "Théo"]


class Cost(NamedTuple):
    """What one process took: seconds by the clock, seconds of CPU, megabytes at its peak."""

    wall: float
    cpu: float
    memory: float


def cost(command: list[str]) -> Cost:
    """Run a command to its end."""
    begun = time.monotonic()
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"CONTACT_SYNC_API_KEY": "made-up-key-1234"},
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"exit code {process.returncode} of {' '.join(command)}")
    return Cost(time.monotonic() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def in_turn(*commands: Callable[[], list[str]], times: int = 3) -> list[Cost]:
    """The median cost of each command, run one after the other, several times round."""
    rounds = [[cost(command()) for command in commands] for _ in range(times)]
    return [Cost(*map(statistics.median, zip(*costs, strict=True))) for costs in zip(*rounds, strict=True)]


TABLE = ["| what | contact-sync | against | | ratio |", "|---|---|---|---|---|"]


def tell(line: str) -> None:
    """Print a line of the table."""
    print(line, flush=True)  # noqa: T201


def row(what: str, ours: float, against: str, theirs: float, unit: str) -> None:
    """Add a line to the table."""
    TABLE.append(f"| {what} | {ours:.2f} {unit} | {against} | {theirs:.2f} {unit} | {ours / theirs:.2f} |")
    tell(TABLE[-1])


class Server:
    """A server in a process of its own, and what it saw."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        self._process, self._out = process, process.stdout
        self.base_url = f"http://127.0.0.1:{self._out.readline().strip()}/v1"

    def seen(self) -> dict[str, float]:
        """Stop it; how many requests it had, how many in the busiest second, in how many seconds, and how busy it was."""
        self._process.send_signal(signal.SIGTERM)
        seen: dict[str, float] = json.loads(self._out.read())
        return seen


@contextmanager
def serving(delay: int, fails: int = 0) -> Iterator[Server]:
    """Serve updates that are confirmed after `delay` milliseconds, but for every so many that fail."""
    command = [sys.executable, str(HERE / "server.py"), str(delay), str(fails)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Server(process)
        finally:
            process.terminate()


def sending(source: str, server: Server, folder: Path, workers: int) -> Callable[[], list[str]]:
    """The command that sends all rows of a source as fast as it goes: with a new ledger each time, so that none is in place."""
    usual = [PROGRAM, "run", source, "--base-url", server.base_url, "--rate", "0", "--workers", str(workers), "-q"]
    return lambda: [*usual, "--state-dir", tempfile.mkdtemp(dir=folder)]


def write_csv(path: Path, rows: int, delimiter: str = ";") -> Path:
    """Write a source of clean rows, ten columns, all different."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(HEADER)
        for i in range(rows):
            day = f"{i % 28 + 1:02d}/{i % 12 + 1:02d}/{1950 + i % 50}"
            phone = f"0600{i * 7 % 1_000_000:06d}"  # none is one more than the one above
            writer.writerow(
                [
                    f"C{i:07d}",
                    phone,
                    NAMES[i % 10],
                    f"Dupont{i % 977}",
                    day,
                    f"https://boutique.example/{i}",
                    "Carte Or",
                    f"a{i % 100}",
                    "",
                    "v",
                ]
            )
    aged(path)
    return path


def write_workbook(path: Path, rows: int) -> Path:
    """Write the same rows as a workbook."""
    import openpyxl  # noqa: PLC0415 - not for the other parts

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Contacts")
    with write_csv(path.with_suffix(".csv"), rows).open(encoding="utf-8", newline="") as file:
        for cells in csv.reader(file, delimiter=";"):
            sheet.append(cells)
    book.save(path)
    aged(path)
    return path


def aged(path: Path) -> None:
    """Make a file look finished: a source is watched until it has been quiet for two seconds."""
    os.utime(path, (time.time() - 60, time.time() - 60))


def start(_: Path, __: int) -> None:
    """How long it takes until the program says anything."""
    ours, usage, theirs = in_turn(
        lambda: [PROGRAM, "--version"], lambda: [PROGRAM, "run", "--help"], lambda: [sys.executable, "-c", "pass"], times=9
    )
    row("`--version`", ours.wall, "`python -c pass`", theirs.wall, "s")
    row("`run --help`", usage.wall, "`python -c pass`", theirs.wall, "s")


def load(folder: Path, rows: int) -> None:
    """Load, validate and report a large CSV file, against reading it alone."""
    source = str(write_csv(folder / "large.csv", rows))
    ours, by_pandas, by_csv = in_turn(
        lambda: [PROGRAM, "check", source, "-q"],
        lambda: [*FLOORS, "pandas_alone", source],
        lambda: [*FLOORS, "csv_alone", source],
    )
    row(f"`check`, {rows:,} rows, CPU", ours.cpu, "`pandas.read_csv` alone", by_pandas.cpu, "s")
    row(f"`check`, {rows:,} rows, CPU", ours.cpu, "`csv.reader` alone", by_csv.cpu, "s")
    row(f"`check`, {rows:,} rows, memory", ours.memory, "`pandas.read_csv` alone", by_pandas.memory, "MB")


def workbook(folder: Path, rows: int) -> None:
    """Load, validate and report a workbook, against iterating over it alone."""
    rows = max(1, rows // 10)
    source = str(write_workbook(folder / "large.xlsx", rows))
    ours, theirs = in_turn(lambda: [PROGRAM, "check", source, "-q"], lambda: [*FLOORS, "openpyxl_alone", source], times=2)
    row(f"`check`, {rows:,} rows of xlsx, CPU", ours.cpu, "openpyxl alone", theirs.cpu, "s")


def send(folder: Path, _: int) -> None:
    """Send 10,000 rows to a server that answers after 20 ms, 64 at a time."""
    source = str(write_csv(folder / "send.csv", 10_000))
    with serving(20) as server:
        us, bare = in_turn(
            sending(source, server, folder, 64), lambda: [*FLOORS, "bare_aiohttp", source, server.base_url, "64"], times=5
        )
        busy = server.seen()["busy"]
    row("`run`, 10,000 rows, 64 workers, 20 ms, CPU", us.cpu, "bare aiohttp loop", bare.cpu, "s")
    row("`run`, 10,000 rows, 64 workers, 20 ms, time", us.wall, f"bare aiohttp loop (server busy {busy:.0%})", bare.wall, "s")


def others(folder: Path, _: int) -> None:
    """Send 1,000 rows beside what people would use instead, and 10,000 beside those who can do so many at a time."""
    for count, workers, delay in ((1_000, 16, 20), (10_000, 64, 20)):
        source = write_csv(folder / f"others{count}.csv", count, ",")
        with serving(delay) as server:
            them = {
                name: command
                for name, command in peers.commands(source, server.base_url).items()
                if name.endswith(f", {workers} at a time") or (workers == 16 and "at a time" not in name)
            }
            what = f"`run`, {count:,} rows, {workers} workers, {delay} ms"
            for name, command in them.items():
                us, they = in_turn(sending(str(source), server, folder, workers), lambda command=command: command, times=1)  # type: ignore[misc]
                row(f"{what}, time", us.wall, name, they.wall, "s")
                row(f"{what}, CPU", us.cpu, name, they.cpu, "s")


def idle(folder: Path, rows: int) -> None:
    """The night on which nothing has changed, against `check`."""
    rows = max(1, rows // 10)
    source = str(write_csv(folder / "idle.csv", rows))
    with serving(0) as server:
        run = sending(source, server, folder, 64)()
        cost(run)
        ours, theirs = in_turn(lambda: run, lambda: [PROGRAM, "check", source, "-q"])
        sent = int(server.seen()["requests"])
    row(f"`run`, {rows:,} rows unchanged, CPU ({sent - rows} requests)", ours.cpu, "`check` of the same", theirs.cpu, "s")


def pace(folder: Path, _: int) -> None:
    """The time for N rows at a rate, against N / rate, and the busiest second at the server."""
    for rate, delay, fails in ((5, 20, 0), (50, 200, 0), (50, 20, 50), (500, 20, 0)):
        rows = rate * 10
        source, state = str(write_csv(folder / f"pace{rate}.csv", rows)), tempfile.mkdtemp(dir=folder)
        with serving(delay, fails) as server:
            options = ["--base-url", server.base_url, "--state-dir", state, "--rate", str(rate), "--workers", "128", "-q"]
            command = [PROGRAM, "run", source, *options]
            cost(command)
            seen = server.seen()
        attempts = int(seen["requests"])
        what = f"{attempts} attempts at {rate}/s, {delay} ms, {attempts - rows} of them retries, first to last"
        row(f"{what} (busiest second: {seen['busiest']})", seen["span"], "attempts / rate", (attempts - 1) / rate, "s")


def growth(folder: Path, rows: int) -> None:
    """The CPU time a row and the memory of small, middling and large sources, in a picture."""
    sizes = [rows // 100, rows // 10, rows]
    checked = [cost([PROGRAM, "check", str(write_csv(folder / f"grow{size}.csv", size)), "-q"]) for size in (1, *sizes)]
    with serving(0) as server:
        less = [size // 5 for size in sizes]
        sent = [cost(sending(str(write_csv(folder / f"grow{size}.csv", size)), server, folder, 64)()) for size in (1, *less)]
    for what, (start, *costs), counts in (("check", checked, sizes), ("run", sent, less)):
        many, few = counts[-1], counts[0]
        per_row = [(cost.cpu - start.cpu) / size * 1e6 for cost, size in zip(costs, counts, strict=True)]
        row(f"`{what}`, {many:,} rows, CPU a row", per_row[-1], f"{few:,} rows", per_row[0], "µs")
        row(f"`{what}`, {many:,} rows, memory", costs[-1].memory, f"{few:,} rows", costs[0].memory, "MB")
        PLOT[what] = (counts, per_row, [cost.memory for cost in costs])


PLOT: dict[str, tuple[list[int], list[float], list[float]]] = {}
"""Command → sizes, CPU a row in µs, memory in MB."""

PICTURE = HERE / "growth.svg"


def draw() -> None:
    """Draw the picture of growth."""
    import matplotlib as mpl  # noqa: PLC0415 - not for the other parts

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "contact-sync"
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    for what, (sizes, per_row, memory) in PLOT.items():
        left.plot(sizes, per_row, marker="o", label=what)
        right.plot(sizes, memory, marker="o", label=what)
    left.set(title="CPU a row, after the start", xlabel="rows", ylabel="µs", xscale="log", yscale="log")
    right.set(title="Peak memory", xlabel="rows", ylabel="MB", xscale="log", ylim=(0, None))
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(PICTURE, metadata={"Date": None})


PARTS = {part.__name__: part for part in (start, load, workbook, idle, send, pace, others, growth)}
README = HERE / "README.md"


def write_readme(machine: str) -> None:
    """Replace the table of the benchmarks' README."""
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition("<!-- speed -->\n")
    _, _, after = rest.partition("<!-- /speed -->\n")
    README.write_text("\n".join([f"{before}<!-- speed -->", machine, "", *TABLE, f"<!-- /speed -->\n{after}"]), encoding="utf-8")


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=" ".join(PARTS))
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--readme", action="store_true", help="replace the table of tests/benchmarks/README.md, and the picture")
    told = parser.parse_args()
    day = dt.datetime.now(dt.UTC).date()
    machine = f"{day}, {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}:"
    for line in (machine, "", *TABLE):
        tell(line)
    folder = Path(tempfile.mkdtemp(prefix="contact-sync-bench-"))
    try:
        for part in told.parts or PARTS:
            PARTS[part](folder, told.rows)
    finally:
        shutil.rmtree(folder)
    if told.readme:
        write_readme(machine)
        if PLOT:
            draw()


if __name__ == "__main__":
    main()
