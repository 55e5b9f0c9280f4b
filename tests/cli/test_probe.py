"""`contact-sync probe`."""

import json
from pathlib import Path

import pytest

from contact_sync.sandbox.server import Sandbox
from tests.cli.program import KEY, Main
from tests.sync.test_run import Serve


@pytest.fixture
def api(main: Main, tmp_path: Path, sandbox: Serve) -> Sandbox:
    """Return an API that the environment names."""
    served = sandbox()
    main.env |= {"CONTACT_SYNC_API_KEY": KEY, "CONTACT_SYNC_STATE_DIR": str(tmp_path), "CONTACT_SYNC_BASE_URL": served.base_url}
    return served


def test_answers(main: Main, api: Sandbox) -> None:
    """Each answer is a sentence on stderr, and a word in the JSON."""
    assert main("probe", "C000002", "--yes", "--json") == 0
    out, err = main.read()
    found = json.loads(out)
    assert (found["contact_id"], found["different"], found["exit_code"]) == ("C000002", [], 0)
    assert found["answers"]["omitted"] == "kept"
    assert err.splitlines()[:3] == [
        "Dates are shown as 2020-06-12.",
        "An update does not need the phone number.",
        "Fields that an update leaves out keep their value.",
    ]
    assert "lastname is emptied when it is sent empty." in err


def test_nobody_to_ask(main: Main, api: Sandbox) -> None:
    """Without a terminal, a probe has to be allowed."""
    assert main("probe", "C000002") == 2
    assert "A probe changes the contact for a moment: allow it with --yes." in main.read()[1]
    assert api.calls == []


def test_a_key_is_needed(main: Main) -> None:
    """A probe needs a key."""
    assert main("probe", "C000002", "--yes") == 2
    assert "There is no API key" in main.read()[1]
