"""Fixtures of the reports."""

from pathlib import Path

import pytest

from tests.report.workbooks import HEAD, ROWS, workbook_of


@pytest.fixture
def clients(tmp_path: Path) -> Path:
    """Return the operator's own workbook."""
    return workbook_of(tmp_path / "clients.xlsx", HEAD, *ROWS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of the page."""
    return tmp_path / "contacts.results.html"
