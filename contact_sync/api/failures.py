"""The failures of an attempt that httpx has no errors for; apart from the transport, which takes long to import."""

import httpx

from contact_sync.errors import ContactSyncError


class CertificateError(httpx.ConnectError):
    """The server's certificate is not trusted, or belongs to another host."""


class ShortageError(httpx.ConnectError):
    """This process or this machine has no files, memory or buffers left for a connection."""

    def __init__(self, reason: ContactSyncError) -> None:
        super().__init__(str(reason))
        self.reason = reason


class HeadTooLongError(httpx.RemoteProtocolError):
    """The head of the answer has a longer line, or more lines, than are read."""
