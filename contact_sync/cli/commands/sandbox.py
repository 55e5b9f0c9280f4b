"""`contact-sync sandbox`: serve a local stand-in for the API."""

from typing import Any

from contact_sync.cli.options import Option, whole_number
from contact_sync.cli.program import Context, command
from contact_sync.sandbox.faults import parse_faults
from contact_sync.sandbox.store import MADE_UP


@command(
    Option("--port", type=whole_number(0, 65_535), default=8080, metavar="N", help="loopback port; 0: any free one [8080]"),
    Option("--faults", default="", metavar="SPEC", help="faults to inject: 500, 429, retry-after, latency, drop, alter, seed"),
    example="contact-sync sandbox --port 8080 --faults 500=5%,429=2%,latency=200ms",
    summary="serve a local stand-in for the API",
    work="contact_sync.sandbox.server:serve_forever",
)
def sandbox(ctx: Context, work: Any, port: int, faults: str) -> int:
    """Serve a local stand-in for the API on 127.0.0.1, with made-up contacts, until interrupted."""
    announce = f"The sandbox is at {{url}} with {MADE_UP} contacts, C000001 to C{MADE_UP:06} (Ctrl-C ends it)."
    work(port, parse_faults(faults), lambda url: ctx.obj.console.print_message(announce.format(url=url)))
    return 0
