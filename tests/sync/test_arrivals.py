"""Files of an inbox that are taken, and those that are not: copies, backups, unfinished uploads, litter, links."""

import os
from pathlib import Path

import pytest

from contact_sync.files.atomic import open_atomic
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
contacts.csv.tmp123
contacts.tmpAB12
contacts.csv_tmp
contacts.csv.!ut
contacts.csv.lftp
contacts.csv.lftp-pget-status
contacts.csv.pget
contacts.csv.swo
contacts.csv_old
contacts.CSV-old
contacts.csv.old.1
contacts.csv.bak-2025-11-01
contacts.csv.old.gz
contacts.csv.dpkg-old
contacts.csv.dpkg-dist
contacts.csv.rpmsave
contacts.csv.rpmnew
contacts.csv.ucf-dist
#contacts.csv#
contacts.csv#
~contacts.csv
contacts.csv.~1~
contacts (conflit).csv
contacts - conflit.csv
contacts (Konflikt 2025).csv
contacts (In Konflikt stehende Kopie).csv
contacts_NAS_Nov-01-101010-2025_Conflict.csv
contacts.undo.csv
contacts.undo-2.xlsx
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
SHA256SUMS
MD5SUMS
md5sums.txt
README
README.txt
LISEZMOI.txt
lisez-moi.pdf
nohup.out
core
core.1234
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
contacts_old.csv
contacts-bak.csv
contacts old 2.csv
contacts_old_2024.csv
contacts_backup.csv
contacts_backup_2025-11-01.csv
contacts_ancien.csv
contacts - ancienne version.csv
contacts (sauvegarde du 3 mai).csv
contacts.sauvegarde.csv
contacts_tmp.csv
tmp_contacts.csv
backup-contacts.csv
Sauvegarde de contacts.csv
Copie (2) de contacts.csv
Copy (2) of contacts.csv
Copie de contacts (1).csv
contacts-PC42.csv
contacts-DESKTOP-AB12CD.csv
contacts-LAPTOP-7F3K2.csv
contacts-ANNE-PC.csv
contacts-MacBook-Pro-de-Anne.csv
contacts-PC42 (1).csv
contacts [Récupéré].csv
contacts [Re\u0301cupe\u0301re\u0301].csv
contacts (Recovered).csv
contacts (AutoRecovered).csv
contacts (version 1).csv
contacts (version 1).xlsb.csv
contacts.csv.Xy12Za
CONTACTS - COPIE.CSV
"""


@pytest.mark.parametrize("name", COPIES.strip().splitlines())
def test_copies(tmp_path: Path, name: str) -> None:
    """A copy is not taken beside its original, nor after that was run, however new it is; alone it is taken."""
    put(tmp_path, name)
    assert taken(tmp_path) == [name]
    put(tmp_path, "contacts.csv")
    assert (taken(tmp_path), find_arrivals(tmp_path).held_back) == (["contacts.csv"], [name])
    (tmp_path / "contacts.csv").unlink()
    for folder in ("done", "failed"):
        put(tmp_path, f"{folder}/20260102T030405Z-contacts.csv", at=OLD)
        put(tmp_path, name, at=NEW)
        (tmp_path / name).write_bytes(b"other")
        assert taken(tmp_path) == []
        (tmp_path / folder / "20260102T030405Z-contacts.csv").unlink()


NUMBERED = [
    *("contacts (1).csv", "contacts(2).csv", "contacts (1) (2).csv", "CONTACTS (1).CSV", "contacts 2.csv", "contacts~1.csv"),
    *("contacts.csv.1", "contacts.csv.20251101", "contacts.csv.2025-11-01", "contacts.csv-20251101T010203Z", "contacts.csv (1)"),
]


@pytest.mark.parametrize("name", NUMBERED)
@pytest.mark.parametrize("folder", ["done", "failed"])
def test_a_number_or_a_date(tmp_path: Path, name: str, folder: str) -> None:
    """A number is what a browser adds to a new export: it is taken if it is newer than what was run and has other content."""
    put(tmp_path, name, at=NEW)
    assert taken(tmp_path) == [name]
    put(tmp_path, "contacts.csv")
    assert (taken(tmp_path), find_arrivals(tmp_path).held_back) == (["contacts.csv"], [name])
    (tmp_path / "contacts.csv").unlink()
    put(tmp_path, f"{folder}/20260102T030405Z-contacts.csv", at=OLD)
    assert taken(tmp_path) == []
    (tmp_path / name).write_bytes(b"other")
    assert taken(tmp_path) == [name]
    os.utime(tmp_path / name, (OLD, OLD))
    assert taken(tmp_path) == []
    os.utime(tmp_path / name, (NEW, NEW))
    put(tmp_path, f"{folder}/20260103T030405Z-2-contacts.csv", at=NEW)
    assert taken(tmp_path) == []


OWN = """
photocopie.csv
contacts (2026).csv
contacts-2026.csv
contacts_2025.csv
contacts.2025.csv
contacts 2025-11.csv
contacts 12.csv
contacts-nord.csv
contacts-NORD.csv
contacts-LOT2.csv
contacts-PORT-VENDRES.csv
contacts-pc42.csv
threshold.csv
Copie.csv
backup.csv
core.csv
lock.csv
README.csv
contacts (paris).csv
contacts (version longue).csv
contacts_version_longue.csv
contacts_anciens.csv
contacts en conflit.csv
contacts_en_conflit.csv
old_contacts.csv
Anciens contacts.csv
contacts.csv.xlsx
contacts.csv.gz
contacts.xlsx
"""


@pytest.mark.parametrize("name", OWN.strip().splitlines())
def test_names_that_only_look_like_copies(tmp_path: Path, name: str) -> None:
    """Other files than copies are taken, whatever else is in the inbox."""
    put(tmp_path, name, "contacts.csv")
    assert taken(tmp_path) == sorted([name, "contacts.csv"])


def test_a_name_of_many_copies(tmp_path: Path) -> None:
    """The originals of a name with many additions are each looked for once."""
    put(tmp_path, f"a{'-PC1' * 60}.csv", f"a{'-PC1' * 3}.csv")
    assert taken(tmp_path) == [f"a{'-PC1' * 3}.csv"]


@pytest.mark.parametrize(
    "name", ["contacts.check.csv", "contacts.csv.check.csv", "contacts.rehearsal.xlsx", "contacts.check-2.html"]
)
def test_reports_of_checks(tmp_path: Path, name: str) -> None:
    """The report of a check or a rehearsal is no source, unless an operator has corrected it and taken its source away."""
    put(tmp_path, name, "contacts.csv")
    assert taken(tmp_path) == ["contacts.csv"]
    assert find_arrivals(tmp_path).held_back == []
    (tmp_path / "contacts.csv").unlink()
    assert taken(tmp_path) == [name]
    with open_atomic(tmp_path / name, 0o600) as report:
        report.commit()
    assert taken(tmp_path) == []


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
