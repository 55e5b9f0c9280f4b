"""A user without a home folder."""

from pathlib import Path

import pytest

from contact_sync.sandbox.server import Sandbox

from .program import Main, write


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be a user without HOME and without an entry in the list of users, as in some containers."""

    def unknown(_: object) -> None:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", unknown)


@pytest.mark.usefixtures("homeless")
def test_no_home(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """Without a home, `--state-dir` is enough; without it a sentence says so, and `check` needs none."""
    _, options = served
    path = write("C000001;Zoé")
    assert main("check", path) == 0
    assert main("run", path, *options, "--rate", "0") == 0
    assert main("history", *options) == 0
    assert main("run", path, "--sandbox", "--rate", "0") == 0
    main.read()
    assert main("run", path, *options[:2]) == 2
    assert "This user has no home folder for the ledger: set --state-dir, or HOME." in main.read().err
    assert Path("state").exists()
