"""The log: of this program, on stderr and in a file; never with a secret, whoever is speaking."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

from contact_sync.errors import StorageError
from contact_sync.language import phrase


class _Clean(logging.Formatter):
    def __init__(self, clean: Callable[[str], str], form: str, *, as_json: bool) -> None:
        super().__init__(form)
        self._clean = clean
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        if not self._as_json:
            return self._clean(super().format(record))
        told = {"at": self.formatTime(record), "level": record.levelname, "logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return self._clean(json.dumps(told))


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
            told = phrase("The log {path} cannot be written ({reason}): check --log-file.", path=path, reason=error.strerror)
            raise StorageError(told) from error
        handlers[-1].setFormatter(_Clean(clean, "%(asctime)s %(levelname)s %(name)s: %(message)s", as_json=as_json))
    heard = verbose or path is not None
    logging.basicConfig(handlers=handlers, level=logging.WARNING if heard else logging.CRITICAL, force=True)
    logging.getLogger("contact_sync").setLevel(logging.INFO if heard else logging.CRITICAL)
    logging.captureWarnings(capture=True)
    logging.raiseExceptions = False
