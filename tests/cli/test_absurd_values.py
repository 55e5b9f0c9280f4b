"""Values of options, of the key file and of the surroundings that nobody should give: one sentence each, never a traceback."""

import os
import shutil
import signal
import sys
import threading
import time
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Self

import click
import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contact_sync.cli.program import COMMANDS
from tests.cli.test_process import process

from .program import KEY, Main, config, key_file, options, write

pytestmark = pytest.mark.unmeasured

CODES = {0, 2, 3, 4, 5, 6, 7, 8, 75}

_UNUSED = {"--config", "--log-file", "--api-key-file", "--state-dir", "--base-url", "--ping", "--timeout"}
"""Options whose values would name files, or make a run wait."""

VALUED = [
    (name, long)
    for name in COMMANDS
    if name != "sandbox"  # which would serve until it is interrupted
    for long, option in options(name).items()
    if long not in _UNUSED and not option.is_flag and not isinstance(option.type, click.Path | click.Choice | type(click.STRING))
]

ABSURD = [
    "1e19",
    "1e308",
    "1e-320",
    "1e400",
    "-1",
    "-0",
    "0",
    "nan",
    "inf",
    "-inf",
    "0x10",
    "1_000",
    "٣",
    "½",
    "²",
    "1,5",
    "100%",
    "%",
    "300/min",
    "1/0",
    "/",
    "1e3/min",
    "+",
    "1e-9/min",
    "ß",
    "ZZ",
    "25:00",
    "1:2:3",
]
VALUES = (
    st.sampled_from([*ABSURD, "9" * 30, "9" * 5000, "1" * 40 + ".5", " 5 ", "5 %", ""])
    | st.integers().map(str)
    | st.floats().map(str)
    | st.text(max_size=8).filter(lambda text: "\0" not in text)
)


@pytest.mark.parametrize(("name", "option"), VALUED, ids=lambda text: text)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(value=VALUES)
def test_any_value_of_any_option(main: Main, name: str, option: str, value: str) -> None:
    """Whatever the value of an option, the exit code is one of the table, and there is neither a bug nor a traceback."""
    required = {"run": ["c.csv", "-n", "--account", "a"], "check": ["c.csv"], "schedule": ["c.csv"], "forget": ["C1"]}
    required["pull"] = ["-o", "pulled.csv"]  # and no key, so that nothing is asked for
    if name in {"run", "check"}:
        write("C1;Zoé", name="c.csv")
    more = ["--state-dir", "state"] if "--state-dir" in options(name) else []
    code = main(name, *required.get(name, []), *more, f"{option}={value}")
    printed = "".join(main.read())
    assert code in CODES, printed
    assert "A bug" not in printed
    assert "Traceback" not in printed
    assert code != 2 or printed


@pytest.mark.parametrize("rate", ["0.001", "10000", "90/min", "0"])
@pytest.mark.parametrize("workers", ["1", "256"])
def test_extreme_values_work(main: Main, rate: str, workers: str) -> None:
    """The bounds themselves are usable."""
    write("C1;Zoé", name="c.csv")
    assert main("run", "c.csv", "--sandbox", "--rate", rate, "--workers", workers, "--max-invalid", "100%") == 0


# ---- the key file and the config file


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("a" * (1 << 20), "has more than 500 characters, which no API key has"),
        ("a" * 501, "has more than 500 characters"),
        ("\x00\x01" * 20, "does not contain an API key"),
        ("", "does not contain an API key"),
    ],
    ids=["large", "long", "binary", "empty"],
)
def test_odd_key_file(main: Main, content: str, sentence: str) -> None:
    """A file that is no key is refused, and no more of it is read than a key can have."""
    write("C1;Zoé", name="c.csv")
    assert main("run", "c.csv", "--api-key-file", key_file(content=content), "--state-dir", "state") == 2
    err = main.read().err
    assert sentence in err
    assert len(err) < 200


@pytest.mark.parametrize("option", ["--api-key-file", "--config"])
def test_pipe_and_folder(main: Main, monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    """A pipe without a writer does not hang, and a folder is no file."""
    monkeypatch.setattr("contact_sync.settings._PIPE_TIMEOUT_S", 0.05)
    write("C1;Zoé", name="c.csv")
    os.mkfifo("pipe", 0o600)
    Path("folder").mkdir()
    for name, reason in (("pipe", "(Connection timed out)"), ("folder", "(Is a directory)")):
        assert main("run", "c.csv", option, name, "--state-dir", "state") == 2
        shown = "file" if option == "--api-key-file" else name
        assert f"{shown} cannot be read {reason}" in main.read().err


def test_key_from_a_pipe(main: Main) -> None:
    """A key that a password manager writes slowly into a pipe is read."""
    write("C1;Zoé", name="c.csv")
    os.mkfifo("pipe", 0o600)

    def type_slowly() -> None:
        with Path("pipe").open("w", encoding="ascii", buffering=1) as pipe:
            for part in (KEY[:5], KEY[5:]):
                pipe.write(part)
                pipe.flush()
                time.sleep(0.05)

    writer = threading.Thread(target=type_slowly)
    writer.start()
    assert main("run", "c.csv", "-n", "--api-key-file", "pipe", "--state-dir", "state") == 0
    writer.join()


@pytest.mark.parametrize(
    "text", ["x = " + "[" * 100_000, "rate = " + "9" * 5000, "a.b.c = 1", "#" * (2 << 20), "rate = 1e400", "workers = true"]
)
def test_odd_config_file(main: Main, text: str) -> None:
    """A config file that is nested too deeply, too large, or has values of no use is refused with one sentence."""
    write("C1;Zoé", name="c.csv")
    assert main("run", "c.csv", "-n", "--account", "a", "--state-dir", "state", "--config", config(text)) == 2
    err = main.read().err
    assert "A bug" not in err
    assert len(err.splitlines()[-1]) < 300


# ---- the surroundings


def test_variables_of_the_progress_bar() -> None:
    """Variables that set up tqdm do not reach it, and no value of theirs keeps the program from starting."""
    write("C1;Zoé", name="c.csv")
    odd = {f"TQDM_{name}": "x" for name in ("MININTERVAL", "NCOLS", "DISABLE", "POSITION", "ASCII", "NOTHING")}
    done = process("check", "c.csv", environment=odd)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is set with prlimit")
@pytest.mark.parametrize(("files", "code"), [(8, 2), (20, 2), (47, 2), (48, 0), (64, 0)])
def test_few_open_files(files: int, code: int) -> None:
    """With few open files there are fewer connections, and with too few a sentence."""
    write(*(f"C{number};Zoé" for number in range(60)), name="c.csv")
    arguments = ["run", "c.csv", "--sandbox", "--workers", "256", "--rate", "0", "-q"]
    done = process(*arguments, before=["prlimit", f"--nofile={files}:{files}"])
    assert done.returncode == code, done.stderr
    assert code == 0 or f"may open only {files} files: raise the limit (ulimit -n 1024)" in done.stderr


def test_user_without_a_home(main: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a home a run needs a --state-dir, and a check or a rehearsal needs none."""

    def fail(*_: object) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("platformdirs.user_state_path", fail)
    monkeypatch.setattr("platformdirs.user_config_path", fail)
    write("C1;Zoé", name="c.csv")
    assert main("check", "c.csv") == 0
    assert main("run", "c.csv", "--sandbox") == 0
    assert main("run", "c.csv", "-n", "--account", "a", "--state-dir", "state") == 0
    main.read()
    assert main("run", "c.csv", "-n", "--account", "a") == 2
    assert "This user has no home folder for the ledger: set --state-dir, or HOME." in main.read().err
    assert main("history") == 2


@pytest.mark.skipif(not shutil.which("nohup"), reason="no nohup here")
def test_nohup(tmp_path: Path) -> None:
    """A SIGHUP that was ignored at the start stays ignored."""
    code = (
        "import signal; from contact_sync.sync.shutdown import *\n"
        "shutdown = Shutdown()\n"
        "with handle_signals(shutdown): signal.raise_signal(signal.SIGHUP)\n"
        "print(shutdown.reasons, [reason.exit_code for reason in shutdown.reasons])\n"
    )
    assert _python(code, "nohup") == "[] []"
    assert _python(code).endswith("[143]")
    assert tmp_path.exists()


def _python(code: str, *before: str) -> str:
    import subprocess  # noqa: PLC0415 - used here only

    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    command = [*before, sys.executable, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout.strip()


@pytest.mark.parametrize("moment", [0, 1, 4_102_444_800])
@pytest.mark.parametrize("name", ["c.csv", "c.xlsx"])
def test_clock_that_is_wrong(main: Main, monkeypatch: pytest.MonkeyPatch, moment: int, name: str) -> None:
    """A clock at 1970, or far in the future, keeps no run from its end, and no workbook from being written."""
    if name == "c.csv":
        write("C1;Zoé", "C2;Max", ";Eve", name=name)
    else:
        book = openpyxl.Workbook()
        for row in (("contactId", "firstname"), ("C1", "Zoé"), ("C2", "Max"), ("", "Eve")):
            book.worksheets[0].append(row)
        book.save(name)

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromtimestamp(moment, tz)

    for module in ("sync.run", "sync.opening", "sync.steps", "sync.row_sender", "ledger.folder"):
        monkeypatch.setattr(f"contact_sync.{module}.datetime", Wrong)
    monkeypatch.setattr(time, "time", lambda: float(moment))
    monkeypatch.setattr(time, "time_ns", lambda: moment * 10**9)
    os.utime(name, (0, 0))
    for arguments in (["check"], ["run", "--sandbox"], ["run", "-n", "--account", "a", "--state-dir", "state"]):
        assert main(*arguments, name, "--workbook", "w.xlsx", "--page", "p.html") == 3, main.read().err
        Path("w.xlsx").unlink()


@pytest.mark.parametrize("year", [-30, -1, 300])
def test_file_from_another_time(main: Main, year: int) -> None:
    """A file whose time is before 1970, or centuries ahead, is sent like any other."""
    write("C1;Zoé", name="c.csv")
    os.utime("c.csv", (year * 31_556_952,) * 2)
    assert main("run", "c.csv", "--sandbox") == 0, main.read().err


@pytest.mark.parametrize("moment", ["1960-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "soon"])
def test_report_from_another_time(main: Main, moment: str) -> None:
    """A report that is fed back with an odd time of its values is sent like any other."""
    write(f"C1;Zoé;{moment}", name="c.csv", header="contactId;firstname;sync_source_at")
    assert main("run", "c.csv", "--sandbox") == 0, main.read().err
