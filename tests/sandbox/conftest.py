"""Clients of a served sandbox."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from contact_sync.sandbox.server import Sandbox

from .clients import Get, Post


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    """One connection that is kept open, as in a run."""
    with httpx.Client(timeout=60, trust_env=False) as kept:
        yield kept


@pytest.fixture
def post(client: httpx.Client) -> Post:
    """Return a function that sends one update."""

    def send(to: Sandbox, contact_id: str = "C000001", *, key: str = "key", **contact: Any) -> httpx.Response:
        document = {"apiKey": key, "contactId": contact_id, "contact": contact}
        return client.post(f"{to.base_url}/contact/update", json=document)

    return send


@pytest.fixture
def get(client: httpx.Client) -> Get:
    """Return a function that reads one of the GET endpoints."""

    def read(of: Sandbox, path: str, **query: str) -> httpx.Response:
        return client.get(f"{of.base_url}/{path}", params={"apiKey": "key", **query})

    return read
