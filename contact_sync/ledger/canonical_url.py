"""The one spelling of a base URL, by which the ledger of an account is found."""

import contextlib
import ipaddress
import re
import string
from urllib.parse import quote, unquote, urljoin, urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}
_UNRESERVED = frozenset(f"{string.ascii_letters}{string.digits}-._~")  # characters that need no percent-encoding (RFC 3986, 2.3)


def canonical_url(text: str) -> str:
    """Return the one spelling of all base URLs that lead to the same place (RFC 3986, 6.2); the text itself if it is none."""
    try:
        parts = urlsplit(text.strip())
        host, port = _canonical_host(parts.hostname or ""), parts.port
    except ValueError:
        return text
    port_suffix = "" if port in {None, _DEFAULT_PORTS.get(parts.scheme)} else f":{port}"
    path = re.sub("%([0-9A-Fa-f]{2})", _canonical_escape, quote(parts.path, safe="/%:@!$&'()*+,;=~"))
    path = re.sub("//+", "/", path)  # which most servers take for one; two ledgers of one account do more harm than one of two
    origin = f"{parts.scheme}://{host}{port_suffix}"
    if "/." in path:
        return urljoin(origin, path).rstrip("/")
    return f"{origin}{path}".rstrip("/")


def _canonical_host(host: str) -> str:
    """Return a host in lower case, an international name in its ASCII form, an address in its shortest. Raises ValueError."""
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(host)
        return f"[{address.compressed}]" if address.version == 6 else address.compressed  # noqa: PLR2004 - IPv6
    host = unquote(host).removesuffix(".")
    if not host.isascii():
        import idna  # noqa: PLC0415 - 10 ms, for a name that hardly any API has

        host = idna.encode(host, uts46=True).decode()
    return host.lower()


def _canonical_escape(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if character in _UNRESERVED else match[0].upper()
