"""`contact-sync help`: show a document that travels with the program, or the help of a command."""

from importlib.resources import files

import click

from contact_sync.cli.program import COMMANDS, Context, command, program
from contact_sync.errors import ConfigError


@command(
    click.Argument(["topic"], required=False),
    example="contact-sync help reference",
    summary="show a document, or the help of a command",
)
def help(ctx: Context, topic: str | None) -> int:  # noqa: A001 - a command is called as its function
    """Show the document TOPIC, or the help of a command; without TOPIC, list the documents."""
    console = ctx.obj.console
    documents = [each for each in files("contact_sync").joinpath("docs").iterdir() if each.name.endswith(".md")]
    texts = {each.name.removesuffix(".md"): each.read_text(encoding="utf-8") for each in documents}
    if topic is None:
        width = max(map(len, texts), default=0)
        for name in sorted(texts):
            title = texts[name].partition("\n")[0].lstrip("# ")
            console.print_data(f"{name:<{width}}  {title}")
    elif topic in texts:
        console.print_data(texts[topic].rstrip())
    elif asked := program.get_command(ctx, topic):
        console.print_data(asked.get_help(asked.context_class(asked, parent=ctx.parent, info_name=topic)))
    else:
        topics = ", ".join([*sorted(texts), *COMMANDS])
        raise ConfigError("There is no help on “{topic}”: choose one of {topics}.", topic=topic, topics=topics)
    return 0
