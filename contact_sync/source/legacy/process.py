"""The parent's side of the worker process: its limits, its environment and its reply."""

import json
import os
import signal
import subprocess
import sys
from io import FileIO
from pathlib import Path
from typing import IO

from contact_sync.errors import SourceError, StorageError
from contact_sync.i18n import _, language
from contact_sync.source.legacy.spool import SpooledSheet

MEMORY = 1 << 30
"""Limit of the worker's memory in bytes; 100,000 rows take a tenth."""
SECONDS = 300
"""Limit of the worker's CPU time in seconds; 100,000 rows take a fiftieth."""
READ_TIMEOUT_S = 1800.0
"""Seconds after which the worker is killed."""
_PACKAGES = Path(__file__).parents[3]


def run_worker(kind: str, copy: FileIO, spool: IO[bytes], name: str) -> list[SpooledSheet]:
    """Let a worker write the rows of all worksheets to `spool`; return the sheets.

    Raises `SourceError` when the workbook is damaged or refused or exceeds a limit, `StorageError` when the disk is full.
    """
    options = (kind, str(copy.fileno()), str(spool.fileno()), language(), str(MEMORY), str(SECONDS))
    try:
        worker = subprocess.run(  # noqa: S603 - this program's own module
            [sys.executable, "-P", "-m", "contact_sync.source.legacy.worker", *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # a traceback may contain values of cells
            env=_environment(),
            pass_fds=(copy.fileno(), spool.fileno()),
            process_group=0,  # Ctrl-C at a terminal is for the parent
            timeout=READ_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _limit_error(name, _("time")) from error
    if worker.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        raise _limit_error(name, _("time or memory"))
    try:
        reply = json.loads(worker.stdout)
    except ValueError as error:
        raise SourceError(
            _("{name} cannot be read (the reader stopped with {code}): save it as .xlsx.", name=name, code=worker.returncode)
        ) from error
    if "refused" in reply:
        raise SourceError(_("{name} {refusal}", name=name, refusal=reply["refused"]))
    if "full" in reply:
        raise StorageError(
            _("There is no disk space for the rows of {name} ({reason}): free some space.", name=name, reason=reply["full"])
        )
    if reply.get("failed") == "MemoryError":
        raise _limit_error(name, _("memory"))
    if "failed" in reply:
        raise SourceError(_("{name} is damaged, or still being copied: open it, and save it as .xlsx.", name=name))
    return [SpooledSheet.from_json(sheet) for sheet in reply["sheets"]]


def _limit_error(name: str, what: str) -> SourceError:
    return SourceError(_("{name} cannot be read: it takes too much {what}; save it as .xlsx.", name=name, what=what))


def _environment() -> dict[str, str]:
    """Return the environment without secrets: those of this program, and proxies, whose address may contain a password."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("CONTACT_SYNC_") and not name.lower().endswith("_proxy")
    }
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, (str(_PACKAGES), kept.get("PYTHONPATH"))))}
