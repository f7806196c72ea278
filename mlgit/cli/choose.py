"""Names of runs on the command line: completed by the shell, looked up in the index."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from mlgit.core import escape
from mlgit.errors import MlgitError


class RunName(click.ParamType):  # type: ignore[type-arg]  # click 8.1, which we take too, has no such argument
    """A run: its id, branch, name, or an unambiguous beginning; `latest`."""

    name = "run"

    def shell_complete(self, _ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The runs whose branch or name begins so."""
        from mlgit import wiring
        from mlgit.index import query

        try:
            known = query.runs(wiring.place().repo)
        except MlgitError:
            return []
        return [
            CompletionItem(run.branch, help=escape.line(run.name))
            for run in known
            if run.branch.startswith(incomplete) or run.name.startswith(incomplete)
        ]


RUN = RunName()
