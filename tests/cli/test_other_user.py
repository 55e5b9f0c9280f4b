"""Runs of several users of one machine: each has a ledger of their own, which would believe what the other overwrites."""

import os
import pwd
from pathlib import Path

import pytest

from contact_sync.sandbox.server import Sandbox
from tests.setups import requires_root

from .program import Main, key_file, write

NOBODY = pwd.getpwuid(65534).pw_name

pytestmark = requires_root


@pytest.fixture
def options(main: Main, served: tuple[Sandbox, list[str]]) -> list[str]:
    """Return the options of a run whose key is in a file."""
    main.env.clear()
    return [*served[1], "--api-key-file", str(key_file()), "--rate", "0", "-q"]


def test_report_of_another_user(main: Main, options: list[str]) -> None:
    """A run warns once when another user wrote the reports that it replaces; a retry does so as well."""
    written = ["contacts.results.csv", "page.html"]
    options += ["--page", "page.html"]
    path = write("C000001;Zoé")
    assert main("run", path, *options) == 0
    for name in written:
        os.chown(name, 65534, -1)
    main.read()
    assert main("run", path, *options) == 0
    err = main.read().err
    sentence = f"Warning: The report contacts.results.csv was written by {NOBODY}, and this is root: each user has a ledger"
    assert sentence in err
    assert err.count("Warning:") == 1
    assert main("run", path, *options) == 0
    assert main.read().err == ""
    assert main("run", write("C000001;Zoé", "C000002;Ana"), *options, "--limit", "1", "--resend") == 0
    os.chown("contacts.results.csv", 65534, -1)
    assert main("retry", *options[:-2], "-q") == 0
    assert f"was written by {NOBODY}" in main.read().err


def test_report_that_a_colleague_saved(main: Main, options: list[str]) -> None:
    """A report that a colleague edited, and that of a rehearsal, say nothing about the user of the job."""
    path = write("C000001;Zoé")
    report = Path("contacts.results.csv")
    report.write_text("sync_row", encoding="ascii")
    os.chown(report, 65534, -1)
    assert main("run", path, *options) == 0
    for _ in range(2):
        assert main("check", path, "-q") == 0
        os.chown("contacts.check.csv", 65534, -1)
    assert main.read().err == ""


def test_key_of_another_user(main: Main, options: list[str]) -> None:
    """The first run with a key file of another user warns; later ones do not, as in a container where root has a mounted key."""
    os.chown("key", 65534, -1)
    path = write("C000001;Zoé")
    assert main("run", path, *options) == 0
    assert f"Warning: The API key file key belongs to {NOBODY}, and this is root: each user has a ledger" in main.read().err
    assert main("run", path, *options) == 0
    assert main.read().err == ""
