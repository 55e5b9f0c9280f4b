"""The worker process: reads a workbook for `contact_sync.source.legacy.workbook` within limits.

Run as `python -m contact_sync.source.legacy.worker KIND SOURCE SPOOL LANGUAGE MEMORY SECONDS`: the file descriptors of the
workbook and of the file for its rows, the language of its sentences, then limits in bytes of memory and seconds of CPU. It writes
one JSON object to stdout: `{"sheets": [...]}`, `{"refused": the rest of a sentence}`, `{"full": why the disk took no more}` or
`{"failed": the name of an exception}`. It must start fast, so it imports nothing heavy.
"""

import dataclasses
import errno
import importlib
import json
import os
import resource
import sys
from contextlib import suppress
from io import FileIO
from typing import Any

from contact_sync.i18n import set_language
from contact_sync.source.legacy.spool import RefusedError, SpoolWriter

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def main(kind: str, source: str, spool: str, language: str, *limits: str) -> None:
    """Read the workbook; `kind` is the name of the module that does."""
    for limit, most in zip((resource.RLIMIT_AS, resource.RLIMIT_CPU), limits, strict=True):
        _, hard = resource.getrlimit(limit)
        soft = int(most) if hard == resource.RLIM_INFINITY else min(int(most), hard)
        with suppress(ValueError):  # macOS has no limit of memory
            resource.setrlimit(limit, (soft, soft))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would contain the contacts
    set_language(language)
    sys.stdout.write(json.dumps(_read(kind, int(source), int(spool))))


def _read(kind: str, source: int, spool: int) -> dict[str, Any]:
    try:
        reader = importlib.import_module(f"contact_sync.source.legacy.{kind}")
    except Exception:  # noqa: BLE001 - it is installed, so that only the memory limit can prevent its import
        return {"failed": MemoryError.__name__}
    try:
        with FileIO(source) as copy, os.fdopen(spool, "wb") as rows:
            copy.seek(0)  # the parent has read from it
            writer = SpoolWriter(rows.write)
            reader.read(copy, writer)
        return {"sheets": [dataclasses.asdict(sheet) for sheet in writer.sheets]}
    except RefusedError as refused:
        return {"refused": str(refused)}
    except OSError as error:
        return {"full": os.strerror(error.errno)} if error.errno in _FULL else {"failed": type(error).__name__}
    except Exception as error:  # noqa: BLE001 - a damaged file can make a reader raise anything
        return {"failed": type(error).__name__}


if __name__ == "__main__":
    main(*sys.argv[1:])
