"""`doctor`."""

import json
import os
import pwd
import re
import sqlite3
from pathlib import Path

import pytest

from contact_sync.files.lock import acquire
from contact_sync.sandbox.server import Sandbox
from tests.setups import requires_root

from .program import KEY, Main, config, key_file, write

NOBODY = pwd.getpwuid(65534).pw_name


def test_findings(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """The doctor reports what is ok and what is not, and never shows the key."""
    sandbox, options = served
    assert main("doctor", *options) == 0
    assert "ok      The API at" in main.read().out
    assert main("run", write("C000001;Zoé"), *options, "--rate", "0", "-q") == 0
    assert main("doctor", *options, "--json") == 0
    assert [each for each in main.read_json() if not each["ok"]] == []
    sandbox.key = "another"
    assert main("doctor", *options) == 2
    out = main.read().out
    assert "TO DO   The API refused the key (code 10" in out
    assert KEY not in out
    assert main("doctor", "--base-url", "http://127.0.0.1:1/v1", "--state-dir", "state") == 2
    assert " does not answer: check --base-url" in main.read().out
    assert main("doctor", "--base-url", f"{sandbox.base_url}/none", "--state-dir", "state") == 2
    assert "HTTP 404 came from something other than the API: check --base-url." in main.read().out
    assert main("doctor", "--base-url", "ftp://x") == 2
    Path("state").chmod(0o755)
    assert main("doctor", *options) == 2
    assert "run chmod 700 on it" in main.read().out


def test_names_of_the_checks(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """In JSON each finding has a stable name, the same in every language."""
    _, options = served
    main("run", write("C000001;Zoé"), *options, "--rate", "0", "-q")
    assert main("doctor", *options, "--json") == 0
    names = [each["check"] for each in main.read_json()]
    assert {"api", "clock", "state", "schedule", "path", "time-zone", "language"} <= set(names)
    assert main("doctor", *options, "--json", "--lang", "fr") == 0
    assert [each["check"] for each in main.read_json()] == names


def test_advice_is_a_note(main: Main, served: tuple[Sandbox, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Advice is neither ok nor something to do."""
    _, options = served
    monkeypatch.setattr("contact_sync.cli.cron.PATH", "/nowhere")
    assert main("doctor", *options) == 0
    assert "\nnote    The program is not on cron's PATH" in main.read().out


@pytest.mark.parametrize(("path", "code"), [("run.log", 0), ("missing/run.log", 2), ("key/run.log", 2), ("folder", 2)])
def test_log_file(main: Main, served: tuple[Sandbox, list[str]], path: str, code: int) -> None:
    """A log that cannot be written is found before the night, also where the config file names it; none is created."""
    _, options = served
    Path("key").touch()
    Path("folder").mkdir()
    assert main("doctor", *options, "--config", config(f'log-file = "{path}"')) == code
    assert f"{'ok' if code == 0 else 'TO DO':<8}The log {path} can" in main.read().out
    assert not Path("run.log").exists()


def test_ping(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """A monitor that does not answer is found before the night; its URL is not requested, nor shown."""
    sandbox, options = served
    assert main("doctor", *options, "--ping", f"{sandbox.base_url}/secret-of-the-monitor") == 0
    assert "ok      The server of --ping answers." in main.read().out
    assert main("doctor", *options, "--ping", "http://127.0.0.1:1/secret-of-the-monitor") == 2
    out = main.read().out
    assert "TO DO   The server of --ping does not answer (Connection refused)" in out
    assert "secret" not in out
    assert main("doctor", *options, "--ping", "nowhere") == 2
    assert "TO DO   --ping is not a URL" in main.read().out


def test_key_that_cannot_be_read(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """A key that cannot be used is one finding, something to do, and never said to be read."""
    _, options = served
    key_file(mode=0o644)
    assert main("doctor", *options, "--api-key-file", "key") == 2
    out = main.read().out
    assert out.startswith("TO DO   The API key file key can be read by others: run chmod 600 on it.\n")
    assert "is read from" not in out


@requires_root
def test_other_user(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """Neither the key file nor the report of a source may be another user's, whose ledger is another one."""
    _, options = served
    main.env.clear()
    given = [*options, "--api-key-file", str(key_file())]
    assert main("run", write("C000001;Zoé"), *given, "--rate", "0", "-q") == 0
    assert main("doctor", *given) == 0
    os.chown("key", 65534, -1)
    assert main("doctor", *given) == 2
    assert f"TO DO   The API key file key belongs to {NOBODY}, and this is root: each user has a ledger" in main.read().out
    os.chown("key", 0, -1)
    main.read()
    os.chown("contacts.results.csv", 65534, -1)
    assert main("doctor", *given) == 2
    sentence = (
        f"contacts.results.csv was written by {NOBODY}, and this is root: each user has a ledger of their own, so run every"
    )
    assert sentence in main.read().out
    Path("contacts.results.csv").write_text("saved by a colleague", encoding="ascii")
    assert main("doctor", *given) == 0


def test_source_that_never_was(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """A source that does not exist is listed as such, since a crontab may name it."""
    _, options = served
    assert main("run", "contcats.csv", *options, "-q") == 4
    main("doctor", *options)
    assert (
        "\nnote    contcats.csv: no run has succeeded, and there is no such file: check its name in the schedule.\n"
        in main.read().out
    )


def test_mail(main: Main, served: tuple[Sandbox, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where cron is installed and cannot mail, a note says so, unless a monitor watches."""
    sandbox, options = served
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("contact_sync.cli.cron.PATH", str(tmp_path))
    monkeypatch.setattr("contact_sync.cli.cron._SBIN", str(tmp_path))

    def is_noted(*given: str) -> bool:
        assert main("doctor", *options, *given) == 0
        return "\nnote    cron cannot mail a failed run, since this machine has no sendmail" in main.read().out

    assert not is_noted()
    (tmp_path / "crontab").touch(0o755)
    assert is_noted()
    assert not is_noted("--ping", f"{sandbox.base_url}/x")
    (tmp_path / "sendmail").touch(0o755)
    assert not is_noted()


def test_home_in_a_path(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """A ~ in the config file is this user's home, and paths with it are shown in full."""
    _, options = served
    main.env.clear()
    home = Path.home()
    key_file(str(home / "key"))
    config("api-key-file = '~/key'\nlog-file = '~/run.log'")
    assert main("doctor", *options, "--config", "config.toml") == 0
    out = main.read().out
    assert f"The API key is read from {home}/key (config.toml)." in out
    assert f"The log {home}/run.log can be written." in out


def test_failed_and_interrupted_runs(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """A failed and an interrupted last run are reported."""
    _, options = served
    assert main("run", write(f"C000002;{'x' * 40}", "C000001;Zoé"), *options, "--rate", "0", "-q") == 3
    assert main("doctor", *options) == 2
    out = main.read().out
    assert "ended with exit code 3: see its report" in out
    assert "No run has succeeded yet." in out
    (ledger,) = Path("state").glob("*.sqlite3")
    db = sqlite3.connect(ledger)
    with db:
        db.execute("UPDATE run SET finished = NULL, exit_code = NULL")
        db.execute("INSERT INTO run (id, source, started, finished, exit_code) VALUES ('a', 'c', '2020-01-01T00:00:00Z', '', 0)")
    db.close()
    assert main("doctor", *options) == 2
    out = main.read().out
    assert "was interrupted: the next one continues where it stopped" in out
    assert "Check that the schedule is active." in out


def test_run_in_progress(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """An unfinished run is in progress while its process holds the lock, even the first run; afterwards it was interrupted."""
    _, options = served
    assert main("run", write("C000001;Zoé"), *options, "--rate", "0", "-q") == 0
    (ledger,) = Path("state").glob("*.sqlite3")
    db = sqlite3.connect(ledger, isolation_level=None)
    db.execute("INSERT INTO run (id, source, started) VALUES ('z', 'c', '2099-01-01T00:00:00Z')")
    for code in (0, 2):
        descriptor = acquire(ledger.with_suffix(".lock"))
        assert descriptor is not None
        assert main("doctor", *options) == 0
        out = main.read().out
        assert "ok      A run is in progress." in out
        assert "interrupted" not in out
        assert ("Last successful" in out) is (code == 0)
        os.close(descriptor)
        assert main("doctor", *options) == 2
        assert "was interrupted" in main.read().out
        db.execute("DELETE FROM run WHERE id <> 'z'")
    db.close()


def test_new_key(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """With a key that has no ledger the doctor says that every row will be sent, and shows no runs of other keys."""
    sandbox, options = served
    path = write("C000001;Zoé")
    sandbox.users[f"{KEY}-3"] = "other@example.com"
    for key in (f"{KEY}-2", f"{KEY}-3"):
        assert main("run", path, *options, "--rate", "0", "-q") == 0
        sandbox.key = key
        main.env["CONTACT_SYNC_API_KEY"] = key
        assert main("doctor", *options) == 2
        out = main.read().out
        assert "TO DO   state has no ledger for this key, --account and --base-url: the next run will send every row" in out
        assert "Last successful" not in out
    assert main("run", path, *options, "--rate", "0", "--json") == 0
    assert main.read_json()["outcomes"] == {"updated": 1}
    assert main("doctor", *options) == 0


def test_ledgers_and_sources(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """Each ledger is listed by its names, and the last success of each source; a source without one is a note."""
    sandbox, options = served
    sandbox.users[f"{KEY}-2"] = "other@example.com"
    assert main("run", write("C000001;Zoé"), *options, "--rate", "0", "-q", "--account", "shop") == 0
    assert (
        main("run", write(f"C000001;{'x' * 40}", name="bad.csv"), *options, "-q", "--account", "shop", "--max-invalid", "100")
        == 3
    )
    sandbox.key = main.env["CONTACT_SYNC_API_KEY"] = f"{KEY}-2"
    assert main("run", write("C000001;Zoé", name="b.csv"), *options, "--rate", "0", "-q") == 0
    known = json.loads(Path("state/accounts.json").read_text(encoding="ascii"))
    (unnamed,) = (name for name, each in known.items() if not each["labels"])
    sandbox.key = main.env["CONTACT_SYNC_API_KEY"] = KEY
    main.read()
    main("doctor", *options, "--account", "shop")
    out = main.read().out
    assert re.search(r"\nok      Ledger shop: last run 2\S+Z, bad\.csv\.\n", out)
    assert re.search(rf"\nok      Ledger {unnamed}: last run 2\S+Z, b\.csv\.\n", out)
    assert re.search(r"\nnote    bad\.csv: no run has succeeded yet\.\nok      contacts\.csv: last successful run 2\S+Z\.\n", out)
    assert main("history", *options, "--account", "shp", "--base-url", "http://127.0.0.1:1/v1") == 2
    assert "shop" in main.read().err.partition("There are ledgers of: ")[2]


@pytest.mark.parametrize(
    ("given", "place"),
    [
        (["--api-key-file", "key"], "key (--api-key-file)"),
        (["--config", "config.toml"], "key (config.toml)"),
        (["CONTACT_SYNC_API_KEY"], "CONTACT_SYNC_API_KEY"),
        (["CONTACT_SYNC_API_KEY_FILE"], "key (CONTACT_SYNC_API_KEY_FILE)"),
    ],
)
def test_place_of_the_key(main: Main, served: tuple[Sandbox, list[str]], given: list[str], place: str) -> None:
    """The doctor says where the key is read from, and never shows it."""
    _, options = served
    del main.env["CONTACT_SYNC_API_KEY"]
    key_file()
    config("api-key-file = 'key'")
    if len(given) == 1:
        main.env[given[0]] = "key" if given[0].endswith("FILE") else KEY
        given = []
    assert main("doctor", *options, *given) == 0
    out = main.read().out
    assert out.startswith(f"ok      The API key is read from {place}.\n")
    assert KEY not in out
