"""Files of an inbox that are taken, and those that are not: copies, backups, unfinished uploads, litter, links."""

import os
from pathlib import Path

import pytest

from contact_sync.sync.arrivals import find_arrivals

OLD, NEW = 1_000_000_000, 1_000_000_100


def put(folder: Path, *names: str, at: int = OLD) -> None:
    """Create files that were changed `at` a time."""
    for name in names:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
        os.utime(path, (at, at))


def taken(folder: Path) -> list[str]:
    """Return the names of the files that are taken, sorted."""
    return sorted(path.name for path in find_arrivals(folder).files)


NEVER = """
contacts (conflicted copy 2026-01-02 030405).csv
contacts (Anne's conflicted copy 2026-01-02).xlsx
contacts (Copie en conflit de Anne 2026-01-02).csv
contacts.sync-conflict-20260102-030405-ABCDEFG.csv
contacts_conflict-20260102-030405.csv
contacts (SFConflict anne 2026-01-02-03-04-05).csv
contacts [Conflict].csv
contacts.csv~
contacts.csv.bak
contacts.BAK
contacts.csv.old
contacts.csv.orig
contacts.csv.part
contacts.csv.uploading
contacts.csv.inprogress
contacts.csv.filepart
contacts.csv.crdownload
contacts.csv.tmp
"""


@pytest.mark.parametrize("name", NEVER.strip().splitlines())
def test_held_back_whether_or_not_the_original_is_there(tmp_path: Path, name: str) -> None:
    """A conflict copy, a backup or an unfinished upload is named and not taken, even by itself."""
    put(tmp_path, name)
    found = find_arrivals(tmp_path)
    assert (found.files, found.held_back, found.litter) == ([], [name], [])


LITTER = """
Thumbs.db
THUMBS.DB
desktop.ini
.DS_Store
._contacts.csv
contacts.lnk
contacts.xlsx.lnk
Export.url
contacts.csv:Zone.Identifier
contacts.csv.md5
contacts.csv.SHA256
contacts.ok
contacts.csv.done
contacts.csv.lock
"""


@pytest.mark.parametrize("name", LITTER.strip().splitlines())
def test_litter(tmp_path: Path, name: str) -> None:
    """Litter of systems and markers of other programs are told apart from what an operator may miss."""
    put(tmp_path, name, "contacts.csv")
    found = find_arrivals(tmp_path)
    assert (found.held_back, found.litter, taken(tmp_path)) == ([], [name], ["contacts.csv"])


@pytest.mark.parametrize(
    "name", ["~$contacts.xlsx", ".~lock.contacts.ods#", ".contacts.csv.draft", "run.log", "contacts.csv.results.csv"]
)
def test_own_files_are_not_named(tmp_path: Path, name: str) -> None:
    """Reports, drafts, logs and the lock files of office programs, of which a run itself warns, are not named."""
    put(tmp_path, name, "contacts.csv")
    found = find_arrivals(tmp_path)
    assert (found.held_back, found.litter, taken(tmp_path)) == ([], [], ["contacts.csv"])


COPIES = """
contacts (1).csv
contacts(2).csv
contacts (1) (1).csv
contacts - Copie.csv
contacts - Copie (2).csv
contacts - Copie - Copie.csv
contacts - Copy.csv
contacts - Copy (3).csv
contacts (copie).csv
contacts (another copy).csv
contacts copie.csv
contacts copy 2.csv
Copie de contacts.csv
Copy of contacts.csv
contacts-copy.csv
contacts.old.csv
contacts.bak.csv
CONTACTS (1).CSV
"""


@pytest.mark.parametrize("name", COPIES.strip().splitlines())
def test_copies(tmp_path: Path, name: str) -> None:
    """A copy is not taken beside its original, nor after it unless it is newer than what was run; alone it is taken."""
    put(tmp_path, name)
    assert taken(tmp_path) == [name]
    put(tmp_path, "contacts.csv")
    assert (taken(tmp_path), find_arrivals(tmp_path).held_back) == (["contacts.csv"], [name])
    for folder in ("done", "failed"):
        put(tmp_path, f"{folder}/20260102T030405Z-contacts.csv", at=OLD)
        (tmp_path / "contacts.csv").unlink(missing_ok=True)
        assert taken(tmp_path) == []
        put(tmp_path, name, at=NEW)
        assert taken(tmp_path) == []
        for path in (tmp_path / folder).iterdir():
            path.unlink()
        put(tmp_path, name)


@pytest.mark.parametrize("name", ["contacts (1).csv", "contacts(2).csv", "contacts (1) (2).csv"])
@pytest.mark.parametrize("folder", ["done", "failed"])
def test_new_export_with_a_number(tmp_path: Path, name: str, folder: str) -> None:
    """A number is what a browser adds to a new export: it is taken if it is newer than what was run and has other content."""
    put(tmp_path, name, at=NEW)
    put(tmp_path, f"{folder}/20260102T030405Z-contacts.csv", at=OLD)
    assert taken(tmp_path) == []
    (tmp_path / name).write_bytes(b"other")
    assert taken(tmp_path) == [name]
    os.utime(tmp_path / name, (OLD, OLD))
    assert taken(tmp_path) == []
    os.utime(tmp_path / name, (NEW, NEW))
    put(tmp_path, f"{folder}/20260103T030405Z-2-contacts.csv", at=NEW)
    assert taken(tmp_path) == []


@pytest.mark.parametrize(
    "name", ["photocopie.csv", "contacts (2026).csv", "contacts-2026.csv", "threshold.csv", "Copie.csv", "contacts (paris).csv"]
)
def test_names_that_only_look_like_copies(tmp_path: Path, name: str) -> None:
    """Other files than copies are taken, whatever else is in the inbox."""
    put(tmp_path, name, "contacts.csv")
    assert taken(tmp_path) == sorted([name, "contacts.csv"])


def test_links_are_not_taken(tmp_path: Path) -> None:
    """Links in an inbox are named and not followed: to a file, to a folder, and to nothing."""
    inbox, outside = tmp_path / "in", tmp_path / "secret.csv"
    inbox.mkdir()
    outside.touch()
    (inbox / "a.csv").symlink_to(outside)
    (inbox / "b").symlink_to(tmp_path)
    (inbox / "c.csv").symlink_to("nowhere")
    os.mkfifo(inbox / "pipe")
    found = find_arrivals(inbox)
    assert (found.files, found.held_back, found.litter) == ([], ["a.csv", "b", "c.csv"], [])
