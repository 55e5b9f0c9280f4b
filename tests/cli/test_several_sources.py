"""Several sources in one run: files, folders, and the pace, the rows and the time that they share."""

import os
import re
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from contact_sync.api.smspartner.me import Account, Me
from contact_sync.errors import UnavailableError
from contact_sync.files.lock import acquire, is_held
from contact_sync.sandbox.server import Sandbox
from contact_sync.sync import run as sync

from .program import Main, key_file, write

Served = tuple[Sandbox, list[str]]


def put(count: int, rows: int = 1, folder: str = "in") -> list[Path]:
    """Write files of new contacts into a folder."""
    Path(folder).mkdir(exist_ok=True)
    numbers = iter(range(1, 1000))
    return [write(*(f"C{next(numbers):06};Zoé" for _ in range(rows)), name=f"{folder}/{each}.csv") for each in range(count)]


def left(folder: str = "in") -> list[str]:
    """Return the names of the files that are still in a folder."""
    return sorted(path.name for path in Path(folder).iterdir() if path.is_file())


@pytest.mark.parametrize("as_folder", [True, False])
def test_one_pace_for_all_files(main: Main, served: Served, as_folder: bool) -> None:
    """The rate is that of the command, however many files it runs."""
    sandbox, options = served
    files = put(8)
    assert main("run", *(["in"] if as_folder else files), *options, "--rate", "10") == 0
    starts = [call.at for call in sandbox.calls]
    assert len(starts) == 8
    assert starts[-1] - starts[0] >= (8 - 1 - 1) / 10


@pytest.mark.parametrize("as_folder", [True, False])
def test_one_limit_for_all_files(main: Main, served: Served, as_folder: bool) -> None:
    """--limit is the number of rows of the command; files after the limit are loaded and reported."""
    sandbox, options = served
    files = put(4, rows=3)
    assert main("run", *(["in"] if as_folder else files), *options, "--rate", "0", "--limit", "4") == 0
    assert len(sandbox.calls) == 4
    assert len(list(Path("in").rglob("*.results.csv"))) == 4
    if as_folder:
        assert left() == ["1.csv", "1.csv.results.csv", "2.csv", "2.csv.results.csv", "3.csv", "3.csv.results.csv"]


@pytest.mark.parametrize("as_folder", [True, False])
def test_one_duration_for_all_files(main: Main, served: Served, as_folder: bool) -> None:
    """--max-duration is the time of the command; files that were not run any more are named."""
    sandbox, options = served
    files = put(4, rows=10)
    assert main("run", *(["in"] if as_folder else files), *options, "--rate", "10", "--max-duration", "1.5") == 6
    assert 1 <= len(sandbox.calls) <= 17
    assert "--max-duration" in (err := main.read().err)
    assert as_folder or "in/3.csv was not run." in err


def test_worst_exit_code(main: Main, served: Served) -> None:
    """Each file has a report beside it; a missing or a refused one does not stop the others; the worst exit code counts."""
    sandbox, options = served
    put(1)
    wrong = write("C000002;Zoé", "é;Max", name="wrong.csv")
    refused = write("x;y", name="refused.csv", header="one;two")
    good = write("C000003;Zoé", name="good.csv")
    assert main("run", "missing.csv", wrong, refused, "in", good, "./good.csv", *options, "--rate", "0", "-q") == 4
    assert len(sandbox.calls) == 3
    err = main.read().err
    assert "missing.csv does not exist" in err
    assert "refused.csv" in err
    assert {path.name for path in Path().glob("*.results.csv")} == {"good.results.csv", "wrong.results.csv"}
    assert left() == []
    assert main("run", wrong, good, *options, "-q") == 3


def test_sources_of_one_stem(main: Main, served: Served) -> None:
    """Sources whose reports would have one name get reports that are named after the whole file."""
    _, options = served
    files = [write(f"C00000{number};Zoé", name=f"a.{suffix}") for number, suffix in enumerate(("csv", "txt"), 1)]
    assert main("run", *files, write("C000003;Zoé", name="b.csv"), *options, "--rate", "0", "-q") == 0
    assert {path.name for path in Path().glob("*.results.csv")} == {"a.csv.results.csv", "a.txt.results.csv", "b.results.csv"}


def test_refused_key_ends_the_run(main: Main, served: Served) -> None:
    """What would stop every file ends the run; the files that were not run are named."""
    sandbox, options = served
    main.env["CONTACT_SYNC_API_KEY"] = "another-made-up-key"
    assert main("run", *put(3), *options, "-q") == 5
    err = main.read().err
    assert len(sandbox.calls) == 1
    assert re.findall(r"in/\d.csv was not run", err) == ["in/1.csv was not run", "in/2.csv was not run"]


def test_file_that_cannot_be_run(main: Main, served: Served) -> None:
    """What is wrong with one file or the place of its report does not keep the others from being run; the file stays."""
    _, options = served
    put(0)
    write("C000001;Zoé", name="in/a.csv")
    write("C000002;Zoé", name="in/b.csv", header="contactId;Surnom")
    long = write("C000003;Zoé", name=f"in/{'c' * 251}.csv", header="contactId;Surnom").name
    write("C000004;Zoé", name="in/d.csv", header="contactId;Surnom")
    Path("in/b.csv.results.csv").mkdir()
    assert main("run", "in", *options, "--rate", "0", "-q", "--map", "Surnom=firstname") == 7
    err = main.read().err
    assert "b.csv.results.csv cannot be written (it is a folder, a pipe or a device)" in err
    assert "--map names a column “surnom” that a.csv does not have" in err
    assert left() == ["a.csv", "b.csv"]
    done = [path.name for path in Path("in/done").iterdir()]
    assert len([name for name in done if "ccccc" in name]) == 2
    assert len([name for name in done if name.endswith("-d.csv")]) == 1
    assert long not in done
    Path("in/b.csv.results.csv").rmdir()
    assert main("run", "in", *options, "--rate", "0", "-q", "--map", "Surnom=firstname") == 2
    assert left() == ["a.csv"]


def test_files_that_are_not_taken_are_named_once(main: Main, served: Served) -> None:
    """Copies, litter and links are named in one line; with --quiet only those that may matter."""
    sandbox, options = served
    (path,) = put(1)
    shutil.copy(path, "in/0 (1).csv")
    for name in ("0.csv.bak", "x.part", "y (conflicted copy).csv", "z.old", "0.csv.md5", "Thumbs.db"):
        (Path("in") / name).touch()
    (Path("in") / "link.csv").symlink_to("/etc/passwd")
    assert main("run", "in", *options, "--rate", "0", "-q") == 0
    expected = "Not taken from in: 0 (1).csv, 0.csv.bak, link.csv, x.part, y (conflicted copy).csv, … (+1). "
    assert expected in (err := main.read().err)
    assert err.count("\n") == 1
    assert len(sandbox.calls) == 1
    assert main("run", "in", *options) == 0
    assert "… (+3). " in main.read().err
    assert len(left()) == 8


def test_file_that_is_being_written_stays(main: Main, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A quiet file that its writer has open is busy (exit code 75) and stays, and the others are run."""
    monkeypatch.setattr("contact_sync.files.snapshot.QUIET_TIMEOUT_S", 0.3)
    sandbox, options = served
    first, second = put(2)
    with first.open("a"):
        assert main("run", "in", *options, "--rate", "0", "-q") == 75
        assert f"0.csv is still open for writing after 0 s (by process {os.getpid()}): run again when" in main.read().err
        assert main("run", first, *options, "-q") == 75
    assert left() == ["0.csv"]
    assert len(sandbox.calls) == 1
    assert main("run", "in", *options, "--rate", "0", "-q") == 0
    assert not second.exists()
    assert len(sandbox.calls) == 2


def test_file_that_cannot_be_read_now_stays(main: Main, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault that may pass leaves the file in the inbox, and no trace in failed/."""
    _, options = served
    first, _second = put(2)
    real = Path.stat

    def stat(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path.name == first.name:
            raise OSError(116, "Stale file handle")
        return real(path, follow_symlinks=follow_symlinks)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", stat)
        assert main("run", "in", *options, "--rate", "0", "-q") == 75
    assert "in/0.csv cannot be read now: Stale file handle; run again later." in main.read().err
    assert left() == ["0.csv"]
    assert not Path("in/failed").exists()
    assert main("run", "in", *options, "--rate", "0", "-q") == 0


def test_the_key_is_identified_once(main: Main, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """The API is asked whose the key is once in a command, however many files it runs, also when it does not answer."""
    _sandbox, options = served
    assert main("run", write("C000001;Zoé", name="other.csv"), *options, "--api-key-file", key_file("other", "b" * 20)) == 5
    asked: list[str] = []

    def read(self: Me, _reply: object, _argument: object = None) -> Account:
        asked.append(repr(self))
        raise UnavailableError("no answer")

    monkeypatch.setattr(Me, "read", read)
    put(3)
    files = [write(f"C00001{number};Zoé", name=f"{number}.csv") for number in range(3)]
    assert main("run", *files, "in", *options, "--rate", "0") == 0
    assert len(asked) == 1


def test_the_lock_is_that_of_the_command(main: Main, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two files no other run of the account gets the lock; after the command any can have it."""
    _, options = served
    files = put(3)
    seen: list[bool] = []
    original = sync.run

    def run(*args: Any, **more: Any) -> Any:
        seen.extend(is_held(lock) for lock in Path("state").glob("*.lock"))
        return original(*args, **more)

    monkeypatch.setattr("contact_sync.sync.run.run", run)
    assert main("run", *files, *options, "--rate", "0") == 0
    assert seen == [True, True]
    assert [is_held(lock) for lock in Path("state").glob("*.lock")] == [False]


@pytest.mark.parametrize("command", ["run", "retry"])
def test_wait_for_another_run(main: Main, served: Served, command: str) -> None:
    """With --wait a command waits for the lock of another one, and begins as soon as that has ended; without it ends with 75."""
    _, options = served
    (file,) = put(1)
    assert main("run", file, *options, "--rate", "0") == 0
    (lock,) = Path("state").glob("*.lock")
    given = [command, *([file] if command == "run" else []), *options]
    descriptor = acquire(lock)
    assert descriptor is not None
    assert main(*given) == 75
    released = threading.Timer(1.5, os.close, [descriptor])
    released.start()
    begun = time.monotonic()
    assert main(*given, "--wait", "30") == 0
    released.join()
    assert 1 < time.monotonic() - begun < 15


def test_wait_is_that_of_the_command(main: Main, served: Served) -> None:
    """Several files together wait no longer than --wait."""
    _, options = served
    files = put(4)
    assert main("run", files[0], *options, "--rate", "0") == 0
    (lock,) = Path("state").glob("*.lock")
    descriptor = acquire(lock)
    assert descriptor is not None
    begun = time.monotonic()
    assert main("run", *files, *options, "--wait", "2") == 75
    assert 1.5 < time.monotonic() - begun < 6
    os.close(descriptor)


def test_namesakes_in_two_commands(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """A file whose report replaces that of another one with the same stem says so, and how to keep both."""
    _, options = served
    given = [*options, "--rate", "0"]
    csv, other = write("C000001;Zoé"), write("C000002;Léa", name="contacts.txt")

    def warned(*arguments: object) -> bool:
        main.read()
        assert main("run", *arguments, *given) == 0
        err = main.read().err
        return "contacts.results.csv was the report of" in err and "to keep both, give --report" in err

    assert not warned(csv)
    assert not warned(csv)
    assert warned(other)
    assert not warned(other)
    assert warned(csv)
    assert not warned(other, "--report", "other.csv")
    assert not warned(csv)
    assert not warned(write("C000003;Max", name="monday.csv"), "--report", "contacts.results.csv")
    assert not warned(csv)
    assert not warned(other, "-n")
    assert not warned(csv, other)
    assert not warned(csv)
    csv.unlink()
    assert not warned(other)
