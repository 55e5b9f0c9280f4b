"""The settings and the parsers of their values."""

import os
from pathlib import Path

import pytest

from contact_sync.errors import ConfigError
from contact_sync.settings import BASE_URL, Settings, base_url, rate

KEY = "made-up-key-1234"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("5", 5), ("2.5", 2.5), ("0", 0), ("300/min", 5), ("300 / min", 5), ("90/m", 1.5), ("5/s", 5), ("5/sec", 5), ("0/min", 0)],
)
def test_rate(text: str, expected: float) -> None:
    """A rate is attempts per second, or per minute."""
    assert rate(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "fast", "-1", "+1", "nan", "inf", "1e999", "1e1", "5/h", "/min", "5/min/min", "5 per second"),
        *("5/", " 5", "5 ", "5\n", "1_0", "\u0665", "\uff15", "5.", ".5", "300/min\n"),
    ],
)
def test_invalid_rate(text: str) -> None:
    """Anything else is a ValueError."""
    with pytest.raises(ValueError):  # noqa: PT011 - the option reports what is wrong
        rate(text)


@pytest.mark.parametrize(
    "text",
    [
        BASE_URL,
        "https://api.example.com:8443/v1",
        "http://127.0.0.1:8080/v1",
        "http://localhost/v1",
        "http://[::1]:8080",
        "http://127.9.9.9",
    ],
)
def test_base_url(text: str) -> None:
    """Any host is accepted with https, only loopback hosts with http; final slashes and the scheme's case are ignored."""
    assert base_url(text) == base_url(f"{text}//") == base_url(text.replace("http", "HTTP", 1)) == text


@pytest.mark.parametrize(
    "text",
    [
        "http://api.smspartner.fr/v1",
        "http://127.0.0.1.example.com",
        "http://10.0.0.1",
        "http://0.0.0.0",
        "http://localhost.example",
    ],
)
def test_http_only_for_loopback(text: str) -> None:
    """The key is never sent unencrypted to any other host."""
    with pytest.raises(ConfigError, match="must begin with https://, or the API key would be sent unencrypted"):
        base_url(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "api.smspartner.fr",
        "ftp://a.fr",
        "https://",
        "https:///v1",
        "https://user:pass@a.fr",
        "https://:pass@a.fr",
        "https://a.fr?k=v",
        "https://a.fr#x",
        f"https://a.fr/v1/{'0a' * 20}",
        "https://a.fr:port",
        "https://[a.fr",
    ],
)
def test_invalid_base_url(text: str) -> None:
    """A text that is not a URL, or a URL with more than an address, is refused without being repeated."""
    with pytest.raises(
        ConfigError, match=r"^The base URL must be an address such as https://api\.smspartner\.fr/v1: correct --base-url\.$"
    ):
        base_url(text)


def test_key_is_not_in_repr() -> None:
    """The repr of the settings does not contain the key."""
    assert KEY not in repr(Settings.of(source=Path("a.csv"), report=Path("b.csv"), key=KEY))


@pytest.mark.parametrize("relation", ["same", "other spelling", "symlink", "hard link", "source is a link"])
def test_report_over_the_source(tmp_path: Path, relation: str) -> None:
    """A report that would overwrite the source is refused, whatever the two are called."""
    source, report = tmp_path / "contacts.csv", tmp_path / "report.csv"
    source.touch()
    match relation:
        case "same":
            report = source
        case "other spelling":
            report = tmp_path / "x" / ".." / "contacts.csv"
            (tmp_path / "x").mkdir()
        case "symlink":
            report.symlink_to(source)
        case "hard link":
            os.link(source, report)
        case _:
            report, source = source, report
            source.symlink_to(report)
    with pytest.raises(ConfigError, match=r"would overwrite the source .*: correct --report"):
        Settings.of(source=source, report=report)


def test_report_elsewhere(tmp_path: Path) -> None:
    """A report that does not exist yet, or is another file, is accepted."""
    (tmp_path / "contacts.csv").touch()
    (tmp_path / "old.csv").touch()
    for name in ("new.csv", "old.csv"):
        assert Settings.of(source=tmp_path / "contacts.csv", report=tmp_path / name).report.path.name == name
