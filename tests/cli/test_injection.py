"""Names of files, headers, keys and arguments that try to write lines of their own, or to command a terminal."""

import json
import shutil
import unicodedata
from pathlib import Path

import pytest

from .program import Main, config, key_file, write

EVIL = "a\x1b[2J\nroot: all is well\u202ex\x9b1m"
SHOWN = "a\\x1b[2J\\nroot: all is well\\u202ex\\x9b1m"


def assert_inert(text: str) -> None:
    """Check that every line is inert and none is the one that was smuggled in."""
    for line in text.split("\n"):
        assert not {"Cc", "Cf", "Zl", "Zp"} & set(map(unicodedata.category, line)), repr(line)
        assert not line.startswith("root:")


@pytest.mark.parametrize("quiet", [[], ["--quiet"]])
def test_name_of_the_source(main: Main, quiet: list[str]) -> None:
    """A file name reaches the summary, the short summary and the path of the report as escapes."""
    assert main("check", write("C1;Zoé", ";Max", name=f"{EVIL}.csv"), *quiet) == 3
    err = main.read().err
    assert SHOWN in err
    assert_inert(err)


def test_headers_and_sheets(main: Main) -> None:
    """Headers reach the sentences about unknown columns as escapes, those of refusals too."""
    write("C1;Zoé;x", name="c.csv", header='contactId;firstname;"Note\x1b[31m\x0b\u202e"')
    assert main("check", "c.csv") == 0
    assert_inert(main.read().err)
    write("C1;Zoé;x", name="c.csv", header='contactId;firstname;"fisrtname"')
    assert main("check", "c.csv", "--sheet", EVIL) in {0, 4}
    assert_inert(main.read().err)


def test_arguments_and_config(main: Main) -> None:
    """Usage errors and the config file's keys are shown as escapes."""
    for arguments in (["check", "c.csv", f"--{EVIL}"], ["check", "c.csv", EVIL, EVIL], [EVIL], ["help", EVIL]):
        assert main(*arguments) == 2
        assert_inert(main.read().err)
    for option in ("--rate", "--workers", "--map", "--lang", "--blank"):
        assert main("run", "c.csv", option, EVIL) == 2
        assert_inert(main.read().err)
    config('"' + EVIL.replace("\x1b", "\\u001b").replace("\n", "\\n").replace("\x9b", "\\u009b") + '" = 1')
    assert main("check", "c.csv", "--config", "config.toml") == 2
    err = main.read().err
    assert "\\x1b" in err
    assert_inert(err)
    assert main("run", "c.csv", "--config", EVIL) == 2
    assert_inert(main.read().err)


def test_history_log_and_json(main: Main) -> None:
    """The history has one line a run, the log one line an event, and JSON its own escapes."""
    write("C1;Zoé", name=f"{EVIL}.csv")
    options = ["--api-key-file", str(key_file()), "--state-dir", "state", "--account", "a"]
    assert main("run", f"{EVIL}.csv", *options, "--dry-run", "-v", "--log-file", "log", "--json") == 0
    output = main.read()
    assert json.loads(output.out)["source"] == f"{EVIL}.csv"
    assert_inert(output.err)
    assert_inert(Path("log").read_text(encoding="utf-8"))
    # Without a server the run fails, which the history notes.
    assert main("run", f"{EVIL}.csv", *options, "--base-url", "http://127.0.0.1:9", "--attempts", "1", "--max-duration", "1") == 6
    assert_inert(main.read().err)
    assert main("history", *options, "--base-url", "http://127.0.0.1:9") == 0
    out = main.read().out
    assert SHOWN in out
    assert_inert(out)
    shutil.rmtree("state")


def test_note_of_a_failed_file(main: Main) -> None:
    """The note beside a refused file in an inbox is one inert line."""
    Path("inbox").mkdir()
    write("x", name=f"inbox/{EVIL}.csv", header=EVIL.replace("\n", " "))
    assert main("run", "inbox", "--api-key-file", key_file(), "--state-dir", "state") == 4
    assert_inert(main.read().err)
    (note,) = Path("inbox/failed").glob("*.txt")
    assert_inert(note.read_text(encoding="utf-8").removesuffix("\n"))
