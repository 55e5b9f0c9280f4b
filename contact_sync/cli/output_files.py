"""The files that a command is to write, checked before anything is done: a mistyped path must not cost another file."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from contact_sync.cli import build_settings
from contact_sync.cli.build_settings import Options
from contact_sync.errors import ConfigError
from contact_sync.ledger.state_dir import is_of_state_dir
from contact_sync.names import Purpose, report_beside
from contact_sync.report import plan, pulled
from contact_sync.report.formats import FORMATS, is_foreign
from contact_sync.settings import NOWHERE
from contact_sync.sync.outputs import is_same


def check_output_files(options: Options, sources: Sequence[Path]) -> None:
    """Raise ConfigError where the log or a report would be written over a file that is needed, or a report over what is none.

    A pulled file and a plan count as reports. One over a source is left to the run, which knows the formats of the source and the
    paths of a former run.
    """
    reports = {f"--{name}": options[name] for name in FORMATS if options.get(name) not in {None, NOWHERE}}
    log_file = options["log_file"]
    is_beside = not ("--report" in reports or "output" in options)
    beside = [report_beside(source, purpose) for source in sources for purpose in Purpose] if is_beside else []
    output: Path | None = options.get("output")
    for other in filter(None, (*sources, *beside, *reports.values(), output)):
        if log_file and is_same(log_file, other):
            raise ConfigError("The log would overwrite {path}: correct --log-file.", path=other)
    written = [("-o", output), *reports.items(), *(("--report", path) for path in beside), ("--log-file", log_file)]
    for option, path in written:
        if path and _is_needed(path, options):
            raise ConfigError(
                "{option} would overwrite {path}, which is the key file, the config file or part of the ledger: correct it.",
                option=option,
                path=path,
            )
    if output:
        _check_output(output, of_plan="offline" in options)  # an option of that command alone
    for option, path in reports.items():
        if is_foreign(option.removeprefix("--"), path) and not any(is_same(path, source) for source in sources):
            raise ConfigError(
                "{option} would overwrite {path}, which is not a report: choose another path, or delete that file first.",
                option=option,
                path=path,
            )


def _check_output(path: Path, *, of_plan: bool) -> None:
    """Raise ConfigError unless the name is one of a plan or of a pulled file, and the file there is one, if there is any."""
    if of_plan and path.suffix.lower() not in plan.WRITERS:
        raise ConfigError("The name of a plan ends in .xlsx, .csv or .html: correct -o.")
    if not of_plan and path.suffix.lower() not in pulled.WRITERS:
        raise ConfigError("The name of a pulled file ends in .xlsx or .csv: correct -o.")
    if of_plan and _is_other(path, plan.is_plan):
        raise ConfigError(
            "-o would overwrite {path}, which is no plan: choose another path, or delete that file first.", path=path
        )
    if not of_plan and _is_other(path, pulled.is_pulled):
        raise ConfigError(
            "-o would overwrite {path}, which is no pulled file: choose another path, or delete that file first.", path=path
        )


def _is_other(path: Path, is_one: Callable[[Path], bool]) -> bool:
    """Return True for a file that is none of those that may be replaced."""
    try:
        return path.is_file() and not is_one(path)
    except OSError:
        return True  # nothing shows that it is one


def _is_needed(path: Path, options: Options) -> bool:
    """Return True for the key file and the config file in use, and for the files of the state folder."""
    if any(is_same(path, options[name]) for name in ("api_key_file", "config") if options.get(name)):
        return True
    with suppress(ConfigError):  # no state folder
        return is_of_state_dir(path, options["state_dir"] or build_settings.default_state_dir())
    return False
