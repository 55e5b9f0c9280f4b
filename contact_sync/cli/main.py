"""The entry point: parse the arguments, run the command, and turn every error into one sentence and an exit code.

stdout carries data only (`--json`, `history`, `doctor`, `schedule`, `completion`, `help`, `--version`); everything else goes to
stderr. A terminal, a pipe or a disk that no longer takes the output never stops a run.
"""

import contextlib
import errno
import io
import os
import sys
from collections.abc import Mapping, Sequence

import click

from contact_sync.cli.colour import is_coloured
from contact_sync.cli.console import Console, Streams, bug_error, log_bug
from contact_sync.cli.language import language_of, own_words
from contact_sync.cli.program import Process, program
from contact_sync.display import keys_in, printable
from contact_sync.errors import ContactSyncError, StorageError, reason_of
from contact_sync.files.descriptors import RESERVED_FILES, most_open_files, shortage_of, too_few_files
from contact_sync.i18n import quoted, set_language


def main(argv: Sequence[str] | None = None, env: Mapping[str, str] | None = None, streams: Streams | None = None) -> int:
    """Run the program and return its exit code; by default with the arguments, variables and streams of this process."""
    streams = streams or Streams(sys.stdout, sys.stderr)
    _prepare(streams)
    if argv is None:  # the process is ours
        sys.unraisablehook = _log_unraisable
    env = os.environ if env is None else env
    console = Console(streams, colour=is_coloured(streams.stderr, env))
    code = _run(sys.argv[1:] if argv is None else argv, Process(env, console))
    _discard_unwritten(streams)
    return code


def _run(argv: Sequence[str], process: Process) -> int:
    console, streams = process.console, process.console.streams
    set_language(language_of(argv, process.env))
    console.as_json = "--json" in own_words(argv)  # also where the arguments are wrong
    for word in (*argv, *(value for name, value in process.env.items() if name.startswith("CONTACT_SYNC_"))):
        console.secrets += keys_in(word.lstrip("-"))  # a key may be pasted where anything else belongs
    try:
        # click prints its help where these point.
        with contextlib.redirect_stdout(streams.stdout), contextlib.redirect_stderr(streams.stderr):
            _check_open_files()
            return int(program.main(list(argv), "contact-sync", standalone_mode=False, obj=process) or 0)
    except ContactSyncError as error:
        return console.print_error(error)
    except click.ClickException as error:
        console.print_usage_error(*_shown(error), error.exit_code)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return 130
    except Exception as bug:  # noqa: BLE001 - it is logged; a mail from cron must not contain a traceback
        log_bug(bug, __name__)
        return console.print_error(_error_of(bug))


def _shown(error: click.ClickException) -> tuple[str, str]:
    """Return what click shows of an error, and its message, empty where that is the help."""
    shown, message = io.StringIO(), error.format_message()
    error.show(shown)
    text = shown.getvalue().rstrip("\n")
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return quoted(text), ""
    # The message quotes arguments; click has only removed their colours, and breaks lines before choices.
    inert = printable(message.replace("\n\t", " "))
    return quoted(text.replace(click.unstyle(message), inert)), quoted(inert)


def _log_unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
    """Log an exception while an object is destroyed, which Python would print as a traceback."""
    import logging  # noqa: PLC0415 - as in `log_bug`

    logging.getLogger(__name__).info("not raised: %s", unraisable.exc_type.__name__)


def _error_of(bug: Exception) -> ContactSyncError:
    """Return the error for an exception that no code expected, which may be the fault of the surroundings."""
    number = bug.errno if isinstance(bug, OSError) else None
    if number in {errno.ENOSPC, errno.EPIPE}:  # under --help, or for a completion
        return StorageError("The output cannot be written ({reason}).", reason=reason_of(OSError(number, os.strerror(number))))
    return shortage_of(bug) or bug_error(bug)


def _prepare(streams: Streams) -> None:
    """Make files private, open the descriptors that cron closed, and write what a stream cannot encode as escapes.

    Variables that set up tqdm are ignored: it cannot be imported where one is not valid.
    """
    os.umask(0o077)
    for name in [name for name in os.environ if name.startswith("TQDM_")]:
        del os.environ[name]
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:  # a ledger opened as 1 would be overwritten by a print
            os.open(os.devnull, os.O_RDWR)
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _check_open_files() -> None:
    """Raise the limit of open files where that is allowed; raises ConfigError where it is too low to start."""
    if most_open_files() < RESERVED_FILES:
        raise too_few_files()


def _discard_unwritten(streams: Streams) -> None:
    """Keep Python's last flush from changing the exit code where a pipe is closed or a disk is full."""
    for stream in filter(None, streams):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
