"""How fast and how large contact-sync is, as ratios against floors and peers in the same run: `make bench`.

Whole processes, taken in turn with what they are compared with, since machines drift; the median of each.
`python bench.py PART ...` runs some parts only; `--rows` sets how many rows the large files have.
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
        env=os.environ | {"CONTACT_SYNC_API_KEY": "k"},
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


def row(what: str, ours: float, against: str, theirs: float, unit: str) -> None:
    """Print one line of the table."""
    print(f"| {what} | {ours:.2f} {unit} | {against} | {theirs:.2f} {unit} | {ours / theirs:.2f} |", flush=True)  # noqa: T201


class Server:
    """A server in a process of its own, and what it saw."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        self._process, self._out = process, process.stdout
        self.base_url = f"http://127.0.0.1:{self._out.readline().strip()}/v1"

    def seen(self) -> dict[str, int]:
        """Stop it; how many requests it had, and how many in the busiest second."""
        self._process.send_signal(signal.SIGTERM)
        seen: dict[str, int] = json.loads(self._out.read())
        return seen


@contextmanager
def serving(delay: int) -> Iterator[Server]:
    """Serve updates that are confirmed after `delay` milliseconds."""
    command = [sys.executable, str(HERE / "server.py"), str(delay)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Server(process)
        finally:
            process.terminate()


def write_csv(path: Path, rows: int) -> Path:
    """Write a source of clean rows, ten columns, all different."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=";")
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

        def ours() -> list[str]:
            state = tempfile.mkdtemp(dir=folder)  # a new ledger each time, so that every row is sent
            options = ["--base-url", server.base_url, "--state-dir", state, "--rate", "0", "--workers", "64", "-q"]
            return [PROGRAM, "run", source, *options]

        us, bare = in_turn(ours, lambda: [*FLOORS, "bare_aiohttp", source, server.base_url, "64"])
        row("`run`, 10,000 rows, 64 workers, 20 ms, CPU", us.cpu, "bare aiohttp loop", bare.cpu, "s")
        row("`run`, 10,000 rows, 64 workers, 20 ms, time", us.wall, "bare aiohttp loop", bare.wall, "s")


def idle(folder: Path, rows: int) -> None:
    """The night on which nothing has changed, against `check`."""
    rows = max(1, rows // 10)
    source, state = str(write_csv(folder / "idle.csv", rows)), str(folder / "idle")
    with serving(0) as server:
        run = [
            PROGRAM,
            "run",
            source,
            "--base-url",
            server.base_url,
            "--state-dir",
            state,
            "--rate",
            "0",
            "--workers",
            "64",
            "-q",
        ]
        cost(run)
        ours, theirs = in_turn(lambda: run, lambda: [PROGRAM, "check", source, "-q"])
        sent = server.seen()["requests"]
    row(f"`run`, {rows:,} rows unchanged, CPU ({sent - rows} requests)", ours.cpu, "`check` of the same", theirs.cpu, "s")


def pace(folder: Path, _: int) -> None:
    """The time for N rows at a rate, against N / rate, and the busiest second at the server."""
    for rate, delay in ((5, 20), (50, 200), (500, 20)):
        rows = rate * 10
        source, state = str(write_csv(folder / f"pace{rate}.csv", rows)), tempfile.mkdtemp(dir=folder)
        with serving(delay) as server:
            options = ["--base-url", server.base_url, "--state-dir", state, "--rate", str(rate), "--workers", "128", "--json"]
            command = [PROGRAM, "run", source, *options]
            told = subprocess.run(
                command, check=True, capture_output=True, text=True, env=os.environ | {"CONTACT_SYNC_API_KEY": "k"}
            )
            busiest = server.seen()["busiest"]
        seconds = json.loads(told.stdout)["seconds"]
        row(f"{rows:,} rows at {rate}/s, {delay} ms (busiest second: {busiest})", seconds, "rows / rate", rows / rate, "s")


def memory(folder: Path, _: int) -> None:
    """The memory that sending takes, for many rows against few."""
    few, many = str(write_csv(folder / "few.csv", 2_000)), str(write_csv(folder / "many.csv", 50_000))
    with serving(0) as server:

        def run(source: str) -> list[str]:
            options = ["--base-url", server.base_url, "--state-dir", tempfile.mkdtemp(dir=folder), "--rate", "0", "-q"]
            return [PROGRAM, "run", source, *options]

        large, small = in_turn(lambda: run(many), lambda: run(few), times=1)
    row("`run`, 50,000 rows, memory", large.memory, "2,000 rows", small.memory, "MB")


PARTS = {part.__name__: part for part in (start, load, workbook, idle, send, pace, memory)}


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=" ".join(PARTS))
    parser.add_argument("--rows", type=int, default=1_000_000)
    told = parser.parse_args()
    print(f"{dt.date.today()}, {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")  # noqa: T201, DTZ011
    print("| what | contact-sync | against | | ratio |\n|---|---|---|---|---|")  # noqa: T201
    folder = Path(tempfile.mkdtemp(prefix="contact-sync-bench-"))
    try:
        for part in told.parts or PARTS:
            PARTS[part](folder, told.rows)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
