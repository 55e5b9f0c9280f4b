"""The API key: where it is read from, and that it appears nowhere."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from contact_sync.sandbox.faults import Behaviour
from contact_sync.sandbox.server import Sandbox

from .program import KEY, Main, SettingsOf, config, key_file, write


def test_no_option_takes_the_key(main: Main) -> None:
    """A key on the command line is a usage error that does not repeat it."""
    for arguments in (("--api-key", KEY), (f"--api-key={KEY}",)):
        assert main("run", write("C1;Zoé"), *arguments) == 2
        out, err = main.read()
        assert KEY not in out + err
        assert "No such option" in err


def test_precedence_of_the_key(main: Main, settings_of: SettingsOf) -> None:
    """The key: option, then CONTACT_SYNC_API_KEY, then CONTACT_SYNC_API_KEY_FILE, then the config file."""
    files = {name: key_file(name, f"{name}-{KEY}") for name in ("line", "environment", "toml")}
    file = config(f"api-key-file = '{files['toml']}'\n")
    arguments = ("run", "c.csv", "--config", file)
    assert settings_of(*arguments).account.key == f"toml-{KEY}"
    main.env["CONTACT_SYNC_API_KEY_FILE"] = str(files["environment"])
    assert settings_of(*arguments).account.key == f"environment-{KEY}"
    main.env["CONTACT_SYNC_API_KEY"] = f" variable-{KEY}\n"
    assert settings_of(*arguments).account.key == f"variable-{KEY}"
    assert settings_of(*arguments, "--api-key-file", files["line"]).account.key == f"line-{KEY}"


def test_missing_key(main: Main) -> None:
    """A run without a key is exit 2 and says how to give it; a dry run needs a key or the account's name."""
    write("C1;Zoé")
    for more in ((), ("-n",), ("--account", "shop")):
        assert main("run", "contacts.csv", "--state-dir", "state", "-q", *more) == 2
        assert "There is no API key: give the file that contains it with --api-key-file" in main.read().err
    assert not Path("state").exists()
    assert main("run", "contacts.csv", "--state-dir", "state", "-n", "--account", "shop", "-q") == 0


def test_key_file_that_others_can_read(main: Main) -> None:
    """A key file that others may read is exit 2."""
    write("C1;Zoé")
    assert main("run", "contacts.csv", "--api-key-file", key_file(mode=0o640)) == 2
    assert "The API key" in main.read().err


@pytest.mark.parametrize("ending", ["success", "refused", "bug", "echoed"])
def test_the_key_appears_nowhere(
    main: Main,
    sandbox: Callable[..., Sandbox],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    ending: str,
) -> None:
    """The key is in no output, no report and no file of the state folder, however verbose the run and however it ends."""
    server = sandbox(key=KEY if ending != "refused" else "other")
    if ending == "echoed":
        server.script["C000001"] = [Behaviour(body=json.dumps({"success": False, "code": 99, "message": f"no {KEY}"}).encode())]
    if ending == "bug":

        def bug(*_: object, **__: object) -> None:
            raise ValueError(f"with {KEY} in it")

        monkeypatch.setattr("contact_sync.sync.send.Pool", bug)
    main.env["CONTACT_SYNC_API_KEY"] = KEY
    write("C000001;Zoé", "C000002;Léa")
    code = main("run", "contacts.csv", "--base-url", server.base_url, "--state-dir", "state", "-v", "--json", "--rate", "0")
    assert code == {"success": 0, "refused": 5, "bug": 1, "echoed": 3}[ending]
    out, err = main.read()
    assert capfd.readouterr() == ("", "")
    files = [path for path in Path().rglob("*") if path.is_file()]
    assert len(files) >= 5
    assert KEY not in out + err
    assert all(KEY.encode() not in path.read_bytes() for path in files)
    assert ("ValueError" in err) is (ending == "bug")
