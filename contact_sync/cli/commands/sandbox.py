"""`contact-sync sandbox`: serve a local stand-in for the API."""

from typing import Any

from contact_sync.cli.options import Option, whole_number
from contact_sync.cli.program import Context, command
from contact_sync.i18n import ngettext
from contact_sync.sandbox.assumptions import parse_assumptions
from contact_sync.sandbox.faults import parse_faults
from contact_sync.sandbox.store import MADE_UP


@command(
    Option("--port", type=whole_number(0, 65_535), default=8080, metavar="N", help="loopback port; 0: any free one [8080]"),
    Option("--faults", default="", metavar="SPEC", help="faults to inject: 500, 429, retry-after, latency, drop, alter, seed"),
    Option("--contacts", type=whole_number(1, 10_000_000), default=MADE_UP, metavar="N", help=f"made-up contacts [{MADE_UP}]"),
    Option("--assume", multiple=True, metavar="NAME=VALUE", help="an answer to an open question about the API; repeatable"),
    example="contact-sync sandbox --port 8080 --faults 500=5%,429=2%,latency=200ms",
    summary="serve a local stand-in for the API",
    work="contact_sync.sandbox.server",
)
def sandbox(ctx: Context, work: Any, *, port: int, faults: str, contacts: int, assume: tuple[str, ...]) -> int:
    """Serve a local stand-in for the API on 127.0.0.1, with made-up contacts, until interrupted."""
    assumptions = parse_assumptions(",".join(assume))
    served = work.Sandbox(faults=parse_faults(faults), contacts=contacts, assumptions=assumptions, record=False)

    def announce(url: str) -> None:
        sentence = ngettext(
            "The sandbox is at {url} with {count} contact, C000001; any key of 8 characters or more works (Ctrl-C ends it).",
            "The sandbox is at {url} with {count} contacts, C000001 to {last}; any key of 8 characters or more works (Ctrl-C "
            "ends it).",
            contacts,
            url=url,
            last=f"C{contacts:06}",
        )
        ctx.obj.console.print_message(sentence)

    work.serve_forever(served, port, announce)
    return 0
