"""`contact-sync schedule`: print a crontab line, and a systemd service and timer, for this machine and a file."""

import datetime as dt
import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import cast

import click
from click.core import ParameterSource

from contact_sync.cli import build_settings, options
from contact_sync.cli.commands.run import run
from contact_sync.cli.cron import clock_change
from contact_sync.cli.program import Context, Process, command
from contact_sync.display import printable
from contact_sync.errors import ConfigError
from contact_sync.files.users import this_user
from contact_sync.i18n import _
from contact_sync.report.formats import FORMATS
from contact_sync.settings import at_home

_TIME = re.compile("([01][0-9]|2[0-3]):([0-5][0-9])")

_FILES = {"--api-key-file", "--config", "--state-dir", "--log-file", *(f"--{name}" for name in FORMATS)}

# As in the documentation (topic `operations`).
_UNITS = """\
# /etc/systemd/system/contact-sync.service
[Unit]
Description=contact-sync: {source}
Wants=network-online.target
After=network-online.target
RequiresMountsFor={paths}
OnFailure=contact-sync-failed.service
[Service]
Type=oneshot
User={user}
ExecStart={systemd}

# /etc/systemd/system/contact-sync-failed.service
[Unit]
Description={failed}
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'journalctl --unit contact-sync.service --since "-1 day" --output cat | mail -s contact-sync ops@example.org'

# /etc/systemd/system/contact-sync.timer
[Timer]
OnCalendar=*-*-* {at}
Persistent=true
[Install]
WantedBy=timers.target
# {then} systemctl daemon-reload && systemctl enable --now contact-sync.timer
"""


@command(
    options.FILE,
    click.Argument(["rest"], metavar="[OPTIONS OF run]", nargs=-1, type=click.UNPROCESSED),
    options.Option("--at", default="01:30", metavar="HH:MM", help="local time of the run [01:30]"),
    *options.GENERAL,
    options.JSON,
    example="contact-sync schedule contacts.csv --api-key-file /etc/contact-sync.key",
    summary="print a crontab line and a systemd timer",
    work="contact_sync.cli.tonight:warnings_of",
    context_settings={"ignore_unknown_options": True},
)
def schedule(
    ctx: Context,
    work: Callable[[Context], Iterable[str]],
    *,
    source: Path,
    rest: tuple[str, ...],
    at: str,
    as_json: bool,
    **own: object,
) -> int:
    """Print a crontab line, and a systemd service and timer, that run FILE every night with these options; nothing is changed.

    What the run would miss, such as the key, is named, and why FILE would be refused as it is now.
    """
    console = ctx.obj.console
    console.as_json = as_json
    if str(source).startswith("-"):
        raise click.UsageError(_("give one file or folder, then the options of run."), ctx)
    given = [name for name in ("config", "lang") if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    words = [*(part for name in given for part in (f"--{name}", str(own[name]))), *rest]
    state_dir: Path | None = None
    problems: Iterable[str]
    try:
        of_run = _as_cron_would(ctx, [str(source), *words])
        problems, state_dir = work(of_run), of_run.params["state_dir"] or build_settings.default_state_dir()
    except ConfigError as error:
        problems = [str(error)]
    printed = instructions(source, at, words, sys.argv[0], state_dir)
    read = _files_in(words)
    needed = dict.fromkeys((str(source), *read, *_folders_in(words)))
    missing = [path for path in needed if not os.path.exists(path)]  # noqa: PTH110 - which does not raise
    warnings = [_("{path} does not exist yet: the run needs it.", path=path) for path in missing]
    named = {*read} & {*missing}  # once is enough
    warnings += [problem for problem in problems if not any(path in problem for path in named)]
    if variables := sorted(name for name in ctx.obj.env if name.startswith("CONTACT_SYNC_")):
        sentence = _(
            "cron and systemd do not have {variables} of this shell: use options, or the config file.",
            variables=", ".join(variables),
        )
        warnings.append(sentence)
    if as_json:
        console.print_json({"instructions": printed, "missing": missing, "warnings": warnings, "exit_code": 0})
    else:
        console.print_paths(printed)
    for warning in warnings:
        console.print_warning(warning)
    return 0


def _as_cron_would(ctx: Context, words: Sequence[str]) -> Context:
    """Parse the arguments of a run without the variables of this shell.

    Raises click's errors for options that `run` does not have, and ConfigError for its config file.
    """
    of_run = cast("Context", run.make_context("run", list(words), parent=ctx.parent, obj=Process({}, ctx.obj.console)))
    if len(of_run.params["sources"]) > 1:
        raise click.UsageError(_("give one file or folder, then the options of run."), ctx)
    return of_run


def instructions(source: Path, at: str, rest: Sequence[str], program: str, state_dir: Path | None = None) -> str:
    """Return the lines that make cron or systemd run `program` on `source` every day `at` HH:MM with the options in `rest`.

    The service waits for the file systems of the source, the state folder, and the files that the options name.

    Raises ConfigError when `at` is not a time of day, or is in the hour that a clock change skips, and when a name would break
    the line.
    """
    match = _TIME.fullmatch(at)
    if not match:
        raise ConfigError("--at {time} is not a time of day: write it as 01:30.", time=at)
    if day := clock_change(dt.time(int(match[1]), int(match[2]))):
        raise ConfigError(
            "{time} is skipped or repeated when the clocks change, next on {day}: choose another time with --at.",
            time=at,
            day=day,
        )
    programs = [os.path.abspath(shutil.which(program) or program)]  # noqa: PTH100 - a link stays one
    if programs[0].endswith("__main__.py"):
        programs = [sys.executable, "-m", "contact_sync"]
    path = os.path.abspath(source)  # noqa: PTH100
    quiet = [] if {"-q", "--quiet"} & {*rest} else ["--quiet"]
    arguments = [*programs, "run", path, *_absolute(rest), *quiet]
    for argument in arguments:
        if argument != printable(argument):
            raise ConfigError("“{text}” contains a control character or a line break: rename the file.", text=argument)
    # cron reads a % as a line break; systemd expands what follows a % or a $.
    crontab = f"{int(match[2])} {int(match[1])} * * *  {shlex.join(arguments).replace('%', chr(92) + '%')}"
    user = this_user()
    mounted = (path, *([str(state_dir)] if state_dir else []), *_files_in(rest))
    paths = dict.fromkeys(map(os.path.abspath, mounted))
    units = _UNITS.format(
        source=path.replace("%", "%%"),
        paths=" ".join(_quoted(each).replace("$$", "$") for each in paths),  # only commands have variables
        user=user,
        failed=_("Report a failed run of contact-sync").replace("%", "%%"),
        then=_("then:"),
        systemd=" ".join(map(_quoted, arguments)),
        at=at,
    )
    heading = _("crontab -e, as {user}:", user=user)
    replace = _("write your own address in place of ops@example.org")
    return f"# {heading} ({replace})\nMAILTO=ops@example.org\n{crontab}\n\n{units}"


def _absolute(rest: Sequence[str]) -> list[str]:
    """Return the options with the paths of files made absolute."""
    parts = [piece for part in rest for piece in (part.split("=", 1) if part.partition("=")[0] in _FILES else [part])]
    return [
        os.path.abspath(at_home(part)) if before in _FILES and (before, part) != ("--workbook", "none") else part  # noqa: PTH100
        for before, part in pairwise(["", *parts])
    ]


def _files_in(rest: Sequence[str]) -> list[str]:
    """Return the files that the options name and that have to exist."""
    parts = [piece for part in rest for piece in part.split("=", 1)]
    return [at_home(part) for before, part in pairwise(["", *parts]) if before in {"--api-key-file", "--config"}]


def _folders_in(rest: Sequence[str]) -> list[str]:
    """Return the folders that have to exist for the log and the reports that the options name."""
    parts = [piece for part in rest for piece in part.split("=", 1)]
    written = {"--log-file", *(f"--{name}" for name in FORMATS)}
    return [os.path.dirname(at_home(part)) or "." for before, part in pairwise(["", *parts]) if before in written]  # noqa: PTH120


def _quoted(part: str) -> str:
    part = part.replace("%", "%%").replace("$", "$$").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{part}"' if not part or re.search(r"[\s'\"\\;]", part) else part
