"""The API key: where it is read from, and that it appears nowhere."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from contact_sync.cli.api_key import clean_key, read_key
from contact_sync.cli.program import COMMANDS
from contact_sync.errors import ConfigError
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


@pytest.mark.parametrize("text", [f" {KEY}\r\n", f"\ufeff{KEY}", f'"{KEY}"\r\n', f"\ufeff'{KEY}'", f"\u00a0{KEY}\u2028"])
def test_surroundings_of_a_key(text: str, tmp_path: Path) -> None:
    """White space, quotes and a byte order mark around a key are removed, whichever Unicode encoding a file has."""
    assert clean_key(text, "X") == KEY
    file = tmp_path / "key"
    for encoding in ("utf-8", "utf-16", "utf-8-sig"):
        file.write_bytes(text.removeprefix("\ufeff").encode(encoding))
        file.chmod(0o600)
        assert read_key(file, "X") == KEY
    file.write_bytes(text.encode("utf-16-le").removeprefix(b"\xff\xfe"))
    with pytest.raises(ConfigError, match=r"key does not contain an API key"):
        read_key(file, "X")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        f"{KEY} x",
        f"{KEY}\nx",
        f"{KEY}é",
        f"{KEY}\ufeff",
        f"{KEY[:9]}\u200b{KEY[9:]}",
        f"{KEY}\x00",
        f"{KEY}\t1",
        "k",
        "seven77",
    ],
)
def test_invalid_api_key(text: str, tmp_path: Path) -> None:
    """A key is one word of at least 8 ASCII characters; anything else is refused without being repeated."""
    with pytest.raises(
        ConfigError, match=r"^THERE does not contain an API key: it must be at least 8 characters, without spaces or accents\.$"
    ):
        clean_key(text, "THERE")
    file = tmp_path / "key"
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    with pytest.raises(
        ConfigError, match=rf"^{file} does not contain an API key: it must be at least 8 characters, without spaces or accents\.$"
    ):
        read_key(file, "HERE")


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_key_file(tmp_path: Path, mode: int) -> None:
    """A key is read from a file that only its owner can access."""
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n", encoding="ascii")
    file.chmod(mode)
    assert read_key(file, "HERE") == KEY


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o644])
def test_key_file_for_others(tmp_path: Path, mode: int) -> None:
    """A key file that group or others can access is refused, and the sentence says what to do."""
    file = tmp_path / "key"
    file.write_text(KEY, encoding="ascii")
    file.chmod(mode)
    with pytest.raises(ConfigError, match=rf"^The API key file {file} can be read by others: run chmod 600 on it\.$"):
        read_key(file, "HERE")


def test_missing_key_file(tmp_path: Path) -> None:
    """A key file that is missing, or is a folder, is reported without what was given, which may be the key."""
    for path, reason in ((tmp_path / "missing", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(
            ConfigError, match=rf"^The API key file cannot be read \({reason}\): HERE must give the path of a file "
        ):
            read_key(path, "HERE")


PASTED = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c"  # as long as a key of SMS Partner


@pytest.mark.parametrize("key", [KEY, PASTED])
@pytest.mark.parametrize("place", ["--api-key-file", "CONTACT_SYNC_API_KEY_FILE", "config.toml"])
def test_key_in_place_of_its_file(main: Main, place: str, key: str) -> None:
    """A key that is pasted where the path of its file belongs is repeated nowhere, and the error names the place."""
    options = ["--page", "p.html", "--log-file", "run.log", "--state-dir", "state", "-v", "--json"]
    if place == "config.toml":
        options += ["--config", str(config(f'api-key-file = "{key}"'))]
    elif place.startswith("--"):
        options += [place, key]
    else:
        main.env[place] = key
    for name in ("run", "history", "doctor"):
        given = ["run", str(write("C1;Zoé")), *options] if name == "run" else [name, *options[4:6], *options[7:]]
        assert main(*given) == 2
        out, err = main.read()
        assert key not in out + err
        assert place in err + out
    files = [path for path in Path().rglob("*") if path.is_file() and path.name != "config.toml"]
    assert all(key.encode() not in path.read_bytes() for path in files)


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", PASTED),
        ("run", "contacts.csv", PASTED),
        ("run", "contacts.csv", "--account", PASTED),
        ("run", "contacts.csv", f"--page={PASTED}"),
        ("run", "contacts.csv", "--map", f"{PASTED}=url"),
        ("run", "contacts.csv", "--lang", PASTED),
        ("run", "contacts.csv", "--base-url", f"https://a.fr/?apiKey={PASTED}"),
        ("run", "contacts.csv", "--base-url", f"https://a.fr/{PASTED}/"),
        ("schedule", "contacts.csv", "--api-key-file", PASTED),
        ("pull", "-o", f"{PASTED}"),
        ("undo", PASTED),
        ("doctor", PASTED),
        (PASTED,),
        ("run", f"--{PASTED}"),
        ("run", f"“{PASTED}”"),
        ("run", "contacts.csv", "--account", f" {PASTED};"),
        ("run", "contacts.csv", "-n", "--account", KEY),
        ("run", "contacts.csv", "--config", "../c.toml"),
    ],
    ids=" ".join,
)
def test_key_in_a_wrong_place(main: Main, arguments: tuple[str, ...]) -> None:
    """A key in the place of anything else is a usage error, which neither repeats nor keeps it."""
    write("C1;Zoé")
    config(f"lang = '{PASTED}'", "../c.toml")
    main.env["CONTACT_SYNC_API_KEY"] = KEY
    main.env["CONTACT_SYNC_STATE_DIR"] = "state"
    assert main(*arguments, *(["--json"] if arguments[0] in COMMANDS else [])) == 2
    out, err = main.read()
    assert PASTED not in out + err
    assert KEY not in out + err
    assert [path.name for path in Path().iterdir()] == ["contacts.csv"]


def test_names_that_look_like_keys(main: Main, served: tuple[Sandbox, list[str]]) -> None:
    """A file whose name looks like a key is run, and a contact whose id does is found."""
    _, options = served
    assert main("run", write("C000001;Zoé", name=PASTED), *options, "--rate", "0") == 0
    assert main("history", "--contact", PASTED, *options) == 0
    assert main("forget", PASTED, *options) == 0


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
