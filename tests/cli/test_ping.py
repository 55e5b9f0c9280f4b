"""`--ping`."""

from pathlib import Path

import pytest

from .program import Main, write


def test_invalid_ping_url(main: Main) -> None:
    """A --ping that is not a URL is exit 2, before anything is done."""
    assert main("run", write("C1;Zoé"), "--sandbox", "--ping", "nowhere") == 2
    assert "--ping is not a URL" in main.read().err
    assert not Path("contacts.results.csv").exists()


@pytest.mark.parametrize(
    ("options", "code"), [(["--log-file", "missing/run.log"], 7), (["--log-file", "contacts.csv"], 2), (["--rate", "0"], 0)]
)
def test_every_end_is_reported(main: Main, monkeypatch: pytest.MonkeyPatch, options: list[str], code: int) -> None:
    """The monitor gets the exit code also of a run that could not begin."""
    events: list[str] = []
    monkeypatch.setattr("contact_sync.cli.heartbeat.Ping.send", lambda _ping, event, _sentence="": events.append(event))
    assert main("run", write("C1;Zoé"), "--sandbox", "--ping", "http://127.0.0.1:1/x", *options) == code
    assert events[-1] == str(code)


@pytest.mark.parametrize("quiet", [(), ("-q",)])
def test_failed_ping_is_a_warning(main: Main, quiet: tuple[str, ...]) -> None:
    """A failed ping is one warning without the URL, and with -q none, so that no mail is sent."""
    assert main("check", write("C1;Zoé"), "--ping", "http://127.0.0.1:1/secret-id", *quiet) == 0
    err = main.read().err
    assert err.count("Warning: The ping could not be sent (Connection refused): check --ping.") == (0 if quiet else 1)
    assert "secret-id" not in err
