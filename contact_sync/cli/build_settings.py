"""The settings of each kind of command, built from its options, the environment and the defaults."""

import re
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import platformdirs
from click.core import ParameterSource

from contact_sync import settings
from contact_sync.cli.api_key import find_key, require_key
from contact_sync.cli.program import Context
from contact_sync.errors import ConfigError
from contact_sync.model.plan import PLAN_LETTERS
from contact_sync.names import Purpose, report_beside
from contact_sync.report.formats import FORMATS
from contact_sync.settings import Settings

Options = Mapping[str, Any]  # parameter → value, as click parsed it


def for_check(_ctx: Context, options: Options) -> Settings:
    """Return settings that neither send nor use a ledger. Raises ConfigError."""
    return _settings(options, **_of_file(options, Purpose.CHECK), dry_run=True, remember=False)


def for_run(ctx: Context, options: Options) -> Settings:
    """Return settings that send a file.

    Raises ConfigError, also for a missing key unless a dry run names its account, and when `--sandbox` and `--base-url` are both
    given: whoever writes both expects one of them to be ignored.
    """
    if options["sandbox"] and ctx.get_parameter_source("base_url") is ParameterSource.COMMANDLINE:
        raise ConfigError("--sandbox and --base-url exclude each other: leave one out.")
    if options["sandbox"] and options["live"]:
        raise ConfigError("--sandbox and --live exclude each other, as the sandbox does not know your contacts: leave one out.")
    account = _of_account(ctx, options, sandbox=options["sandbox"])
    if not (options["dry_run"] and options["account"]):
        require_key(account["key"])
    plan = _plan_number(options["plan"]) if options["plan"] else ""
    if plan and (options["sandbox"] or options["dry_run"] or options["limit"]):
        raise ConfigError("--plan excludes --sandbox, --dry-run and --limit, which do something else: leave them out.")
    return _settings(options, **account, **_of_file(options, purpose_of(options)), plan=plan)


def for_notice(options: Options) -> Settings:
    """Return settings that only say where the reports of a file go, and what its run is for. Raises ConfigError."""
    purpose = purpose_of(options) if "sandbox" in options else Purpose.CHECK
    return _settings(options, **_of_file(options, purpose), dry_run=purpose is Purpose.CHECK, remember=False)


def for_sending(ctx: Context, options: Options) -> Settings:
    """Return settings that send something else than a file. Raises ConfigError, also for a missing key."""
    account = _of_account(ctx, options)
    require_key(account["key"])
    return _settings(options, **account)


def for_plan(ctx: Context, options: Options) -> Settings:
    """Return settings of a dry run that may read an account. Raises ConfigError, also for a missing key unless it is offline.

    Offline, the ledger is used where the options name its account, and any other file is planned as a check reads it.
    """
    account = _of_account(ctx, options)
    if not options["offline"]:
        require_key(account["key"])
    derived = {"report": report_beside(options["source"], Purpose.REAL), "renames": dict(options["renames"]), "dry_run": True}
    return _settings(options, **account, **derived, remember=bool(account["key"] or options["account"]))


def for_pull(ctx: Context, options: Options) -> Settings:
    """Return settings that read an account. Raises ConfigError, also for a missing key."""
    if options["sandbox"] and ctx.get_parameter_source("base_url") is ParameterSource.COMMANDLINE:
        raise ConfigError("--sandbox and --base-url exclude each other: leave one out.")
    account = _of_account(ctx, options, sandbox=options["sandbox"])
    require_key(account["key"])
    return _settings(options, **account)


def for_account(ctx: Context, options: Options) -> Settings:
    """Return settings that name an account, by key or name, or neither where there is only one. Raises ConfigError."""
    return _settings(options, **_of_account(ctx, options))


def _plan_number(text: str) -> str:
    """Return the number of a plan as it is printed, however it was written down. Raises ConfigError."""
    letters = re.sub(r"[-\s]", "", text).upper().translate({ord("O"): "0", ord("I"): "1", ord("L"): "1"})
    if not re.fullmatch(f"[{PLAN_LETTERS}]{{12}}", letters):
        raise ConfigError("--plan is not the number of a plan, which has 12 letters and digits: write it as plan prints it.")
    return "-".join(re.findall("....", letters))


def purpose_of(options: Options) -> Purpose:
    """Return what `run` is for with these options."""
    return Purpose.of(sandbox=options["sandbox"], dry_run=options["dry_run"])


def _settings(options: Options, **derived: Any) -> Settings:
    """Return the settings that the options, without those left out, and then the `derived` values give."""
    values: dict[str, Any] = {name: value for name, value in options.items() if name in settings.OPTIONS and value is not None}
    needs_ledger = derived.get("remember", True) and not options.get("sandbox")
    if "state_dir" not in values:
        with nullcontext() if needs_ledger else suppress(ConfigError):
            values["state_dir"] = default_state_dir()
    values["outputs"] = {name: options[name] for name in FORMATS if name != "report" and options.get(name)}
    return Settings.of(**values | derived)


def default_state_dir() -> Path:
    """Return the default state folder. Raises ConfigError for a user without a home."""
    try:
        return platformdirs.user_state_path("contact-sync")
    except RuntimeError as error:
        raise ConfigError("This user has no home folder for the ledger: set --state-dir, or HOME.") from error


def _of_file(options: Options, purpose: Purpose) -> Options:
    return {"report": options["report"] or report_beside(options["source"], purpose), "renames": dict(options["renames"])}


def _of_account(ctx: Context, options: Options, *, sandbox: bool = False) -> Options:
    base_url = settings.base_url(options["base_url"])
    ledger = settings.ledger_url(options["ledger"]) if options.get("ledger") else None
    key, key_file = ("sandbox", None) if sandbox else find_key(ctx, options["api_key_file"])
    if key and options.get("account") == key:
        raise ConfigError("--account must be a name, as it is kept, and this is the API key: correct it.")
    return {"base_url": base_url, "ledger": ledger, "key": key, "key_file": key_file}
