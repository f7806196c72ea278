"""`mlgit ci report`: what the workflow mlgit-report calls."""

from __future__ import annotations

import os

import click

from mlgit.cli import output
from mlgit.cli.ci import job
from mlgit.errors import UsageError


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
    posted = forge.capabilities.writable
    job.summarize(
        "\n\n".join(text if not posted else f"[#{one.number}]({one.url}): {_first(text)}" for one, text in done)
    )
    if as_json:
        output.as_json({"pulls": [one.number for one, _ in done], "posted": posted and bool(done)})
        return
    for one, text in done:
        output.say(f"#{one.number}: {_first(text)}")
    if not done:
        output.say(f"{about.branch} has no open pull request: there is nothing to report on.")
    elif not posted:
        output.note("we may only read here: nothing was posted, the report is in the job's summary")


def _first(text: str) -> str:
    return text.partition("\n")[0].lstrip("# ")
