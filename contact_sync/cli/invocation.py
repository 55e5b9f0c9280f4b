"""What is around the work of a command: its settings, the console, the log, the ping, a folder's many files, the exit code."""

import contextlib
import dataclasses
import logging
import os
import shlex
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from contact_sync import settings
from contact_sync.cli.console import Bars, Console
from contact_sync.cli.heartbeat import Ping
from contact_sync.cli.logging import keep_log
from contact_sync.errors import RANK, BusyError, ConfigError, ContactSyncError, MissingError, SourceError
from contact_sync.i18n import _
from contact_sync.model import Summary
from contact_sync.settings import Settings
from contact_sync.sync import inbox

log = logging.getLogger(__name__)


def invoke(ctx: click.Context, params: dict[str, Any], work: str = "run") -> int:
    """Do the `work` of a command, a function of `contact_sync.sync.run`, tell of it, and return the exit code."""
    console: Console = ctx.obj
    console.quiet, console.as_json = params.pop("quiet"), params.pop("as_json")
    try:
        _refuse_log(params)
        ping = Ping(params.get("ping"))
        console.secrets.append(params.get("ping") or "")
        keep_log(console.clean, verbose=params["verbose"], path=params["log_file"], as_json=params["log_format"] == "json")
    except ContactSyncError as error:
        return console.refuse(error, params.get("source"))
    ping.start()
    code, sentence = ContactSyncError.exit_code, ""
    try:
        if "expect_by" in params and os.path.isdir(params["source"]):  # noqa: PTH112 - which does not raise
            code, sentence = _each(ctx, params, work)
        else:
            code, sentence, *_rest = _done(ctx, params, work)
    except ContactSyncError as error:
        code, sentence, *_rest = _refused(ctx, error, params.get("source"))
    except KeyboardInterrupt:
        code = 130
        raise
    finally:
        ping.end(code, sentence)
        if ping.failure and not console.quiet:
            console.warn(_("The ping could not be sent ({reason}): check --ping.", reason=ping.failure))
    return code


def _done(ctx: click.Context, params: dict[str, Any], work: str) -> inbox.FileResult:
    """Do the work for one file, tell what came of it, and how it ended; raises ContactSyncError where there is no report."""
    console: Console = ctx.obj
    chosen = settings_of(ctx, params)
    from contact_sync.sync import run as works  # noqa: PLC0415 - not for --help

    with Bars(shown=not console.quiet) as bars:
        summary: Summary = getattr(works, work)(chosen, bars)
    return inbox.FileResult(console.conclude(summary, _next(ctx, summary)), "", summary.is_open, summary.identity)


def _refused(ctx: click.Context, error: ContactSyncError, source: Path | None) -> inbox.FileResult:
    """Tell why there is no report."""
    console: Console = ctx.obj
    return inbox.FileResult(console.refuse(error, source), console.clean(str(error)), is_open=False)


def _each(ctx: click.Context, params: dict[str, Any], work: str) -> tuple[int, str]:
    """Do it for each file that has arrived in a folder; return the exit code, and what is missing."""
    console: Console = ctx.obj
    folder: Path = params["source"]

    def one(path: Path) -> inbox.FileResult:
        try:
            return _done(ctx, params | {"source": path, "report": inbox.report_of(path)}, work)
        except MissingError:
            raise
        except ContactSyncError as error:
            return _refused(ctx, error, path)
        except Exception as bug:  # which must not keep the others from being run
            log.exception("with %s", path.name)
            return inbox.FileResult(console.refuse(error_of(bug), path), "", is_open=True)

    def moved(path: Path, place: Path, code: int) -> None:
        from contact_sync.ledger.state_dir import ledger_of  # noqa: PLC0415 - not for --help

        # Another run may be at the next file by now: then its rows take the place of these, and nobody asks where they went.
        with contextlib.suppress(BusyError), ledger_of(settings_of(ctx, params)) as ledger:
            ledger.moved(path, place)
        if not os.path.lexists(place):
            console.say(
                _(
                    "{path} changed during the run: it stays in the inbox for the next run; the report of "
                    "the version that was read is in {folder}.",
                    path=path,
                    folder=place.parent,
                )
            )
        elif code or not console.quiet:
            console.say(_("{path} was moved to {place}.", path=path, place=place))

    codes: list[int] = []
    try:
        _refuse_places(folder, params)
        rehearsal = params["sandbox"] or params["dry_run"]
        codes.extend(inbox.run_each(folder, one, moved, expected=params["expect_by"], rehearsal=rehearsal))
        if not codes and not console.quiet:
            console.say(_("No file has arrived in {path}.", path=folder))
    except ContactSyncError as error:
        return min([*codes, console.refuse(error, folder)], key=RANK.index), console.clean(str(error))
    return min(filter(None, codes), key=RANK.index, default=0), ""


def _refuse_log(params: dict[str, Any]) -> None:
    """Raise ConfigError where the log would be written into the source, or where a report goes."""
    source, log_file = params.get("source"), params["log_file"]
    report = params["report"] or (source and _report_beside(source))
    for other in filter(None, (source, report, params["workbook"], params["page"])):
        if log_file and os.path.realpath(log_file) == os.path.realpath(other):
            raise ConfigError(_("The log would overwrite {path}: correct --log-file.", path=other))


def _refuse_places(folder: Path, params: dict[str, Any]) -> None:
    """Raise ConfigError where one place is given for the reports of many files."""
    if params["report"] or params["page"] or params["workbook"] not in {None, settings.NOWHERE}:
        raise ConfigError(
            _("{path} is a folder, so each file has its own reports: leave out --report, --workbook and --page.", path=folder)
        )


def settings_of(ctx: click.Context, params: dict[str, Any]) -> Settings:
    """What a command was told, checked."""
    known = {field.name for field in dataclasses.fields(Settings)}
    chosen = {name: value for name, value in params.items() if name in known and value is not None}
    if "source" in chosen:
        source: Path = chosen["source"]
        chosen.setdefault("report", _report_beside(source))
    chosen["send"] = not params.get("dry_run")
    chosen.setdefault("state_dir", _default_state_dir())
    chosen["renames"] = dict(params.get("renames", ()))
    if "base_url" in chosen:
        chosen["base_url"] = settings.base_url(chosen["base_url"])
        chosen["key"] = "sandbox" if params.get("sandbox") else _key(ctx, params["api_key_file"])
        may_send = "rate" in chosen
        if may_send and not (chosen["key"] or (params["account"] and not chosen["send"])):
            raise ConfigError(
                _("There is no API key: give the file that contains it with --api-key-file, or set CONTACT_SYNC_API_KEY.")
            )
    return Settings(**chosen)


def _report_beside(source: Path) -> Path:
    return source.parent / f"{source.stem}.results.csv"


def _key(ctx: click.Context, path: Path | None) -> str:
    """The API key: option, then CONTACT_SYNC_API_KEY, then CONTACT_SYNC_API_KEY_FILE, then the config file; empty if none.

    From here on it is in nothing that the console writes.
    """
    said = ctx.get_parameter_source("api_key_file")
    variable = os.environ.get("CONTACT_SYNC_API_KEY", "")
    if variable and said is not ParameterSource.COMMANDLINE:
        key = settings.api_key(variable, "CONTACT_SYNC_API_KEY")
    else:
        key = settings.api_key_file(path) if path else ""
    ctx.obj.secrets.append(key)
    return key


def _default_state_dir() -> Path:
    import platformdirs  # noqa: PLC0415 - not for --help

    return platformdirs.user_state_path("contact-sync")


_ACCOUNT_OPTIONS = ("api_key_file", "base_url", "account", "state_dir", "config")


def _next(ctx: click.Context, summary: Summary) -> str:
    """The command to type next, with the options that say which account it is about; empty where there is nothing to do."""
    rehearsal = ctx.info_name not in {"run", "retry"} or ctx.params.get("sandbox") or ctx.params.get("dry_run")
    if not summary.is_open or rehearsal or summary.exit_code == SourceError.exit_code:
        return ""
    given = [name for name in _ACCOUNT_OPTIONS if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    options = [part for name in given for part in (f"--{name.replace('_', '-')}", str(ctx.params[name]))]
    return shlex.join(["contact-sync", "retry", *options])


def error_of(bug: Exception) -> ContactSyncError:
    """What an operator is told of a bug."""
    return ContactSyncError(
        _("A bug in contact-sync: {bug}. Run again with -v, and report what it prints.", bug=type(bug).__name__)
    )
