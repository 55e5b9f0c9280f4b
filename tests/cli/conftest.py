"""Fixtures of the command line's tests: the program, an empty home, a served sandbox."""

from collections.abc import Callable
from pathlib import Path

import pytest

from contact_sync.errors import ConfigError
from contact_sync.sandbox.server import Sandbox
from contact_sync.settings import Settings

from .program import KEY, Main, SettingsOf


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an empty home and change to an empty folder in it; platformdirs reads only this process's environment."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


@pytest.fixture
def main() -> Main:
    """Return the program, with an empty environment."""
    return Main()


@pytest.fixture
def settings_of(main: Main, monkeypatch: pytest.MonkeyPatch) -> SettingsOf:
    """Return a function that runs the program up to the run, and returns the settings of that run."""

    def call(*arguments: object) -> Settings:
        seen: list[Settings] = []

        def run(settings: Settings, *_: object, **__: object) -> None:
            seen.append(settings)
            raise ConfigError("far enough")

        with monkeypatch.context() as patch:
            patch.setattr("contact_sync.sync.run.run", run)
            assert main(*arguments) == 2
        (settings,) = seen
        return settings

    return call


@pytest.fixture
def served(sandbox: Callable[..., Sandbox], main: Main) -> tuple[Sandbox, list[str]]:
    """Serve a sandbox whose key is in the program's environment; return it with the options that lead to it."""
    started = sandbox(key=KEY)
    main.env["CONTACT_SYNC_API_KEY"] = KEY
    return started, ["--base-url", started.base_url, "--state-dir", "state"]
