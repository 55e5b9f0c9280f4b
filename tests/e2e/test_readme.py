"""Run the commands of the README and of `contact_sync/docs` as they are written there.

Only the roots of their paths are in a temporary folder, and a sandbox answers in place of the API.
"""

import contextlib
import csv
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import click

from contact_sync.cli.program import program
from contact_sync.sandbox.server import Sandbox

from .workspace import KEY, PROGRAM, age, call_program

HERE = Path(__file__).parents[2]
README = HERE / "README.md"
DOCUMENTS = (README, *sorted((HERE / "contact_sync/docs").glob("*.md")))

SHOWN = "contact-sync run sample_data/mistakes.csv --sandbox --page sample_data/mistakes.rehearsal.html"
"""The run whose output and report the README shows."""

CODES = {
    "make demo": 0,
    SHOWN: 3,
    "sudo install -m 600 -o contacts /dev/stdin /etc/contact-sync.key": 0,
    "contact-sync --version": 0,
    "sudo -u contacts contact-sync check /srv/contacts/contacts.csv": 0,
    "sudo -u contacts contact-sync run /srv/contacts/contacts.csv --sandbox": 0,
    "/usr/local/bin/contact-sync run /srv/contacts/contacts.csv --api-key-file /etc/contact-sync.key --quiet": 0,
    "contact-sync schedule /srv/contacts/contacts.csv --api-key-file /etc/contact-sync.key": 0,
    "contact-sync schedule contacts.csv --api-key-file /etc/contact-sync.key": 0,
    "contact-sync doctor": 0,
    "contact-sync doctor --api-key-file /etc/contact-sync.key": 0,
    "sudo -u contacts contact-sync doctor --api-key-file /etc/contact-sync.key": 0,
    "contact-sync run /srv/inbox/": 0,
    "contact-sync run /srv/contacts/contacts.csv /srv/inbox/": 0,
    "contact-sync pull -o all.xlsx": 6,
    "contact-sync pull -o all.csv --sandbox": 0,
    "contact-sync undo": 2,
    "contact-sync undo RUN": 2,
    "contact-sync probe CONTACT_ID": 2,
    "contact-sync probe C000123": 2,
    "contact-sync undo -o before.xlsx": 2,
    "contact-sync plan contacts.xlsx -o plan.xlsx": 0,
    "contact-sync retry": 0,
    "contact-sync retry --api-key-file /etc/contact-sync.key": 0,
    "contact-sync report": 0,
    "contact-sync report --page /tmp/run.html": 0,
    "contact-sync report --report /tmp/again.csv": 0,
    "contact-sync history": 0,
    "contact-sync history --json": 0,
    "contact-sync history --contact C000123": 0,
    "contact-sync forget C000123": 0,
    "contact-sync check contacts.xlsx": 0,
    "contact-sync run contacts.xlsx --api-key-file /etc/contact-sync.key": 0,
    "contact-sync check /srv/contacts/contacts.csv --config /etc/contact-sync.toml": 0,
    "/usr/local/bin/contact-sync run /srv/contacts/contacts.csv --config /etc/contact-sync.toml": 0,
    "tar -C /srv/contacts -czf /srv/contacts-state.tar.gz state": 0,
    "tar -C /srv/contacts -xzf /srv/contacts-state.tar.gz": 0,
    "contact-sync run /srv/contacts/contacts.csv --config /etc/contact-sync.toml --resend": 0,
    "/usr/local/bin/contact-sync run /srv/contacts/shop.csv --account shop --api-key-file /etc/contact-sync.key --quiet": 0,
    "contact-sync sandbox --port 8080 --faults 500=5%,429=2%,latency=200ms": 0,
    "contact-sync completion bash >> ~/.bashrc": 0,
    "contact-sync help reference": 0,
    "contact-sync COMMAND --help": 0,
} | {f"contact-sync {name} --help": 0 for name in program.list_commands(click.Context(program))}
"""Every command that is run, in this order, and its exit code."""

NOT_RUN = {
    "make test": "it would run this test",
    "sudo /usr/bin/python3 -m venv /opt/contact-sync": "it needs a package index",
    "sudo /opt/contact-sync/bin/pip install -c constraints.txt .": "it needs a package index",
    "sudo /opt/contact-sync/bin/pip install --upgrade -c constraints.txt .": "it needs a package index",
    "sudo /opt/contact-sync/bin/pip install -c constraints.txt .[postgres]": "it needs a package index",
    "contact-sync run /srv/contacts/contacts.csv --ledger postgresql://contacts_run@db.example.org/c": "it needs a database",
    "contact-sync ledger move --to postgresql://db.example.org/contacts": "it needs a database; tests/cli run it",
    "contact-sync ledger move --to postgresql://…": "the same",
    "contact-sync ledger move --ledger postgresql://… --to sqlite": "the same",
    "sudo ln -s /opt/contact-sync/bin/contact-sync /usr/local/bin/contact-sync": "the link is part of the prepared machine",
    "sudo -u contacts contact-sync history": "it needs a run of that user",
    "sudo usermod -aG contacts NAME": "it needs root",
    "sudo useradd --system --create-home contacts": "it needs root",
    "sudo install -d -m 2770 -o contacts -g contacts /srv/contacts": "it needs root",
    "sudo crontab -e -u contacts": "it needs root and an editor",
    "sudo systemctl daemon-reload": "it needs root and systemd",
    "sudo systemctl enable --now contact-sync.timer": "it needs root and systemd",
    "sudo rm /usr/local/bin/contact-sync": "it deletes what the other commands need",
    "sudo rm -r /opt/contact-sync": "it deletes what the other commands need",
    "sudo rm -rf /srv/contacts/state /etc/logrotate.d/contact-sync": "it deletes what the other commands need",
    "sudo rm /etc/contact-sync.key /etc/contact-sync.toml": "it deletes what the other commands need",
    "python -m contact_sync": "it prints the usage and ends with exit code 2; tests/cli run it",
    "contact-sync help TOPIC": "tests/cli run it",
    "contact-sync plan all.xlsx": "the same",
    "contact-sync run all.xlsx --plan NUMBER": "the same",
    "contact-sync run all.xlsx": "the API of this test has no contact to pull; tests/sync run a pulled file",
}
"""Every other command, and the reason why it is not run."""

SUBSTITUTES = {
    r"(?<![\w.])/(?=(etc|opt|srv|tmp|usr)/)": "",  # relative to the temporary folder, in which every command is run
    r"^sudo install (.*)-o contacts ": r"install \1",  # which needs neither root nor another user
    r"^sudo -u contacts ": "",  # the same
    r"\bCOMMAND\b": "run",
    r"--port 8080": "--port 0",  # which may be in use
    r"^make demo": f"make --old-file {PROGRAM.parents[1]}/.installed demo DEMO={PROGRAM.parents[1]}",  # installed already
}
"""Pattern -> replacement, for commands that hold for a whole machine or have a placeholder."""

_PROGRAMS = "contact-sync|make|pipx|pip|python3?|sudo|systemctl|crontab|install|tar"
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND_LINES = {"console": r"^(?:\$|Example:) (.+)$", "crontab": r"^(?:[\d*/,-]+ +){5}(.+)$"}


def commands(text: str) -> list[str]:
    """Return every command of a document: after a prompt, as an example, in a crontab, and inline."""
    found = []
    for language, block in _FENCE.findall(text):
        if pattern := _COMMAND_LINES.get(language):
            found += [line.partition(" # ")[0].strip() for line in re.findall(pattern, block, re.MULTILINE)]
    spans = re.findall(r"`([^`]+)`", _FENCE.sub("", text))
    return found + [" ".join(span.split()) for span in spans if re.match(rf"(?:\S*/)?(?:{_PROGRAMS})\s", span)]


def test_every_command_is_run_or_listed() -> None:
    """A command of the documents is run by this module, or listed with the reason why not; no other is."""
    assert {
        command for path in DOCUMENTS for command in commands(path.read_text(encoding="utf-8"))
    } == CODES.keys() | NOT_RUN.keys()
    assert not CODES.keys() & NOT_RUN.keys()


def _sample_config() -> str:
    """Return the sample config file of the documents."""
    (found,) = [block for path in DOCUMENTS for kind, block in _FENCE.findall(path.read_text(encoding="utf-8")) if kind == "toml"]
    return str(found)


def _substituted(text: str) -> str:
    for pattern, replacement in SUBSTITUTES.items():
        text = re.sub(pattern, replacement, text)
    return text


def _prepare_machine(root: Path) -> None:
    """Create the program, the files and the folders that the documents presuppose, from the sample data."""
    for name in ("etc", "home", "tmp", "usr/local/bin", "srv/contacts", "srv/inbox"):
        (root / name).mkdir(parents=True)
    (root / "usr/local/bin/contact-sync").symlink_to(PROGRAM)
    (root / "etc/contact-sync.toml").write_text(_substituted(_sample_config()), encoding="utf-8")
    shutil.copy(HERE / "Makefile", root)
    shutil.copytree(
        HERE / "sample_data", root / "sample_data", ignore=shutil.ignore_patterns("*.results.*", "*.rehearsal.*", "*.check.*")
    )
    for path in (root / "sample_data").iterdir():
        age(path)
    for place in ("srv/contacts/contacts.csv", "srv/contacts/shop.csv", "srv/inbox/contacts.xlsx", "contacts.xlsx"):
        age(Path(shutil.copy(root / f"sample_data/contacts{Path(place).suffix}", root / place)))


def _run(command: str, root: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Run a command in the folder `root`, and return its exit code and what it printed; interrupt one that serves.

    The program runs inside this process where it is called by its name and nothing else is in the command: the others start it.

    """
    words = shlex.split(_substituted(command))
    if words[0] == PROGRAM.name and words[1] != "sandbox" and ">>" not in words:
        with contextlib.chdir(root):
            code, out, err = call_program(words[1:], environment)
        return code, err + out
    process = subprocess.Popen(
        ["/bin/bash", "-c", f"exec {_substituted(command)}"],
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
    """Each command ends with its exit code, and the README shows the output and the report of a real run."""
    _prepare_machine(tmp_path)
    environment = {
        "PATH": f"{PROGRAM.parent}:/usr/bin:/bin",
        "HOME": str(tmp_path / "home"),
        "CONTACT_SYNC_BASE_URL": sandbox(open_store=True, key=KEY).base_url,
        "CONTACT_SYNC_API_KEY_FILE": str(tmp_path / "etc/contact-sync.key"),
        "CONTACT_SYNC_RATE": "0",
        "CONTACT_SYNC_PORT": "0",
    }
    ended = {command: _run(command, tmp_path, environment) for command in CODES}
    assert {command: code for command, (code, _) in ended.items()} == CODES, ended
    assert all("Traceback" not in printed for _, printed in ended.values())
    printed = {command: text for command, (_, text) in ended.items()}
    assert re.findall(r"Exit code (\d+)", printed["make demo"]) == ["0", "0", "3"]
    assert printed["sudo -u contacts contact-sync run /srv/contacts/contacts.csv --sandbox"].count("60 updated") == 1
    assert " updated " in printed["contact-sync history --contact C000123"]
    assert "Contact forgotten" in printed["contact-sync forget C000123"]
    assert (tmp_path / "tmp/run.html").exists()
    assert len(list((tmp_path / "srv/inbox/done").iterdir())) == 3  # with its report and the marked-up workbook
    assert _missing(_shown_output(), printed[SHOWN].splitlines()) == []
    with (tmp_path / "sample_data/mistakes.rehearsal.csv").open(encoding="utf-8-sig", newline="") as report:
        lines = list(csv.DictReader(report, delimiter=";"))
    assert [row for row in _shown_rows() if not any(row.items() <= line.items() for line in lines)] == []


def _shown_output() -> list[str]:
    """Return the lines of output that the README shows below `SHOWN`."""
    return README.read_text(encoding="utf-8").partition(f"$ {SHOWN}\n")[2].partition("```")[0].splitlines()


def _shown_rows() -> list[dict[str, str]]:
    """Return the rows of the report that the README shows, as column -> text."""
    _, heading, rest = README.read_text(encoding="utf-8").partition("| contactId |")
    names, _, *rows = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in f"{heading}{rest}".partition("\n\n")[0].splitlines()
    ]
    return [dict(zip(names, row, strict=True)) for row in rows]


def _missing(shown: Iterable[str], printed: list[str]) -> list[str]:
    """Return the lines that are shown but were not printed, in their order; `…` stands for lines left out, and seconds differ."""
    rest = iter([re.sub(r"[\d.]+ s\b", "N s", line) for line in printed])
    return [line for line in shown if line != "…" and re.sub(r"[\d.]+ s\b", "N s", line) not in rest]
