"""`contact-sync completion`: print a script for shell completion."""

import click
from click.shell_completion import get_completion_class

from contact_sync.cli.program import Context, command, program


@command(
    click.Argument(["shell"], type=click.Choice(["bash", "zsh", "fish"])),
    example="contact-sync completion bash >> ~/.bashrc",
    summary="print a shell completion script",
)
def completion(ctx: Context, shell: str) -> int:
    """Print a script for bash, zsh or fish that completes commands and options."""
    if found := get_completion_class(shell):
        ctx.obj.console.print_data(found(program, {}, "contact-sync", "_CONTACT_SYNC_COMPLETE").source())
    return 0
