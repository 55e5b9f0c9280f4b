"""The log of this program, on stderr and in a file: a line for each event, without secrets and without the content of cells.

Only our own messages are known to contain neither. The text of an exception, or of another library's message, may quote anything,
so its type and its place in the code are logged instead.
"""

import json
import logging
import os
import re
import traceback
import warnings
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from contact_sync.cli.console import Console
from contact_sync.errors import StorageError
from contact_sync.events import current_run
from contact_sync.model.fields import readable

_OURS = "contact_sync"

log = logging.getLogger(__name__)


def check_log(path: Path) -> None:
    """Raise StorageError unless the log can be written, without creating it."""
    exists = os.path.exists(path)  # noqa: PTH110 - which does not raise
    place = path if exists else path.parent
    if os.path.isdir(place) == exists or not os.access(place, os.W_OK):  # noqa: PTH112
        raise StorageError("The log {path} cannot be written: check its folder and its permissions, or --log-file.", path=path)


class _Formatter(logging.Formatter):
    """A formatter of events, and of other messages as the event `message`: as JSON, or as `TIME LEVEL EVENT name=value …`."""

    def __init__(self, clean: Callable[[str], str], *, as_json: bool) -> None:
        super().__init__()
        self._clean, self._as_json = clean, as_json

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")
        facts = getattr(record, "facts", None)
        event = "message" if facts is None else record.getMessage()
        facts = {"run": current_run(), **(_message(record) if facts is None else facts)}
        frames = list(_traced(record.exc_info[1], set())) if record.exc_info else []
        if self._as_json:
            exception = {"exception": "\n".join(frames)} if frames else {}
            document = {"time": moment, "level": record.levelname, "event": event, **facts, **exception}
            return self._clean(json.dumps(document, default=readable))
        pairs = [f"{name}={_as_word(value)}" for name, value in facts.items() if value not in ("", None, {})]
        return "\n".join(map(self._clean, [" ".join([moment, record.levelname, event, *pairs]), *frames]))


def _message(record: logging.LogRecord) -> dict[str, str]:
    ours = record.name.partition(".")[0] == _OURS
    return {"logger": record.name, "message": record.getMessage() if ours else f"{record.pathname}:{record.lineno}"}


def _as_word(value: object) -> str:
    """Return a value without a space, or in quotes."""
    text = ",".join(f"{name}:{count}" for name, count in value.items()) if isinstance(value, dict) else str(value)
    return json.dumps(text, ensure_ascii=False) if re.search(r'[\s"=]', text) else text


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
    formatter = _Formatter(console.clean, as_json=as_json)
    to_stderr = logging.StreamHandler(console.streams.stderr)
    to_stderr.setLevel(logging.INFO if verbose else logging.CRITICAL)
    to_stderr.setFormatter(formatter)
    handlers: list[logging.Handler] = [to_stderr]
    if path:
        with StorageError.from_os_error("The log {path} cannot be written ({reason}): check --log-file.", path=path):
            # A pipe that nobody reads would be waited for, for ever.
            os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, 0o600))
            handlers.append(logging.FileHandler(path, encoding="utf-8"))
            if path.is_file():
                path.chmod(0o600)
        handlers[-1].setFormatter(formatter)
    enabled = verbose or path is not None
    logging.basicConfig(handlers=handlers, level=logging.WARNING if enabled else logging.CRITICAL, force=True)
    logging.getLogger(_OURS).setLevel(logging.INFO if enabled else logging.CRITICAL)
    warnings.showwarning = _log_warning  # type: ignore[assignment]  # called by position
    logging.raiseExceptions = False
