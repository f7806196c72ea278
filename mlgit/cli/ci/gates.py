"""`mlgit ci gates`: what the gates say of a pull request that moves a stage."""

from __future__ import annotations

from typing import Any

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.ci import job, stages
from mlgit.errors import UsageError


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print what becomes of each stage, as JSON.")
def command(as_json: bool) -> None:
    """Ask the gates about what the pull request of this job of GitHub's would merge; the status mlgit/gates says it.

    It is the merge that GitHub has made to try it, which a job of the event pull_request checks out. The policy and
    the goals are those of the branch that it goes into. Exits with 4 where a gate fails; while one waits for people
    or time, the status is pending. Of a pull request that moves no stage the status says that, so a rule can ask for
    it. In a merge queue it is asked about each group, after what goes before it, by a status of the group's commit. A
    token that may only read, as of a fork's, sets none; then it exits with 4 while one waits, too.

    \b
    Examples:
      mlgit ci gates
      mlgit ci gates --json
    """
    from mlgit.registry.moving import settle
    from mlgit.wiring import settling

    place = wiring.place()
    forge, remote = stages.github(place)
    told = job.event()
    event: Any = told if isinstance(told, dict) else {}
    try:
        if group := event.get("merge_group"):
            into = str(group["base_ref"]).removeprefix("refs/heads/")
            head, base = str(group["head_sha"]), str(group["base_sha"])
            branch = str(group.get("head_ref", ""))
            tried = settling.of_group(place, forge, head=head, base=base, into=into, branch=branch)
        else:
            pull = event["pull_request"]
            tried = settling.of_pull(place, forge, head=str(pull["head"]["sha"]), into=str(pull["base"]["ref"]))
    except (KeyError, TypeError):
        fix = "mlgit registry reconcile --dry-run asks about a branch"
        raise UsageError("This job is about no pull request.", fix=fix) from None
    found, refused = settling.foresee(place, forge, remote, tried)
    if refused:
        output.note(f"no status says so on the commit, for we may only read here: {refused}")
    if as_json:
        output.as_json([settle.plain(one) for one in found])
    may_wait = not refused and "merge_group" not in event  # the status says it, and keeps it from being merged
    stages.foretell(found, quiet=as_json, none="It moves no stage.", may_wait=may_wait)
