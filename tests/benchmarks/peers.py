"""Peers: tools that are used instead of contact-sync. For each that is installed, the command that sends a CSV file's rows.

None of them validates, skips unchanged rows, limits the rate, or reports an outcome for each row.

    newman       npm install --global newman
    parallel     the Debian packages parallel and curl
    bulk-post    pipx install bulk-post (Python 3.12 and later)

"""

import json
import shutil
import sys
from pathlib import Path

UPDATE = "contact/update"


def commands(source: Path, base_url: str) -> dict[str, list[str]]:
    """Return name → command line, for a comma-separated source whose header names the fields."""
    columns = source.read_text(encoding="utf-8").partition("\n")[0].strip().split(",")
    url = f"{base_url}/{UPDATE}"
    found = {"pandas and requests": [sys.executable, str(Path(__file__).with_name("floors.py")), "pandas_and_requests"]}
    found["pandas and requests"] += [str(source), base_url]
    if newman := shutil.which("newman"):
        collection = source.with_suffix(".collection.json")
        collection.write_text(_collection(url, _body(columns, "{{%s}}")), encoding="utf-8")
        found["newman"] = [newman, "run", str(collection), "-d", str(source), "--reporter-cli-silent"]
    if (parallel := shutil.which("parallel")) and (curl := shutil.which("curl")):
        request = [curl, "--silent", "--header", "Content-Type:application/json", "--data", _body(columns, "{%s}"), url]
        found["parallel and curl, 16 at a time"] = [
            parallel,
            "-j16",
            "-q",
            "--colsep",
            ",",
            "--header",
            ":",
            *request,
            "::::",
            str(source),
        ]
    if bulk_post := shutil.which("bulk-post"):
        found["bulk-post, 16 at a time"] = [*_bulk_post(bulk_post, source, url, columns), "-n", "16"]
        found["bulk-post, 64 at a time"] = [*_bulk_post(bulk_post, source, url, columns), "-n", "64"]
    return found


def _bulk_post(program: str, source: Path, url: str, columns: list[str]) -> list[str]:
    return [program, "--url", url, "--csv", str(source), "--body", _body(columns, "{{%s}}"), "--parallel"]


def _body(columns: list[str], placeholder: str) -> str:
    """Return the request body as a template; the first column is the contactId."""
    contact_id, *fields = columns
    contact = {field: placeholder % field for field in fields}
    return json.dumps({"apiKey": "k", contact_id: placeholder % contact_id, "contact": contact})


def _collection(url: str, body: str) -> str:
    header = [{"key": "Content-Type", "value": "application/json"}]
    request = {"method": "POST", "header": header, "body": {"mode": "raw", "raw": body}, "url": url}
    schema = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
    return json.dumps({"info": {"name": "updates", "schema": schema}, "item": [{"name": "update", "request": request}]})
