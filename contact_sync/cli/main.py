"""The entry point: parse the arguments, run the command, and turn every error into one sentence and an exit code.

stdout carries data only (`--json`, `history`, `doctor`, `schedule`, `completion`, `help`, `--version`); everything else goes to
stderr. A terminal, a pipe or a disk that no longer takes the output never stops a run.
"""

import contextlib
import errno
import logging
import os
import sys
from collections.abc import Mapping, Sequence

import click

from contact_sync.cli.console import Console, Streams, bug_error
from contact_sync.cli.process import Process, discard_unwritten, prepare
from contact_sync.cli.program import program
from contact_sync.errors import ContactSyncError, StorageError
from contact_sync.i18n import _

log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None, env: Mapping[str, str] | None = None, streams: Streams | None = None) -> int:
    """Run the program and return its exit code; by default with the arguments, variables and streams of this process."""
    streams = streams or Streams(sys.stdout, sys.stderr)
    prepare(streams)
    code = _run(sys.argv[1:] if argv is None else argv, Process(os.environ if env is None else env, Console(streams)))
    discard_unwritten(streams)
    return code


def _run(argv: Sequence[str], process: Process) -> int:
    console, streams = process.console, process.console.streams
    try:
        # click prints its help where these point.
        with contextlib.redirect_stdout(streams.stdout), contextlib.redirect_stderr(streams.stderr):
            return int(program.main(list(argv), "contact-sync", standalone_mode=False, obj=process) or 0)
    except ContactSyncError as error:
        return console.print_error(error)
    except click.ClickException as error:
        with contextlib.suppress(OSError, ValueError):
            error.show(streams.stderr)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return 130
    except Exception as bug:  # a mail from cron must not contain a traceback
        log.info("a bug", exc_info=True)
        if isinstance(bug, OSError) and bug.errno in {errno.ENOSPC, errno.EPIPE}:  # under --help, or for a completion
            return console.print_error(StorageError(_("The output cannot be written ({reason}).", reason=bug.strerror)))
        return console.print_error(bug_error(bug))
