"""The log: of this program, on stderr and in a file; never with a secret nor with what is in a cell, whoever is speaking.

Only our own sentences are known to hold neither. What an exception or another library says may quote anything: its kind and its
place in the code are told instead.
"""

import json
import logging
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from contact_sync.errors import StorageError
from contact_sync.i18n import _

_OURS = "contact_sync"

log = logging.getLogger(__name__)


class _Clean(logging.Formatter):
    def __init__(self, clean: Callable[[str], str], form: str, *, as_json: bool) -> None:
        super().__init__(form)
        self._clean = clean
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        if record.name.partition(".")[0] != _OURS:
            record = logging.makeLogRecord(vars(record) | {"msg": f"{record.pathname}:{record.lineno}", "args": None})
        if not self._as_json:
            return self._clean(super().format(record))
        document = {
            "at": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            document["exception"] = self.formatException(record.exc_info)
        return self._clean(json.dumps(document))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - as logging calls it
        return "\n".join(_traced(ei[1], set()))


def _traced(error: BaseException | None, seen: set[int]) -> Iterator[str]:
    """Where an exception, and before it each that led to it, came from, and of what kind it is."""
    if error is None or id(error) in seen:
        return
    seen.add(id(error))
    for earlier in (error.__cause__ or error.__context__, *(error.exceptions if isinstance(error, BaseExceptionGroup) else ())):
        yield from _traced(earlier, seen)
    yield "Traceback (most recent call last):"
    for frame in traceback.extract_tb(error.__traceback__):
        yield f"  {frame.filename}:{frame.lineno} {frame.name}"
    yield type(error).__name__


def _warned(_: Warning | str, category: type[Warning], filename: str, lineno: int, *_more: object) -> None:
    log.warning("%s at %s:%d", category.__name__, filename, lineno)


def keep_log(clean: Callable[[str], str], *, verbose: bool, path: Path | None, as_json: bool) -> None:
    """Log to stderr if `verbose`, and to the file at `path`; other libraries only when something is wrong.

    `clean` takes out of a text what is secret. Raises StorageError when the file cannot be written.
    """
    to_stderr = logging.StreamHandler()
    to_stderr.setLevel(logging.INFO if verbose else logging.CRITICAL)
    to_stderr.setFormatter(_Clean(clean, "%(levelname)s %(name)s: %(message)s", as_json=as_json))
    handlers: list[logging.Handler] = [to_stderr]
    if path:
        try:
            handlers.append(logging.FileHandler(path, encoding="utf-8"))
            if path.is_file():
                path.chmod(0o600)
        except OSError as error:
            sentence = _("The log {path} cannot be written ({reason}): check --log-file.", path=path, reason=error.strerror)
            raise StorageError(sentence) from error
        handlers[-1].setFormatter(_Clean(clean, "%(asctime)s %(levelname)s %(name)s: %(message)s", as_json=as_json))
    heard = verbose or path is not None
    logging.basicConfig(handlers=handlers, level=logging.WARNING if heard else logging.CRITICAL, force=True)
    logging.getLogger(_OURS).setLevel(logging.INFO if heard else logging.CRITICAL)
    warnings.showwarning = _warned  # type: ignore[assignment]  # it is called by position
    logging.raiseExceptions = False
