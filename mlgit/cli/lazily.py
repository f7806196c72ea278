"""Commands below a command, each in a module of its own that is loaded when it is called."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click


class Lazily(click.Group):
    """The commands of *sections*: title → name → what it is for. *package* has a module for each, with a `command`.

    *elsewhere*: what other tools call some of them → the words for it here.
    """

    def __init__(
        self, *args: Any, package: str, sections: Mapping[str, Mapping[str, str]],
        elsewhere: Mapping[str, str] | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(*args, **kwargs)
        self.package, self.sections, self.elsewhere = package, sections, elsewhere or {}

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Their names, as they stand in the table."""
        return [name for section in self.sections.values() for name in section]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The one of that name, loaded; None where the table has none."""
        if name not in self.list_commands(ctx):
            return None
        command: click.Command = importlib.import_module(f"{self.package}.{name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it; who mistypes a name hears of one that is close."""
        if args and args[0] not in self.list_commands(ctx) and not args[0].startswith("-"):
            ctx.fail(f"There is no command {args[0]!r}. {self.hint(ctx, args[0])}")
        return super().resolve_command(ctx, args)

    def hint(self, ctx: click.Context, name: str) -> str:
        """What to say to who typed *name*, which is no command."""
        import difflib

        close = [self.elsewhere[name]] if name in self.elsewhere else []
        close = close or difflib.get_close_matches(name, self.list_commands(ctx), 1)
        return f"Did you mean {close[0]!r}?" if close else f"`{ctx.command_path} --help` lists them."

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each section, without loading what is in it."""
        for title, section in self.sections.items():
            with formatter.section(title):
                formatter.write_dl(list(section.items()))
