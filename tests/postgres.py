"""A PostgreSQL server of the tests: started on a free loopback port, in a temporary folder, as an unprivileged user."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

_PLACES = "/usr/lib/postgresql/*/bin/initdb"


def binaries() -> Path | None:
    """Return the folder of the newest server that is installed; None without one."""
    found = [*Path("/").glob(_PLACES.removeprefix("/")), *filter(None, [Path(shutil.which("initdb") or "/nowhere")])]
    return max((path.parent for path in found if path.exists()), key=lambda path: path.parent.name, default=None)


def free_port() -> int:
    """Return a port of the loopback interface that is free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A server that can be stopped and started again; `port` is where it listens, on loopback alone."""

    def __init__(self, folder: Path, bin_: Path) -> None:
        self._bin, self._data, self._folder = bin_, folder / "data", folder
        self.port = free_port()
        self._user = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid} if os.geteuid() == 0 else {}
        if self._user:
            shutil.chown(folder, "nobody")
        self._call("initdb", "-D", str(self._data), "-U", "owner", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        with (self._data / "postgresql.conf").open("a") as conf:
            conf.write(f"listen_addresses = '127.0.0.1'\nport = {self.port}\nunix_socket_directories = '{folder}'\n")
            conf.write("max_connections = 200\nmax_wal_senders = 0\nwal_level = minimal\n")

    def _call(self, program: str, *arguments: str) -> None:
        log = self._folder / f"{program}.log"
        with log.open("ab") as output:
            done = subprocess.run(
                [self._bin / program, *arguments],
                stdout=output,
                stderr=output,
                timeout=120,
                cwd=self._folder,
                check=False,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
                **self._user,  # type: ignore[call-overload]
            )
        assert done.returncode == 0, log.read_text()

    def start(self) -> None:
        """Start the server and wait until it answers."""
        log = str(self._folder / "server.log")
        self._call("pg_ctl", "-D", str(self._data), "-l", log, "-w", "-t", "60", "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop the server; `immediate` is a crash."""
        self._call("pg_ctl", "-D", str(self._data), "-m", mode, "-w", "-t", "60", "stop")

    def url(self, database: str = "postgres", *, port: int | None = None, user: str = "owner") -> str:
        """Return the address of a database, perhaps through a proxy."""
        return f"postgresql://{user}@127.0.0.1:{port or self.port}/{database}"


@contextlib.contextmanager
def serve() -> Iterator[Server]:
    """Serve a new database cluster."""
    bin_ = binaries()
    assert bin_
    folder = Path(tempfile.mkdtemp(prefix="contact-sync-postgres-"))
    try:
        server = Server(folder, bin_)
        server.start()
        try:
            yield server
        finally:
            with contextlib.suppress(AssertionError):  # a test has stopped it
                server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
