"""The files that a command is to write, checked before anything is done: a mistyped path must not cost another file."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from contact_sync.cli import build_settings
from contact_sync.cli.build_settings import Options
from contact_sync.errors import ConfigError
from contact_sync.ledger.state_dir import is_of_state_dir
from contact_sync.report.formats import FORMATS, is_foreign
from contact_sync.report.pulled import WRITERS, is_pulled
from contact_sync.settings import NOWHERE
from contact_sync.sync.outputs import is_same


def check_output_files(options: Options, sources: Sequence[Path]) -> None:
    """Raise ConfigError where the log or a report would be written over a file that is needed, or a report over what is none.

    A pulled file counts as a report. One over a source is left to the run, which knows the formats of the source and the paths of
    a former run.
    """
    reports = {f"--{name}": options[name] for name in FORMATS if options.get(name) not in {None, NOWHERE}}
    log_file = options["log_file"]
    beside = [] if "--report" in reports else [build_settings.report_beside(source) for source in sources]
    pulled: Path | None = options.get("output")
    for other in filter(None, (*sources, *beside, *reports.values(), pulled)):
        if log_file and is_same(log_file, other):
            raise ConfigError("The log would overwrite {path}: correct --log-file.", path=other)
    if pulled and pulled.suffix.lower() not in WRITERS:
        raise ConfigError("The name of a pulled file ends in .xlsx or .csv: correct -o.")
    written = [("-o", pulled), *reports.items(), *(("--report", path) for path in beside), ("--log-file", log_file)]
    for option, path in written:
        if path and _is_needed(path, options):
            raise ConfigError(
                "{option} would overwrite {path}, which is the key file, the config file or part of the ledger: correct it.",
                option=option,
                path=path,
            )
    if pulled and _is_no_pulled_file(pulled):
        raise ConfigError(
            "-o would overwrite {path}, which is no pulled file: choose another path, or delete that file first.", path=pulled
        )
    for option, path in reports.items():
        if is_foreign(option.removeprefix("--"), path) and not any(is_same(path, source) for source in sources):
            raise ConfigError(
                "{option} would overwrite {path}, which is not a report: choose another path, or delete that file first.",
                option=option,
                path=path,
            )


def _is_no_pulled_file(path: Path) -> bool:
    try:
        return path.is_file() and not is_pulled(path)
    except OSError:
        return True  # nothing shows that it is one


def _is_needed(path: Path, options: Options) -> bool:
    """Return True for the key file and the config file in use, and for the files of the state folder."""
    if any(is_same(path, options[name]) for name in ("api_key_file", "config") if options.get(name)):
        return True
    with suppress(ConfigError):  # no state folder
        return is_of_state_dir(path, options["state_dir"] or build_settings.default_state_dir())
    return False
