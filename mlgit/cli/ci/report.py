"""`mlgit ci report`: what the workflow mlgit-report calls."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from mlgit.cli import markdown, output
from mlgit.cli.ci import job
from mlgit.errors import UsageError

if TYPE_CHECKING:
    from mlgit.wiring.reporting import Reported


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the numbers of the pull requests, as JSON.")
def command(as_json: bool) -> None:
    """Post the report on the pull request that this job of GitHub's is about, or on the open ones of its branch.

    Which that is, the job's event says. Runs and commits that the job's clone lacks are fetched with the job's token.
    Where that may only read, as for a pull request from a fork, the report goes into the job's summary alone. A branch
    without an open pull request has none.

    \b
    Examples:
      mlgit ci report
      GITHUB_REF_NAME=idea mlgit ci report --json
    """
    from mlgit import wiring
    from mlgit.ci import subject
    from mlgit.wiring import answering

    place = wiring.place()
    found = wiring.on_github(place)
    if found is None:
        raise UsageError("Pull requests of this repository do not live on GitHub.", fix=wiring.why_not_github(place))
    forge, _ = found
    about = subject.read(job.event(), os.environ)
    done = list(answering.reports(place, forge, about))
    job.summarize(
        "\n\n".join(f"[#{pull.number}]({pull.url}): {_first(one)}" if one.posted else one.text for pull, one in done)
    )
    if as_json:
        posted = bool(done) and all(one.posted for _, one in done)
        output.as_json({"pulls": [pull.number for pull, _ in done], "posted": posted})
        return
    for pull, one in done:
        output.say(f"#{pull.number}: {markdown.headline(one.text)}")
        if not one.posted:
            job.tell_unposted(one)
    if not done:
        output.say(f"{about.branch} has no open pull request: there is nothing to report on.")


def _first(one: Reported) -> str:
    return one.text.partition("\n")[0].lstrip("# ")
