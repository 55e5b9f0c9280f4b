"""A PostgreSQL server of the tests: started on a free loopback port, in a temporary folder, as an unprivileged user."""

import contextlib
import os
import pwd
import queue
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

_PLACES = "/usr/lib/postgresql/*/bin/initdb"


def binaries() -> Path | None:
    """Return the folder of the newest server that is installed; None without one."""
    found = [*Path("/").glob(_PLACES.removeprefix("/")), *filter(None, [Path(shutil.which("initdb") or "/nowhere")])]
    return max((path.resolve().parent for path in found if path.exists()), key=lambda path: path.parent.name, default=None)


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
        self._there = ("-h", "127.0.0.1", "-p", str(self.port), "-U", "owner")
        self._user = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid} if os.geteuid() == 0 else {}
        if self._user:
            shutil.chown(folder, "nobody")
        self._call("initdb", "-D", str(self._data), "-U", "owner", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        with (self._data / "postgresql.conf").open("a") as conf:
            conf.write(f"listen_addresses = '127.0.0.1'\nport = {self.port}\nunix_socket_directories = '{folder}'\n")
            conf.write("max_connections = 200\nrestore_command = false\n")

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

    @contextlib.contextmanager
    def admitting(self, *rules: str) -> Iterator[None]:
        """Admit roles in another way than without a password, by rules such as `NAME reject`, until the end."""
        path = self._data / "pg_hba.conf"
        before = path.read_text()
        lines = [f"host all {role} all {method}\n" for role, method in map(str.split, rules)]
        for text in ("".join([*lines, before]), before):
            path.write_text(text)
            self._call("pg_ctl", "-D", str(self._data), "reload")
            if text != before:
                yield

    def create(self, database: str) -> str:
        """Create a database, and return its address."""
        self._call("createdb", *self._there, database)
        return self.url(database)

    @contextlib.contextmanager
    def set_back(self, how: str, database: str) -> Iterator[None]:
        """Set a database back, at the end, to what it is now: by a `dump`, a `snapshot` of the disk, or a `recovery`."""
        dump, kept = self._folder / "dump", self._data.with_name("kept")
        there = self._there
        if how == "dump":
            self._call("pg_dump", *there, "-Fc", "-f", str(dump), database)
            yield
            self._call("dropdb", *there, "--force", database)
            self.create(database)
            self._call("pg_restore", *there, "-d", database, str(dump))
            return
        self.stop()
        shutil.copytree(self._data, kept)
        self.start()
        yield
        self.stop()
        shutil.rmtree(self._data)
        kept.rename(self._data)
        if how == "recovery":
            (self._data / "recovery.signal").touch()
        for path in (self._data, *self._data.rglob("*")) if self._user else ():
            shutil.chown(path, "nobody")
        self.start()
        with psycopg.connect(self.url(), autocommit=True) as admin:
            while how == "recovery" and admin.execute("SELECT pg_is_in_recovery()").fetchone() != (False,):
                time.sleep(0.05)

    def url(self, database: str = "postgres", *, port: int | None = None, user: str = "owner") -> str:
        """Return the address of a database, perhaps through a proxy."""
        return f"postgresql://{user}@127.0.0.1:{port or self.port}/{database}"


class Proxy:
    """A proxy on loopback in front of a database that can drop every connection and refuse new ones, or stall.

    Whatever it forwards arrives after `delay` seconds; `journeys` counts what hosts have sent and then waited for.
    """

    def __init__(self, port: int, *, delay: float = 0.0) -> None:
        self.port, self._upstream, self._delay = free_port(), port, delay
        self.journeys = 0
        self._open: list[socket.socket] = []
        self.is_cut = self.is_stalled = False
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if self.is_cut:
                    near.close()
                    continue
                try:
                    far = socket.create_connection(("127.0.0.1", self._upstream))
                except OSError:
                    near.close()
                    continue
                self._open += [near, far]
                for pair in ((near, far), (far, near)):
                    arrived: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
                    threading.Thread(target=self._receive, args=(pair[0], arrived, int(pair[0] is near)), daemon=True).start()
                    threading.Thread(target=self._forward, args=(pair[1], arrived), daemon=True).start()

    def _receive(self, one: socket.socket, arrived: "queue.SimpleQueue[tuple[float, bytes]]", counted: int) -> None:
        content = b"."
        while content:
            content = b""
            with contextlib.suppress(OSError):
                content = one.recv(1 << 16)
            self.journeys += counted
            arrived.put((time.monotonic() + self._delay, content))

    def _forward(self, other: socket.socket, arrived: "queue.SimpleQueue[tuple[float, bytes]]") -> None:
        with contextlib.suppress(OSError):
            while (received := arrived.get())[1]:
                while self.is_stalled:
                    time.sleep(0.05)
                time.sleep(max(0.0, received[0] - time.monotonic()))
                other.sendall(received[1])
        with contextlib.suppress(OSError):
            other.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        """Drop all connections."""
        self.is_cut = True
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._open.clear()

    def close(self) -> None:
        """End."""
        self.cut()
        self._listener.close()


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
