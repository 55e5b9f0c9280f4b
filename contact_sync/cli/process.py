"""The process around the program: its environment variables and its standard streams, either of which cron may leave out."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from io import TextIOWrapper

from contact_sync.cli.console import Console, Streams


@dataclass(frozen=True, slots=True)
class Process:
    """The surroundings of a command; the `obj` of its click context."""

    env: Mapping[str, str]
    console: Console


def prepare(streams: Streams) -> None:
    """Make files private, and the streams safe to write to.

    Descriptors that cron closed are opened on the null device: a ledger opened as 1 would be overwritten by a print. Characters
    that a stream cannot encode are written as escapes.
    """
    os.umask(0o077)
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for stream in streams:
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def discard_unwritten(streams: Streams) -> None:
    """Keep Python's last flush from changing the exit code where a pipe is closed or a disk is full."""
    for stream in streams:
        if stream is not None:
            try:
                stream.flush()
            except OSError:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
