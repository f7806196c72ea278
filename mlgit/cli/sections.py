"""Many options in a command's help: under headings, as `mlgit --help` has its commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click


class Sectioned(click.Command):
    """A command whose options stand in *sections*, title → their names as its function takes them; the others last."""

    def __init__(self, *args: Any, sections: Mapping[str, Sequence[str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sections = sections

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each section, and at the end what belongs to none."""
        options = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        left = {one.name: record for one in options if (record := one.get_help_record(ctx))}
        for title, names in self.sections.items():
            with formatter.section(title):
                formatter.write_dl([left.pop(name) for name in names])
        with formatter.section("Help"):
            formatter.write_dl(list(left.values()))
