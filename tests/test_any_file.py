"""Any file results in a report that accounts for each of its rows, or in one sentence."""

import csv
import io
import json
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contact_sync.cli.console import Streams
from contact_sync.cli.main import main

pytestmark = pytest.mark.unmeasured

TABLE = '''contactId;nom;prénom;date
1;Lefèvre;Zoé;12/06/1980
2;Nuñez;Léa;
3;"D'Arcy; ""Max""";;2020-06-12
;;;
5;a'''


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Draw random bytes, or a valid file in some encoding with a few bytes replaced, inserted or deleted."""
    if draw(st.booleans()):
        return draw(st.binary(max_size=400))
    content = bytearray(TABLE.encode(draw(st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "utf-16", "mac_roman"]))))
    pieces = st.one_of(st.binary(max_size=4), st.sampled_from([b'"', b";", b"\n", b"\r", b"\0", TABLE.encode()]))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(content)))
        content[at : at + draw(st.integers(0, 9))] = draw(pieces)
    return bytes(content)


@settings(max_examples=settings().max_examples * 3)
@given(files())
def test_check_of_any_bytes(content: bytes) -> None:
    """`check` ends with 0, 3 or 4: one sentence with the file's name when it is refused, else a report with all rows."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "contacts.csv")
        source.write_bytes(content)
        os.utime(source, (0, 0))
        out, err = io.StringIO(), io.StringIO()
        code = main(["check", str(source), "--json", "--quiet", "--allow-empty"], {}, Streams(out, err))
        summary, messages = json.loads(out.getvalue()), err.getvalue()
        if summary["report"] is None:
            assert code == 4
            assert messages.count("\n") == 1
            assert messages.startswith("contact-sync: contacts.csv")
        else:
            assert code in (0, 3, 4)
            assert summary["rows"] == sum(summary["outcomes"].values()) == _rows(Path(folder, "contacts.check.csv"))


def _rows(report: Path) -> int:
    """Count the lines below a report's header."""
    text = report.read_text(encoding="utf-8-sig")
    with report.open(encoding="utf-8-sig", newline="") as file:
        return sum(1 for _ in csv.reader(file, delimiter=text[text.index("sync_row") - 1])) - 1
