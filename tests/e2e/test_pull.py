"""Pulls that are killed and started again."""

import contextlib
import csv
import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from contact_sync.sandbox.assumptions import Assumptions
from contact_sync.sandbox.server import Sandbox

from .workspace import KEY, PROGRAM, call_program, wait_until


@pytest.mark.parametrize("kills", [3, pytest.param(40, marks=pytest.mark.soak)])
@pytest.mark.parametrize("assumptions", [Assumptions(), Assumptions(total="page", order="changing", groups="two")])
def test_killed_pulls_go_on(tmp_path: Path, sandbox: Callable[..., Sandbox], kills: int, assumptions: Assumptions) -> None:
    """However often a pull is killed, the last one has every contact once, few pages are read twice, and nothing is left."""
    served = sandbox(key=KEY, contacts=300 * kills, assumptions=assumptions)
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "CONTACT_SYNC_API_KEY": KEY}
    command = [
        str(PROGRAM),
        "pull",
        "-o",
        "c.csv",
        "--base-url",
        served.base_url,
        "--state-dir",
        "state",
        "--rate",
        "100",
        "--json",
    ]
    pages: list[tuple[str, int]] = []
    original = served.store.page

    def page(group: str, number: int) -> object:
        pages.append((group, number))
        return original(group, number)

    served.store.page = page  # type: ignore[method-assign, assignment]
    rng = random.Random(kills)
    for _ in range(kills):
        begun, wanted = len(pages), rng.randrange(3, 14)
        running = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        wait_until(lambda begun=begun, wanted=wanted: len(pages) >= begun + wanted)  # type: ignore[misc]
        running.kill()
        running.communicate(timeout=60)
        assert not (tmp_path / "c.csv").exists()
    time.sleep(0.1)  # until what the last one had in flight has arrived
    asked = len(pages)
    with contextlib.chdir(tmp_path):
        code, _, err = call_program(command[1:], environment)
    assert code == 0, err
    with (tmp_path / "c.csv").open(encoding="utf-8-sig", newline="") as file:
        ids = [row["contactId"] for row in csv.DictReader(file, delimiter=";")]
    assert sorted(ids) == sorted(served.store)
    in_flight = 8 + 1
    assert asked - len(set(pages[:asked])) <= kills * in_flight or assumptions.order == "changing"
    assert not [path for path in (tmp_path / "state").iterdir() if path.suffix == ".pull"]
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".draft"]
