"""Types of the fixtures, and the error envelope."""

from collections.abc import Callable

import httpx

from contact_sync.sandbox.server import Sandbox

Serve = Callable[..., Sandbox]
Post = Callable[..., httpx.Response]
Get = Callable[..., httpx.Response]


def error_of(response: httpx.Response) -> tuple[int, int]:
    """Return the HTTP status and the code of an error envelope."""
    document = response.json()
    assert document["success"] is False
    assert set(document) == {"success", "code", "message"}
    assert document["message"]
    return response.status_code, document["code"]
