"""The README's commands, run as they stand there; only the roots of their paths lie in a temporary folder."""

import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from contact_sync.sandbox.server import Sandbox

from .workspace import KEY, PROGRAM, age

HERE = Path(__file__).parents[2]

CODES = {
    "make demo": 0,
    "install -m 600 /dev/stdin /etc/contact-sync.key": 0,
    "contact-sync check /srv/contacts/contacts.csv": 0,
    "contact-sync run /srv/contacts/contacts.csv --sandbox": 0,
    "/usr/local/bin/contact-sync run /srv/contacts/contacts.csv --api-key-file /etc/contact-sync.key --quiet": 0,
    "contact-sync schedule /srv/contacts/contacts.csv -- --api-key-file /etc/contact-sync.key": 0,
    "contact-sync doctor": 0,
    "contact-sync run /srv/inbox/": 0,
    "contact-sync retry --api-key-file /etc/contact-sync.key": 0,
    "contact-sync report --page /tmp/night.html": 0,
    "contact-sync history": 0,
    "contact-sync history --contact C000123": 0,
    "contact-sync forget C000123": 0,
    "contact-sync run --help": 0,
    "contact-sync run contacts.xlsx --api-key-file /etc/contact-sync.key": 0,
    "contact-sync check FILE": 0,
    "contact-sync completion bash": 0,
    "contact-sync sandbox": 0,
    "contact-sync sandbox --help": 0,
    "contact-sync sandbox --port 8080 --faults 500=5%,429=2%,latency=200ms": 0,
    "contact-sync forget ID": 0,
}
"""Every command that is run, in this order, and its exit code."""

NOT_RUN = {
    "make test": "it would run this test",
    "make bench": "it takes minutes, and installs what it compares with",
    "pipx install .": "it installs packages",
    "python3 -m venv /opt/contact-sync && /opt/contact-sync/bin/pip install .": "it installs packages",
    "sudo install -o NAME …": "it needs another user",
}
"""Every other command, and why it is not run."""

IN_ITS_PLACE = {
    r"(?<![\w.])/(?=(etc|srv|tmp|usr)/)": "",  # under the temporary folder, where everything is run
    r"\bFILE\b": "srv/contacts/contacts.csv",
    r"\bID\b": "C000124",
    r"--port 8080": "--port 0",  # which may be taken
    r"^make demo": f"make --old-file dev demo BIN={PROGRAM.parent}",  # what it needs is installed
}
"""What is put in the place of what holds for a whole machine, or stands for something."""

_PROGRAMS = "contact-sync|make|pipx|pip|python3?|sudo|systemctl|crontab|install"


def commands() -> list[str]:
    """Every command that the README shows: behind a prompt, as an example, in a crontab, and in the text."""
    text = re.sub(r"<!-- speed -->.*?<!-- /speed -->", "", (HERE / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    fence = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    found = []
    for language, block in fence.findall(text):
        pattern = {"console": r"^(?:\$|Example:) (.+)$", "crontab": r"^(?:[\d*/,-]+ +){5}(.+)$", "": r"^\$ (.+)$"}[language]
        found += [line.partition(" # ")[0].strip() for line in re.findall(pattern, block, re.MULTILINE)]
    spans = re.findall(r"`([^`]+)`", fence.sub("", text))
    return found + [" ".join(span.split()) for span in spans if re.match(rf"(?:\S*/)?(?:{_PROGRAMS})\s", span)]


def test_every_command_is_run_or_listed() -> None:
    """A command that is new to the README must be run here, or listed with the reason why not; one that is gone goes here too."""
    assert set(commands()) == CODES.keys() | NOT_RUN.keys()
    assert not CODES.keys() & NOT_RUN.keys()


def _machine(root: Path) -> None:
    """What the README takes for granted, made from the sample data; files have arrived where it says so."""
    for name in ("etc", "tmp", "usr/local/bin", "srv/contacts", "srv/inbox"):
        (root / name).mkdir(parents=True)
    (root / "usr/local/bin/contact-sync").symlink_to(PROGRAM)
    shutil.copy(HERE / "Makefile", root)
    shutil.copytree(HERE / "sample_data", root / "sample_data", ignore=shutil.ignore_patterns("*.results.*"))
    for name, place in {"contacts.csv": "srv/contacts", "contacts.xlsx": "srv/inbox"}.items():
        age(Path(shutil.copy(root / "sample_data" / name, root / place)))
    age(Path(shutil.copy(root / "sample_data/contacts.xlsx", root)))


def _ended(command: str, root: Path, environment: dict[str, str]) -> tuple[int, str]:
    """The exit code of a command and what it printed; one that serves until it is interrupted is."""
    for pattern, replacement in IN_ITS_PLACE.items():
        command = re.sub(pattern, replacement, command)
    process = subprocess.Popen(
        ["/bin/bash", "-c", f"exec {command}"],
        cwd=root,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )
    assert process.stdin
    assert process.stdout
    served = ""
    if "sandbox" in command.split()[1:2] and "--help" not in command:
        served = process.stdout.readline()
        process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(f"{KEY}\n", timeout=60)
    return process.returncode, served + printed


def test_every_command_does_what_it_says(tmp_path: Path, sandbox: Callable[..., Sandbox]) -> None:
    """Each command ends with the exit code that the README has for it, against a sandbox where it would ask the API."""
    _machine(tmp_path)
    environment = {
        "PATH": f"{PROGRAM.parent}:/usr/bin:/bin",
        "HOME": str(tmp_path / "home"),
        "CONTACT_SYNC_BASE_URL": sandbox(open_store=True, key=KEY).base_url,
        "CONTACT_SYNC_API_KEY_FILE": str(tmp_path / "etc/contact-sync.key"),
        "CONTACT_SYNC_RATE": "0",
        "CONTACT_SYNC_PORT": "0",
    }
    ended = {command: _ended(command, tmp_path, environment) for command in CODES}
    assert {command: code for command, (code, _) in ended.items()} == CODES, ended
    assert all("Traceback" not in printed for _, printed in ended.values())
    told = {command: printed for command, (_, printed) in ended.items()}
    assert re.findall(r"Exit code (\d+)", told["make demo"]) == ["0", "0", "3"]
    assert told["contact-sync run /srv/contacts/contacts.csv --sandbox"].count("60 updated") == 1
    assert " updated " in told["contact-sync history --contact C000123"]
    assert "Contact forgotten" in told["contact-sync forget C000123"]
    assert (tmp_path / "tmp/night.html").exists()
    assert len(list((tmp_path / "srv/inbox/done").iterdir())) == 3  # with its report, and itself marked up
