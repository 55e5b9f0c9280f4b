"""The options that say how to read a source."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class SourceOptions:
    """The operator's options; None means that the reader detects it."""

    sheet: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    """One character."""
    hidden: str = "refuse"
    """`refuse`, `include` or `skip` the hidden rows and columns of a workbook."""
    renames: Mapping[str, str] = field(default_factory=dict)
    """Header → `contactId` or a field."""
