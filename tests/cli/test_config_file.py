"""The config file."""

from pathlib import Path

import pytest

from .program import Main, SettingsOf, config, write


def test_default_config_file(settings_of: SettingsOf) -> None:
    """A config file in the user's config folder is read without being named, by every command."""
    config("rate = 2\nregion = 'BE'\nmap = 'A=url'\n", str(Path.home() / ".config/contact-sync/config.toml"))
    made = settings_of("run", "c.csv", "--sandbox")
    assert (made.send.rate, made.source.region, made.source.renames) == (2, "BE", {"A": "url"})
    assert settings_of("check", "c.csv").source.region == "BE"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("rates = 1", "has an unknown key “rates”: use the names of the options, without --."),
        ("api-key = 'x'", "has an unknown key “api-key”"),
        ("config = 'x'", "has an unknown key “config”"),
        ("source = 'x'", "has an unknown key “source”"),
        ("[run]\nrate = 1", "has an unknown key “run”"),
        ("rate = ", "is not valid TOML"),
        ("limit = [1, 2]", "has several values for “limit”: write one."),
        ("report = {a = 1}", "has several values for “report”: write one."),
        ("map = {a = 'url'}", "has several values for “map”: write one."),
        ("limit = true", "Invalid value for '--limit'"),
        ("map = ['x']", "Invalid value for '--map'"),
        ('report = "a\\u0000b"', "Invalid value for '--report'"),
    ],
)
def test_invalid_config_file(main: Main, text: str, sentence: str) -> None:
    """An invalid config file is exit 2 with a sentence that says what is wrong."""
    assert main("run", write("C1;Zoé"), "--sandbox", "--config", config(text)) == 2
    assert sentence in main.read().err


def test_unreadable_config_file(main: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    """A config file that is not text, or not a file, is reported; a home without a config folder is not an error."""
    Path("latin.toml").write_bytes(b"account = 'caf\xe9'\n")
    assert main("check", write("C1;Zoé"), "--config", "latin.toml") == 2
    assert "is not valid TOML" in main.read().err
    assert main("check", "contacts.csv", "--config", ".") == 2
    assert "cannot be read (Is a directory): check --config" in main.read().err
    for home in ("/nonexistent", "/dev/null"):
        monkeypatch.setenv("HOME", home)
        assert main("check", "contacts.csv") == 0


@pytest.mark.parametrize(("options", "at_a_terminal", "is_quiet"), [("", True, False), ("", False, True), ("-q", True, True)])
def test_quiet_of_the_config_file_is_for_cron(
    main: Main, monkeypatch: pytest.MonkeyPatch, options: str, *, at_a_terminal: bool, is_quiet: bool
) -> None:
    """A command at a terminal says what it did although the config file says quiet, unless it is called with -q."""
    write("C1;Zoé")
    monkeypatch.setattr(main.streams.stderr, "isatty", lambda: at_a_terminal)
    assert main("check", "contacts.csv", "--config", config("quiet = true\n"), *options.split()) == 0
    assert ("1 ready" in main.read().err) != is_quiet
