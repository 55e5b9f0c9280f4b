"""The log of this program, on stderr and in a file; without secrets and without the content of cells.

Only our own messages are known to contain neither. The text of an exception, or of another library's message, may quote anything,
so its type and its place in the code are logged instead.
"""

import json
import logging
import os
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from contact_sync.cli.console import Console
from contact_sync.errors import StorageError

_OURS = "contact_sync"

log = logging.getLogger(__name__)


class _Clean(logging.Formatter):
    def __init__(self, clean: Callable[[str], str], form: str, *, as_json: bool) -> None:
        super().__init__(form)
        self._clean = clean
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        ours = record.name.partition(".")[0] == _OURS
        message = record.getMessage() if ours else f"{record.pathname}:{record.lineno}"
        record = logging.makeLogRecord(vars(record) | {"msg": self._clean(message), "args": None})
        if not self._as_json:
            return "\n".join(map(self._clean, super().format(record).split("\n")))
        document = {"at": self.formatTime(record), "level": record.levelname, "logger": record.name}
        document["message"] = record.getMessage()
        if record.exc_info:
            document["exception"] = self.formatException(record.exc_info)
        return self._clean(json.dumps(document))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - as logging calls it
        return "\n".join(_traced(ei[1], set()))


def _traced(error: BaseException | None, seen: set[int]) -> Iterator[str]:
    """Yield the frames and the type of an exception, after those of each exception that led to it."""
    if error is None or id(error) in seen:
        return
    seen.add(id(error))
    for earlier in (error.__cause__ or error.__context__, *(error.exceptions if isinstance(error, BaseExceptionGroup) else ())):
        yield from _traced(earlier, seen)
    yield "Traceback (most recent call last):"
    for frame in traceback.extract_tb(error.__traceback__):
        yield f"  {frame.filename}:{frame.lineno} {frame.name}"
    yield type(error).__name__


def _log_warning(_: Warning | str, category: type[Warning], filename: str, lineno: int, *_more: object) -> None:
    log.warning("%s at %s:%d", category.__name__, filename, lineno)


def configure_log(console: Console, *, verbose: bool, path: Path | None, as_json: bool) -> None:
    """Log to stderr if `verbose`, and to the file at `path`; from other libraries only warnings and errors.

    Raises StorageError when the file cannot be written.
    """
    to_stderr = logging.StreamHandler(console.streams.stderr)
    to_stderr.setLevel(logging.INFO if verbose else logging.CRITICAL)
    to_stderr.setFormatter(_Clean(console.clean, "%(levelname)s %(name)s: %(message)s", as_json=as_json))
    handlers: list[logging.Handler] = [to_stderr]
    if path:
        with StorageError.from_os_error("The log {path} cannot be written ({reason}): check --log-file.", path=path):
            # A pipe that nobody reads would be waited for, for ever.
            os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, 0o600))
            handlers.append(logging.FileHandler(path, encoding="utf-8"))
            if path.is_file():
                path.chmod(0o600)
        handlers[-1].setFormatter(_Clean(console.clean, "%(asctime)s %(levelname)s %(name)s: %(message)s", as_json=as_json))
    enabled = verbose or path is not None
    logging.basicConfig(handlers=handlers, level=logging.WARNING if enabled else logging.CRITICAL, force=True)
    logging.getLogger(_OURS).setLevel(logging.INFO if enabled else logging.CRITICAL)
    warnings.showwarning = _log_warning  # type: ignore[assignment]  # called by position
    logging.raiseExceptions = False
