"""The tables, the values in their columns, and the migrations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from contact_sync.model.violation import Column, Violation

ROW_TABLES = (
    """CREATE {temporary} TABLE block (
        first INTEGER PRIMARY KEY, numbers TEXT NOT NULL, ids TEXT NOT NULL, cells BLOB NOT NULL,
        outcome TEXT NOT NULL, plain INTEGER NOT NULL
    )""",
    """CREATE {temporary} TABLE row (
        number INTEGER PRIMARY KEY, contact_id TEXT NOT NULL, contact TEXT, clears INTEGER NOT NULL, outcome TEXT,
        code TEXT NOT NULL, fields TEXT NOT NULL, message TEXT NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0, http_status INTEGER, api_code TEXT NOT NULL DEFAULT '', at TEXT NOT NULL DEFAULT ''
    )""",
)
ROW_AGE = "ALTER TABLE {table} ADD COLUMN as_of INTEGER"
"""A block is a chunk of the source with its cells; `plain` counts its rows that have no `row` and so share its `outcome`.

`as_of` is the time of a row's values where it differs from that of the run's source.
"""

ROW_BASE = "ALTER TABLE {table} ADD COLUMN base TEXT NOT NULL DEFAULT ''"
"""`base` is a base token, at first of the source, at the end of what the API has."""

ROWS_OF_A_CHECK = (*ROW_TABLES, *(statement.replace("{table}", "temp.row") for statement in (ROW_AGE, ROW_BASE)))

MIGRATIONS = (
    (
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        """CREATE TABLE run (
            id TEXT PRIMARY KEY, source TEXT NOT NULL, started TEXT NOT NULL, finished TEXT, exit_code INTEGER, outcomes TEXT
        ) WITHOUT ROWID""",
        "CREATE TABLE confirmed (contact_id TEXT PRIMARY KEY, row BLOB, fields BLOB NOT NULL) WITHOUT ROWID",
    ),
    (
        "DROP TABLE IF EXISTS block",
        "DROP TABLE IF EXISTS row",
        *(statement.format(temporary="") for statement in ROW_TABLES),
        "ALTER TABLE run ADD COLUMN requests INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE run ADD COLUMN retries INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE run ADD COLUMN seconds REAL NOT NULL DEFAULT 0",
        "ALTER TABLE run ADD COLUMN places BLOB NOT NULL DEFAULT x''",
        "ALTER TABLE run ADD COLUMN mode INTEGER NOT NULL DEFAULT 384",
        "ALTER TABLE run ADD COLUMN layout TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE run ADD COLUMN staged INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE run ADD COLUMN rest TEXT NOT NULL DEFAULT ''",
        """CREATE TABLE history (
            run TEXT NOT NULL, number INTEGER NOT NULL, contact_id TEXT NOT NULL, outcome TEXT NOT NULL, code TEXT NOT NULL,
            fields TEXT NOT NULL, sent TEXT NOT NULL, at TEXT NOT NULL, PRIMARY KEY (run, number)
        ) WITHOUT ROWID""",
        "CREATE INDEX history_of_contact ON history (contact_id)",
    ),
    (
        # Delete what a run had staged in part when it was killed.
        "DELETE FROM meta WHERE key = 'rows' AND value IN (SELECT id FROM run WHERE staged = 0)",
        "DELETE FROM block WHERE NOT EXISTS (SELECT 1 FROM meta WHERE key = 'rows')",
        "DELETE FROM row WHERE NOT EXISTS (SELECT 1 FROM meta WHERE key = 'rows')",
        "ALTER TABLE run RENAME COLUMN staged TO released",
        "UPDATE run SET released = released > 1",
    ),
    ("UPDATE confirmed SET fields = from_first_release(fields)",),
    (
        "ALTER TABLE run ADD COLUMN as_of INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE confirmed ADD COLUMN moments BLOB NOT NULL DEFAULT x''",
        ROW_AGE.format(table="row"),
    ),
    (
        """CREATE TABLE in_place (
            digest BLOB PRIMARY KEY, as_of INTEGER NOT NULL, contacts INTEGER NOT NULL, fields TEXT NOT NULL, ids BLOB NOT NULL
        )""",
    ),
    (
        ROW_BASE.format(table="row"),
        """CREATE TABLE answer (
            question TEXT PRIMARY KEY, answer TEXT NOT NULL, at TEXT NOT NULL, how TEXT NOT NULL
        ) WITHOUT ROWID""",
        """CREATE TABLE successor (
            token TEXT PRIMARY KEY, contact_id TEXT NOT NULL, base TEXT NOT NULL, at TEXT NOT NULL
        ) WITHOUT ROWID""",
        """CREATE TABLE before_image (
            contact_id TEXT NOT NULL, run TEXT NOT NULL, fields TEXT NOT NULL, written TEXT NOT NULL, at TEXT NOT NULL,
            PRIMARY KEY (contact_id, run)
        ) WITHOUT ROWID""",
    ),
    (
        """CREATE TABLE planned (
            plan TEXT NOT NULL, contact_id TEXT NOT NULL, number INTEGER NOT NULL, digest BLOB NOT NULL, at TEXT NOT NULL,
            PRIMARY KEY (plan, contact_id)
        ) WITHOUT ROWID""",
    ),
    ("CREATE TABLE trial (contact_id TEXT PRIMARY KEY, fields TEXT NOT NULL, at TEXT NOT NULL) WITHOUT ROWID",),
    ("CREATE TABLE forgotten (digest BLOB PRIMARY KEY) WITHOUT ROWID",),
    (
        # What the API has confirmed while the database of the shared ledger was gone.
        """CREATE TABLE unconfirmed (
            contact_id TEXT PRIMARY KEY, claim BLOB NOT NULL, row BLOB NOT NULL, fields BLOB NOT NULL
        ) WITHOUT ROWID""",
    ),
)
"""The statements that lead from each version of the file to the next one; `Database` provides `from_first_release`."""

VERSION = len(MIGRATIONS)  # version of the file's schema, kept as `user_version`
SENTENCE_SEPARATOR = "\n"  # separates the sentences of a row. Each is one line: so are the API's own words (`envelope.quoted`).


def storable(text: str) -> str:
    """Return text as SQLite takes it, valid UTF-8; the name of a file and the API's own words may be anything."""
    return text.encode(errors="backslashreplace").decode()


@dataclass
class Wording:
    """The wording of violations in a run, whose sentences name each field by its column of the source."""

    columns: Mapping[str, Column] = field(default_factory=dict)  # of the source whose rows are in the ledger

    def texts(self, violations: Sequence[Violation]) -> tuple[str, str, str]:
        """Return codes, fields and sentences of a row's violations, each joined into one text, in the same order."""
        sentences = SENTENCE_SEPARATOR.join(violation.sentence(self.columns) for violation in violations)
        return ",".join(v.code for v in violations), ",".join(v.field for v in violations), storable(sentences)
