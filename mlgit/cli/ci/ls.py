"""`mlgit ci ls`: what CI does and did, run by run of the workflow."""

from __future__ import annotations

import time

import click

from mlgit import wiring
from mlgit.ci.workflows import WORKFLOWS
from mlgit.cli import output
from mlgit.core import escape, figures


@click.command(short_help="List what CI does and did.")
@click.option("--branch", metavar="BRANCH", help="Only for this branch.")
@click.option("--workflow", type=click.Choice(list(WORKFLOWS)), default="experiment", show_default=True,
              help="Which of the workflows of `mlgit ci init`.")  # fmt: skip
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, metavar="N", help="So many.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(branch: str | None, workflow: str, limit: int, as_json: bool) -> None:
    """List what GitHub does and did by one of mlgit's workflows, newest first; what a push did not ask for is left out.

    \b
    Examples:
      mlgit ci ls
      mlgit ci ls --branch idea --limit 5
      mlgit ci ls --workflow report --json
    """
    from mlgit.ci.underway import commit_of, title_of
    from mlgit.cli.ci import shown
    from mlgit.wiring import underway

    ci = underway.ci(wiring.place())
    file = WORKFLOWS[workflow].file
    found = ci.listed(workflow=file, branch=branch, most=limit)
    if as_json:
        output.as_json([shown.brief(one, commit_of(one)) for one in found])
        return
    now = time.time()
    rows = [
        (
            str(one.id), escape.line(title_of(one), 60), commit_of(one)[:10], escape.line(one.branch, 40),
            shown.state(one), shown.took(one, now), figures.ago(one.created, now),
        )
        for one in found
    ]  # fmt: skip
    columns = ("run", "what", "commit", "branch", "state", "took", "begun")
    empty = f"{file} has done nothing yet{f' for {branch}' if branch else ''}."
    output.table(columns, rows, right=("took",), spare=("begun", "took", "branch"), firm=("run",), empty=empty)
